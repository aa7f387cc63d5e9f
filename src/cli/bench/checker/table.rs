//! Rows as they are measured, for a terminal and for a page.

use super::generate::{Shape, Values};
use super::measure::Answer;
use super::sides::Both;
use super::stored::{Stored, StoredCost};
use crate::report::words::count;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Markdown,
}

/// Its columns: what they are called, and how wide they are on a terminal.
pub(super) struct Table {
    form: Form,
    columns: &'static [(&'static str, usize)],
}

const GENERATED: [(&str, usize); 14] = [
    ("clients", 7),
    ("operations", 10),
    ("keys", 4),
    ("values", 8),
    ("unknown", 7),
    ("stale", 5),
    ("verdict", 7),
    ("by", 12),
    ("explained", 9),
    ("processor", 9),
    ("memory", 14),
    ("Porcupine", 10),
    ("its memory", 16),
    ("ratios", 14),
];

const ELSEWHERE: [(&str, usize); 6] =
    [("files", 7), ("valid", 7), ("invalid", 7), ("processor", 9), ("Porcupine", 10), ("ratio", 8)];

const STORED: [(&str, usize); 12] = [
    ("clients", 7),
    ("operations", 10),
    ("znodes", 6),
    ("unknown", 7),
    ("file", 8),
    ("read", 8),
    ("taken apart", 11),
    ("checked", 8),
    ("ratio", 5),
    ("processor", 9),
    ("an operation", 12),
    ("memory", 7),
];

impl Table {
    /// Of generated histories.
    pub(super) fn generated(form: Form) -> Table {
        Table { form, columns: &GENERATED }
    }

    /// Of all histories from elsewhere together.
    pub(super) fn elsewhere(form: Form) -> Table {
        Table { form, columns: &ELSEWHERE }
    }

    /// Of our own histories, from a file.
    pub(super) fn stored(form: Form) -> Table {
        Table { form, columns: &STORED }
    }

    pub(super) fn head(&self) -> String {
        let head = self.row(self.columns.iter().map(|(name, _)| (*name).to_owned()));
        match self.form {
            Form::Text => head,
            Form::Markdown => format!("{head}\n|{}", "--|".repeat(self.columns.len())),
        }
    }

    pub(super) fn generated_row(&self, shape: Shape, both: &Both) -> String {
        let values = match shape.values {
            Values::Distinct => "distinct",
            Values::Cas => "cas",
            Values::Five => "five",
        };
        let (theirs, memory) = match &both.theirs {
            None => ("-".to_owned(), "-".to_owned()),
            Some(theirs) if !theirs.decided() => (theirs.verdict.clone(), "-".to_owned()),
            Some(theirs) => (seconds(theirs.seconds), memory(theirs)),
        };
        self.row([
            shape.clients.to_string(),
            count(shape.operations as u64),
            shape.keys.to_string(),
            values.to_owned(),
            format!("{} ‰", shape.unknown),
            if shape.stale { "yes" } else { "no" }.to_owned(),
            both.ours.verdict.clone(),
            both.ours.by.clone(),
            explanation(&both.ours),
            seconds(both.ours.seconds),
            self::memory(&both.ours),
            theirs,
            memory,
            ratios(both),
        ])
    }

    pub(super) fn elsewhere_row(&self, all: &[Both]) -> String {
        let verdicts = |verdict| all.iter().filter(|both| both.ours.verdict == verdict).count();
        let ours: f64 = all.iter().map(|both| both.ours.seconds).sum();
        let theirs: Option<f64> =
            all.iter().map(|both| Some(decided(both)?.seconds)).sum::<Option<f64>>();
        self.row([
            count(all.len() as u64),
            verdicts("valid").to_string(),
            verdicts("invalid").to_string(),
            seconds(ours),
            theirs.map_or_else(|| "-".to_owned(), seconds),
            theirs.map_or_else(|| "-".to_owned(), |theirs| times(theirs / ours)),
        ])
    }

    pub(super) fn stored_row(&self, stored: Stored, cost: &StoredCost) -> String {
        #[expect(clippy::cast_precision_loss, reason = "for the eye")]
        let each = cost.cpu * 1e9 / stored.operations as f64;
        self.row([
            stored.clients.to_string(),
            count(stored.operations as u64),
            stored.keys.to_string(),
            format!("{} ‰", stored.unknown),
            format!("{} MB", count(cost.bytes / 1_000_000)),
            seconds(cost.bare),
            seconds(cost.events),
            seconds(cost.check),
            format!("{:.1}×", cost.check / cost.events),
            seconds(cost.cpu),
            format!("{each:.0} ns"),
            format!("{} MB", cost.peak >> 20),
        ])
    }

    fn row(&self, cells: impl IntoIterator<Item = String>) -> String {
        match self.form {
            Form::Text => {
                let aligned = self.columns.iter().zip(cells);
                let aligned: Vec<String> =
                    aligned.map(|((_, width), cell)| format!("{cell:>width$}")).collect();
                aligned.join("  ")
            }
            Form::Markdown => {
                let cells: Vec<String> = cells.into_iter().collect();
                format!("| {} |", cells.join(" | "))
            }
        }
    }
}

/// "4 calls", of what is invalid.
fn explanation(answer: &Answer) -> String {
    match (answer.verdict.as_str(), answer.explained) {
        ("invalid", Some(calls)) => format!("{calls} calls"),
        ("invalid", None) => "no".to_owned(),
        _ => "-".to_owned(),
    }
}

/// By how many operations the stale reads found are explained, in all.
pub(super) fn explained(all: &[Option<usize>]) -> String {
    let found = count(all.len() as u64);
    let without = all.iter().filter(|calls| calls.is_none()).count() as u64;
    let most = all.iter().flatten().max().unwrap_or(&0);
    format!(
        "\n{found} stale reads were found: {} are explained by at most {most} operations, {} are not.",
        count(all.len() as u64 - without),
        count(without)
    )
}

fn decided(both: &Both) -> Option<&Answer> {
    both.theirs.as_ref().filter(|theirs| theirs.decided() && both.ours.decided())
}

/// Theirs by ours: processor time, and memory.
#[expect(clippy::cast_precision_loss, reason = "for the eye")]
fn ratios(both: &Both) -> String {
    let Some(theirs) = decided(both) else { return "-".to_owned() };
    let memory = theirs.peak as f64 / both.ours.peak as f64;
    format!("{}, {}", times(theirs.seconds / both.ours.seconds), times(memory))
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1}×") } else { format!("{ratio:.0}×") }
}

/// "21 MB (+8)": the most there was, and what the check added.
fn memory(answer: &Answer) -> String {
    let added = answer.peak.saturating_sub(answer.before);
    format!("{} MB (+{})", answer.peak >> 20, added >> 20)
}

/// "0.16 ms", "1.70 s".
fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.2} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

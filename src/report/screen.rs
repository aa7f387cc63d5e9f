//! The end of a run, on one screen of text.

use std::path::Path;

use checker::{Check, Fact, Outcome, Soundness, Steps, Verdict};
use history::Manifest;

use super::steps::in_words;
use super::words;

/// Columns of a terminal. Only paths and commands are longer: they are there to be copied.
const WIDTH: usize = 80;
/// Lines of the whole. What the other parts leave belongs to the run's own facts: at least six.
const LINES_MAX: usize = 30;
const SENTENCE_MAX: usize = 4;
/// Without the lines that the servers' steps take.
const CHECKS_MAX: usize = 11;
const FAULTS_MAX: usize = 2;
const STEPS_MAX: usize = 2;

/// What a run shows at its end: at most 30 lines, plain text, each line ending in a newline.
///
/// The verdict's word and sentence, the checks with what they examined, whether the run itself is
/// sound, where the report is, and the commands that check it again and run it again.
#[must_use]
pub fn screen(manifest: &Manifest, verdict: &Verdict, run: &Path) -> String {
    let mut lines = headline(verdict);
    lines.extend(words::mutant(manifest));
    lines.push(String::new());
    let steps: Vec<String> = verdict.steps.iter().flat_map(steps).collect();
    lines.extend(checks(&verdict.checks, CHECKS_MAX - steps.len()));
    lines.push(String::new());
    let mut last = faults(manifest);
    last.extend(steps);
    last.push(format!("report  {}", run.join("report.html").display()));
    last.push(format!("check   {}", words::check_command(run)));
    last.push(format!("again   {}", words::run_command(manifest)));
    let room = LINES_MAX - lines.len() - last.len();
    lines.extend(soundness(&verdict.soundness, room));
    lines.extend(last);
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn headline(verdict: &Verdict) -> Vec<String> {
    let word = words::verdict_word(verdict).0.to_uppercase();
    wrap(&format!("{word}  "), words::sentence(verdict).split_whitespace(), " ", SENTENCE_MAX)
}

fn steps(steps: &Steps) -> Vec<String> {
    wrap("steps   ", in_words(steps).split_whitespace(), " ", STEPS_MAX)
}

fn checks(checks: &[Check], lines_max: usize) -> Vec<String> {
    if checks.is_empty() {
        return vec!["nothing was checked".into()];
    }
    let mut all: Vec<&Check> = checks.iter().collect();
    let fits = all.iter().map(|one| check(one).len()).sum::<usize>() <= lines_max;
    let room = if fits { lines_max } else { lines_max - 1 };
    if !fits {
        // Whatever is not valid is shown first.
        all.sort_by_key(|check| std::cmp::Reverse(check.outcome));
    }
    let mut lines = vec![row("guarantee", "outcome", "examined", "ms", "")];
    for (at, one) in all.iter().enumerate() {
        let added = check(one);
        if lines.len() + added.len() > room + 1 {
            lines.push(format!("  … and {} more: {}", all.len() - at, tally(&all[at..])));
            break;
        }
        lines.extend(added);
    }
    lines
}

fn tally(checks: &[&Check]) -> String {
    let n = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    [Outcome::Valid, Outcome::Unknown, Outcome::Invalid]
        .into_iter()
        .filter(|outcome| n(*outcome) > 0)
        .map(|outcome| format!("{} {outcome}", n(outcome)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A line; a remark without room on it gets one of its own.
fn check(check: &Check) -> Vec<String> {
    let remark = match (&check.reason, check.binding) {
        (Some(reason), _) => reason.as_str(),
        (None, false) => "reported, not promised",
        (None, true) => "",
    };
    let with = |remark| {
        row(
            &words::guarantee(check),
            &check.outcome.to_string(),
            &words::count(check.examined),
            &format!("{:.1}", check.millis),
            remark,
        )
    };
    match with(remark) {
        line if width(&line) <= WIDTH => vec![line],
        _ => vec![with(""), cut(&format!("      {remark}"), WIDTH)],
    }
}

fn row(name: &str, outcome: &str, examined: &str, ms: &str, remark: &str) -> String {
    format!("  {:<25} {outcome:<7} {examined:>9} {ms:>8}  {remark}", cut(name, 25))
}

fn soundness(soundness: &Soundness, lines_max: usize) -> Vec<String> {
    let (met, missed): (Vec<&Fact>, Vec<&Fact>) =
        soundness.facts.iter().partition(|fact| fact.holds());
    let mut lines = match missed.len() {
        0 => vec![],
        n => vec![unsound(n, soundness.facts.len())],
    };
    lines.extend(missed.iter().map(|fact| missing(fact)));
    lines.truncate(lines_max);
    let left = lines_max - lines.len();
    let met: Vec<String> = met.into_iter().map(counted).collect();
    if !met.is_empty() && left > 0 {
        let lead = if missed.is_empty() { "sound   " } else { "met     " };
        lines.extend(wrap(lead, met.iter().map(String::as_str), " · ", left));
    }
    lines
}

fn unsound(n_missed: usize, n: usize) -> String {
    let verb = if n_missed == 1 { "is" } else { "are" };
    format!("the run itself is not sound: {n_missed} of {n} needs {verb} not met")
}

fn missing(fact: &Fact) -> String {
    let note = if fact.note.is_empty() { String::new() } else { format!(": {}", fact.note) };
    let counts = format!("{} of {} needed", words::count(fact.count), words::count(fact.needed));
    cut(&format!("  ✗ {}: {counts}{note}", fact.what), WIDTH)
}

fn counted(fact: &Fact) -> String {
    let note = if fact.note.is_empty() { String::new() } else { format!(" ({})", fact.note) };
    format!("{} {}{note}", words::count(fact.count), fact.what)
}

fn faults(manifest: &Manifest) -> Vec<String> {
    let settings = &manifest.settings;
    let mut parts = match settings.faults.as_slice() {
        [] => vec!["none".to_owned()],
        _ => {
            vec![
                settings.faults_in_words(" + "),
                format!("about one every {} s", settings.interval_s),
            ]
        }
    };
    if settings.faults.iter().any(|kind| kind.starts_with("partition")) {
        parts.push(format!("partitions by {}", manifest.machine.partitions_by));
    }
    parts.extend(manifest.machine.disks_by.iter().map(|by| format!("disks by {by}")));
    parts.push(format!("seed {}", settings.seed));
    wrap("faults  ", parts.iter().map(String::as_str), " · ", FAULTS_MAX)
}

/// Words behind a lead, over at most `lines_max` lines indented to it; what has no room ends in …
fn wrap<'a>(
    lead: &str,
    words: impl Iterator<Item = &'a str>,
    between: &str,
    lines_max: usize,
) -> Vec<String> {
    let indent = " ".repeat(lead.chars().count());
    let mut lines = vec![lead.to_owned()];
    let mut fresh = true;
    for word in words {
        let n_lines = lines.len();
        let last = lines.last_mut().expect("there is always a line");
        let between = if fresh { "" } else { between };
        if fresh || width(last) + width(between) + width(word) <= WIDTH {
            last.push_str(between);
            last.push_str(word);
            fresh = false;
        } else if n_lines < lines_max {
            lines.push(format!("{indent}{word}"));
        } else {
            *last = format!("{} …", cut(last, WIDTH - 2));
            break;
        }
    }
    lines.iter().map(|line| cut(line, WIDTH)).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The beginning of a text that is too long.
fn cut(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

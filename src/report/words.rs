//! How values are said: times, counts, operations, verdicts.

use std::path::Path;

use checker::{Check, Exit, Outcome, Verdict, Witness};
use history::foreign::{Datum, Deed};
use history::znode::Ask;
use history::{Event, Kind, Manifest, Status, f};
use serde::Deserialize;
use serde_json::Value;

use super::timeline::Clock;

/// A moment of the run, nanoseconds since its start: `12.310 s`.
pub(super) fn moment(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

impl Clock {
    /// A moment in words: `12.310 s`, `event 1,217`.
    pub(super) fn moment(self, at: u64) -> String {
        match self {
            Clock::Nanoseconds => moment(at),
            Clock::Events => format!("event {}", count(at)),
        }
    }

    /// A length of time in words: `4.20 ms`, `12 events`.
    pub(super) fn length(self, length: u64) -> String {
        match self {
            Clock::Nanoseconds => duration(length),
            Clock::Events => format!("{} events", count(length)),
        }
    }

    /// What an operation's number is that of.
    pub(super) fn numbers(self) -> &'static str {
        match self {
            Clock::Nanoseconds => "event",
            Clock::Events => "line",
        }
    }
}

/// A length of time in nanoseconds, with three digits that matter: `1.92 s`, `4.20 ms`, `310 µs`.
pub(super) fn duration(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        1e9.. => format!("{} s", three_digits(ns / 1e9)),
        1e6.. => format!("{} ms", three_digits(ns / 1e6)),
        _ => format!("{} µs", three_digits(ns / 1e3)),
    }
}

fn three_digits(x: f64) -> String {
    match x {
        100.0.. => format!("{x:.0}"),
        10.0.. => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// A count, with commas: `14,203`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One verdict word for the run, and the class that colours it.
pub(super) fn verdict_word(verdict: &Verdict) -> (&'static str, &'static str) {
    match verdict.exit() {
        Exit::Valid => ("valid", "valid"),
        Exit::Invalid => ("invalid", "invalid"),
        Exit::Unknown => ("unknown", "unknown"),
        Exit::Unsound | Exit::Usage => ("not sound", "unsound"),
    }
}

/// The verdict's sentence without its leading word, which stands beside it.
pub(super) fn sentence(verdict: &Verdict) -> &str {
    let sentence = verdict.sentence.trim();
    let (word, class) = verdict_word(verdict);
    [word, class]
        .iter()
        .find_map(|word| sentence.strip_prefix(word)?.strip_prefix(':'))
        .map_or(sentence, str::trim)
}

/// A guarantee's title: `C5 reads show their state`. An id in words, `linearizable`, is its own.
pub(super) fn guarantee(check: &Check) -> String {
    format!("{} {}", check.id, name_beyond_id(check)).trim_end().to_owned()
}

/// The name of a check where its id does not say it.
pub(super) fn name_beyond_id(check: &Check) -> &str {
    if check.id.contains(|c: char| c.is_ascii_digit()) { &check.name } else { "" }
}

/// The broken promises that have a witness, the target's own before those that are only reported.
pub(super) fn violations(verdict: &Verdict) -> Vec<(&Check, &Witness)> {
    let invalid = verdict.checks.iter().filter(|check| check.outcome == Outcome::Invalid);
    let mut violations: Vec<_> =
        invalid.filter_map(|check| Some((check, check.witness.as_ref()?))).collect();
    violations.sort_by_key(|(check, _)| !check.binding);
    violations
}

/// What a planted defect means, or nothing.
pub(super) fn mutant(manifest: &Manifest) -> Option<String> {
    let mutant = manifest.settings.mutant.as_ref()?;
    Some(format!("planted defect {mutant}: this server is broken on purpose"))
}

/// An operation in a few words, without its znode: `write 3000017 → v7`, `read → 3000017 v7`,
/// `cas v6 3000018 → BadVersion`, `write 3000019 → ? Timeout`.
pub(super) fn label(invoke: &Event, done: Option<&Event>) -> String {
    format!("{} → {}", asked(invoke), answer(done))
}

/// The same of a history from elsewhere: `cas [1 2] → ok`.
pub(super) fn label_of_deed(deed: &Deed) -> String {
    let asked = match &deed.asked {
        Datum::Nil => deed.f.clone(),
        asked => format!("{} {asked}", deed.f),
    };
    let error = deed.error.as_ref().map(Datum::to_string);
    let answer = match (deed.status, &deed.answered) {
        (Status::Ok, Some(answer)) if *answer != deed.asked => answer.to_string(),
        (Status::Ok, _) if deed.asked == Datum::Nil => "nil".to_owned(),
        (Status::Ok, _) => "ok".to_owned(),
        (Status::Fail, _) => error.unwrap_or_else(|| "refused".to_owned()),
        (Status::Unknown, _) => format!("? {}", error.unwrap_or_default()).trim_end().to_owned(),
    };
    format!("{asked} → {answer}")
}

fn asked(invoke: &Event) -> String {
    match (invoke.f.as_str(), &invoke.value) {
        (f::CAS, Value::Array(pair)) if pair.len() == 2 => format!("cas v{} {}", pair[0], pair[1]),
        (name, Value::Null) => name.to_owned(),
        (name, value @ Value::Object(_)) => {
            Ask::deserialize(value).map_or_else(|_| name.to_owned(), |ask| ask.to_string())
        }
        (name, value) => format!("{name} {}", plain(value)),
    }
}

fn answer(done: Option<&Event>) -> String {
    let Some(done) = done else { return "? no answer".into() };
    match done.kind {
        Kind::Ok | Kind::Invoke => result(done),
        Kind::Fail => done.error.clone().unwrap_or_else(|| "fail".into()),
        Kind::Info => format!("? {}", done.error.as_deref().unwrap_or("")).trim_end().to_owned(),
    }
}

fn result(done: &Event) -> String {
    let version = done.stat.map(|stat| format!("v{}", stat.version));
    match (done.f.as_str(), &version) {
        (f::READ | f::LOCAL_READ, Some(version)) => format!("{} {version}", read_value(done)),
        (f::READ | f::LOCAL_READ, None) => read_value(done),
        (f::CONNECT, _) => done.session.map_or("ok".into(), |session| format!("session {session}")),
        (_, Some(version)) => version.clone(),
        (_, None) => "ok".into(),
    }
}

fn read_value(done: &Event) -> String {
    match &done.value {
        Value::Null => "empty".into(),
        value => plain(value),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The command that judges the run again.
pub(super) fn check_command(run: &Path) -> String {
    format!("zoobreak check {}", shell(&run.display().to_string()))
}

/// The command that runs the same operations and the same faults again: what was typed, and the
/// seed where it was drawn.
pub(super) fn run_command(manifest: &Manifest) -> String {
    let mut words = vec!["zoobreak".to_owned()];
    words.extend(manifest.argv.iter().skip(1).map(|word| shell(word)));
    let is_seeded = manifest.argv.get(1).is_none_or(|command| command != "model");
    if is_seeded
        && !manifest.argv.iter().any(|word| word == "--seed" || word.starts_with("--seed="))
    {
        words.push(format!("--seed {}", manifest.settings.seed));
    }
    words.join(" ")
}

/// A command as it was typed.
pub(super) fn command_line(argv: &[String]) -> String {
    let typed = argv.iter().skip(1).map(|word| shell(word));
    ["zoobreak".to_owned()].into_iter().chain(typed).collect::<Vec<_>>().join(" ")
}

/// The command that writes a history for another checker.
pub(super) fn convert_command(file: &Path) -> String {
    let beside = file.with_extension("converted.edn");
    let [file, beside] = [file, &beside].map(|path| shell(&path.display().to_string()));
    format!("zoobreak history convert {file} {beside}")
}

/// Quoted where a shell would read it otherwise.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./+=:,%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

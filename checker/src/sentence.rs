//! The verdict in one sentence.

use history::{History, Manifest};

use crate::soundness::{leader_changes, verified_by_kind};
use crate::verdict::{Check, Fact, Outcome, Soundness};
use crate::words::{count, grouped};

/// What was decided, and why, with values.
pub(crate) fn sentence(
    manifest: Option<&Manifest>,
    history: &History,
    checks: &[Check],
    soundness: &Soundness,
) -> String {
    let binding = || checks.iter().filter(|check| check.binding);
    if let Some(broken) = binding().find(|check| check.outcome == Outcome::Invalid) {
        return invalid(broken);
    }
    if let Some(unmet) = soundness.facts.iter().find(|fact| !fact.holds()) {
        return unsound(unmet);
    }
    let did = what_was_done(manifest, history);
    match binding().find(|check| check.outcome == Outcome::Unknown) {
        Some(check) => unknown(check, &did),
        None => {
            let held = count(binding().count() as u64, "guarantee");
            format!("valid: {did}; {held} held{}.", without(manifest))
        }
    }
}

/// ", without partition, which this machine cannot do".
fn without(manifest: Option<&Manifest>) -> String {
    let lacks: Vec<&str> =
        manifest.iter().flat_map(|m| m.machine.lacks.keys()).map(String::as_str).collect();
    match lacks.as_slice() {
        [] => String::new(),
        lacks => format!(", without {}, which this machine cannot do", lacks.join(" and ")),
    }
}

fn invalid(check: &Check) -> String {
    let why = check.witness.as_ref().map_or("", |witness| &witness.sentence);
    format!("invalid: {why}. This breaks {}.", title(check))
}

fn unsound(fact: &Fact) -> String {
    let note = if fact.note.is_empty() { String::new() } else { format!(" ({})", fact.note) };
    let (count, needed) = (grouped(fact.count), grouped(fact.needed));
    format!("not sound: {}: {count}, needed {needed}{note}.", fact.what)
}

fn unknown(check: &Check, did: &str) -> String {
    let reason = check.reason.as_deref().unwrap_or("not decided");
    format!("unknown: {}: {reason}; {did}.", title(check))
}

/// "C8 (durability)"; a check whose id is a word needs no second one.
fn title(check: &Check) -> String {
    match check.id.ends_with(|last: char| last.is_ascii_digit()) {
        true => format!("{} ({})", check.id, check.name),
        false => check.name.clone(),
    }
}

/// "14,203 operations on 10 znodes by 10 clients; 12 faults verified (5 kill, 3 pause, 4
/// partition), 7 leader changes".
fn what_was_done(manifest: Option<&Manifest>, history: &History) -> String {
    let clients = manifest.map_or(u64::MAX, |manifest| manifest.settings.clients as u64);
    let on_znodes = history.operations.iter().filter(|op| op.action.path().is_some());
    let load: Vec<_> = on_znodes.filter(|op| op.process < clients).collect();
    let paths: std::collections::BTreeSet<_> =
        load.iter().filter_map(|op| op.action.path()).collect();
    let processes: std::collections::BTreeSet<_> = load.iter().map(|op| op.process).collect();
    let operations = format!(
        "{} on {} by {}",
        count(load.len() as u64, "operation"),
        count(paths.len() as u64, "znode"),
        count(processes.len() as u64, "client"),
    );
    match manifest {
        Some(_) => format!("{operations}; {}", faults(history)),
        None => {
            let cut = history.cut.as_ref().map_or_else(String::new, |cut| format!("; {cut}"));
            format!("{operations}; no manifest, so it is not known whether the run was sound{cut}")
        }
    }
}

fn faults(history: &History) -> String {
    let kinds = verified_by_kind(history);
    let total: u64 = kinds.values().sum();
    let kinds: Vec<_> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let changes = leader_changes(history, 0).count;
    format!("{} verified{kinds}, {}", count(total, "fault"), count(changes, "leader change"))
}

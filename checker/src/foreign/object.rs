//! One object: the shortcut if there is one, else the search, and the explanation.

use history::Status;
use history::foreign::{Datum, Deed};

use super::read::Reader;
use super::{Finding, Senseless};
use crate::budget::Budget;
use crate::engine::{Call, Decidable, Decision, Shortcut, decide, shortcut};
use crate::verdict::Witness;

/// States named in an explanation.
const STATES_MAX: usize = 3;

pub(super) fn examine<S: Decidable, R: Reader<S>>(
    reader: &mut R,
    deeds: &[&Deed],
    budget: &mut Budget,
) -> Result<Finding, Senseless> {
    let mut calls: Vec<Call<S>> = Vec::with_capacity(deeds.len());
    let mut sources = Vec::with_capacity(deeds.len());
    for deed in deeds {
        if let Some((op, ret)) = reader.told(deed)? {
            let end = deed.answered_at().filter(|_| ret.is_some());
            calls.push(Call { op, ret, start: deed.invoke, end });
            sources.push(*deed);
        }
    }
    let (engine, found) = match shortcut(&calls) {
        Some(found) => (S::SHORTCUT, from_shortcut(&sources, found)),
        None => {
            let found = decide(S::default(), &calls, budget);
            ("search", from_search(reader, &sources, found))
        }
    };
    Ok(Finding { examined: calls.len(), engine, ..found })
}

fn from_shortcut(sources: &[&Deed], found: Shortcut) -> Finding {
    let Shortcut::Broken { calls, why } = found else { return Finding::default() };
    let shown: Vec<_> = calls.iter().map(|&call| sources[call]).collect();
    Finding { broken: Some(witness(&shown, why, None)), ..Finding::default() }
}

fn from_search<S: Decidable, R: Reader<S>>(
    reader: &R,
    sources: &[&Deed],
    found: Decision<S>,
) -> Finding {
    match found {
        Decision::Linearizable => Finding::default(),
        Decision::GaveUp { placed, of, exhausted } => {
            let object = object(sources.first().copied());
            let reason = format!("gave up at operation {placed} of {of}{object}, {exhausted}");
            Finding { undecided: Some(reason), ..Finding::default() }
        }
        Decision::Broken { call, states } => {
            let held = possible(reader, &states);
            let shown = around(sources, sources[call]);
            let why = format!("before it the object {held}, and nothing in flight leads there");
            Finding { broken: Some(witness(&shown, &why, Some(held))), ..Finding::default() }
        }
    }
}

/// "held 3 or held 4 or others".
fn possible<S: Decidable, R: Reader<S>>(reader: &R, states: &[S]) -> String {
    let mut words: Vec<_> = states.iter().map(|state| reader.state(state)).collect();
    words.sort();
    words.dedup();
    if words.len() > STATES_MAX {
        words.truncate(STATES_MAX);
        words.push("others".to_owned());
    }
    words.join(" or ")
}

/// The deeds in flight together with one, and last that one.
fn around<'a>(sources: &[&'a Deed], blamed: &'a Deed) -> Vec<&'a Deed> {
    let end = blamed.answered_at().unwrap_or(u64::MAX);
    let in_flight = sources.iter().filter(|deed| {
        let ends = deed.answered_at().unwrap_or(u64::MAX);
        deed.invoke < end && ends > blamed.invoke && deed.invoke != blamed.invoke
    });
    let mut shown: Vec<_> = in_flight.copied().collect();
    let keep = shown.len().saturating_sub(9);
    shown.drain(..keep);
    shown.push(blamed);
    shown
}

fn witness(shown: &[&Deed], why: &str, expected: Option<String>) -> Witness {
    let [others @ .., blamed] = shown else { unreachable!("a violation has operations") };
    let others: Vec<_> = others.iter().map(|deed| clause(deed)).collect();
    let beside =
        if others.is_empty() { String::new() } else { format!(" ({})", others.join("; ")) };
    let object = object(Some(blamed));
    let first = shown.iter().map(|deed| deed.invoke).min().unwrap_or(0);
    let last = shown.iter().filter_map(|deed| deed.complete).max().unwrap_or(first);
    Witness {
        sentence: format!("{}{object}: {why}{beside}", clause(blamed)),
        key: blamed.key.as_ref().map(Datum::to_string),
        operations: shown.iter().map(|deed| deed.invoke).collect(),
        window: (first, last),
        expected,
        got: Some(clause(blamed)),
    }
}

fn object(deed: Option<&Deed>) -> String {
    let key = deed.and_then(|deed| deed.key.as_ref());
    key.map_or_else(String::new, |key| format!(" on {key}"))
}

/// "client 3's cas [1 2] -> ok (line 17)".
fn clause(deed: &Deed) -> String {
    let Deed { process, f, asked, line, .. } = deed;
    let argument = if *asked == Datum::Nil { String::new() } else { format!(" {asked}") };
    let result = match (&deed.status, &deed.answered) {
        (Status::Ok, Some(answer)) if answer != asked => format!("-> {answer}"),
        (Status::Ok, _) => "-> ok".to_owned(),
        (Status::Fail, _) => "-> refused".to_owned(),
        (Status::Unknown, _) => "-> unknown".to_owned(),
    };
    format!("client {process}'s {f}{argument} {result} (line {line})")
}

//! One object: the shortcut if there is one, else the search, and the explanation.

use history::Status;
use history::foreign::{Datum, Deed};

use super::read::Reader;
use super::{Finding, Senseless};
use crate::budget::Budget;
use crate::engine::{Call, Decidable, Decision, Shortcut, decide, shortcut};
use crate::excerpt::{Excerpted, Smallest, smallest};
use crate::verdict::Witness;
use crate::words;

/// States named in an explanation.
const STATES_MAX: usize = 3;

/// More operations are no explanation.
pub(super) const SHOWN_MAX: usize = 12;

pub(super) fn examine<S: Excerpted<Part = S>, R: Reader<S>>(
    deeds: &[&Deed],
    budget: &mut Budget,
) -> Result<Finding, Senseless> {
    let mut reader = R::default();
    let mut calls: Vec<Call<S>> = Vec::with_capacity(deeds.len());
    let mut sources = Vec::with_capacity(deeds.len());
    for deed in deeds {
        if let Some((op, ret)) = reader.told(deed)? {
            let end = deed.answered_at().filter(|_| ret.is_some());
            calls.push(Call { op, ret, start: deed.invoke, end });
            sources.push(*deed);
        }
    }
    let object = Object { reader: &reader, sources: &sources, calls: &calls };
    let (engine, found) = match shortcut(&calls) {
        Some(found) => (S::SHORTCUT, object.short(found, budget)),
        None => ("search", object.searched(decide(S::default(), &calls, budget), budget)),
    };
    Ok(Finding { examined: calls.len(), engine, ..found })
}

/// An object's calls, and the deeds that they are.
struct Object<'a, S: Decidable, R> {
    reader: &'a R,
    sources: &'a [&'a Deed],
    calls: &'a [Call<S>],
}

impl<S: Excerpted<Part = S>, R: Reader<S>> Object<'_, S, R> {
    fn short(&self, found: Shortcut, budget: &mut Budget) -> Finding {
        let Shortcut::Broken { calls, why } = found else { return Finding::default() };
        let shown = || calls.iter().map(|&call| self.sources[call]).collect();
        self.broken(&calls, budget, || Story::new(shown(), why.to_owned()))
    }

    fn searched(&self, found: Decision<S>, budget: &mut Budget) -> Finding {
        match found {
            Decision::Linearizable => Finding::default(),
            Decision::GaveUp { placed, of, exhausted } => {
                let object = object(self.sources.first().copied());
                let last = self.answered(placed);
                let after =
                    last.map_or_else(String::new, |deed| format!(", after {}", clause(deed)));
                let reason =
                    format!("gave up at operation {placed} of {of}{object}{after}: {exhausted}");
                let reached = last.map(|deed| deed.invoke);
                Finding { undecided: Some(reason), reached, ..Finding::default() }
            }
            Decision::Broken { call, states } => self.broken(&[call], budget, || {
                self.before(around(self.sources, self.sources[call]), &states)
            }),
        }
    }

    /// The deed that was answered as this many had been, itself among them.
    fn answered(&self, count: usize) -> Option<&Deed> {
        let mut ends: Vec<_> =
            (0..self.calls.len()).filter(|&n| self.calls[n].end.is_some()).collect();
        ends.sort_unstable_by_key(|&n| self.calls[n].end);
        Some(self.sources[*ends.get(count.checked_sub(1)?)?])
    }

    /// Told by the smallest excerpt found, or `otherwise` if that is not small.
    fn broken<'b>(
        &'b self,
        suspects: &[usize],
        budget: &mut Budget,
        otherwise: impl FnOnce() -> Story<'b>,
    ) -> Finding {
        let found = smallest(self.calls, suspects, budget);
        let story = match found.filter(|found| found.positions.len() <= SHOWN_MAX) {
            Some(found) => self.told(&found),
            None => otherwise(),
        };
        Finding { broken: Some(story.witness()), ..Finding::default() }
    }

    fn told(&self, found: &Smallest<S>) -> Story<'_> {
        let shown = found.positions.iter().map(|&call| self.sources[call]).collect();
        let order: Vec<_> = found.order.iter().map(|&call| self.sources[call]).collect();
        let story = self.before(shown, &found.states);
        let held = possible(self.reader, &found.states);
        Story { expected: Some(held + &after(&order)), order, ..story }
    }

    /// Of the last of `shown`, before which the object was in one of the `states`.
    fn before<'b>(&self, shown: Vec<&'b Deed>, states: &[S]) -> Story<'b> {
        let held = possible(self.reader, states);
        let why = format!("before it the object {held}, and nothing in flight leads there");
        Story { expected: Some(held), ..Story::new(shown, why) }
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
pub(super) fn around<'a>(sources: &[&'a Deed], blamed: &'a Deed) -> Vec<&'a Deed> {
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

/// Why there is no order, of deeds of which the last has no place.
pub(super) struct Story<'a> {
    pub(super) shown: Vec<&'a Deed>,
    pub(super) why: String,
    /// As many of these as fit into one order.
    pub(super) order: Vec<&'a Deed>,
    pub(super) expected: Option<String>,
}

impl<'a> Story<'a> {
    fn new(shown: Vec<&'a Deed>, why: String) -> Story<'a> {
        Story { shown, why, order: Vec::new(), expected: None }
    }

    pub(super) fn witness(self) -> Witness {
        let Story { shown, why, order, expected } = self;
        let [others @ .., blamed] = &*shown else { unreachable!("a violation has operations") };
        let others: Vec<_> = others.iter().map(|deed| clause(deed)).collect();
        let beside = words::beside(&others);
        let object = object(Some(blamed));
        let first = shown.iter().map(|deed| deed.invoke).min().unwrap_or(0);
        let last = shown.iter().filter_map(|deed| deed.complete).max().unwrap_or(first);
        Witness {
            sentence: format!("{}{object}: {why}{beside}", clause(blamed)),
            key: blamed.key.as_ref().map(Datum::to_string),
            operations: shown.iter().map(|deed| deed.invoke).collect(),
            order: order.iter().map(|deed| deed.invoke).collect(),
            window: (first, last),
            expected,
            got: Some(clause(blamed)),
        }
    }
}

/// ", after client 0's write 1 -> ok (line 1), then …"
pub(super) fn after(order: &[&Deed]) -> String {
    let deeds: Vec<_> = order.iter().map(|deed| clause(deed)).collect();
    let after = if deeds.is_empty() { "" } else { ", after " };
    format!("{after}{}", deeds.join(", then "))
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

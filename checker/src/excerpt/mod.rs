//! Excerpts of a history: a few of its calls, from which the rest of the story can be told.
//!
//! An excerpt proves something about the whole because of one rule, which the tests hold every
//! specification to: **where the whole has an order, so has each of its excerpts.** So an excerpt that
//! has none shows why the whole has none, and calls may be left out freely as long as that stays so.

mod cas_register;
mod counter;
mod order;
mod queue;
mod register;
mod set;
mod shrink;
#[cfg(test)]
mod tests;
mod window;
mod znodes;

use std::collections::BTreeMap;

use crate::budget::Budget;
use crate::engine::{Call, Decidable, Decision, Shortcut, decide, shortcut};

pub(crate) use shrink::{Smallest, leave_out, smallest};

/// A specification whose histories have excerpts.
pub(crate) trait Excerpted: Decidable {
    /// What an excerpt is checked against.
    type Part: Decidable;

    /// The value that the call writes, adds, removes or takes, if it happens.
    fn changes(call: &Call<Self>) -> Option<i64> {
        let _ = call;
        None
    }

    /// The value that its answer shows to have been there.
    fn observes(call: &Call<Self>) -> Option<i64> {
        let _ = call;
        None
    }

    /// Does the call show nothing of changes but by the value it [observes](Excerpted::observes)?
    fn is_told_by_value(call: &Call<Self>) -> bool {
        let _ = call;
        false
    }

    /// What the calls at the positions `kept` (ascending) say when nothing is known of the others
    /// but that they may have happened. It may leave out some of these, and have others that it cannot
    /// do without.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self::Part>;
}

/// All calls of an object.
pub(crate) struct Whole<'a, S: Excerpted> {
    pub(crate) calls: &'a [Call<S>],
    /// How many calls change each value.
    changes: BTreeMap<i64, usize>,
    /// Who they are.
    writers: BTreeMap<i64, Writers>,
}

impl<'a, S: Excerpted> Whole<'a, S> {
    pub(crate) fn new(calls: &'a [Call<S>]) -> Self {
        Whole { calls, changes: counted(calls.iter()), writers: writers(calls) }
    }

    /// The values that only calls at `kept` change.
    fn owned(&self, kept: &[usize]) -> Owned<'_> {
        Owned { all: &self.changes, kept: counted(kept.iter().map(|&n| &self.calls[n])) }
    }

    /// The calls at `kept` as far as `shown` has them say something.
    fn project<P: Decidable>(
        &self,
        kept: impl IntoIterator<Item = usize>,
        shown: impl Fn(&Call<S>) -> Option<(P::Op, Option<P::Ret>)>,
    ) -> Excerpt<P> {
        let mut excerpt = Excerpt::from(P::default());
        for position in kept {
            let Call { start, end, .. } = self.calls[position];
            if let Some((op, ret)) = shown(&self.calls[position]) {
                excerpt.push(position, Call { op, ret, start, end });
            }
        }
        excerpt
    }
}

/// Who changes which values.
struct Owned<'a> {
    all: &'a BTreeMap<i64, usize>,
    kept: BTreeMap<i64, usize>,
}

impl Owned<'_> {
    /// Is every call that changes this value shown?
    fn has(&self, value: i64) -> bool {
        self.all.get(&value) == self.kept.get(&value)
    }
}

/// The calls that change one value.
#[derive(Default)]
struct Writers {
    /// Start, the latest end so far, end, and position; in order of start.
    answered: Vec<(u64, u64, u64, usize)>,
    /// Start and position of those without an end.
    open: Vec<(u64, usize)>,
}

impl Writers {
    /// Those that may have happened after `since` and before `until`.
    fn between(&self, since: u64, until: u64) -> impl Iterator<Item = usize> {
        let begun = self.answered.partition_point(|(start, ..)| *start < until);
        let last = self.answered[..begun].iter().rev();
        let answered = last.take_while(move |(_, latest, ..)| *latest > since);
        let open = self.open.iter().filter(move |(start, _)| *start < until);
        let answered = answered.filter(move |(_, _, end, _)| *end > since).map(|&(.., n)| n);
        answered.chain(open.map(|(_, n)| *n))
    }
}

fn writers<S: Excerpted>(calls: &[Call<S>]) -> BTreeMap<i64, Writers> {
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|&n| calls[n].start);
    let mut writers: BTreeMap<i64, Writers> = BTreeMap::new();
    for n in order {
        let Some(value) = S::changes(&calls[n]) else { continue };
        let Writers { answered, open } = writers.entry(value).or_default();
        match calls[n].end {
            Some(end) => {
                let latest = answered.last().map_or(end, |(_, latest, ..)| end.max(*latest));
                answered.push((calls[n].start, latest, end, n));
            }
            None => open.push((calls[n].start, n)),
        }
    }
    writers
}

fn counted<'a, S: Excerpted + 'a>(
    calls: impl Iterator<Item = &'a Call<S>>,
) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    for value in calls.filter_map(S::changes) {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// Some calls of a whole, as they stand without the others.
pub(crate) struct Excerpt<P: Decidable> {
    initial: P,
    /// Where each call is in the whole.
    positions: Vec<usize>,
    calls: Vec<Call<P>>,
}

impl<P: Decidable> Excerpt<P> {
    fn from(initial: P) -> Self {
        Excerpt { initial, positions: Vec::new(), calls: Vec::new() }
    }

    fn push(&mut self, position: usize, call: Call<P>) {
        self.positions.push(position);
        self.calls.push(call);
    }

    /// Is it certain that these calls have no order?
    fn is_broken(&self, budget: &mut Budget) -> bool {
        let short = (self.initial == P::default()).then(|| shortcut(&self.calls)).flatten();
        match short {
            Some(found) => matches!(found, Shortcut::Broken { .. }),
            None => self.blamed(budget).is_some(),
        }
    }

    /// The first call, by its place here, that has no place in the order, and the states before it.
    fn blamed(&self, budget: &mut Budget) -> Option<(usize, Vec<P>)> {
        match decide(self.initial.clone(), &self.calls, budget) {
            Decision::Broken { call, states } => Some((call, states)),
            Decision::Linearizable | Decision::GaveUp { .. } => None,
        }
    }
}

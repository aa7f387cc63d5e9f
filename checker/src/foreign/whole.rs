//! All objects at once: what is promised of one order of all operations.

use std::collections::BTreeSet;

use history::foreign::Deed;

use super::object::{SHOWN_MAX, Story, after, around};
use super::read::Reader;
use super::{Finding, Senseless};
use crate::budget::Budget;
use crate::engine::{
    Asked, Call, Decidable, Decision, RealTime, Sessions, Shortcut, decide, decide_sessions,
    shortcut,
};
use crate::excerpt::{Excerpted, leave_out};

/// A finding for each object, of which the first says what is wrong with all.
pub(super) fn examine_whole<S: Excerpted, R: Reader<S>>(
    objects: &[Vec<&Deed>],
    real_time: RealTime,
    budget: &mut Budget,
) -> Result<Vec<Finding>, Senseless> {
    let mut readers = Vec::new();
    let mut all: Vec<(Asked<S>, &Deed)> = Vec::new();
    let mut findings = Vec::new();
    let mut in_real_time = true;
    for (object, deeds) in objects.iter().enumerate() {
        let mut reader = R::default();
        let mut calls = Vec::new();
        for deed in deeds {
            if let Some((op, ret)) = reader.told(deed)? {
                let end = deed.answered_at().filter(|_| ret.is_some());
                let call = Call { op, ret, start: deed.invoke, end };
                all.push((Asked { call: call.clone(), client: deed.process, object }, deed));
                calls.push(call);
            }
        }
        in_real_time = in_real_time && is_linearizable(&calls, &mut budget.part(3));
        readers.push(reader);
        findings.push(Finding { examined: calls.len(), engine: "real time", ..Finding::default() });
    }
    if !in_real_time {
        all.sort_by_key(|(one, _)| one.call.start);
        let (asked, sources) = all.into_iter().unzip();
        let whole = Whole { readers, asked, sources, real_time };
        findings.iter_mut().for_each(|finding| finding.engine = "search of sessions");
        if let Some(first) = findings.first_mut() {
            let examined = first.examined;
            *first = Finding { examined, engine: first.engine, ..whole.judge(budget) };
        }
    }
    Ok(findings)
}

/// Then one order that agrees with real time is each client's too, whatever the other objects
/// (Herlihy and Wing, 1990: locality).
fn is_linearizable<S: Decidable>(calls: &[Call<S>], budget: &mut Budget) -> bool {
    match shortcut(calls) {
        Some(found) => found == Shortcut::Linearizable,
        None => decide(S::default(), calls, budget) == Decision::Linearizable,
    }
}

struct Whole<'a, S: Excerpted, R> {
    /// By object.
    readers: Vec<R>,
    asked: Vec<Asked<S>>,
    sources: Vec<&'a Deed>,
    real_time: RealTime,
}

impl<S: Excerpted, R: Reader<S>> Whole<'_, S, R> {
    fn judge(&self, budget: &mut Budget) -> Finding {
        match decide_sessions(&self.asked, self.real_time, budget) {
            Sessions::Ordered => Finding::default(),
            Sessions::GaveUp { placed, of, exhausted } => {
                let reason =
                    format!("gave up with {placed} operations of {of} in order, {exhausted}");
                Finding { undecided: Some(reason), ..Finding::default() }
            }
            Sessions::Broken { call, state, .. } => {
                let told = self.smallest(budget).unwrap_or_else(|| {
                    self.story(around(&self.sources, self.sources[call]), call, &state, &[])
                });
                Finding { broken: Some(told.witness()), ..Finding::default() }
            }
        }
    }

    /// Told by as few calls as have no order, whatever the others did: of these, those that only read
    /// are left out, and any other may have happened or not. None if they are not few.
    fn smallest(&self, budget: &mut Budget) -> Option<Story<'_>> {
        let answered = (0..self.asked.len()).filter(|&n| self.asked[n].call.end.is_some());
        let mut kept: Vec<usize> = answered.collect();
        let (reads, changes): (Vec<usize>, Vec<usize>) =
            kept.iter().partition(|&&n| only_reads(&self.asked[n]));
        for candidates in [reads, changes] {
            leave_out(&mut kept, &candidates, |rest| {
                let (_, asked) = self.weakened(rest);
                // A try that takes long is given up, so that others get their turn.
                let found = decide_sessions(&asked, self.real_time, &mut budget.part(40));
                matches!(found, Sessions::Broken { .. })
            });
        }
        let (positions, asked) = self.weakened(&kept);
        let found = decide_sessions(&asked, self.real_time, budget);
        let Sessions::Broken { order, call, state } = found else { return None };
        let order: Vec<usize> = order.iter().map(|&n| positions[n]).collect();
        let call = positions[call];
        let others: BTreeSet<usize> = order.iter().chain(&kept).copied().collect();
        let mut shown: Vec<&Deed> =
            others.iter().filter(|&&n| n != call).map(|&n| self.sources[n]).collect();
        shown.push(self.sources[call]);
        (shown.len() <= SHOWN_MAX).then(|| self.story(shown, call, &state, &order))
    }

    /// What is known if of all calls only those at `kept` were answered, and their positions.
    fn weakened(&self, kept: &[usize]) -> (Vec<usize>, Vec<Asked<S>>) {
        let is_kept = |n: &usize| kept.binary_search(n).is_ok();
        let left = (0..self.asked.len()).filter(|n| is_kept(n) || !only_reads(&self.asked[*n]));
        let weaken = |n: usize| match is_kept(&n) {
            true => self.asked[n].clone(),
            false => {
                let call = Call { ret: None, end: None, ..self.asked[n].call.clone() };
                Asked { call, ..self.asked[n] }
            }
        };
        without_unseen(left.map(|n| (n, weaken(n))).collect()).into_iter().unzip()
    }

    /// Of the last of `shown`, the `call`, which has no place after the `order`.
    fn story<'b>(
        &'b self,
        shown: Vec<&'b Deed>,
        call: usize,
        state: &S,
        order: &[usize],
    ) -> Story<'b> {
        let held = self.readers[self.asked[call].object].state(state);
        let why = format!(
            "before it the object {held}, and no order that keeps each client's own leads there"
        );
        let order: Vec<&Deed> = order.iter().map(|&n| self.sources[n]).collect();
        let expected = Some(held + &after(&order));
        Story { shown, why, order, expected }
    }
}

/// Changes that may never have happened are left out where nothing shows that they did.
fn without_unseen<S: Excerpted>(mut all: Vec<(usize, Asked<S>)>) -> Vec<(usize, Asked<S>)> {
    if all.iter().all(|(_, one)| S::is_told_by_value(&one.call)) {
        let seen: BTreeSet<i64> =
            all.iter().filter_map(|(_, one)| S::observes(&one.call)).collect();
        all.retain(|(_, Asked { call, .. })| {
            call.end.is_some() || S::changes(call).is_none_or(|value| seen.contains(&value))
        });
    }
    all
}

fn only_reads<S: Decidable>(one: &Asked<S>) -> bool {
    one.call.ret.as_ref().is_some_and(|ret| S::is_read_only(&one.call.op, ret))
}

//! The truth about small histories: every order is tried.

use std::collections::HashSet;

use checker::engine::{Asked, Call, RealTime};
use spec::Searchable;

/// Is there an order of these calls, leaving out any without end, that extends real time and that
/// the specification accepts?
pub(crate) fn brute_force<S: Searchable>(initial: &S, calls: &[Call<S>]) -> bool {
    let comes_first = |one: &Call<S>, other: &Call<S>| one.end.is_some_and(|end| end < other.start);
    let asked: Vec<Asked<S>> =
        calls.iter().map(|call| Asked { call: call.clone(), client: 0, object: 0 }).collect();
    let comes_first = |one: usize, other: usize| comes_first(&calls[one], &calls[other]);
    has_order(std::slice::from_ref(initial), &asked, &comes_first, 0, &mut HashSet::new())
}

/// Is there one that keeps each client's own order and, where asked for, has no change before what
/// was answered before it began?
pub(crate) fn of_sessions<S: Searchable + Default>(
    asked: &[Asked<S>],
    real_time: RealTime,
) -> bool {
    let comes_first = |one: usize, other: usize| {
        let (one, other) = (&asked[one], &asked[other]);
        let Some(end) = one.call.end else { return false };
        let own = one.client == other.client && one.call.start < other.call.start;
        let late = real_time == RealTime::OfUpdates && !S::is_query(&other.call.op);
        own || late && end < other.call.start
    };
    let n_objects = asked.iter().map(|one| one.object + 1).max().unwrap_or(0);
    has_order(&vec![S::default(); n_objects], asked, &comes_first, 0, &mut HashSet::new())
}

/// Of calls that are not `done`, a set of positions. `dead` are the points from which none was found.
fn has_order<S: Searchable>(
    states: &[S],
    asked: &[Asked<S>],
    comes_first: &dyn Fn(usize, usize) -> bool,
    done: u32,
    dead: &mut HashSet<(u32, Vec<S>)>,
) -> bool {
    let left = || (0..asked.len()).filter(|n| done & (1 << n) == 0);
    if left().all(|n| asked[n].call.end.is_none()) {
        return true;
    }
    if dead.contains(&(done, states.to_vec())) {
        return false;
    }
    let may_come = |&n: &usize| left().all(|other| other == n || !comes_first(other, n));
    let found = left().filter(may_come).any(|n| {
        let Asked { call, object, .. } = &asked[n];
        let mut after = states.to_vec();
        let valid = match &call.ret {
            Some(ret) => after[*object].is_valid_step(&call.op, ret),
            None => {
                after[*object].invoke(&call.op);
                true
            }
        };
        valid && has_order(&after, asked, comes_first, done | 1 << n, dead)
    });
    if !found {
        dead.insert((done, states.to_vec()));
    }
    found
}

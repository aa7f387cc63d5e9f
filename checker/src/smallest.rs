//! The smallest part of a history that shows why a znode is not linearizable, in words.

use std::collections::{BTreeMap, BTreeSet};

use history::Operation;
use spec::Register;
use spec::versioned::{Op, Ret};

use crate::budget::Budget;
use crate::engine::{Call, Decision, decide};
use crate::excerpt::{Excerpt, Shown};
use crate::verdict::Witness;
use crate::words::{self, clause, duration, integer, noun};

/// Operations shown when no smaller part suffices.
const TAIL: usize = 5;

/// Explains why `calls[culprit]` has no place; `states` are those that the znode may have been in.
/// `calls` are the `operations` of one znode, position by position.
pub(crate) fn witness(
    operations: &[&Operation],
    calls: &[Call<Register>],
    culprit: usize,
    states: &[Register],
    budget: &mut Budget,
) -> Witness {
    let part = Excerpts::new(calls).smallest(culprit, budget);
    let (shown, sentence) = match part {
        Some(part) => {
            let shown: Vec<_> = part.iter().map(|&n| operations[n]).collect();
            let sentence = sentence(&shown);
            (shown, sentence)
        }
        None => (tail(operations, culprit), no_way(operations[culprit], states)),
    };
    let blamed = *shown.last().expect("a part has operations");
    words::witness(sentence, &shown).contrast(expected(states), got(blamed))
}

/// The history as excerpts.
struct Excerpts<'a> {
    calls: &'a [Call<Register>],
    /// Values written more than once: a read of one proves nothing about its writer.
    ambiguous: BTreeSet<i64>,
}

impl<'a> Excerpts<'a> {
    fn new(calls: &'a [Call<Register>]) -> Self {
        let mut written = BTreeMap::new();
        for value in calls.iter().filter_map(|call| written_by(&call.op)) {
            *written.entry(value).or_insert(0) += 1;
        }
        let ambiguous = written.into_iter().filter(|&(_, n)| n > 1).map(|(value, _)| value);
        Excerpts { calls, ambiguous: ambiguous.collect() }
    }

    /// Positions of the fewest calls found that have no order, the one without a place last.
    fn smallest(&self, culprit: usize, budget: &mut Budget) -> Option<Vec<usize>> {
        let last = self.calls[culprit].end?;
        let writer = self.writer_of(culprit);
        let relevant = |n: &usize| {
            self.calls[*n].ret.is_some() && (self.calls[*n].start <= last || writer == Some(*n))
        };
        let all: Vec<usize> = (0..self.calls.len()).filter(relevant).collect();
        let mut part = self.shortest_tail(&all, culprit, budget)?;
        let (reads, writes): (Vec<usize>, Vec<usize>) =
            part.iter().copied().partition(|&n| self.calls[n].op == Op::Read);
        self.drop_from(&mut part, &reads, budget);
        self.drop_from(&mut part, &writes, budget);
        let blamed = self.blamed(&part, budget)?;
        part.retain(|&n| n != blamed);
        part.push(blamed);
        Some(part)
    }

    /// The call that wrote what this one read: it may have come too late.
    fn writer_of(&self, reader: usize) -> Option<usize> {
        let Some(Ret::Value { value: Some(value), .. }) = self.calls[reader].ret else {
            return None;
        };
        self.calls.iter().position(|call| written_by(&call.op) == Some(value))
    }

    /// A conflict is mostly among neighbours: looks at the last 8 calls, 16, 32, …
    fn shortest_tail(
        &self,
        all: &[usize],
        culprit: usize,
        budget: &mut Budget,
    ) -> Option<Vec<usize>> {
        let before: Vec<usize> = all.iter().copied().filter(|&n| n != culprit).collect();
        let mut length = 8;
        loop {
            let mut tail = before[before.len().saturating_sub(length)..].to_vec();
            tail.insert(tail.partition_point(|&n| n < culprit), culprit);
            if self.blamed(&tail, budget).is_some() {
                return Some(tail);
            }
            if length >= before.len() {
                return None;
            }
            length *= 2;
        }
    }

    /// Leaves out as many of `candidates` as possible, in ever smaller groups.
    fn drop_from(&self, part: &mut Vec<usize>, candidates: &[usize], budget: &mut Budget) {
        let mut size = candidates.len();
        while size > 0 {
            for group in candidates.chunks(size) {
                let rest: Vec<_> = part.iter().copied().filter(|n| !group.contains(n)).collect();
                if rest.len() < part.len() && self.blamed(&rest, budget).is_some() {
                    *part = rest;
                }
            }
            size /= 2;
        }
    }

    /// Position of the call that has no place in this excerpt; none if the excerpt has an order.
    fn blamed(&self, part: &[usize], budget: &mut Budget) -> Option<usize> {
        match decide(Excerpt::default(), &self.excerpt(part), budget) {
            Decision::Broken { call, .. } => Some(part[call]),
            Decision::Linearizable | Decision::GaveUp { .. } => None,
        }
    }

    fn excerpt(&self, part: &[usize]) -> Vec<Call<Excerpt>> {
        let values: BTreeSet<i64> =
            part.iter().filter_map(|&n| written_by(&self.calls[n].op)).collect();
        let owned = |ret: Option<Ret>| match ret {
            Some(Ret::Value { value: Some(value), .. }) => {
                values.contains(&value) && !self.ambiguous.contains(&value)
            }
            _ => true,
        };
        let show = |call: &Call<Register>| Call {
            op: Shown { op: call.op, owned: owned(call.ret) },
            ret: call.ret,
            start: call.start,
            end: call.end,
        };
        part.iter().map(|&n| show(&self.calls[n])).collect()
    }
}

fn written_by(op: &Op) -> Option<i64> {
    match *op {
        Op::Read => None,
        Op::Write(value) | Op::Cas { value, .. } => Some(value),
    }
}

/// The last operations up to the one that has no place.
fn tail<'a>(operations: &[&'a Operation], culprit: usize) -> Vec<&'a Operation> {
    let blamed = operations[culprit];
    let before = |op: &&&Operation| op.answered() < blamed.answered() && op.answered().is_some();
    let mut tail: Vec<_> = operations.iter().filter(before).copied().collect();
    tail.sort_by_key(|op| op.answered());
    let mut tail = tail.split_off(tail.len().saturating_sub(TAIL - 1));
    tail.push(blamed);
    tail
}

fn no_way(blamed: &Operation, states: &[Register]) -> String {
    format!(
        "{}, but before it the znode held {}, and nothing in flight leads from there to it",
        clause(blamed),
        held(states)
    )
}

fn sentence(shown: &[&Operation]) -> String {
    match shown {
        [one] => format!("{}, which no order of writes allows", clause(one)),
        [rival, blamed] => pair(rival, blamed),
        [others @ .., blamed] => {
            let others: Vec<_> = others.iter().map(|op| clause(op)).collect();
            format!("{}, which has no place beside these: {}", clause(blamed), others.join("; "))
        }
        [] => unreachable!("a part has operations"),
    }
}

fn pair(rival: &Operation, blamed: &Operation) -> String {
    let version = |op: &Operation| op.stat.map(|stat| stat.version);
    if rival.precedes(blamed) {
        let ago = duration(blamed.start.saturating_sub(rival.end.unwrap_or(0)));
        let how = if rival.action.is_write() { "acknowledged" } else { "answered" };
        return format!("{}, after {} had been {how} {ago} earlier", clause(blamed), noun(rival));
    }
    if blamed.precedes(rival) {
        let ahead = duration(rival.start.saturating_sub(blamed.end.unwrap_or(0)));
        return format!("{}, {ahead} before {} was invoked", clause(blamed), noun(rival));
    }
    match (version(rival), version(blamed)) {
        (Some(one), Some(other)) if one == other => {
            format!("{}, but the same version was {}", clause(blamed), noun(rival))
        }
        _ => format!("{}, which contradicts that {}", clause(blamed), clause(rival)),
    }
}

fn expected(states: &[Register]) -> String {
    format!("{}, or newer", held(states))
}

/// The oldest state that the znode may have been in.
fn held(states: &[Register]) -> String {
    let oldest = states.iter().min_by_key(|state| state.version).copied().unwrap_or_default();
    format!("{} at version {}", integer(oldest.value), oldest.version)
}

fn got(blamed: &Operation) -> String {
    match blamed.stat {
        Some(stat) => {
            let value = blamed.action.written().or(blamed.read);
            format!("{} at version {}", integer(value), stat.version)
        }
        None => clause(blamed),
    }
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use stateright::semantics::SequentialSpec;

    use super::*;
    use crate::budget::Limits;

    const CALLS: usize = 6;

    /// A linearizable history: each call takes effect at an instant within its interval. Some
    /// answers are known without an end, as of a lost write that others saw.
    fn linearizable(rng: &mut ChaCha8Rng) -> Vec<Call<Register>> {
        let mut instants: Vec<u64> = (0..3 * CALLS as u64).collect();
        instants.shuffle(rng);
        let mut times: Vec<_> = instants.chunks(3).map(<[u64]>::to_vec).collect();
        times.iter_mut().for_each(|times| times.sort_unstable());
        times.sort_by_key(|times| times[1]);
        let mut state = Register::default();
        let mut calls = Vec::new();
        for (value, times) in (0..).zip(times) {
            let op = match rng.random_range(0..4) {
                0 | 1 => Op::Read,
                2 => Op::Write(value),
                _ => Op::Cas { expected: rng.random_range(0..3), value },
            };
            let ret = Some(state.invoke(&op));
            let lost = matches!(ret, Some(Ret::Written { .. })) && rng.random_bool(0.2);
            calls.push(Call { op, ret, start: times[0], end: (!lost).then_some(times[2]) });
        }
        calls.sort_by_key(|call| call.start);
        calls
    }

    /// What makes a witness a proof.
    #[test]
    fn every_excerpt_of_a_linearizable_history_has_an_order() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1000 {
            let calls = linearizable(&mut rng);
            let excerpts = Excerpts::new(&calls);
            for subset in 0_u32..1 << CALLS {
                let part: Vec<_> = (0..CALLS).filter(|n| subset & (1 << n) != 0).collect();
                let blamed = excerpts.blamed(&part, &mut Budget::new(Limits::default()));
                assert_eq!(blamed, None, "{part:?} of {calls:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_an_excerpt_too() {
        let read = |value, version, start| Call {
            op: Op::Read,
            ret: Some(Ret::Value { value: Some(value), version }),
            start,
            end: Some(start + 1),
        };
        let refused = [[read(1, 2, 0), read(2, 1, 2)], [read(1, 2, 0), read(2, 2, 2)]];
        for calls in refused {
            let excerpts = Excerpts::new(&calls);
            let blamed = excerpts.blamed(&[0, 1], &mut Budget::new(Limits::default()));
            assert_eq!(blamed, Some(1), "{calls:?}");
        }
    }
}

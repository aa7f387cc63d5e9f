//! The smallest excerpt found that has no order.

use super::{Excerpted, Whole, order};
use crate::budget::Budget;
use crate::engine::Call;

/// What shows that a history has no order.
pub(crate) struct Smallest<P> {
    /// The calls of the excerpt by their positions in the whole, the one without a place last.
    pub(crate) positions: Vec<usize>,
    /// The states that the object may have been in before that one.
    pub(crate) states: Vec<P>,
    /// The longest order that the specification accepts of these calls, by position.
    pub(crate) order: Vec<usize>,
}

/// Leaves out of `calls`, which have no order, what is not needed to see it; `suspects` are those that
/// were found to contradict each other, the last of them in order of time at the end. None where
/// the budget does not suffice.
pub(crate) fn smallest<S: Excerpted>(
    calls: &[Call<S>],
    suspects: &[usize],
    budget: &mut Budget,
) -> Option<Smallest<S::Part>> {
    let mut shrink = Shrink { whole: Whole::new(calls), budget };
    let mut kept = shrink.first(suspects)?;
    let (reads, changes): (Vec<usize>, Vec<usize>) =
        kept.iter().copied().partition(|&n| only_reads(&calls[n]));
    for candidates in [reads, changes] {
        leave_out(&mut kept, &candidates, |rest| shrink.is_broken(rest));
    }
    shrink.finish(&kept)
}

/// Of a value that more have written, the writers are looked for among neighbours.
const WRITERS_MAX: usize = 8;

/// Leaves out of `kept` as many of `candidates` as possible, in ever smaller groups; both are ascending.
pub(crate) fn leave_out(
    kept: &mut Vec<usize>,
    candidates: &[usize],
    mut is_broken: impl FnMut(&[usize]) -> bool,
) {
    let mut left = candidates.to_vec();
    let mut size = left.len();
    while size > 0 {
        for group in left.chunks(size) {
            let rest: Vec<_> =
                kept.iter().copied().filter(|n| group.binary_search(n).is_err()).collect();
            if rest.len() < kept.len() && is_broken(&rest) {
                *kept = rest;
            }
        }
        left.retain(|n| kept.binary_search(n).is_ok());
        size = size.min(2 * left.len()) / 2;
    }
}

struct Shrink<'a, 'b, S: Excerpted> {
    whole: Whole<'a, S>,
    budget: &'b mut Budget,
}

impl<S: Excerpted> Shrink<'_, '_, S> {
    /// Looks at the suspects; at these and whoever wrote what they saw; and, for a conflict is mostly among
    /// neighbours, at the last 8 calls, 16, 32, …
    fn first(&mut self, suspects: &[usize]) -> Option<Vec<usize>> {
        let mut kept = suspects.to_vec();
        kept.sort_unstable();
        if self.is_broken(&kept) {
            return Some(kept);
        }
        let with_writers = self.with_writers(&kept);
        if with_writers.len() > kept.len() && self.is_broken(&with_writers) {
            return Some(with_writers);
        }
        let all = self.relevant(&kept);
        let mut length = 8;
        loop {
            let mut tail = all[all.len().saturating_sub(length)..].to_vec();
            tail.extend(&kept);
            tail.sort_unstable();
            tail.dedup();
            if self.is_broken(&tail) {
                return Some(tail);
            }
            if length >= all.len() {
                let all: Vec<usize> = (0..self.whole.calls.len()).collect();
                return self.is_broken(&all).then_some(all);
            }
            length *= 2;
        }
    }

    fn with_writers(&self, suspects: &[usize]) -> Vec<usize> {
        let seen = suspects.iter().filter_map(|&n| S::observes(&self.whole.calls[n]));
        let writers = seen.filter_map(|value| self.whole.writers.get(&value));
        let all = writers.flat_map(|writers| writers.between(0, u64::MAX).take(WRITERS_MAX));
        let mut kept: Vec<usize> = suspects.iter().copied().chain(all).collect();
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    /// What began before the suspects had ended; and who wrote what they saw may have come too late.
    fn relevant(&self, suspects: &[usize]) -> Vec<usize> {
        let calls = self.whole.calls;
        let ends = suspects.iter().map(|&n| calls[n].end.unwrap_or(u64::MAX));
        let last = ends.max().unwrap_or(u64::MAX);
        let seen: Vec<i64> = suspects.iter().filter_map(|&n| S::observes(&calls[n])).collect();
        let relevant = |n: &usize| {
            let call = &calls[*n];
            call.start <= last || S::changes(call).is_some_and(|value| seen.contains(&value))
        };
        (0..calls.len()).filter(relevant).collect()
    }

    fn is_broken(&mut self, kept: &[usize]) -> bool {
        S::excerpt(&self.whole, kept).is_broken(self.budget)
    }

    fn finish(&mut self, kept: &[usize]) -> Option<Smallest<S::Part>> {
        let excerpt = S::excerpt(&self.whole, kept);
        let (blamed, states) = excerpt.blamed(self.budget)?;
        let order = order::longest(&excerpt).iter().map(|&n| excerpt.positions[n]).collect();
        let mut positions = excerpt.positions;
        let blamed = positions.remove(blamed);
        positions.push(blamed);
        Some(Smallest { positions, states, order })
    }
}

fn only_reads<S: Excerpted>(call: &Call<S>) -> bool {
    call.ret.as_ref().is_some_and(|ret| S::is_read_only(&call.op, ret))
}

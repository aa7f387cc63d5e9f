//! Counters to which always the same is added.
//!
//! A read that shows `n` steps lies between the n-th and the next. So the n-th step has a window:
//! from the last start of a read that shows fewer, to the first end of one that shows as many.
//! Windows only move forward with n, so each addition fits a range of steps, and there is an
//! order if and only if every step shown gets an addition of its own and every addition that
//! certainly happened gets a step. These are matchings of ranges, greedy in O(n log n); that one
//! matching does both follows from N. Mendelsohn and A. Dulmage (1958).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use spec::Counter;
use spec::counter::{Op, Ret};

use super::levels::Levels;
use super::{Call, Shortcut};

/// None if additions differ, or are negative.
pub(super) fn decide(calls: &[Call<Counter>]) -> Option<Shortcut> {
    let mut additions = Vec::new();
    let mut reads = Vec::new();
    let mut step = 0;
    for (position, call) in calls.iter().enumerate() {
        match (call.op, call.ret) {
            (Op::Add(by), None | Some(Ret::Added)) if by > 0 && (step == 0 || step == by) => {
                step = by;
                additions.push(position);
            }
            (Op::Read, Some(Ret::Value(value))) => reads.push((value, position)),
            (Op::Read, None) => {}
            _ => return None,
        }
    }
    reads.sort_unstable();
    let why = "shows no number of steps that were added";
    let is_shown = |value: i64| {
        let steps = if step == 0 { value } else { value / step };
        value >= 0 && steps.unsigned_abs() <= additions.len() as u64 && steps * step == value
    };
    if let Some(&(_, read)) = reads.iter().find(|(value, _)| !is_shown(*value)) {
        return Some(Shortcut::broken([read], why));
    }
    let reads: Vec<_> = reads.iter().map(|&(value, at)| (value / step.max(1), at)).collect();
    Some(match windows(calls, &reads) {
        Ok(windows) => Matching::new(calls, &additions, &windows).run(&reads),
        Err(broken) => broken,
    })
}

/// When each step shown happened, at the earliest and the latest; and last, when any other did.
fn windows(calls: &[Call<Counter>], reads: &[(i64, usize)]) -> Result<Vec<(u64, u64)>, Shortcut> {
    let n_steps = reads.last().map_or(0, |(steps, _)| steps.unsigned_abs()) as usize;
    let mut windows = vec![(0, u64::MAX); n_steps + 1];
    let mut levels = Levels::default();
    let mut shown = 0;
    for &(steps, position) in reads {
        let (start, end) = (calls[position].start, calls[position].end);
        if steps > shown {
            levels.next();
            shown = steps;
        }
        levels.add(position, start, end);
        let steps = steps.unsigned_abs() as usize;
        windows[steps].0 = windows[steps].0.max(start);
        if let Some(last) = steps.checked_sub(1) {
            windows[last].1 = windows[last].1.min(end.unwrap_or(u64::MAX));
        }
    }
    for n in 1..windows.len() {
        windows[n].0 = windows[n].0.max(windows[n - 1].0);
        let back = windows.len() - 1 - n;
        windows[back].1 = windows[back].1.min(windows[back + 1].1);
    }
    levels.conflict("a later read shows less").map_or(Ok(windows), Err)
}

struct Matching<'a> {
    windows: &'a [(u64, u64)],
    /// The first and the last step that an addition can be, with its position; by first step.
    ranges: Vec<(usize, usize, usize)>,
    /// Additions that certainly happened, by position.
    certain: Vec<bool>,
}

impl<'a> Matching<'a> {
    fn new(calls: &[Call<Counter>], additions: &[usize], windows: &'a [(u64, u64)]) -> Self {
        let mut ranges = Vec::with_capacity(additions.len());
        let mut certain = vec![false; calls.len()];
        for &position in additions {
            let call = &calls[position];
            let end = call.end.unwrap_or(u64::MAX);
            let first = windows.partition_point(|window| window.1 < call.start);
            let last = windows.partition_point(|window| window.0 <= end);
            ranges.push((first, last, position));
            certain[position] = call.end.is_some();
        }
        ranges.sort_unstable();
        Matching { windows, ranges, certain }
    }

    fn run(&self, reads: &[(i64, usize)]) -> Shortcut {
        if let Some(position) = self.match_up(true) {
            let why = "there is no step at which it can have been added";
            return Shortcut::broken([position], why);
        }
        let Some(step) = self.match_up(false) else { return Shortcut::Linearizable };
        let shows = reads.partition_point(|(steps, _)| steps.unsigned_abs() as usize <= step);
        Shortcut::broken([reads[shows].1], "shows more than can have been added")
    }

    /// Gives each step the addition that can wait least. With `certain_only`, finds a certain
    /// addition that gets no step; else, a step that gets no addition.
    fn match_up(&self, certain_only: bool) -> Option<usize> {
        let n_steps = self.windows.len() - 1;
        let mut waiting = BinaryHeap::new();
        let chosen = |position: usize| !certain_only || self.certain[position];
        let mut next = self.ranges.iter().filter(|range| chosen(range.2)).peekable();
        for step in 0..n_steps {
            while let Some(&&(_, last, position)) = next.peek().filter(|range| range.0 <= step) {
                waiting.push(Reverse((last, position)));
                next.next();
            }
            // `last` is one past the last step that it can be.
            while let Some(&Reverse((last, position))) = waiting.peek() {
                if last > step {
                    break;
                }
                if certain_only {
                    return Some(position);
                }
                waiting.pop();
            }
            if waiting.pop().is_none() && !certain_only {
                return Some(step);
            }
        }
        // Those left come after all steps shown, where there is room for any number.
        let left = waiting.into_iter().map(|Reverse((last, position))| (last, position));
        let left = left.chain(next.map(|&(_, last, position)| (last, position)));
        let mut late = left.filter(|(last, _)| certain_only && *last <= n_steps);
        late.next().map(|(_, position)| position)
    }
}

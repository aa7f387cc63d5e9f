//! The longest partial linearization.

use std::collections::HashSet;

use super::Excerpt;
use crate::engine::Decidable;

/// More calls are not explained by an order, and would take long to try.
const CALLS_MAX: usize = 16;

/// The calls of the longest order that the specification accepts and that agrees with real time, by
/// their places in the excerpt; empty where there are too many. Longest is what has the most calls whose
/// answers are known.
pub(super) fn longest<P: Decidable>(excerpt: &Excerpt<P>) -> Vec<usize> {
    if excerpt.calls.len() > CALLS_MAX {
        return Vec::new();
    }
    let mut longest =
        Longest { excerpt, tried: HashSet::new(), path: Vec::new(), best: (0, Vec::new()) };
    longest.extend(&excerpt.initial, 0);
    longest.best.1
}

struct Longest<'a, P: Decidable> {
    excerpt: &'a Excerpt<P>,
    /// Which calls are placed, as bits, and the state after them.
    tried: HashSet<(u32, P)>,
    path: Vec<usize>,
    /// The best path so far, and how many answered calls it has.
    best: (usize, Vec<usize>),
}

impl<P: Decidable> Longest<'_, P> {
    fn extend(&mut self, state: &P, done: u32) {
        if !self.tried.insert((done, state.clone())) {
            return;
        }
        self.note();
        let calls = &self.excerpt.calls;
        let left = || (0..calls.len()).filter(|n| done & (1 << n) == 0);
        let first_end = left().filter_map(|n| calls[n].end).min().unwrap_or(0);
        for next in left().filter(|&n| calls[n].start <= first_end) {
            let mut after = state.clone();
            if takes(&mut after, &calls[next].op, calls[next].ret.as_ref()) {
                self.path.push(next);
                self.extend(&after, done | 1 << next);
                self.path.pop();
            }
        }
    }

    fn note(&mut self) {
        let answered = self.path.iter().filter(|&&n| self.excerpt.calls[n].end.is_some()).count();
        if answered > self.best.0 {
            self.best = (answered, self.path.clone());
        }
    }
}

fn takes<P: Decidable>(state: &mut P, op: &P::Op, ret: Option<&P::Ret>) -> bool {
    match ret {
        Some(ret) => state.is_valid_step(op, ret),
        None => {
            state.invoke(op);
            true
        }
    }
}

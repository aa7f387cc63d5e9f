//! Finds an order of chains in which every failed compare-and-set has a place, depth first.

use super::blocks::Chain;
use super::stays::{Mark, Stays};

/// A chain may come next if no other that is left must come before it, since one of that one's
/// calls ended before one of its own began. Going back undoes the latest choice first: what is in
/// the way of a value was mostly placed just before it.
pub(super) struct Order<'a> {
    chains: &'a [Chain],
    stays: Stays<'a>,
    done: Vec<bool>,
    by_start: Left,
    by_end: Left,
    cuts: Cuts,
    choices: Vec<Choice>,
    /// The failed compare-and-set that had no place when most chains were placed.
    blamed: Option<(usize, usize)>,
}

#[derive(Clone, Copy)]
enum Next {
    Chain(usize),
    /// A write that no order needs.
    Cut(usize),
}

/// What was chosen at one point, where to look for another choice, and how to undo it.
struct Choice {
    next: Next,
    resume: usize,
    mark: Mark,
}

impl<'a> Order<'a> {
    /// `cuts`: writes that may come at any time after their start, or never; in order of their starts.
    pub(super) fn new(chains: &'a [Chain], stays: Stays<'a>, cuts: Vec<u64>) -> Self {
        Order {
            chains,
            stays,
            done: vec![false; chains.len()],
            by_start: Left::new(chains, |chain| chain.last_start.0),
            by_end: Left::new(chains, |chain| chain.first_end.0),
            cuts: Cuts { used: vec![false; cuts.len()], cuts },
            choices: Vec::with_capacity(chains.len()),
            blamed: None,
        }
    }

    /// An order, or the failed compare-and-set that came furthest in none; nothing when that is
    /// not known after so many steps.
    pub(super) fn find(mut self, steps: usize) -> Option<Result<(), usize>> {
        if let Err(blamed) = self.stays.add_chain(self.chains[0].first) {
            return Some(Err(blamed));
        }
        self.mark_done(Next::Chain(0), true);
        let mut resume = 0;
        for _ in 0..steps {
            if self.choices_left() == 0 && self.tried(Stays::finish) {
                return Some(Ok(()));
            }
            resume = match self.next(resume) {
                Some((next, resume)) if self.choose(next, resume) => 0,
                Some((_, resume)) => resume,
                None => match self.back() {
                    Some(resume) => resume,
                    None => return self.blamed.map(|(_, blamed)| Err(blamed)),
                },
            };
        }
        None
    }

    fn choices_left(&self) -> usize {
        self.by_end.sorted.len() - self.by_end.first
    }

    /// The first of the choices here that was not looked at, and where to look for more: calls
    /// in flight together by their start, then what must hold the register alone, then a cut.
    fn next(&self, resume: usize) -> Option<(Next, usize)> {
        let n = self.chains.len();
        let [first, second] = self.by_end.two(&self.done);
        if resume <= n
            && let Some((limit, earliest)) = first
        {
            let from = resume.max(self.by_start.first);
            let open = (from..n).map(|at| (at, self.by_start.sorted[at]));
            let mut open = open.take_while(|(_, (start, _))| *start <= limit);
            if let Some((at, (_, chain))) = open.find(|(_, (_, chain))| !self.done[*chain]) {
                return Some((Next::Chain(chain), at + 1));
            }
            let start = self.chains[earliest].last_start.0;
            if start > limit && second.is_none_or(|(end, _)| start <= end) {
                return Some((Next::Chain(earliest), n + 1));
            }
        }
        if resume > n + 1 || self.stays.ends_with_cut() {
            return None;
        }
        let limit = first.map_or(u64::MAX, |(end, _)| end);
        self.cuts.next(self.stays.now(), limit).map(|cut| (Next::Cut(cut), n + 2))
    }

    /// Places it, unless a failed compare-and-set then has no place.
    fn choose(&mut self, next: Next, resume: usize) -> bool {
        let mark = self.stays.mark();
        let placed = match next {
            Next::Chain(chain) => {
                let first = self.chains[chain].first;
                self.tried(|stays| stays.add_chain(first))
            }
            Next::Cut(cut) => {
                let start = self.cuts.cuts[cut];
                self.tried(|stays| stays.add_cut(start))
            }
        };
        if placed {
            self.mark_done(next, true);
            self.choices.push(Choice { next, resume, mark });
        }
        placed
    }

    fn tried(&mut self, place: impl FnOnce(&mut Stays<'a>) -> Result<(), usize>) -> bool {
        let mark = self.stays.mark();
        let Err(blamed) = place(&mut self.stays) else { return true };
        self.stays.back_to(mark);
        let depth = self.choices.len();
        if self.blamed.is_none_or(|(deepest, _)| depth > deepest) {
            self.blamed = Some((depth, blamed));
        }
        false
    }

    fn back(&mut self) -> Option<usize> {
        let Choice { next, resume, mark } = self.choices.pop()?;
        self.stays.back_to(mark);
        self.mark_done(next, false);
        Some(resume)
    }

    fn mark_done(&mut self, next: Next, done: bool) {
        match next {
            Next::Cut(cut) => self.cuts.used[cut] = done,
            Next::Chain(chain) => {
                self.done[chain] = done;
                self.by_start.update(chain, &self.done);
                self.by_end.update(chain, &self.done);
            }
        }
    }
}

/// Chains in the order of a moment, from the first that is not done.
struct Left {
    sorted: Vec<(u64, usize)>,
    /// Where each chain is in `sorted`.
    at: Vec<usize>,
    first: usize,
}

impl Left {
    fn new(chains: &[Chain], moment: impl Fn(&Chain) -> u64) -> Left {
        let mut sorted: Vec<_> = chains.iter().map(moment).zip(0..).collect();
        sorted.sort_unstable();
        let mut at = vec![0; chains.len()];
        sorted.iter().enumerate().for_each(|(place, (_, chain))| at[*chain] = place);
        Left { sorted, at, first: 0 }
    }

    fn update(&mut self, chain: usize, done: &[bool]) {
        self.first = self.first.min(self.at[chain]);
        let left = self.sorted[self.first..].iter().position(|(_, chain)| !done[*chain]);
        self.first = left.map_or(self.sorted.len(), |left| self.first + left);
    }

    /// The first two that are left.
    fn two(&self, done: &[bool]) -> [Option<(u64, usize)>; 2] {
        let mut left = self.sorted[self.first..].iter().filter(|(_, chain)| !done[*chain]);
        [left.next().copied(), left.next().copied()]
    }
}

/// Writes that may end a value's stay, in order of their starts.
struct Cuts {
    cuts: Vec<u64>,
    used: Vec<bool>,
}

impl Cuts {
    /// The latest that began by now, else the next to begin before `limit`: others serve at more
    /// times.
    fn next(&self, now: u64, limit: u64) -> Option<usize> {
        let begun = self.cuts.partition_point(|start| *start <= now);
        let in_time = self.cuts.partition_point(|start| *start < limit);
        let unused = |cut: &usize| !self.used[*cut];
        (0..begun).rev().find(unused).or_else(|| (begun..in_time).find(unused))
    }
}

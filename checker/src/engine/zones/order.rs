//! Finds an order of chains in which every failed compare-and-set has a place, depth first.

use super::Calls;
use super::blocks::Blocks;
use super::chains::Chain;
use super::stays::{Mark, Stays};

/// A chain may come next if no other that is left must come before it, since one of that one's
/// calls ended before one of its own began. The first that is left, in order of keys, always may.
/// Going back undoes the latest choice first: what is in the way of a value was mostly placed just
/// before it.
pub(super) struct Order<'a> {
    chains: &'a [Chain],
    stays: Stays<'a>,
    /// The first chain that is left; and of those behind it, which are not.
    first: usize,
    done: Vec<bool>,
    cuts: Cuts<'a>,
    choices: Vec<(Next, Mark)>,
    /// The failed compare-and-set that had no place when most chains were placed.
    blamed: Option<(usize, usize)>,
    /// From which choice on to look.
    resume: Resume,
}

#[derive(Clone, Copy)]
enum Next {
    Chain(u32),
    /// A write that no order needs.
    Cut(u32),
}

/// Which choices at one point were not looked at.
#[derive(Clone, Copy)]
enum Resume {
    /// Chains from this one on, and a cut.
    Chains(usize),
    Nowhere,
}

impl<'a> Order<'a> {
    pub(super) fn new(calls: Calls<'a>, blocks: &'a Blocks, chains: &'a [Chain]) -> Self {
        Order {
            chains,
            stays: Stays::new(calls, blocks),
            first: 0,
            done: vec![false; chains.len()],
            cuts: Cuts { used: vec![false; blocks.cuts.len()], cuts: &blocks.cuts },
            choices: Vec::with_capacity(chains.len()),
            blamed: None,
            resume: Resume::Chains(0),
        }
    }

    /// An order, or the failed compare-and-set that came furthest in none; nothing when that is
    /// not known after so many steps: asked again, it goes on from there.
    pub(super) fn find(&mut self, steps: usize) -> Option<Result<(), usize>> {
        for _ in 0..steps {
            if self.first == self.chains.len() && self.tried(Stays::finish) {
                return Some(Ok(()));
            }
            self.resume = match self.next() {
                Some(next) if self.choose(next) => Resume::Chains(0),
                Some(Next::Chain(chain)) => Resume::Chains(chain as usize + 1),
                Some(Next::Cut(_)) => Resume::Nowhere,
                None => match self.back() {
                    Some(resume) => resume,
                    None => return self.blamed.map(|(_, blamed)| Err(blamed)),
                },
            };
        }
        None
    }

    /// The first of the choices here that was not looked at.
    fn next(&self) -> Option<Next> {
        let Resume::Chains(from) = self.resume else { return None };
        if from <= self.first && self.first < self.chains.len() {
            return Some(Next::Chain(self.first as u32));
        }
        self.another(from).or_else(|| self.cut())
    }

    /// A chain from there on that may come before the first that is left.
    fn another(&self, from: usize) -> Option<Next> {
        // The initial value is there before all others.
        if self.first == 0 {
            return None;
        }
        let [limit, second] = self.ends();
        let near = self.left(from).take_while(|&at| self.chains[at].key() <= limit);
        let mut near = near.filter(|&at| {
            let chain = &self.chains[at];
            chain.last_start <= if chain.first_end == limit { second } else { limit }
        });
        near.next().map(|at| Next::Chain(at as u32))
    }

    /// Chains that are left, from one on.
    fn left(&self, from: usize) -> impl Iterator<Item = usize> {
        (from.max(self.first)..self.chains.len()).filter(|&at| !self.done[at])
    }

    /// When the first two of the chains that are left end first.
    fn ends(&self) -> [u64; 2] {
        let mut ends = [u64::MAX; 2];
        for chain in self.left(self.first).map(|at| &self.chains[at]) {
            if chain.key() > ends[1] {
                break;
            }
            if chain.first_end < ends[0] {
                ends = [chain.first_end, ends[0]];
            } else {
                ends[1] = ends[1].min(chain.first_end);
            }
        }
        ends
    }

    fn cut(&self) -> Option<Next> {
        if self.first == 0 || self.stays.ends_with_cut() {
            return None;
        }
        let [limit, _] = self.ends();
        self.cuts.next(self.stays.now(), limit).map(|cut| Next::Cut(cut as u32))
    }

    /// Places it, unless a failed compare-and-set then has no place.
    fn choose(&mut self, next: Next) -> bool {
        let mark = self.stays.mark();
        let (chains, cuts) = (self.chains, self.cuts.cuts);
        let placed = match next {
            Next::Chain(chain) => self.tried(|stays| stays.add_chain(chains[chain as usize].first)),
            Next::Cut(cut) => self.tried(|stays| stays.add_cut(cuts[cut as usize])),
        };
        if placed {
            self.mark_done(next, true);
            self.choices.push((next, mark));
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

    /// Undoes the last choice.
    fn back(&mut self) -> Option<Resume> {
        let (next, mark) = self.choices.pop()?;
        self.stays.back_to(mark);
        self.mark_done(next, false);
        Some(match next {
            Next::Chain(chain) => Resume::Chains(chain as usize + 1),
            Next::Cut(_) => Resume::Nowhere,
        })
    }

    fn mark_done(&mut self, next: Next, done: bool) {
        match next {
            Next::Cut(cut) => self.cuts.used[cut as usize] = done,
            Next::Chain(chain) => {
                let chain = chain as usize;
                self.done[chain] = done;
                self.first = self.first.min(chain);
                let left = self.left(self.first).next();
                self.first = left.unwrap_or(self.chains.len());
            }
        }
    }
}

/// Writes that may end a value's stay, in order of their starts.
struct Cuts<'a> {
    cuts: &'a [u64],
    used: Vec<bool>,
}

impl Cuts<'_> {
    /// The latest that began by now, else the next to begin before `limit`: others serve at more
    /// times.
    fn next(&self, now: u64, limit: u64) -> Option<usize> {
        let begun = self.cuts.partition_point(|start| *start <= now);
        let in_time = self.cuts.partition_point(|start| *start < limit);
        let unused = |cut: &usize| !self.used[*cut];
        (0..begun).rev().find(unused).or_else(|| (begun..in_time).find(unused))
    }
}

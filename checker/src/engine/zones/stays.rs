//! When each value comes, for one order of blocks: as early as can be.
//!
//! In a given order, a failed compare-and-set with the interval [s, e] says: if the next value
//! comes only after e, then this one comes after s. All constraints are of this kind or bounds,
//! so there is a least solution, and it is found by moving values later only when one forces it.

use super::super::Call;
use super::blocks::{Block, Blocks, own};
use super::{Calls, CasRegister};

/// Values placed so far, in order, each at the moment (the last event before it) when it comes.
pub(super) struct Stays<'a> {
    calls: Calls<'a>,
    blocks: &'a Blocks,
    /// Failed compare-and-sets by block that they expected: of block n,
    /// `failed[offsets[n]..offsets[n + 1]]`.
    failed: Vec<usize>,
    offsets: Vec<usize>,
    placed: Vec<Stay>,
    /// Values that were moved: where, and from when.
    moved: Vec<(usize, u64)>,
}

struct Stay {
    /// None for a write outside all blocks.
    block: Option<usize>,
    since: u64,
    /// The next comes no earlier.
    until: u64,
}

/// How far the placing was when something was tried.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    placed: usize,
    moved: usize,
}

impl<'a> Stays<'a> {
    pub(super) fn new(calls: Calls<'a>, blocks: &'a Blocks, failed: &[(usize, i64)]) -> Self {
        let of_block = |&(position, expected): &(usize, i64)| {
            Some((*blocks.of_value.get(&expected)?, position))
        };
        let mut by_block: Vec<(usize, usize)> = failed.iter().filter_map(of_block).collect();
        by_block.sort_unstable();
        let mut offsets = vec![0; blocks.blocks.len() + 1];
        by_block.iter().for_each(|(block, _)| offsets[block + 1] += 1);
        (1..offsets.len()).for_each(|n| offsets[n] += offsets[n - 1]);
        let failed = by_block.into_iter().map(|(_, position)| position).collect();
        Stays { calls, blocks, failed, offsets, placed: Vec::new(), moved: Vec::new() }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { placed: self.placed.len(), moved: self.moved.len() }
    }

    /// Undoes what was placed since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        for (at, since) in self.moved.drain(mark.moved..).rev() {
            self.placed[at].since = since;
        }
        self.placed.truncate(mark.placed);
    }

    /// Puts the blocks of a chain behind what is placed; or tells which failed compare-and-set
    /// then has no place, and leaves it to the caller to go back.
    pub(super) fn add_chain(&mut self, first: usize) -> Result<(), usize> {
        let mut next = Some(first);
        while let Some(block) = next {
            let Block { writer, reads, next: after, .. } = &self.blocks.blocks[block];
            let earliest = writer.map_or(0, |writer| self.calls[writer].start);
            let until = reads.iter().map(|&read| self.calls[read].start).max().unwrap_or(0);
            self.add(Some(block), earliest, until)?;
            next = *after;
        }
        Ok(())
    }

    /// The same for a write outside all blocks, invoked at `start`.
    pub(super) fn add_cut(&mut self, start: u64) -> Result<(), usize> {
        self.add(None, start, 0)
    }

    /// No later value comes before.
    pub(super) fn now(&self) -> u64 {
        self.placed.last().map_or(0, |stay| stay.since.max(stay.until))
    }

    pub(super) fn ends_with_cut(&self) -> bool {
        self.placed.last().is_some_and(|stay| stay.block.is_none())
    }

    /// The last value stays for ever.
    pub(super) fn finish(&mut self) -> Result<(), usize> {
        self.settle(self.placed.len(), u64::MAX)
    }

    fn add(&mut self, block: Option<usize>, earliest: u64, until: u64) -> Result<(), usize> {
        let since = self.now().max(earliest);
        let n_before = self.placed.len();
        self.placed.push(Stay { block, since, until });
        self.settle(n_before, since)
    }

    /// Moves the stays before the n-th, which comes at `next`, as its coming forces.
    fn settle(&mut self, n: usize, mut next: u64) -> Result<(), usize> {
        for at in (0..n).rev() {
            let Some((since, forced_by)) = self.forced(at, next) else { return Ok(()) };
            let block = self.placed[at].block.expect("only blocks are expected");
            if since >= self.last_chance(block) {
                return Err(forced_by);
            }
            self.moved.push((at, self.placed[at].since));
            self.placed[at].since = since;
            next = since;
        }
        Ok(())
    }

    /// When a value must come at the earliest if the next comes at `next`; none if it may stay
    /// where it is.
    fn forced(&self, at: usize, next: u64) -> Option<(u64, usize)> {
        let stay = &self.placed[at];
        let block = stay.block?;
        let failed = &self.failed[self.offsets[block]..self.offsets[block + 1]];
        let forcing = failed.iter().filter(|&&position| {
            let call = &self.calls[position];
            stay.since < call.start && next >= end(call)
        });
        forcing.map(|&position| (self.calls[position].start, position)).max()
    }

    /// The first moment at which it is too late for a block to come.
    fn last_chance(&self, block: usize) -> u64 {
        let own = own(&self.blocks.blocks[block]);
        own.map(|position| end(&self.calls[position])).min().unwrap_or(u64::MAX)
    }
}

fn end(call: &Call<CasRegister>) -> u64 {
    call.end.unwrap_or(u64::MAX)
}

//! When each value comes, for one order of blocks: as early as can be.
//!
//! In a given order, a failed compare-and-set with the interval [s, e] says: if the next value
//! comes only after e, then this one comes after s. All constraints are of this kind or bounds,
//! so there is a least solution, and it is found by moving values later only when one forces it.

use super::Calls;
use super::blocks::{Blocks, NONE, end, some};

/// Values placed so far, in order, each at the moment (the last event before it) when it comes.
pub(super) struct Stays<'a> {
    calls: Calls<'a>,
    blocks: &'a Blocks,
    /// Failed compare-and-sets by block that they expected: of block n,
    /// `failed[offsets[n]..offsets[n + 1]]`.
    failed: Vec<u32>,
    offsets: Vec<u32>,
    placed: Vec<Stay>,
    /// Values that were moved: where, and from when.
    moved: Vec<(u32, u64)>,
}

struct Stay {
    /// None for a write outside all blocks.
    block: u32,
    since: u64,
}

/// How far the placing was when something was tried.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    placed: u32,
    moved: u32,
}

impl<'a> Stays<'a> {
    pub(super) fn new(calls: Calls<'a>, blocks: &'a Blocks) -> Self {
        let (failed, offsets) = by_block(blocks);
        let placed = Vec::with_capacity(blocks.blocks.len());
        Stays { calls, blocks, failed, offsets, placed, moved: Vec::new() }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { placed: self.placed.len() as u32, moved: self.moved.len() as u32 }
    }

    /// Undoes what was placed since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        for (at, since) in self.moved.drain(mark.moved as usize..).rev() {
            self.placed[at as usize].since = since;
        }
        self.placed.truncate(mark.placed as usize);
    }

    /// Puts the blocks of a chain behind what is placed; or tells which failed compare-and-set
    /// then has no place, and leaves it to the caller to go back.
    pub(super) fn add_chain(&mut self, first: u32) -> Result<(), usize> {
        let mut at = first;
        while at != NONE {
            let block = &self.blocks.blocks[at as usize];
            let earliest = some(block.writer).map_or(0, |writer| self.calls[writer].start);
            self.add(at, earliest)?;
            at = block.next;
        }
        Ok(())
    }

    /// The same for a write outside all blocks, invoked at `start`.
    pub(super) fn add_cut(&mut self, start: u64) -> Result<(), usize> {
        self.add(NONE, start)
    }

    /// No later value comes before.
    pub(super) fn now(&self) -> u64 {
        let Some(last) = self.placed.last() else { return 0 };
        let block = some(last.block).map(|block| &self.blocks.blocks[block]);
        let read = block.and_then(|block| some(block.last_read));
        last.since.max(read.map_or(0, |read| self.calls[read].start))
    }

    pub(super) fn ends_with_cut(&self) -> bool {
        self.placed.last().is_some_and(|stay| stay.block == NONE)
    }

    /// The last value stays for ever.
    pub(super) fn finish(&mut self) -> Result<(), usize> {
        self.settle(self.placed.len(), u64::MAX)
    }

    fn add(&mut self, block: u32, earliest: u64) -> Result<(), usize> {
        let since = self.now().max(earliest);
        let n_before = self.placed.len();
        self.placed.push(Stay { block, since });
        self.settle(n_before, since)
    }

    /// Moves the stays before the n-th, which comes at `next`, as its coming forces.
    fn settle(&mut self, n: usize, mut next: u64) -> Result<(), usize> {
        for at in (0..n).rev() {
            let Some((since, forced_by)) = self.forced(at, next) else { return Ok(()) };
            if since >= self.last_chance(self.placed[at].block) {
                return Err(forced_by);
            }
            self.moved.push((at as u32, self.placed[at].since));
            self.placed[at].since = since;
            next = since;
        }
        Ok(())
    }

    /// When a value must come at the earliest if the next comes at `next`; none if it may stay
    /// where it is.
    fn forced(&self, at: usize, next: u64) -> Option<(u64, usize)> {
        let stay = &self.placed[at];
        let block = some(stay.block)?;
        let failed = &self.failed[self.offsets[block] as usize..self.offsets[block + 1] as usize];
        let forcing = failed.iter().map(|&position| position as usize).filter(|&position| {
            stay.since < self.calls[position].start && next >= end(self.calls, position)
        });
        forcing.map(|position| (self.calls[position].start, position)).max()
    }

    /// The first moment at which it is too late for a block to come.
    fn last_chance(&self, block: u32) -> u64 {
        let own = self.blocks.blocks[block as usize].own();
        own.map(|position| end(self.calls, position)).min().unwrap_or(u64::MAX)
    }
}

/// Failed compare-and-sets that could be in the way, sorted by the block that they expected, and
/// where those of each block are. Before a block's write had begun, each has its place.
fn by_block(blocks: &Blocks) -> (Vec<u32>, Vec<u32>) {
    let matters = |&&(position, block): &&(u32, u32)| {
        let writer = blocks.blocks[block as usize].writer;
        writer != NONE && writer < position
    };
    let mut offsets = vec![0; blocks.blocks.len() + 1];
    blocks.failed.iter().filter(matters).for_each(|&(_, block)| offsets[block as usize] += 1);
    let mut sum = 0;
    for offset in &mut offsets {
        sum += *offset;
        *offset = sum;
    }
    let mut sorted = vec![0; sum as usize];
    for &(position, block) in blocks.failed.iter().filter(matters) {
        let offset = &mut offsets[block as usize];
        *offset -= 1;
        sorted[*offset as usize] = position;
    }
    (sorted, offsets)
}

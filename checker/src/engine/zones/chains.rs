//! Chains of values, which compare-and-sets make.

use super::super::levels::Levels;
use super::blocks::{Block, Blocks, NONE, end, some};
use super::{Calls, Shortcut};

/// Blocks that follow each other without anything between.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    /// When the first of its calls ended.
    pub(super) first_end: u64,
    /// When the last of its calls began.
    pub(super) last_start: u64,
    /// The call that ended first.
    pub(super) ended: u32,
    /// The call that began last.
    pub(super) began: u32,
    /// Its first block.
    pub(super) first: u32,
    /// Its last block.
    pub(super) last: u32,
}

impl Chain {
    pub(super) fn is_forward(&self) -> bool {
        self.first_end < self.last_start
    }

    /// Chains in order of this key are in an order that real time allows, if there is any.
    pub(super) fn key(&self) -> u64 {
        self.first_end.min(self.last_start)
    }

    fn add(&mut self, calls: Calls<'_>, position: usize) {
        let (start, end) = (calls[position].start, end(calls, position));
        if end < self.first_end || self.ended == NONE {
            (self.first_end, self.ended) = (end, position as u32);
        }
        if start > self.last_start || self.began == NONE {
            (self.last_start, self.began) = (start, position as u32);
        }
    }
}

/// The chains in order of their key, the initial one first; an error if the calls of one
/// contradict its order.
pub(super) fn chains(blocks: &Blocks, calls: Calls<'_>) -> Result<Vec<Chain>, Shortcut> {
    let (mut n_placed, mut n_chained) = (0, 0);
    let mut chains = Vec::new();
    for (number, block) in (0..).zip(&blocks.blocks) {
        if number != 0 && block.writer == NONE {
            continue;
        }
        n_placed += 1;
        if block.behind == NONE {
            let (chain, length) = chain(blocks, calls, number)?;
            n_chained += length;
            chains.push(chain);
        }
    }
    if n_chained != n_placed {
        return Err(circle(blocks));
    }
    chains[1..].sort_unstable_by_key(Chain::key);
    Ok(chains)
}

/// The chain that begins with a block, and how many it has.
fn chain(blocks: &Blocks, calls: Calls<'_>, first: u32) -> Result<(Chain, usize), Shortcut> {
    let last_start = 0;
    let mut chain =
        Chain { first_end: u64::MAX, last_start, ended: NONE, began: NONE, first, last: first };
    if first == 0 {
        // As if written before everything.
        chain.first_end = 0;
        chain.ended = some(blocks.blocks[0].first_read).map_or(0, |read| read as u32);
    }
    let (mut at, mut length) = (first, 0);
    let mut levels = Levels::default();
    while at != NONE {
        let Block { writer, first_read, last_read, next, .. } = blocks.blocks[at as usize];
        for group in [[writer, NONE], [first_read, last_read]] {
            levels.next();
            for position in group.into_iter().filter_map(some) {
                levels.add(position, calls[position].start, calls[position].end);
                chain.add(calls, position);
            }
        }
        (chain.last, length, at) = (at, length + 1, next);
    }
    let why = "ended before the write that it depends on began, or saw what was replaced";
    levels.conflict(why).map_or(Ok((chain, length)), Err)
}

/// Blocks that were written and are in no chain are in circles.
fn circle(blocks: &Blocks) -> Shortcut {
    let follow = |block: &usize| some(blocks.blocks[*block].next);
    let mut reached = vec![false; blocks.blocks.len()];
    for (block, held) in blocks.blocks.iter().enumerate() {
        if block != 0 && held.writer == NONE {
            reached[block] = true;
        } else if held.behind == NONE {
            std::iter::successors(Some(block), follow).for_each(|block| reached[block] = true);
        }
    }
    let first = reached.iter().position(|reached| !reached).unwrap_or(0);
    let mut circle = Vec::new();
    let mut at = Some(first);
    while let Some(block) = at.filter(|&block| !std::mem::replace(&mut reached[block], true)) {
        circle.extend(some(blocks.blocks[block].writer));
        at = follow(&block);
    }
    Shortcut::broken(circle, "each compare-and-set expects what a later one wrote")
}

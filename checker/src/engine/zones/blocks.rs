//! Values, and the chains that compare-and-sets make of them.

use spec::plain::{Op, Ret};

use super::super::levels::Levels;
use super::{Calls, Shortcut};
use crate::mix::{Numbered, Numbers};

/// One value's stay in the register.
#[derive(Default)]
pub(super) struct Block {
    /// None for the initial one.
    pub(super) writer: Option<usize>,
    pub(super) reads: Vec<usize>,
    /// The block that a compare-and-set put behind it.
    pub(super) next: Option<usize>,
    chained: bool,
}

/// Its write and its reads.
pub(super) fn own(block: &Block) -> impl Iterator<Item = usize> {
    block.writer.iter().chain(&block.reads).copied()
}

/// All of them, the initial one first.
pub(super) struct Blocks {
    pub(super) blocks: Vec<Block>,
    pub(super) of_value: Numbered<i64, usize>,
}

/// Blocks that follow each other without anything between.
pub(super) struct Chain {
    /// Its first block.
    pub(super) first: usize,
    /// When the first of its calls ended, and which it is.
    pub(super) first_end: (u64, usize),
    /// When the last of its calls began, and which it is.
    pub(super) last_start: (u64, usize),
}

impl Chain {
    pub(super) fn is_forward(&self) -> bool {
        self.first_end.0 < self.last_start.0
    }

    /// Chains in order of this key are in an order that real time allows, if there is any.
    pub(super) fn key(&self) -> (bool, u64) {
        (self.first != 0, self.first_end.0.min(self.last_start.0))
    }
}

impl Blocks {
    /// Sorts calls by value: none if a value is written twice, an error if one read or expected
    /// was not written, or replaced twice. Writes of unknown outcome count if their value was
    /// `seen`.
    pub(super) fn new(calls: Calls<'_>, seen: &Numbers<i64>) -> Option<Result<Blocks, Shortcut>> {
        let mut all = Blocks { blocks: vec![Block::default()], of_value: Numbered::default() };
        for (position, call) in calls.iter().enumerate() {
            let (Op::Write(value) | Op::Cas { value, .. }) = call.op else { continue };
            let happened = match call.ret {
                None => seen.contains(&value),
                Some(ret) => ret == Ret::Written,
            };
            if happened && all.of_value.insert(value, all.blocks.len()).is_some() {
                return None;
            }
            if happened {
                all.blocks.push(Block { writer: Some(position), ..Block::default() });
            }
        }
        Some(all.read(calls).and_then(|()| all.link(calls)).map(|()| all))
    }

    fn read(&mut self, calls: Calls<'_>) -> Result<(), Shortcut> {
        for (position, call) in calls.iter().enumerate() {
            let Some(Ret::Value(value)) = call.ret else { continue };
            let block = value.map_or(Some(&0), |value| self.of_value.get(&value));
            let why = "nobody wrote the value read";
            let block = *block.ok_or_else(|| Shortcut::broken([position], why))?;
            self.blocks[block].reads.push(position);
        }
        Ok(())
    }

    fn link(&mut self, calls: Calls<'_>) -> Result<(), Shortcut> {
        for block in 1..self.blocks.len() {
            let Some(writer) = self.blocks[block].writer else { continue };
            let Op::Cas { expected, .. } = calls[writer].op else { continue };
            let why = "nobody wrote the value expected";
            let previous = self.of_value.get(&expected);
            let previous = *previous.ok_or_else(|| Shortcut::broken([writer], why))?;
            if let Some(rival) = self.blocks[previous].next.replace(block) {
                let both = [rival, block].map(|block| self.blocks[block].writer);
                let both: Vec<usize> = both.into_iter().flatten().collect();
                return Err(Shortcut::broken(both, "both replaced the same value"));
            }
            self.blocks[block].chained = true;
        }
        Ok(())
    }

    /// The chains; an error if the calls of one contradict its order.
    pub(super) fn chains(&self, calls: Calls<'_>) -> Result<Vec<Chain>, Shortcut> {
        let firsts = (0..self.blocks.len()).filter(|&block| !self.blocks[block].chained);
        let mut n_blocks = 0;
        let mut chains = Vec::new();
        for first in firsts {
            n_blocks += self.from(first).count();
            chains.push(self.chain(calls, first)?);
        }
        if n_blocks == self.blocks.len() {
            return Ok(chains);
        }
        Err(self.circle())
    }

    /// The blocks of the chain that begins with one.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = &Block> {
        let next = |block: &&Block| block.next.map(|next| &self.blocks[next]);
        std::iter::successors(Some(&self.blocks[first]), next)
    }

    /// The last block of the chain that begins with one.
    pub(super) fn last_of(&self, first: usize) -> usize {
        let next = |block: &usize| self.blocks[*block].next;
        std::iter::successors(Some(first), next).last().unwrap_or(first)
    }

    fn chain(&self, calls: Calls<'_>, first: usize) -> Result<Chain, Shortcut> {
        let mut chain = Chain { first, first_end: (u64::MAX, usize::MAX), last_start: (0, 0) };
        if first == 0 {
            // As if written before everything.
            chain.first_end = (0, self.blocks[0].reads.first().copied().unwrap_or(0));
        }
        let mut levels = Levels::default();
        for block in self.from(first) {
            for group in [block.writer.as_slice(), &block.reads] {
                levels.next();
                for &position in group {
                    let call = &calls[position];
                    levels.add(position, call.start, call.end);
                    let end = call.end.unwrap_or(u64::MAX);
                    chain.first_end = chain.first_end.min((end, position));
                    chain.last_start = chain.last_start.max((call.start, position));
                }
            }
        }
        let why = "ended before the write that it depends on began, or saw what was replaced";
        levels.conflict(why).map_or(Ok(chain), Err)
    }

    /// Blocks in no chain that begins with a write are in circles.
    fn circle(&self) -> Shortcut {
        let mut reached = vec![false; self.blocks.len()];
        for first in (0..self.blocks.len()).filter(|&block| !self.blocks[block].chained) {
            let mut at = Some(first);
            while let Some(block) = at {
                reached[block] = true;
                at = self.blocks[block].next;
            }
        }
        let first = reached.iter().position(|reached| !reached).unwrap_or(0);
        let mut circle = Vec::new();
        let mut at = Some(first);
        while let Some(block) = at.filter(|&block| !std::mem::replace(&mut reached[block], true)) {
            circle.extend(self.blocks[block].writer);
            at = self.blocks[block].next;
        }
        Shortcut::broken(circle, "each compare-and-set expects what a later one wrote")
    }
}

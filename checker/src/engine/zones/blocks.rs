//! Values, and the calls that say when each was there.

use spec::plain::{Op, Ret};

use super::numbering::Numbering;
use super::{Calls, Shortcut};
use crate::mix::Numbered;

/// In place of a position or a block that there is not.
pub(super) const NONE: u32 = u32::MAX;

/// One value's stay in the register.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// None of the initial one, and of a value that was not written.
    pub(super) writer: u32,
    /// Of its reads, the one that ended first.
    pub(super) first_read: u32,
    /// Of its reads, the one that began last.
    pub(super) last_read: u32,
    /// The block that a compare-and-set put behind it.
    pub(super) next: u32,
    /// The block that it was put behind.
    pub(super) behind: u32,
}

/// All of them by the number of their value, the initial one first.
pub(super) struct Blocks {
    pub(super) blocks: Vec<Block>,
    /// Compare-and-sets that failed: their position, and the block that they expected.
    pub(super) failed: Vec<(u32, u32)>,
    /// Writes of unknown outcome that are in no block, for nobody saw their value: positions.
    pub(super) left_out: Vec<u32>,
    /// Those of them that write a value that nobody even expected: each can end another value's
    /// stay at any time after its own start, once. When they start, ascending.
    pub(super) cuts: Vec<u64>,
    rivals: Option<[u32; 2]>,
}

impl Block {
    const EMPTY: Block =
        Block { writer: NONE, first_read: NONE, last_read: NONE, next: NONE, behind: NONE };

    /// Was its value there for certain: read, or expected by a compare-and-set that happened?
    fn is_seen(&self) -> bool {
        self.first_read != NONE || self.next != NONE
    }

    /// Its write, and those of its reads that bound when it was there: positions.
    pub(super) fn own(&self) -> impl Iterator<Item = usize> {
        let last = if self.last_read == self.first_read { NONE } else { self.last_read };
        [self.writer, self.first_read, last].into_iter().filter_map(some)
    }
}

/// A position or block as an index.
pub(super) fn some(index: u32) -> Option<usize> {
    (index != NONE).then_some(index as usize)
}

/// When a call ended at the latest.
pub(super) fn end(calls: Calls<'_>, position: usize) -> u64 {
    calls[position].end.unwrap_or(u64::MAX)
}

impl Blocks {
    /// Sorts calls by value: none if a value is written twice, or answers do not fit; an error if
    /// a value read or expected was not written, or one was replaced twice.
    pub(super) fn new(calls: Calls<'_>) -> Option<Result<Blocks, Shortcut>> {
        if calls.len() >= NONE as usize {
            return None;
        }
        let first = calls.iter().find_map(|call| value(call.op)).unwrap_or(0);
        let mut numbering = Numbering::around(first, calls.len());
        let mut all = Blocks {
            blocks: vec![Block::EMPTY],
            failed: Vec::new(),
            left_out: Vec::new(),
            cuts: Vec::new(),
            rivals: None,
        };
        let mut lost = Vec::new();
        for (position, call) in (0..NONE).zip(calls) {
            match (call.op, call.ret) {
                (Op::Read, None) => {}
                (Op::Read, Some(Ret::Value(value))) => {
                    let block = value.map_or(0, |value| numbering.number(value));
                    all.read(calls, block, position);
                }
                (Op::Write(_) | Op::Cas { .. }, Some(Ret::Written)) => {
                    all.write(&mut numbering, call.op, position)?;
                }
                (Op::Cas { expected, .. }, Some(Ret::Differs)) => {
                    let block = numbering.number(expected);
                    all.block(block);
                    all.failed.push((position, block));
                }
                (Op::Write(_) | Op::Cas { .. }, None) => lost.push(position),
                _ => return None,
            }
        }
        all.lose(calls, &mut numbering, lost)?;
        Some(all.contradiction().map_or(Ok(all), Err))
    }

    fn block(&mut self, block: u32) -> &mut Block {
        let block = block as usize;
        if block == self.blocks.len() {
            self.blocks.push(Block::EMPTY);
        }
        &mut self.blocks[block]
    }

    fn read(&mut self, calls: Calls<'_>, block: u32, position: u32) {
        let block = self.block(block);
        block.last_read = position;
        let first = some(block.first_read);
        if first.is_none_or(|first| end(calls, position as usize) < end(calls, first)) {
            block.first_read = position;
        }
    }

    /// None if its value is written already.
    fn write(&mut self, numbering: &mut Numbering, op: Op, position: u32) -> Option<()> {
        let own = numbering.number(value(op)?);
        let block = self.block(own);
        if block.writer != NONE {
            return None;
        }
        block.writer = position;
        if let Op::Cas { expected, .. } = op {
            let expected = numbering.number(expected);
            self.blocks[own as usize].behind = expected;
            let rival = std::mem::replace(&mut self.block(expected).next, own);
            if rival != NONE {
                self.rivals.get_or_insert([rival, own]);
            }
        }
        Some(())
    }

    /// Places the writes of unknown outcome whose value was certainly there; none if it is written
    /// twice.
    fn lose(&mut self, calls: Calls<'_>, numbering: &mut Numbering, lost: Vec<u32>) -> Option<()> {
        let mut by_value: Numbered<i64, Vec<u32>> = Numbered::default();
        let mut todo = Vec::new();
        for &position in &lost {
            let value = value(calls[position as usize].op)?;
            by_value.entry(value).or_default().push(position);
            let block = numbering.find(value).map(|block| &self.blocks[block as usize]);
            todo.extend(block.filter(|block| block.is_seen()).map(|_| value));
        }
        while let Some(seen) = todo.pop() {
            for position in by_value.remove(&seen).into_iter().flatten() {
                let op = calls[position as usize].op;
                self.write(numbering, op, position)?;
                todo.extend(expected(op));
            }
        }
        let left = |position: &u32| {
            value(calls[*position as usize].op).is_some_and(|value| by_value.contains_key(&value))
        };
        self.left_out = lost.into_iter().filter(left).collect();
        let ops = self.left_out.iter().map(|&position| &calls[position as usize]);
        let cuts = ops.filter(|call| match call.op {
            Op::Write(value) => numbering.find(value).is_none(),
            _ => false,
        });
        self.cuts = cuts.map(|call| call.start).collect();
        Some(())
    }

    fn contradiction(&self) -> Option<Shortcut> {
        let unwritten = |block: &&Block| block.writer == NONE && block.is_seen();
        if let Some(block) = self.blocks[1..].iter().find(unwritten) {
            if let Some(read) = some(block.first_read) {
                return Some(Shortcut::broken([read], "nobody wrote the value read"));
            }
            let writer = self.blocks[block.next as usize].writer as usize;
            return Some(Shortcut::broken([writer], "nobody wrote the value expected"));
        }
        let both = self.rivals?.map(|block| self.blocks[block as usize].writer as usize);
        Some(Shortcut::broken(both, "both replaced the same value"))
    }
}

/// What it writes.
fn value(op: Op) -> Option<i64> {
    match op {
        Op::Read => None,
        Op::Write(value) | Op::Cas { value, .. } => Some(value),
    }
}

fn expected(op: Op) -> Option<i64> {
    match op {
        Op::Cas { expected, .. } => Some(expected),
        _ => None,
    }
}

//! A register without versions: the zones of `engine::zones`, swept by time.
//!
//! The calls of one value, or of values chained by compare-and-sets, are a chain with a first end and a
//! last start. Of two chains, one must come before the other if its first end is before the other's
//! last start; both ways is a contradiction, and there is an order if no two contradict (Gibbons and
//! Korach 1997). Swept by time, a chain contradicts another just when it begins a call again after the
//! other has ended one, and the other had begun one after its own first end: then it is *over*. Values of
//! chains that are over are forgotten, so a value written again later is a new one; written again
//! before, it is left to who holds the whole.
//!
//! A refused compare-and-set is taken for a read of another value that may have been there. Which one is a
//! guess where there are several; if it was wrong, the whole decides, never the guess.

use super::call::{Act, Call, Engine, Trouble};
use crate::mix::Numbered;

type Value = Option<i64>;

#[derive(Debug)]
pub(super) struct Values {
    blocks: Numbered<Value, Block>,
    chains: Numbered<u64, Chain>,
    next_chain: u64,
    /// The two chains, of those that have ended a call, that began one last.
    latest: [Latest; 2],
    /// Writes of unknown outcome whose value nobody has seen.
    lost: Numbered<i64, Lost>,
    /// Refused compare-and-sets, by their start, whose value was there when they began.
    refused: Vec<u64>,
    sweep_at: usize,
}

/// One value.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// None if it was read and its write has not begun.
    chain: Option<u64>,
    /// Its place in the chain.
    place: u32,
    /// Calls that have not ended.
    open: u32,
    /// What had replaced it, if it was there before.
    rivals: [Value; 2],
}

#[derive(Clone, Copy, Debug)]
struct Chain {
    first_end: Option<u64>,
    last_start: u64,
    /// Blocks of which, or of a later one, a call has ended.
    reached: u32,
    /// Its last block.
    tail: u32,
    /// Blocks that are not forgotten.
    blocks: u32,
    /// When the first of its calls will end, as far as they have begun.
    due: u64,
    value: Value,
}

#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    chain: u64,
    start: u64,
    value: Value,
}

#[derive(Clone, Copy, Debug)]
struct Lost {
    start: u64,
    expected: Option<i64>,
}

/// Where a value is that a compare-and-set did not find.
#[derive(PartialEq)]
enum Presence {
    There,
    /// Not yet, or not any more.
    Away,
}

impl Default for Values {
    /// Nothing was written: as if nil had been, before everything.
    fn default() -> Values {
        let nil = Chain {
            first_end: Some(0),
            last_start: 0,
            reached: 1,
            tail: 0,
            blocks: 1,
            due: 0,
            value: None,
        };
        let block = Block { chain: Some(1), place: 0, open: 0, rivals: [None; 2] };
        let mut values = Values {
            blocks: Numbered::default(),
            chains: Numbered::default(),
            next_chain: 2,
            latest: [Latest::default(); 2],
            lost: Numbered::default(),
            refused: Vec::new(),
            sweep_at: 64,
        };
        values.blocks.insert(None, block);
        values.chains.insert(1, nil);
        values
    }
}

impl Engine for Values {
    fn start(&mut self, call: &Call) -> Result<(), Trouble> {
        match (call.act, call.end) {
            (Act::Read(value, _), Some(end)) => self.read(value, call.start, end),
            (Act::Write(value, _), Some(end)) => self.write(value, None, call.start, end),
            (Act::Cas(expected, value, _), Some(end)) => {
                self.write(value, Some(expected), call.start, end)
            }
            (Act::Write(value, _), None) => self.lose(value, None, call.start),
            (Act::Cas(expected, value, _), None) => self.lose(value, Some(expected), call.start),
            (Act::Differs(expected), _) => {
                let there = self.presence(expected) == Presence::There;
                self.refused.extend(there.then_some(call.start));
                Ok(())
            }
            (Act::Read(..), None) => Ok(()),
        }
    }

    fn end(&mut self, call: &Call) -> Result<(), Trouble> {
        let now = call.end.expect("it ends");
        match call.act {
            Act::Read(value, _) => self.ended(value, now),
            Act::Write(value, _) | Act::Cas(_, value, _) => self.ended(Some(value), now),
            Act::Differs(expected) => {
                let at = self.refused.iter().position(|start| *start == call.start);
                match at.map(|at| self.refused.swap_remove(at)) {
                    Some(start) if self.presence(expected) == Presence::There => {
                        self.replace(expected, start, now)
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Values {
    fn read(&mut self, value: Value, start: u64, end: u64) -> Result<(), Trouble> {
        self.forget_if_over(value);
        self.revive(value)?;
        match self.blocks.get(&value).map(|block| block.chain) {
            Some(Some(_)) => self.touch(value, start, end),
            Some(None) => {
                self.blocks.entry(value).and_modify(|block| block.open += 1);
                Ok(())
            }
            None => {
                let rivals = self.latest.map(|latest| latest.value);
                self.blocks.insert(value, Block { chain: None, place: 0, open: 1, rivals });
                Ok(())
            }
        }
    }

    fn write(
        &mut self,
        value: i64,
        expected: Option<i64>,
        start: u64,
        end: u64,
    ) -> Result<(), Trouble> {
        self.place(value, expected, start)?;
        self.touch(Some(value), start, end)
    }

    /// A write that may happen at any time or never: it has, if its value is seen.
    fn lose(&mut self, value: i64, expected: Option<i64>, start: u64) -> Result<(), Trouble> {
        self.forget_if_over(Some(value));
        if self.blocks.contains_key(&Some(value)) {
            return self.place(value, expected, start);
        }
        match self.lost.insert(value, Lost { start, expected }) {
            Some(_) => Err(Trouble::Whole),
            None => Ok(()),
        }
    }

    fn revive(&mut self, value: Value) -> Result<(), Trouble> {
        let Some(value) = value else { return Ok(()) };
        match self.lost.remove(&value) {
            Some(lost) => self.place(value, lost.expected, lost.start),
            None => Ok(()),
        }
    }

    /// Makes a block for a write, with the reads that came before it; in the chain of what it expected.
    fn place(&mut self, value: i64, expected: Option<i64>, start: u64) -> Result<(), Trouble> {
        self.forget_if_over(Some(value));
        let waiting = match self.blocks.get(&Some(value)) {
            Some(block) if block.chain.is_none() => block.open,
            None if !self.lost.contains_key(&value) => 0,
            _ => return Err(Trouble::Whole),
        };
        let (chain, place) = match expected {
            None => (self.new_chain(start, value), 0),
            Some(expected) => self.follow(expected, value)?,
        };
        let block = Block { chain: Some(chain), place, open: waiting, rivals: [None; 2] };
        self.blocks.insert(Some(value), block);
        self.sweep();
        Ok(())
    }

    fn new_chain(&mut self, start: u64, value: i64) -> u64 {
        let id = self.next_id();
        let chain = Chain {
            first_end: None,
            last_start: start,
            reached: 0,
            tail: 0,
            blocks: 1,
            due: u64::MAX,
            value: Some(value),
        };
        self.chains.insert(id, chain);
        id
    }

    fn next_id(&mut self) -> u64 {
        self.next_chain += 1;
        self.next_chain - 1
    }

    fn follow(&mut self, expected: i64, value: i64) -> Result<(u64, u32), Trouble> {
        self.revive(Some(expected))?;
        let before = self.blocks.get(&Some(expected)).copied();
        let Some(Block { chain: Some(id), place, .. }) = before else {
            return Err(Trouble::Suspect(vec![Some(expected), Some(value)]));
        };
        let chain = self.chains.get_mut(&id).expect("blocks keep their chain");
        if chain.tail != place {
            return Err(Trouble::Whole);
        }
        chain.tail += 1;
        chain.blocks += 1;
        Ok((id, place + 1))
    }

    /// A call on a value that was written begins.
    fn touch(&mut self, value: Value, start: u64, end: u64) -> Result<(), Trouble> {
        if self.is_over(value) {
            let mut values = vec![value];
            values.extend(self.latest.map(|latest| latest.value));
            return Err(Trouble::Suspect(values));
        }
        let block = self.blocks.get_mut(&value).expect("it was placed");
        block.open += 1;
        let id = block.chain.expect("it was placed");
        let chain = self.begun(id, start, value);
        chain.due = chain.due.min(end);
        Ok(())
    }

    /// A call on a value of the chain has begun.
    fn begun(&mut self, id: u64, start: u64, value: Value) -> &mut Chain {
        let chain = self.chains.get_mut(&id).expect("blocks keep their chain");
        chain.last_start = chain.last_start.max(start);
        let (ended, last_start) = (chain.first_end.is_some(), chain.last_start);
        if ended {
            self.rank(id, last_start, value);
        }
        self.chains.get_mut(&id).expect("blocks keep their chain")
    }

    fn ended(&mut self, value: Value, now: u64) -> Result<(), Trouble> {
        let block = self.blocks.get_mut(&value).expect("open calls keep their block");
        block.open -= 1;
        let Some(id) = block.chain else {
            let mut values = vec![value];
            values.extend(block.rivals);
            return Err(Trouble::Suspect(values));
        };
        let place = block.place;
        self.reach(id, place, now);
        Ok(())
    }

    /// A block, or a later one of its chain, must have been there by now.
    fn reach(&mut self, id: u64, place: u32, now: u64) {
        let chain = self.chains.get_mut(&id).expect("blocks keep their chain");
        chain.reached = chain.reached.max(place + 1);
        if chain.first_end.is_none() {
            chain.first_end = Some(now);
            let (last_start, value) = (chain.last_start, chain.value);
            self.rank(id, last_start, value);
        }
    }

    fn rank(&mut self, chain: u64, start: u64, value: Value) {
        let new = Latest { chain, start, value };
        let [first, second] = &mut self.latest;
        if first.chain == chain {
            *first = new;
        } else if start > first.start {
            *second = std::mem::replace(first, new);
        } else if second.chain == chain || start > second.start {
            *second = new;
        }
    }

    /// When another chain that has ended a call began one last.
    fn rival_start(&self, chain: u64) -> u64 {
        let [first, second] = &self.latest;
        if first.chain == chain { second.start } else { first.start }
    }

    fn is_over(&self, value: Value) -> bool {
        let Some(Block { chain: Some(id), place, .. }) = self.blocks.get(&value) else {
            return false;
        };
        let chain = &self.chains[id];
        *place + 1 < chain.reached || chain.first_end.is_some_and(|end| end < self.rival_start(*id))
    }

    fn presence(&self, value: i64) -> Presence {
        let block = self.blocks.get(&Some(value));
        let there =
            block.and_then(|block| Some(self.chains[&block.chain?].reached == block.place + 1));
        if there == Some(true) && !self.is_over(Some(value)) {
            Presence::There
        } else {
            Presence::Away
        }
    }

    /// A value that was there at `start` is not at some time up to `now`: something must have
    /// replaced it. What follows in its chain did; else what is not before it; else what is due
    /// next; else a write of unknown outcome.
    fn replace(&mut self, value: i64, start: u64, now: u64) -> Result<(), Trouble> {
        let Block { chain, place, .. } = self.blocks[&Some(value)];
        let own = chain.expect("it is there");
        if self.chains[&own].tail > place {
            self.seen_between(own, place + 1, start, now);
            return Ok(());
        }
        let other = |(id, chain): &(&u64, &Chain)| {
            **id != own && chain.first_end.is_none_or(|end| end >= self.rival_start(**id))
        };
        let order = |(id, chain): &(&u64, &Chain)| (chain.first_end.is_none(), chain.due, **id);
        let next = self.chains.iter().filter(other).min_by_key(order).map(|(id, _)| *id);
        if let Some(next) = next {
            let place = self.chains[&next].reached.max(1) - 1;
            self.seen_between(next, place, start, now);
            return Ok(());
        }
        let plain = |(_, lost): &(&i64, &Lost)| lost.expected.is_none();
        let lost = self.lost.iter().filter(plain).max_by_key(|(_, lost)| lost.start);
        let Some(lost) = lost.map(|(value, _)| *value) else { return Err(Trouble::Whole) };
        self.lost.remove(&lost);
        let id = self.next_id();
        self.rank(id, start, Some(lost));
        Ok(())
    }

    /// As if a read of the block had begun at `start`, and ended now.
    fn seen_between(&mut self, id: u64, place: u32, start: u64, now: u64) {
        let value = self.chains[&id].value;
        self.begun(id, start, value);
        self.reach(id, place, now);
    }

    fn forget_if_over(&mut self, value: Value) {
        if self.is_over(value) && self.blocks[&value].open == 0 {
            self.forget(value);
        }
    }

    fn forget(&mut self, value: Value) {
        let Some(id) = self.blocks.remove(&value).and_then(|block| block.chain) else { return };
        let chain = self.chains.get_mut(&id).expect("blocks keep their chain");
        chain.blocks -= 1;
        if chain.blocks == 0 {
            self.chains.remove(&id);
        }
    }

    /// Forgets what is over, whenever there is twice as much as was left the last time.
    fn sweep(&mut self) {
        if self.blocks.len() < self.sweep_at {
            return;
        }
        let over = |(value, block): (&Value, &Block)| {
            (block.open == 0 && self.is_over(*value)).then_some(*value)
        };
        let over: Vec<Value> = self.blocks.iter().filter_map(over).collect();
        over.into_iter().for_each(|value| self.forget(value));
        self.sweep_at = 2 * self.blocks.len() + 64;
    }
}

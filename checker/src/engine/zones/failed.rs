//! Places for compare-and-sets that failed.

use std::collections::HashMap;

use spec::plain::{Op, Ret};

use super::blocks::{Block, Blocks, Chain};
use super::{Calls, Shortcut};

/// When a value was there: from its write on, until the next.
type Stays = HashMap<i64, (u64, u64)>;

/// A place for each failed compare-and-set, if one of two orders has it; none leaves it open.
pub(super) fn place(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Option<Shortcut> {
    let failed: Vec<_> = failed(calls).collect();
    if failed.is_empty() {
        return Some(Shortcut::Linearizable);
    }
    if let Some(broken) = certain(calls, blocks, &failed) {
        return Some(broken);
    }
    let has_place = |stays: &Stays| {
        failed.iter().all(|&(position, expected)| {
            let call = &calls[position];
            let stay = stays.get(&expected);
            stay.is_none_or(|&(from, to)| call.start < from || call.end.is_none_or(|end| end >= to))
        })
    };
    let found = has_place(&early(calls, blocks, chains)) || has_place(&late(calls, blocks, chains));
    found.then_some(Shortcut::Linearizable)
}

/// Positions of the failed ones, and the value that each did not find.
fn failed(calls: Calls<'_>) -> impl Iterator<Item = (usize, i64)> {
    calls.iter().enumerate().filter_map(|(position, call)| match (&call.op, &call.ret) {
        (Op::Cas { expected, .. }, Some(Ret::Differs)) => Some((position, *expected)),
        _ => None,
    })
}

/// One that failed although its value certainly was there all the time.
fn certain(calls: Calls<'_>, blocks: &Blocks, failed: &[(usize, i64)]) -> Option<Shortcut> {
    failed.iter().find_map(|&(position, expected)| {
        let block = &blocks.blocks[*blocks.of_value.get(&expected)?];
        let next = block.next.and_then(|next| blocks.blocks[next].writer);
        let own = || block.writer.iter().chain(&block.reads).copied();
        let end = |&position: &usize| calls[position].end.unwrap_or(u64::MAX);
        let before = own().chain(next).min_by_key(end)?;
        let after = own().chain(next).max_by_key(|&position| calls[position].start)?;
        let call = &calls[position];
        let within = end(&before) < call.start && call.end? < calls[after].start;
        let mut shown = vec![before, after, position];
        shown.dedup();
        within.then(|| Shortcut::broken(shown, "failed while the value it expected was there"))
    })
}

/// Everything as early as the order allows.
fn early(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Stays {
    let mut stays = Stays::new();
    let mut now = 0;
    let mut open = None;
    for block in chains.iter().flat_map(|chain| blocks.from(chain.first)) {
        if let Some(position) = block.writer {
            now = now.max(calls[position].start);
            if let Some((value, since)) = open.replace((written(calls, block), now)) {
                stays.insert(value, (since, now));
            }
        }
        now = block.reads.iter().fold(now, |now, &read| now.max(calls[read].start));
    }
    stays.extend(open.map(|(value, since)| (value, (since, u64::MAX))));
    stays
}

/// Everything as late as the order allows.
fn late(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Stays {
    let end = |position: &usize| calls[*position].end.unwrap_or(u64::MAX);
    let mut stays = Stays::new();
    let (mut now, mut replaced) = (u64::MAX, u64::MAX);
    let order: Vec<&Block> = chains.iter().flat_map(|chain| blocks.from(chain.first)).collect();
    for block in order.into_iter().rev() {
        now = block.reads.iter().map(end).fold(now, u64::min);
        if let Some(writer) = &block.writer {
            now = now.min(end(writer));
            stays.insert(written(calls, block), (now, replaced));
            replaced = now;
        }
    }
    stays
}

fn written(calls: Calls<'_>, block: &Block) -> i64 {
    let op = block.writer.map(|writer| calls[writer].op);
    match op {
        Some(Op::Write(value) | Op::Cas { value, .. }) => value,
        Some(Op::Read) | None => unreachable!("a writer writes"),
    }
}

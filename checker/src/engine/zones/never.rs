//! Compare-and-sets that cannot have failed in any order.

use spec::plain::Op;

use super::blocks::{Blocks, Chain, own};
use super::{Call, Calls, CasRegister, Shortcut};
use crate::mix::Numbered;

/// One that failed although its value certainly was there all the time.
pub(super) fn certain(
    calls: Calls<'_>,
    blocks: &Blocks,
    failed: &[(usize, i64)],
) -> Option<Shortcut> {
    failed.iter().find_map(|&(position, expected)| {
        let block = &blocks.blocks[*blocks.of_value.get(&expected)?];
        let next = block.next.and_then(|next| blocks.blocks[next].writer);
        let own = || own(block);
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

/// One that failed although its value was there before, and nothing that may come after its value
/// was begun in time.
pub(super) fn unfollowed(
    calls: Calls<'_>,
    blocks: &Blocks,
    chains: &[Chain],
    failed: &[(usize, i64)],
) -> Option<Shortcut> {
    let followers = Followers::new(calls, blocks, chains);
    let chain_of: Numbered<usize, &Chain> =
        chains.iter().map(|chain| (blocks.last_of(chain.first), chain)).collect();
    let lost = |call: &&Call<CasRegister>| call.ret.is_none() && call.op != Op::Read;
    let first_lost = calls.iter().find(lost).map_or(u64::MAX, |call| call.start);
    failed.iter().find_map(|&(position, expected)| {
        let block = *blocks.of_value.get(&expected)?;
        let chain = *chain_of.get(&block)?;
        let end = |position: &usize| calls[*position].end.unwrap_or(u64::MAX);
        let shown = own(&blocks.blocks[block]).min_by_key(end)?;
        let call = &calls[position];
        let alone =
            end(&shown) < call.start && call.end? < first_lost && !followers.any(chain, call.end?);
        alone.then(|| {
            Shortcut::broken(
                [shown, position],
                "failed, and nothing that could replace the value it expected was begun in time",
            )
        })
    })
}

/// Chains by the start of their first write, each with the two latest first ends up to there.
struct Followers {
    starts: Vec<u64>,
    latest: Vec<[(u64, usize); 2]>,
}

impl Followers {
    fn new(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Followers {
        let start = |chain: &Chain| Some(calls[blocks.blocks[chain.first].writer?].start);
        let mut by_start: Vec<(u64, u64, usize)> = chains
            .iter()
            .filter_map(|chain| Some((start(chain)?, chain.first_end.0, chain.first)))
            .collect();
        by_start.sort_unstable();
        let mut two = [(0, usize::MAX); 2];
        let latest = by_start.iter().map(|&(_, end, first)| {
            if (end, first) > two[0] {
                two = [(end, first), two[0]];
            } else if (end, first) > two[1] {
                two[1] = (end, first);
            }
            two
        });
        let latest = latest.collect();
        Followers { starts: by_start.into_iter().map(|(start, ..)| start).collect(), latest }
    }

    /// Can any come after the chain and begin before `end`?
    fn any(&self, chain: &Chain, end: u64) -> bool {
        let begun = self.starts.partition_point(|start| *start < end);
        begun.checked_sub(1).is_some_and(|last| {
            let mut two = self.latest[last].iter();
            two.any(|&(ends, first)| {
                first != usize::MAX && first != chain.first && ends >= chain.last_start.0
            })
        })
    }
}

//! Compare-and-sets that cannot have failed in any order.

use spec::plain::Op;

use super::blocks::{Blocks, NONE, end, some};
use super::chains::Chain;
use super::{Call, Calls, CasRegister, Shortcut};

/// One that failed although its value certainly was there all the time.
pub(super) fn certain(calls: Calls<'_>, blocks: &Blocks) -> Option<Shortcut> {
    blocks.failed.iter().find_map(|&(position, block)| {
        let position = position as usize;
        let block = &blocks.blocks[block as usize];
        let next = some(block.next).and_then(|next| some(blocks.blocks[next].writer));
        let before = block.own().chain(next).min_by_key(|&position| end(calls, position))?;
        let after = block.own().chain(next).max_by_key(|&position| calls[position].start)?;
        let call = &calls[position];
        let within = end(calls, before) < call.start && call.end? < calls[after].start;
        let mut shown = vec![before, after, position];
        shown.dedup();
        within.then(|| Shortcut::broken(shown, "failed while the value it expected was there"))
    })
}

/// One that failed although its value was there before, and nothing that may come after its value
/// was begun in time.
pub(super) fn unfollowed(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Option<Shortcut> {
    let followers = Followers::new(calls, blocks, chains);
    let mut chain_of = vec![NONE; blocks.blocks.len()];
    (0..).zip(chains).for_each(|(chain, of)| chain_of[of.last as usize] = chain);
    let lost = |call: &&Call<CasRegister>| call.ret.is_none() && call.op != Op::Read;
    let first_lost = calls.iter().find(lost).map_or(u64::MAX, |call| call.start);
    blocks.failed.iter().find_map(|&(position, block)| {
        let chain = &chains[some(chain_of[block as usize])?];
        let own = blocks.blocks[block as usize].own();
        let shown = own.min_by_key(|&position| end(calls, position))?;
        let call = &calls[position as usize];
        let alone = end(calls, shown) < call.start
            && call.end? < first_lost
            && !followers.any(chain, call.end?);
        alone.then(|| {
            Shortcut::broken(
                [shown, position as usize],
                "failed, and nothing that could replace the value it expected was begun in time",
            )
        })
    })
}

/// Chains by the start of their first write, each with the two latest first ends up to there.
struct Followers {
    starts: Vec<u64>,
    latest: Vec<[(u64, u32); 2]>,
}

impl Followers {
    fn new(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Followers {
        let writer = |chain: &Chain| some(blocks.blocks[chain.first as usize].writer);
        let mut by_start: Vec<(u64, u64, u32)> = chains
            .iter()
            .filter_map(|chain| Some((calls[writer(chain)?].start, chain.first_end, chain.first)))
            .collect();
        by_start.sort_unstable();
        let mut two = [(0, NONE); 2];
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
                first != NONE && first != chain.first && ends >= chain.last_start
            })
        })
    }
}

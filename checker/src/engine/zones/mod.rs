//! Registers whose written values are distinct.
//!
//! P. Gibbons and E. Korach, "Testing shared memories" (1997): a write and the reads of its value
//! are a cluster, in one piece in every order. A cluster whose first end comes before its last
//! start occupies that *forward* zone alone; otherwise its zone is *backward*, and lies within no
//! forward zone. Here a compare-and-set from `a` to `b` chains the cluster of `b` right behind
//! that of `a`, and the zone is the chain's. O(n log n).
//!
//! A compare-and-set that failed since the register held another value must be placed, too: in a
//! given order of chains that is decided exactly, and the order is searched for, which is O(n log n)
//! unless the history was made to be hard. Then it is left to the search.

mod blocks;
mod chains;
mod failed;
mod never;
mod numbering;
mod order;
mod stays;

use spec::CasRegister;

use super::{Call, Shortcut};
use blocks::Blocks;
use chains::Chain;

type Calls<'a> = &'a [Call<CasRegister>];

/// None if a value is written twice, or failed compare-and-sets find no place easily.
pub(super) fn decide(calls: Calls<'_>) -> Option<Shortcut> {
    match zones(calls)? {
        Ok((blocks, chains)) => failed::place(calls, &blocks, &chains),
        Err(broken) => Some(broken),
    }
}

/// The zones in order, if there is one for them.
fn zones(calls: Calls<'_>) -> Option<Result<(Blocks, Vec<Chain>), Shortcut>> {
    Some(Blocks::new(calls)?.and_then(|blocks| {
        let chains = chains::chains(&blocks, calls)?;
        overlap(&chains).map_or(Ok((blocks, chains)), Err)
    }))
}

/// Two chains that both must come before the other. In order of their keys, a forward zone is in
/// the way of all later ones that end too early.
fn overlap(chains: &[Chain]) -> Option<Shortcut> {
    let mut forward: Option<&Chain> = None;
    for chain in chains {
        if let Some(before) = forward
            && chain.first_end < before.last_start
        {
            let blamed = chain.ended;
            let mut calls = vec![before.ended, before.began, chain.began];
            calls.retain(|&call| call != blamed);
            calls.dedup();
            calls.push(blamed);
            let calls: Vec<_> = calls.into_iter().map(|call| call as usize).collect();
            return Some(Shortcut::broken(calls, "two values would have to be there at once"));
        }
        let further = forward.is_none_or(|before| chain.last_start > before.last_start);
        if chain.is_forward() && further {
            forward = Some(chain);
        }
    }
    None
}

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
mod failed;
mod never;
mod order;
mod stays;

use spec::CasRegister;
use spec::plain::{Op, Ret};

use super::{Call, Shortcut};
use crate::mix::{Numbered, Numbers};
use blocks::{Blocks, Chain};

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
    if !calls.iter().all(makes_sense) {
        return None;
    }
    let blocks = Blocks::new(calls, &seen(calls))?;
    Some(blocks.and_then(|blocks| {
        let mut chains = blocks.chains(calls)?;
        chains.sort_unstable_by_key(Chain::key);
        overlap(&chains).map_or(Ok((blocks, chains)), Err)
    }))
}

fn makes_sense(call: &Call<CasRegister>) -> bool {
    match (&call.op, &call.ret) {
        (_, None) | (Op::Cas { .. }, Some(Ret::Differs)) => true,
        (op, Some(ret)) => {
            (*op == Op::Read) == matches!(ret, Ret::Value(_)) && *ret != Ret::Differs
        }
    }
}

/// Values that certainly were there: read, or expected by a compare-and-set that happened. A
/// write of unknown outcome whose value is not among them may be left out.
fn seen(calls: Calls<'_>) -> Numbers<i64> {
    let mut seen = Numbers::default();
    let mut expects: Numbered<i64, Vec<i64>> = Numbered::default();
    for call in calls {
        match (&call.op, &call.ret) {
            (_, Some(Ret::Value(Some(value)))) => {
                seen.insert(*value);
            }
            (Op::Cas { expected, .. }, Some(Ret::Written)) => {
                seen.insert(*expected);
            }
            (Op::Cas { expected, value }, None) => {
                expects.entry(*value).or_default().push(*expected);
            }
            _ => {}
        }
    }
    let mut todo: Vec<i64> = seen.iter().copied().collect();
    while let Some(value) = todo.pop() {
        let expected = expects.remove(&value).into_iter().flatten();
        todo.extend(expected.filter(|expected| seen.insert(*expected)));
    }
    seen
}

/// Two chains that both must come before the other. In order of their keys, a forward zone is in
/// the way of all later ones that end too early.
fn overlap(chains: &[Chain]) -> Option<Shortcut> {
    let mut forward: Option<&Chain> = None;
    for chain in chains {
        if let Some(before) = forward
            && chain.first_end.0 < before.last_start.0
        {
            let mut calls = vec![
                before.first_end.1,
                before.last_start.1,
                chain.last_start.1,
                chain.first_end.1,
            ];
            let blamed = chain.first_end.1;
            calls.retain(|&call| call != blamed);
            calls.dedup();
            calls.push(blamed);
            let why = "two values would have to be there at once";
            return Some(Shortcut::broken(calls, why));
        }
        let further = forward.is_none_or(|before| chain.last_start.0 > before.last_start.0);
        if chain.is_forward() && further {
            forward = Some(chain);
        }
    }
    None
}

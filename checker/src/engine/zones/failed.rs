//! Places for compare-and-sets that failed: at each, another value than the expected one is there.

use spec::plain::{Op, Ret};

use super::blocks::{Blocks, Chain, own};
use super::never::{certain, unfollowed};
use super::order::Order;
use super::stays::Stays;
use super::{Calls, Shortcut};
use crate::mix::Numbers;

/// Placing a chain is a step; histories that hold take little more than one a chain.
const STEPS_PER_CHAIN: usize = 50;

/// Decides whether the chains have an order that leaves each failed compare-and-set a place; none
/// where that would take too long, or writes of unknown outcome that were left out might matter.
pub(super) fn place(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Option<Shortcut> {
    let failed: Vec<_> = failed(calls).collect();
    if failed.is_empty() {
        return Some(Shortcut::Linearizable);
    }
    let never = certain(calls, blocks, &failed);
    if let Some(broken) = never.or_else(|| unfollowed(calls, blocks, chains, &failed)) {
        return Some(broken);
    }
    let cuts = cuts(calls, blocks, &failed);
    let steps = STEPS_PER_CHAIN * (chains.len() + 100);
    match Order::new(chains, Stays::new(calls, blocks, &failed), cuts).find(steps)? {
        Ok(()) => Some(Shortcut::Linearizable),
        Err(blamed) => {
            let all_placed = blocks.blocks.iter().filter(|block| block.writer.is_some()).count();
            let writes = calls.iter().filter(|call| may_write(call.op, call.ret)).count();
            (all_placed == writes).then(|| no_room(calls, blocks, blamed))
        }
    }
}

/// Positions of the failed ones, and the value that each did not find.
fn failed(calls: Calls<'_>) -> impl Iterator<Item = (usize, i64)> {
    calls.iter().enumerate().filter_map(|(position, call)| match (&call.op, &call.ret) {
        (Op::Cas { expected, .. }, Some(Ret::Differs)) => Some((position, *expected)),
        _ => None,
    })
}

fn may_write(op: Op, ret: Option<Ret>) -> bool {
    op != Op::Read && ret != Some(Ret::Differs)
}

/// Writes of unknown outcome whose value nobody saw or expected, in order of invocation: each can
/// end another value's stay at any time after its own start, once.
fn cuts(calls: Calls<'_>, blocks: &Blocks, failed: &[(usize, i64)]) -> Vec<u64> {
    let expected: Numbers<i64> = failed.iter().map(|&(_, expected)| expected).collect();
    let is_cut = |position: &usize| match (calls[*position].op, calls[*position].ret) {
        (Op::Write(value), None) => {
            !blocks.of_value.contains_key(&value) && !expected.contains(&value)
        }
        _ => false,
    };
    (0..calls.len()).filter(is_cut).map(|position| calls[position].start).collect()
}

/// The failed one that got no place where the most had one, beside what shows its value.
fn no_room(calls: Calls<'_>, blocks: &Blocks, blamed: usize) -> Shortcut {
    let Op::Cas { expected, .. } = calls[blamed].op else {
        unreachable!("it is a compare-and-set")
    };
    let block = &blocks.blocks[blocks.of_value[&expected]];
    let mut shown: Vec<usize> = own(block).take(8).collect();
    shown.push(blamed);
    Shortcut::broken(shown, "failed, and in no order was another value there than it expected")
}

//! Places for compare-and-sets that failed: at each, another value than the expected one is there.

use super::blocks::{Block, Blocks};
use super::chains::Chain;
use super::never::{certain, unfollowed};
use super::order::Order;
use super::{Calls, Shortcut};

/// Placing a chain is a step; histories that hold mostly take little more than one a chain.
const STEPS_AT_FIRST: usize = 2;
const STEPS_IN_ALL: usize = 50;

/// Decides whether the chains have an order that leaves each failed compare-and-set a place; none
/// where that would take too long, or writes of unknown outcome that were left out might matter.
pub(super) fn place(calls: Calls<'_>, blocks: &Blocks, chains: &[Chain]) -> Option<Shortcut> {
    if blocks.failed.is_empty() {
        return Some(Shortcut::Linearizable);
    }
    let mut order = Order::new(calls, blocks, chains);
    let n = chains.len() + 100;
    if order.find(STEPS_AT_FIRST * n) == Some(Ok(())) {
        return Some(Shortcut::Linearizable);
    }
    let never = certain(calls, blocks).or_else(|| unfollowed(calls, blocks, chains));
    if let Some(broken) = never {
        return Some(broken);
    }
    match order.find(STEPS_IN_ALL * n)? {
        Ok(()) => Some(Shortcut::Linearizable),
        Err(blamed) => blocks.left_out.is_empty().then(|| no_room(blocks, blamed)),
    }
}

/// The failed one that got no place where the most had one, beside what shows its value.
fn no_room(blocks: &Blocks, blamed: usize) -> Shortcut {
    let expected = blocks.failed.iter().find(|&&(position, _)| position as usize == blamed);
    let block = expected.map(|&(_, block)| &blocks.blocks[block as usize]);
    let mut shown: Vec<usize> = block.into_iter().flat_map(Block::own).collect();
    shown.push(blamed);
    Shortcut::broken(shown, "failed, and in no order was another value there than it expected")
}

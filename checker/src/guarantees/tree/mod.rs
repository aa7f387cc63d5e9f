//! Guarantees of the tree, judged from histories of the znodes workload.

mod agreement;
mod cas;
mod early;
mod ephemerals;
mod expiry;
mod multi;
mod phantom;
mod sequence;
mod stat;
mod state;
mod watches;
mod world;

use history::History;

pub(super) use agreement::AGREEMENT;
pub(super) use cas::CAS;
pub(super) use early::EARLY;
pub(super) use ephemerals::EPHEMERALS;
pub(super) use expiry::EXPIRY;
pub(super) use multi::MULTI;
pub(super) use phantom::PHANTOM;
pub(super) use sequence::SEQUENCE;
pub(super) use stat::STAT;
pub(super) use state::STATE;
pub(super) use watches::{AGAIN, EVENTS, ORDER};

/// Is it a history of the znodes workload?
pub(super) fn applies(history: &History) -> bool {
    history.operations.iter().any(|op| op.action.ask().is_some())
}

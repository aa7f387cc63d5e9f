//! Of what any two servers have delivered, one is a prefix of the other.
//!
//! Source: `PrefixConsistency` of ZooKeeper's TLA+ specifications.

use super::{delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (server, entry, place) = delivery(state, event)?;
    let other = state.ghost.committed.get(place).filter(|other| *other != entry)?;
    Some(format!("n{server} delivers {} where another has delivered {}", name(entry), name(other)))
}

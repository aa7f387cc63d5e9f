//! In all of history, an epoch has at most one leader with a quorum of promises.
//!
//! Source: `Leadership2` of ZooKeeper's TLA+ specifications (there: of `epochLeader`).

use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let Event::Prospective { leader, epoch } = event else { return None };
    let first = state.ghost.prospective.get(epoch)?;
    Some(format!("n{first} and n{leader} both had a quorum's promises for epoch {epoch}"))
}

//! When `sync` is answered, the server that was asked has delivered all that was delivered anywhere
//! when it was asked. (Apache ZooKeeper promises less: there a deposed leader may answer.)
//!
//! Source: ZooKeeper Programmer's Guide, Consistency Guarantees; ZOOKEEPER-1675.

use super::name;
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let Event::Answered { server, token } = event else { return None };
    let due = *state.ghost.syncs.get(&(*server, *token))?;
    let missed = state.ghost.committed[..due].get(state.server(*server).delivered)?;
    Some(format!(
        "n{server} answers a sync without {}, which was committed before it",
        name(missed)
    ))
}

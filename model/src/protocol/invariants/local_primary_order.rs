//! What one leader proposes is delivered in the order of its proposals, without holes: for all pairs
//! of them (the published TLA+ text says "there are two", which holds of nothing).
//!
//! Source: Local primary order, Zab (DSN 2011), section 3.

use super::{delivery, name};
use crate::protocol::disk;
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (server, entry, place) = delivery(state, event)?;
    let previous = state.ghost.proposals.get(&entry.zxid)?.previous?;
    let before = disk::place(state.server(server).history(), previous);
    if before.is_some_and(|before| before < place) {
        return None;
    }
    Some(format!("n{server} delivers {} without {previous:?} before it", name(entry)))
}

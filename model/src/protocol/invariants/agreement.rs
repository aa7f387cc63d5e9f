//! If one server delivers a and another b, one of them delivers both.
//!
//! Source: Agreement, Zab (DSN 2011), section 3.

use super::{delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

/// All that is committed has been delivered in places up to the longest; so who delivers something
/// new must have delivered all of it.
pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (server, entry, place) = delivery(state, event)?;
    let committed = &state.ghost.committed;
    if crate::protocol::disk::place(committed, entry.zxid).is_some_and(|p| committed[p] == *entry) {
        return None;
    }
    let other = committed.get(place)?;
    Some(format!(
        "n{server} delivers {}, which others lack that have delivered {}, which it lacks",
        name(entry),
        name(other)
    ))
}

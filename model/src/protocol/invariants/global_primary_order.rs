//! What an earlier leader proposed is delivered before what a later one proposed.
//!
//! Source: Global primary order, Zab (DSN 2011), section 3.

use super::{delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (server, entry, place) = delivery(state, event)?;
    let previous = state.server(server).history().get(place.checked_sub(1)?)?;
    let late = entry.zxid.epoch() < previous.zxid.epoch();
    late.then(|| {
        let (entry, previous) = (name(entry), name(previous));
        format!("n{server} delivers {entry} of an earlier leader after {previous}")
    })
}

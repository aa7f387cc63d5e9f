//! An observer never leads, and delivers only what one who votes has delivered before it: however far it is
//! behind, what it has is a prefix of what is committed.
//!
//! Source: ZooKeeper's "Observers" guide; INFORM is sent for what is committed.

use super::{delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    if let Event::Prospective { leader, epoch } | Event::Established { leader, epoch } = event {
        let observes = state.observes(*leader);
        return observes.then(|| format!("n{leader}, an observer, leads epoch {epoch}"));
    }
    let (server, entry, place) = delivery(state, event)?;
    let first = place >= state.ghost.committed.len();
    (first && state.observes(server))
        .then(|| format!("n{server}, an observer, delivers {} before all who vote", name(entry)))
}

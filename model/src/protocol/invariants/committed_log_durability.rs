//! What is delivered is on the disks of a majority, and no log drops it again.
//!
//! Source: `CommittedLogDurability` of Remix (no step removes a committed entry); the majority is
//! Zab's rule for commitment.

use super::{delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let committed = &state.ghost.committed;
    if let Event::Dropped { server, kept } = event {
        let mut dropped = state.server(*server).history().iter().enumerate().skip(*kept);
        let (_, lost) = dropped.find(|(place, entry)| committed.get(*place) == Some(entry))?;
        return Some(format!("n{server} drops {}, which is committed", name(lost)));
    }
    let (server, entry, place) = delivery(state, event)?;
    if place < committed.len() {
        return None;
    }
    let disks = state.voters().map(|server| server.disk.safe().history.get(place));
    let found = disks.filter(|held| *held == Some(entry)).count();
    let all = state.rules.servers;
    (found < all / 2 + 1).then(|| {
        format!(
            "n{server} delivers {}, which is on the disks of {found} of {all} servers",
            name(entry)
        )
    })
}

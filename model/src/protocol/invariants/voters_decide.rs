//! Whoever leads has the promises, and is established with the history, of a majority of those who vote.
//!
//! Source: ZooKeeper's "Observers" guide: they do not vote and are in no quorum; ZOOKEEPER-2959.

use super::Event;
use crate::protocol::disk::Files;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (leader, epoch, what, of): (_, _, _, fn(&Files) -> u32) = match event {
        Event::Prospective { leader, epoch } => (leader, *epoch, "the promises", |f| f.accepted),
        Event::Established { leader, epoch } => (leader, *epoch, "the histories", |f| f.current),
        _ => return None,
    };
    let all = state.rules.servers;
    let found = state.voters().filter(|server| of(&server.written) >= epoch).count();
    (found < all / 2 + 1)
        .then(|| format!("n{leader} leads epoch {epoch} with {what} of {found} of {all} who vote"))
}

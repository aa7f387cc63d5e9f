//! What is delivered was proposed by a leader, as it is.
//!
//! Source: Integrity, Zab (DSN 2011), section 3.

use super::{delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (server, entry, _) = delivery(state, event)?;
    let proposal = state.ghost.proposals.get(&entry.zxid);
    let proposed = proposal.is_some_and(|proposal| proposal.txn == entry.txn);
    (!proposed).then(|| format!("n{server} delivers {}, which nobody proposed", name(entry)))
}

//! The log of a follower that has acknowledged NEWLEADER is a prefix of its leader's, as long as that
//! still leads.
//!
//! Source: `ProcessConsistency` of Remix.

use super::list;
use crate::protocol::ghost::Event;
use crate::protocol::state::{Role, State};

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let Event::Adopted { follower, leader } = event else { return None };
    let epoch = state.follower(*follower).ok()?.epoch;
    let leads = match &state.server(*leader).role {
        Role::Leading(leader) => leader.epoch == epoch,
        _ => false,
    };
    let (own, lead) =
        (&state.server(*follower).disk.durable.history, state.server(*leader).history());
    if !leads || lead.starts_with(own) {
        return None;
    }
    let same = own.iter().zip(lead).take_while(|(own, lead)| own == lead).count();
    let (own, lead) = (list(&own[same..]), list(&lead[same..]));
    Some(format!(
        "after {same} common entries, n{follower} has {own} on its disk, its leader n{leader} has {lead}"
    ))
}

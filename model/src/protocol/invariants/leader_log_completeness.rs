//! A leader is established with everything that is ever committed of earlier epochs.
//!
//! Source: `LeaderLogCompleteness` of Remix; Leader Completeness of Raft.

use super::{before, delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let committed = &state.ghost.committed;
    if let Event::Established { leader, epoch } = event {
        let due = &committed[..before(committed, *epoch)];
        let history = state.server(*leader).history();
        let lost = due.iter().zip(0..).find(|(entry, place)| history.get(*place) != Some(entry))?.0;
        return Some(format!(
            "{} was committed; leader n{leader} of epoch {epoch} begins without it",
            name(lost)
        ));
    }
    let (server, entry, place) = delivery(state, event)?;
    let late = |reign: &&_| {
        let crate::protocol::ghost::Reign { epoch, first, .. } = reign;
        *epoch > entry.zxid.epoch() && *first <= place
    };
    let reign = state.ghost.reigns.iter().find(late)?;
    let (leader, epoch) = (reign.leader, reign.epoch);
    Some(format!("n{server} delivers {}, without which n{leader} leads epoch {epoch}", name(entry)))
}

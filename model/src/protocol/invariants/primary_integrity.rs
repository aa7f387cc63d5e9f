//! A leader has delivered all that any server ever delivers of earlier epochs before it proposes.
//!
//! Source: Primary integrity, Zab (DSN 2011), section 3.

use zab::Zxid;

use super::{before, delivery, name};
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    if let Event::Proposed { leader, entry } = event {
        let due = before(&state.ghost.committed, entry.zxid.epoch());
        let missed = state.ghost.committed[..due].get(state.server(*leader).delivered)?;
        return Some(format!(
            "n{leader} proposes {} before it delivers {}",
            name(entry),
            name(missed)
        ));
    }
    let (server, entry, place) = delivery(state, event)?;
    let later = entry.zxid.epoch().checked_add(1)?;
    let mut began = state.ghost.began.range(later..);
    let (epoch, (leader, _)) = began.find(|(_, (_, delivered))| *delivered <= place)?;
    let first = Zxid::new(*epoch, 1);
    Some(format!(
        "n{server} delivers {}, n{leader} had not when it proposed {first:?}",
        name(entry)
    ))
}

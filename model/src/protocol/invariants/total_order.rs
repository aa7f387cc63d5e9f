//! If one server delivers a before b, every server that delivers b delivers a before it.
//!
//! Source: Total order, Zab (DSN 2011), section 3.

use super::{delivery, name};
use crate::protocol::disk;
use crate::protocol::ghost::Event;
use crate::protocol::state::State;

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let (server, entry, place) = delivery(state, event)?;
    let committed = &state.ghost.committed;
    let elsewhere =
        disk::place(committed, entry.zxid).filter(|there| committed[*there] == *entry)?;
    if elsewhere == place {
        return None;
    }
    let (here, there) = (place + 1, elsewhere + 1);
    Some(format!("n{server} delivers {} as number {here}, others as number {there}", name(entry)))
}

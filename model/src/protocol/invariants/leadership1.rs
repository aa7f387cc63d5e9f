//! At any moment, an epoch has at most one leader with a quorum of promises.
//!
//! Source: `Leadership1` of ZooKeeper's TLA+ specifications.

use crate::protocol::ghost::Event;
use crate::protocol::state::{Phase, Role, Server, State};

pub(super) fn breaks(state: &State, event: &Event) -> Option<String> {
    let Event::Prospective { leader, epoch } = event else { return None };
    let mut others = state.servers.iter().filter(|(id, _)| *id != leader);
    let (other, _) = others.find(|(_, server)| leads(server, *epoch))?;
    Some(format!("n{other} and n{leader} lead epoch {epoch} at the same time"))
}

fn leads(server: &Server, epoch: u32) -> bool {
    match &server.role {
        Role::Leading(leader) => leader.epoch == epoch && leader.phase > Phase::Discovery,
        _ => false,
    }
}

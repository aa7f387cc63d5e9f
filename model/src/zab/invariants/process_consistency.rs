//! The log of a follower that serves is a prefix of its leader's, as long as that still leads.
//!
//! Source: `ProcessConsistency` of Remix (there: after NEWLEADER).

use zab::{Entry, Role};

use super::{Invariant, list};
use crate::zab::Txn;
use crate::zab::world::{Server, World};

pub(crate) struct ProcessConsistency;

impl Invariant for ProcessConsistency {
    const NAME: &'static str = "ProcessConsistency";

    fn broken(world: &World) -> Option<String> {
        world.servers.iter().find_map(|follower| {
            let leader = leader_of(world, follower)?;
            let (own, lead) = (log(follower), log(leader));
            let what = || {
                let (follower, leader) = (follower.id, leader.id);
                format!(
                    "n{follower} serves with {}, its leader n{leader} has {}",
                    list(&own),
                    list(&lead)
                )
            };
            (!lead.starts_with(&own)).then(what)
        })
    }
}

fn leader_of<'a>(world: &'a World, follower: &Server) -> Option<&'a Server> {
    let (Role::Following { leader, epoch, serving: true }
    | Role::Observing { leader, epoch, serving: true }) = follower.role()?
    else {
        return None;
    };
    let leader = world.server(leader);
    let leads = matches!(leader.role(), Some(Role::Leading { epoch: own, .. }) if own == epoch);
    leads.then_some(leader)
}

fn log(server: &Server) -> Vec<Entry<Txn>> {
    server.disk.written().history().cloned().collect()
}

//! Whoever is elected has a history at least as new, by epoch and then zxid, as a majority has.
//!
//! Source: ZooKeeper Internals, "Leader Activation"; the rule of FastLeaderElection.

use zab::{Role, ServerId};

use super::{Invariant, majority};
use crate::zab::world::{Server, World};

pub(crate) struct ElectedLeaderCompleteness;

impl Invariant for ElectedLeaderCompleteness {
    const NAME: &'static str = "ElectedLeaderCompleteness";

    fn broken(world: &World) -> Option<String> {
        let (voter, leader) = world.servers.iter().find_map(|server| {
            let leader = elected(server)?;
            (supporters(world, leader) < majority(world)).then_some((server.id, leader))
        })?;
        let (n, all) = (supporters(world, leader), world.voters().count());
        Some(format!(
            "n{voter} takes n{leader} for elected, whose history is as new as that of {n} of {all} \
             servers only"
        ))
    }
}

fn elected(server: &Server) -> Option<ServerId> {
    match server.role()? {
        Role::Looking => None,
        Role::Following { leader, .. } | Role::Observing { leader, .. } => Some(leader),
        Role::Leading { .. } => Some(server.id),
    }
}

/// Those who vote whose history is no newer than that of `leader`.
fn supporters(world: &World, leader: ServerId) -> usize {
    let newest = history(world.server(leader));
    world.voters().filter(|server| history(server) <= newest).count()
}

fn history(server: &Server) -> (u32, zab::Zxid) {
    let last = server.disk.durable.history().last().map_or(zab::Zxid::ZERO, |entry| entry.zxid);
    (server.disk.durable.current, last)
}

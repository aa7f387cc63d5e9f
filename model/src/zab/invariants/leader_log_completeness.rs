//! A leader is established with everything that is ever committed of earlier epochs.
//!
//! Source: `LeaderLogCompleteness` of Remix; Leader Completeness of Raft.

use super::{Invariant, list, name};
use crate::zab::ghost::Reign;
use crate::zab::world::World;

pub(crate) struct LeaderLogCompleteness;

impl Invariant for LeaderLogCompleteness {
    const NAME: &'static str = "LeaderLogCompleteness";

    fn broken(world: &World) -> Option<String> {
        world.ghost.reigns.iter().find_map(|reign| {
            let lost = lost(world, reign)?;
            let Reign { leader, epoch, first, .. } = reign;
            let has = list(first);
            Some(format!(
                "{lost} was committed; leader n{leader} of epoch {epoch} began with {has}"
            ))
        })
    }
}

fn lost(world: &World, reign: &Reign) -> Option<String> {
    let mut earlier = world.ghost.committed.iter().filter(|e| e.zxid.epoch() < reign.epoch);
    earlier.find(|entry| !reign.first.contains(entry)).map(name)
}

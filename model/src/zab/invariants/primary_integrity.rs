//! A leader has delivered all that any server ever delivers of earlier epochs before it proposes.
//!
//! Source: Primary integrity, Zab (DSN 2011), section 3.

use super::{Invariant, name};
use crate::zab::ghost::Broadcast;
use crate::zab::world::World;

pub(crate) struct PrimaryIntegrity;

impl Invariant for PrimaryIntegrity {
    const NAME: &'static str = "PrimaryIntegrity";

    fn broken(world: &World) -> Option<String> {
        world.ghost.broadcasts.iter().find_map(|broadcast| {
            let missed = missed(world, broadcast)?;
            let proposed = name(&broadcast.entry);
            Some(format!("{proposed} was proposed by a leader that had not delivered {missed}"))
        })
    }
}

fn missed(world: &World, broadcast: &Broadcast) -> Option<String> {
    let epoch = broadcast.entry.zxid.epoch();
    let mut earlier = world.ghost.committed.iter().filter(|entry| entry.zxid.epoch() < epoch);
    earlier.find(|entry| !broadcast.after.contains(&entry.zxid)).map(name)
}

//! What is delivered was proposed by a leader.
//!
//! Source: Integrity, Zab (DSN 2011), section 3.

use super::{Invariant, name};
use crate::zab::world::World;

pub(crate) struct Integrity;

impl Invariant for Integrity {
    const NAME: &'static str = "Integrity";

    fn broken(world: &World) -> Option<String> {
        let proposed = &world.ghost.broadcasts;
        let invented = |entry: &&_| !proposed.iter().any(|broadcast| broadcast.entry == **entry);
        let entry = world.ghost.committed.iter().find(invented)?;
        Some(format!("{} was delivered, and never proposed", name(entry)))
    }
}

//! What was delivered anywhere is on the disks of a majority, and stays there.
//!
//! Source: `CommittedLogDurability` of Remix (no step removes a committed entry); the majority is
//! Zab's rule for commitment.

use super::{Invariant, majority, name};
use crate::zab::world::World;

pub(crate) struct CommittedLogDurability;

impl Invariant for CommittedLogDurability {
    const NAME: &'static str = "CommittedLogDurability";

    fn broken(world: &World) -> Option<String> {
        let disks = |entry: &_| world.voters().filter(|server| holds(server, entry)).count();
        let enough = majority(world);
        let entry = world.ghost.committed.iter().find(|entry| disks(entry) < enough)?;
        let (name, found, all) = (name(entry), disks(entry), world.voters().count());
        Some(format!("{name} is committed, and on the disks of {found} of {all} servers only"))
    }
}

fn holds(server: &crate::zab::world::Server, entry: &zab::Entry<crate::zab::Txn>) -> bool {
    server.disk.safe().history().any(|held| held == entry)
}

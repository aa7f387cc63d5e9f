//! When `sync` is answered, the server that was asked has delivered all that was delivered anywhere
//! when it was asked. (Apache ZooKeeper promises less: there a deposed leader may answer.)
//!
//! Source: ZooKeeper Programmer's Guide, Consistency Guarantees; ZOOKEEPER-1675.

use super::Invariant;
use crate::zab::world::World;

pub(crate) struct SyncFreshness;

impl Invariant for SyncFreshness {
    const NAME: &'static str = "SyncFreshness";

    fn broken(world: &World) -> Option<String> {
        let (server, zxid) = world.ghost.stale.first()?;
        Some(format!("n{server} answered a sync without {zxid:?}, which was committed before it"))
    }
}

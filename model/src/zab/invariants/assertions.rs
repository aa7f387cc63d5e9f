//! No assertion of the core fails, no server speaks on a connection that does not stand, and each
//! starts from what a crash left on its disk.
//!
//! Source: the contract of the crate `zab`: an impossible message is an assertion.

use super::Invariant;
use crate::zab::world::World;

pub(crate) struct Assertions;

impl Invariant for Assertions {
    const NAME: &'static str = "Assertions";

    fn broken(world: &World) -> Option<String> {
        let (server, what) = world.ghost.failed.as_ref()?;
        Some(format!("n{server} stops: {what}"))
    }
}

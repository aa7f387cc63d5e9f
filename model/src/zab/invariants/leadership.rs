//! An epoch has at most one established leader, once.
//!
//! Source: `Leadership1` and `Leadership2` of ZooKeeper's TLA+ specifications.

use super::Invariant;
use crate::zab::world::World;

pub(crate) struct Leadership;

impl Invariant for Leadership {
    const NAME: &'static str = "Leadership";

    fn broken(world: &World) -> Option<String> {
        let reigns = &world.ghost.reigns;
        let again = reigns.iter().enumerate().find_map(|(idx, reign)| {
            let earlier = reigns[..idx].iter().find(|earlier| earlier.epoch == reign.epoch)?;
            Some((earlier.leader, reign.leader, reign.epoch))
        });
        let (first, second, epoch) = again?;
        Some(format!("n{first} and n{second} were both established as leader of epoch {epoch}"))
    }
}

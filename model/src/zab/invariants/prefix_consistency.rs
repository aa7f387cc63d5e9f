//! Of what any two servers have delivered, one is a prefix of the other.
//!
//! Source: `PrefixConsistency` of ZooKeeper's TLA+ specifications.

use super::{Invariant, deliveries, list};
use crate::zab::world::World;

pub(crate) struct PrefixConsistency;

impl Invariant for PrefixConsistency {
    const NAME: &'static str = "PrefixConsistency";

    fn broken(world: &World) -> Option<String> {
        let all = deliveries(world);
        let mut pairs = all.clone().flat_map(|one| all.clone().map(move |other| (one, other)));
        let ((one, a), (other, b)) =
            pairs.find(|((_, a), (_, b))| !a.starts_with(b) && !b.starts_with(a))?;
        Some(format!("n{one} has delivered {}, n{other} {}", list(a), list(b)))
    }
}

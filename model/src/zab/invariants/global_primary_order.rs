//! What an earlier leader proposed is delivered before what a later one proposed.
//!
//! Source: Global primary order, Zab (DSN 2011), section 3.

use super::{Invariant, deliveries, name};
use crate::zab::world::World;

pub(crate) struct GlobalPrimaryOrder;

impl Invariant for GlobalPrimaryOrder {
    const NAME: &'static str = "GlobalPrimaryOrder";

    fn broken(world: &World) -> Option<String> {
        deliveries(world).find_map(|(server, app)| {
            let mut pairs = app.windows(2);
            let pair = pairs.find(|pair| pair[0].zxid.epoch() > pair[1].zxid.epoch())?;
            let (first, second) = (name(&pair[0]), name(&pair[1]));
            Some(format!("n{server} has delivered {first} before {second} of an earlier leader"))
        })
    }
}

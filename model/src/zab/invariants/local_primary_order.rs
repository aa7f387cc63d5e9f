//! What one leader proposes is delivered in the order of its proposals, without holes: for all
//! pairs of them (the published TLA+ text says "there are two", which holds of nothing).
//!
//! Source: Local primary order, Zab (DSN 2011), section 3.

use super::{Invariant, deliveries, name, place};
use crate::zab::App;
use crate::zab::ghost::Broadcast;
use crate::zab::world::World;

pub(crate) struct LocalPrimaryOrder;

impl Invariant for LocalPrimaryOrder {
    const NAME: &'static str = "LocalPrimaryOrder";

    fn broken(world: &World) -> Option<String> {
        let proposals = &world.ghost.broadcasts;
        deliveries(world).find_map(|(server, app)| {
            let mut pairs = proposals.iter().enumerate().flat_map(|(idx, first)| {
                proposals[idx + 1..].iter().map(move |next| (first, next))
            });
            let (first, next) = pairs.find(|(first, next)| skipped(first, next, app))?;
            let (first, next) = (name(&first.entry), name(&next.entry));
            Some(format!("n{server} has delivered {next} without {first} before it"))
        })
    }
}

fn skipped(first: &Broadcast, next: &Broadcast, app: &App) -> bool {
    if first.entry.zxid.epoch() != next.entry.zxid.epoch() {
        return false;
    }
    let Some(here) = place(app, next.entry.zxid) else { return false };
    place(app, first.entry.zxid).is_none_or(|before| before > here)
}

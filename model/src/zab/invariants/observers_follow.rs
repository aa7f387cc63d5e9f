//! An observer only ever observes, and has delivered no more than an established leader has: however far it is
//! behind, what it has is a prefix of what is committed.
//!
//! Source: ZooKeeper's "Observers" guide: they do not vote, and hear what is committed.

use zab::Role;

use super::{Invariant, list};
use crate::zab::world::{Server, World};

pub(crate) struct ObserversFollow;

impl Invariant for ObserversFollow {
    const NAME: &'static str = "ObserversFollow";

    fn broken(world: &World) -> Option<String> {
        world
            .observing()
            .find_map(|observer| runs_ahead(world, observer).or_else(|| acts(observer)))
    }
}

fn acts(observer: &Server) -> Option<String> {
    match observer.role()? {
        Role::Looking | Role::Observing { .. } => None,
        role => Some(format!("n{}, an observer, is {role:?}", observer.id)),
    }
}

fn runs_ahead(world: &World, observer: &Server) -> Option<String> {
    let reigns = &world.ghost.reigns;
    let led = reigns.iter().any(|reign| reign.last.starts_with(&observer.app));
    let ahead = !led && !observer.app.is_empty();
    ahead.then(|| {
        let (id, all) = (observer.id, list(&observer.app));
        format!("n{id}, an observer, has delivered {all}, which no leader has")
    })
}

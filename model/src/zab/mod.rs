//! The server's own protocol core as a model: what is searched is the code that ships.
//!
//! A state holds every [`zab::Peer`], its disk (durable, and written since), and the connections
//! with all that is on its way. Disk, network, clients and crashes are the actions.

mod action;
mod disk;
mod elect;
mod ghost;
pub mod invariants;
mod link;
mod prepare;
mod rehearsal;
mod tell;
mod world;

use std::sync::Arc;

use stateright::{Model, Property};
use zab::{Config, Configuration, Entry, Members, Message, Mutant, ServerId, Timing};

pub use action::Action;
pub use prepare::Prepared;
pub(crate) use rehearsal::rehearse;
pub use rehearsal::{Base, Expected, Move, Part};
pub use world::World;

use crate::care::Care;
use crate::catalogue::Bounds;
use crate::search::{Story, Watch, in_words};

/// A transaction.
pub(crate) type Txn = u8;
/// The application's state: all it was given, in order.
pub(crate) type App = Vec<Entry<Txn>>;
/// What servers say to each other.
pub(crate) type Words = Message<Txn, App>;

/// What does not change during a search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) bounds: Bounds,
    pub(crate) mutant: Option<Mutant>,
    /// Less than all of it is a defect of the shell around the core.
    pub(crate) care: Care,
    /// Entries kept in memory behind the snapshot.
    pub(crate) log_kept: usize,
    /// Only votes: no connections, hence no discovery and no broadcast.
    pub(crate) votes_only: bool,
    /// What all disks hold at first.
    pub(crate) base: disk::Image,
    /// Is it to be said what real servers would have to do?
    pub(crate) rehearsed: bool,
}

impl Setup {
    fn members(&self) -> Members {
        let (observers, servers) = (self.bounds.observing(), self.bounds.servers as ServerId);
        Members::of(observers.end() + 1..=servers, observers)
    }

    pub(crate) fn config(&self, id: ServerId) -> Config {
        Config {
            id,
            configuration: Configuration::initial(self.members()),
            timing: TIMING,
            log_kept: self.log_kept,
            mutant: self.mutant,
        }
    }
}

/// Only named, never waited for: the search fires a timer when it likes.
const TIMING: Timing =
    Timing { tick_ms: 2, init_limit: 10, sync_limit: 5, settle_ms: 1, resend_ms: 1 };

/// The ensemble as a model, from one prepared state on.
#[derive(Clone, Debug)]
pub struct Zab {
    pub(crate) setup: Setup,
    prepared: Prepared,
    watch: Arc<Watch>,
}

impl Zab {
    /// From `prepared` on, whatever `bounds` allow.
    #[must_use]
    pub fn new(prepared: Prepared, bounds: Bounds, mutant: Option<Mutant>) -> Zab {
        let (log_kept, votes_only) = (prepared.log_kept(), prepared.votes_only());
        let setup = Setup { bounds, mutant, log_kept, votes_only, ..Setup::default() };
        Zab { setup, prepared, watch: Watch::new(&Action::NAMES) }
    }

    /// From the first state on, disks are written with this care.
    pub(crate) fn with(self, care: Care) -> Zab {
        Zab { setup: Setup { care, ..self.setup }, ..self }
    }
}

impl Model for Zab {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.prepared.world(&self.setup)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if !self.watch.stopped() {
            action::offer(&self.setup, world, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let name = action.name();
        let next = action::apply(&self.setup, world, action)?;
        self.watch.count(name);
        Some(next)
    }

    fn format_step(&self, before: &World, action: Action) -> Option<String> {
        in_words(self, before, &action)
    }

    fn properties(&self) -> Vec<Property<Zab>> {
        self.watch.wanted(invariants::properties(self.setup.votes_only))
    }
}

impl Story for Zab {
    fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn tell(&self, before: &World, action: &Action) -> String {
        tell::tell(&self.setup, before, action)
    }

    fn show(&self, world: &World) -> String {
        tell::show(world)
    }

    fn why(&self, name: &str, world: &World) -> String {
        invariants::why(name, world)
    }
}

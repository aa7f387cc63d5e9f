//! ZAB as published, as a model: written from the paper and ZooKeeper's documents, not from the
//! server's core, so that the core is not judged by its own misreading.
//!
//! Sources: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems"
//! (DSN 2011), and, where the paper leaves a choice, "Zab 1.0" of ZooKeeper's documents: the leader
//! has the newest history itself, and a learner is brought to it by DIFF, TRUNC or SNAP. Elections
//! are an oracle that may name anybody. Disks lose what is not durable; connections break; a leader
//! that is deposed may not know it.
//!
//! Every rule says whether it allows a step (`Allowed`): a search takes steps that are allowed, and a
//! recorded run is judged by whether its steps are.

mod action;
mod broadcast;
pub(crate) mod disk;
mod flaw;
mod follower;
pub(crate) mod ghost;
pub(crate) mod invariants;
pub(crate) mod leader;
pub(crate) mod link;
mod prepare;
mod settle;
pub(crate) mod state;
mod symmetry;
pub(crate) mod tell;

use std::sync::Arc;

use stateright::{Model, Property};

pub use action::Action;
pub use flaw::Flaw;
pub use prepare::Prepared;
pub use state::State;

use crate::catalogue::Bounds;
use crate::search::{Story, Watch, in_words};

/// A transaction; what it does is of no interest here.
pub(crate) type Txn = u64;
/// A transaction with its place in the order.
pub(crate) type Entry = zab::Entry<Txn>;

/// The protocol as a model, from one prepared state on.
#[derive(Clone, Debug)]
pub struct Protocol {
    bounds: Bounds,
    prepared: Prepared,
    flaw: Option<Flaw>,
    watch: Arc<Watch>,
}

impl Protocol {
    /// From `prepared` on, whatever `bounds` allow.
    #[must_use]
    pub fn new(prepared: Prepared, bounds: Bounds, flaw: Option<Flaw>) -> Protocol {
        Protocol { bounds, prepared, flaw, watch: Watch::new(&Action::NAMES) }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.prepared.state(&self.bounds, self.flaw)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if !self.watch.stopped() {
            action::offer(state, &self.bounds, actions);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let next = action::apply(state, &action)?;
        self.watch.count(action.name());
        Some(next)
    }

    fn format_step(&self, before: &State, action: Action) -> Option<String> {
        in_words(self, before, &action)
    }

    fn properties(&self) -> Vec<Property<Protocol>> {
        self.watch.wanted(PROPERTIES.iter().map(|make| make()).collect())
    }
}

macro_rules! properties {
    ($($idx:literal)*) => {
        /// One property an invariant: stateright takes plain functions, which know no names.
        const PROPERTIES: [fn() -> Property<Protocol>; invariants::INVARIANTS.len()] =
            [$(|| Property::always(invariants::INVARIANTS[$idx].0, |model, state| {
                model.watch.judge(!breaks(state, invariants::INVARIANTS[$idx].0))
            })),*];
    };
}

properties!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);

fn breaks(state: &State, name: &str) -> bool {
    state.ghost.broken.iter().any(|(broken, _)| *broken == name)
}

impl Story for Protocol {
    fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn tell(&self, before: &State, action: &Action) -> String {
        tell::tell(before, action)
    }

    fn show(&self, state: &State) -> String {
        tell::show(state)
    }

    fn why(&self, name: &str, state: &State) -> String {
        let mut broken = state.ghost.broken.iter();
        let found = broken.find(|(broken, _)| *broken == name);
        found.map_or_else(|| format!("{name} holds"), |(_, what)| what.clone())
    }
}

//! One server's storage: log, snapshots and epoch on a disk that keeps what was synced, and of the rest anything.
//!
//! Every step of the disk is apart (create, append, sync, rename, sync of the directory), a process may be killed
//! and the power may go between any two, and what a restart finds is judged. What bytes of a log mean is decided by
//! the server's own code ([`journal`]), and the threads' programs are its storage's. Snapshots are copied key by key
//! while entries are applied, as ZooKeeper's are; the server's own are of one moment, which is one of the orders that
//! are tried here.

mod files;
mod flaw;
mod recover;
mod state;
mod step;

use std::sync::Arc;

use stateright::{Model, Property};

pub use flaw::Flaw;
pub use state::State;
pub use step::Action;

use crate::catalogue::Bounds;
use crate::search::{Story, Watch, in_words};

/// The storage as a model.
#[derive(Clone, Debug)]
pub struct Storage {
    bounds: Bounds,
    flaw: Option<Flaw>,
    watch: Arc<Watch>,
}

impl Storage {
    /// From an empty disk on, whatever `bounds` allow.
    #[must_use]
    pub fn new(bounds: Bounds, flaw: Option<Flaw>) -> Storage {
        Storage { bounds, flaw, watch: Watch::new(&Action::NAMES) }
    }
}

impl Model for Storage {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::default();
        state.start(None);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if !self.watch.stopped() {
            step::offer(state, &self.bounds, actions);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.watch.count(action.name());
        let mut next = state.clone();
        next.take(action, self.flaw);
        Some(next)
    }

    fn format_step(&self, before: &State, action: Action) -> Option<String> {
        in_words(self, before, &action)
    }

    fn properties(&self) -> Vec<Property<Storage>> {
        macro_rules! never {
            ($name:literal) => {
                Property::always($name, |model: &Storage, state: &State| {
                    model.watch.judge(why(state, $name).is_none())
                })
            };
        }
        self.watch.wanted(vec![
            never!("StartsAfterCrash"),
            never!("ReportedSurvives"),
            never!("PromiseSurvives"),
            never!("OnlyWhatWasWritten"),
            never!("StateIsHistory"),
        ])
    }
}

fn why<'a>(state: &'a State, name: &str) -> Option<&'a str> {
    let found = state.ghost.broken.iter().find(|(broken, _)| *broken == name);
    found.map(|(_, what)| what.as_str())
}

impl Story for Storage {
    fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn tell(&self, before: &State, action: &Action) -> String {
        step::tell(before, action, self.flaw)
    }

    fn why(&self, name: &str, state: &State) -> String {
        why(state, name).map_or_else(|| format!("{name} holds"), str::to_owned)
    }
}

//! The server's own circuit breaker, with clients that come when they like and a service that answers or not.
//!
//! Source: Nygard, "Release It!", chapter "Stability Patterns"; the keys are those of `circuitBreaker.*`.
//!
//! That it closes again is no property of whole paths: a search that looks for cycles could take one for the end.
//! It is a property of each state instead: what follows from it when the service is healthy has one course, which is
//! gone to its end, with clients and without.

mod flaw;
mod state;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stateright::{Model, Property};

pub use flaw::Flaw;
pub use state::Guarded;

use self::state::{BUSY_MS, QUIET_MS, SETTINGS};
use crate::catalogue::Bounds;
use crate::search::{Story, Watch, in_words};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A millisecond passes.
    Tick,
    /// A client asks.
    Ask,
    /// The so-manieth request under way is answered.
    Answer(usize),
    /// Its client is gone.
    GiveUp(usize),
}

impl Action {
    const NAMES: [&str; 4] = ["tick", "ask", "answer", "give-up"];

    fn name(&self) -> &'static str {
        match self {
            Action::Tick => "tick",
            Action::Ask => "ask",
            Action::Answer(_) => "answer",
            Action::GiveUp(_) => "give-up",
        }
    }
}

/// A circuit breaker at work, for ever: states come again.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    bounds: Bounds,
    flaw: Option<Flaw>,
    watch: Arc<Watch>,
}

impl CircuitBreaker {
    /// Of the bounds it takes `txns`, the requests under way at the same time.
    #[must_use]
    pub fn new(bounds: Bounds, flaw: Option<Flaw>) -> CircuitBreaker {
        CircuitBreaker { bounds, flaw, watch: Watch::new(&Action::NAMES) }
    }
}

impl Model for CircuitBreaker {
    type State = Guarded;
    type Action = Action;

    fn init_states(&self) -> Vec<Guarded> {
        vec![Guarded::new(self.flaw.map(|flaw| flaw.0))]
    }

    fn actions(&self, guarded: &Guarded, actions: &mut Vec<Action>) {
        if self.watch.stopped() {
            return;
        }
        // A sound breaker waits no longer; one with a defect might for ever.
        let (view, waits) = guarded.view();
        let longest = waits.into_iter().flatten().max().unwrap_or(0);
        if view.open_for <= SETTINGS.open_ms && longest <= SETTINGS.late_ms + 1 {
            actions.push(Action::Tick);
        }
        let under_way = guarded.waiting.len();
        if under_way < self.bounds.txns {
            actions.push(Action::Ask);
        }
        actions.extend((0..under_way).map(Action::Answer));
        actions.extend((0..under_way).map(Action::GiveUp));
    }

    fn next_state(&self, guarded: &Guarded, action: Action) -> Option<Guarded> {
        self.watch.count(action.name());
        let mut next = guarded.clone();
        match action {
            Action::Tick => next.tick(),
            Action::Ask => {
                next.ask();
            }
            Action::Answer(place) => next.answer(place),
            Action::GiveUp(place) => next.give_up(place),
        }
        Some(next)
    }

    fn format_step(&self, before: &Guarded, action: Action) -> Option<String> {
        in_words(self, before, &action)
    }

    fn properties(&self) -> Vec<Property<CircuitBreaker>> {
        self.watch.wanted(vec![
            Property::always(
                "RefusedTakesNoEffect",
                |model: &CircuitBreaker, guarded: &Guarded| model.watch.judge(!guarded.traced),
            ),
            Property::always("FewProbes", |model: &CircuitBreaker, guarded: &Guarded| {
                model.watch.judge(!guarded.has_too_many_probes())
            }),
            Property::always("SilenceOpens", |model: &CircuitBreaker, guarded: &Guarded| {
                model.watch.judge(!silent(guarded))
            }),
            Property::always("ClosesWhenHealthy", |model: &CircuitBreaker, guarded: &Guarded| {
                model.watch.judge(closes(guarded))
            }),
        ])
    }
}

/// Does it stay closed although the last requests are not answered?
fn silent(guarded: &Guarded) -> bool {
    guarded.is_closed() && guarded.overdue() >= SETTINGS.volume
}

fn closes(guarded: &Guarded) -> bool {
    guarded.closes_within(BUSY_MS, ::breaker::PROBES) && guarded.closes_within(QUIET_MS, 0)
}

impl Story for CircuitBreaker {
    fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn tell(&self, before: &Guarded, action: &Action) -> String {
        let what = match action {
            Action::Tick => "a millisecond passes".to_owned(),
            Action::Ask => "a client asks".to_owned(),
            Action::Answer(place) => format!("request {} under way is answered", place + 1),
            Action::GiveUp(place) => format!("nobody waits for request {} any more", place + 1),
        };
        let after = self.next_state(before, action.clone());
        let state = after.map_or(before.breaker.seen(), |after| after.breaker.seen());
        format!("{what}; the circuit is {state:?}")
    }

    fn why(&self, name: &str, guarded: &Guarded) -> String {
        let (view, waits) = guarded.view();
        match name {
            "RefusedTakesNoEffect" => "a refused request has changed the breaker".to_owned(),
            "FewProbes" => format!("{} requests were let through half open", guarded.probing),
            "SilenceOpens" => format!("it is closed while requests wait for {waits:?} ms"),
            _ => format!(
                "answered at once, it does not close in {BUSY_MS} ms, or without clients in \
                 {QUIET_MS} ms: {view:?}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(guarded: &Guarded) -> Vec<&'static str> {
        let model = |()| CircuitBreaker::new(Bounds { txns: 3, ..Bounds::default() }, None);
        let properties = model(()).properties().into_iter();
        let broken = properties.filter(|property| !(property.condition)(&model(()), guarded));
        broken.map(|property| property.name).collect()
    }

    #[test]
    fn every_invariant_can_be_broken() {
        let sound = Guarded::new(None);
        assert_eq!(broken(&sound), Vec::<&str>::new());
        let traced = Guarded { traced: true, ..sound.clone() };
        assert_eq!(broken(&traced), ["RefusedTakesNoEffect"]);
        let probing = Guarded { probing: ::breaker::PROBES + 1, ..sound.clone() };
        assert_eq!(broken(&probing), ["FewProbes"]);
        let mut silent = sound.clone();
        (0..2).for_each(|_| assert!(silent.ask()));
        silent.now += 2;
        assert_eq!(broken(&silent), ["SilenceOpens"]);
        silent.tick();
        assert!(!silent.is_closed() && broken(&silent).is_empty());
        let mut stuck = Guarded::new(Some(::breaker::Mutant::StaysOpen));
        (0..2).for_each(|_| assert!(stuck.ask()));
        (0..2).for_each(|_| stuck.tick());
        assert_eq!(broken(&stuck), ["ClosesWhenHealthy"]);
    }

    #[test]
    fn time_and_requests_gone_by_make_no_difference() {
        let mut later = Guarded::new(None);
        assert!(later.ask());
        later.give_up(0);
        (0..5).for_each(|_| later.tick());
        assert_eq!(later, Guarded::new(None));
        assert!(later.ask());
        assert_ne!(later, Guarded::new(None));
    }
}

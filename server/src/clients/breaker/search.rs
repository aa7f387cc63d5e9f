//! Every state that the breaker can be in, within bounds: a refused request leaves no trace, and where
//! answers come in time, the circuit closes again.

use std::collections::BTreeSet;

use super::{Breaker, BreakerSettings, Millis, PROBES, State, Ticket};

/// Requests that wait at the same time.
const WAITING_MAX: usize = 3;

const SETTINGS: BreakerSettings =
    BreakerSettings { volume: 2, failure_permille: 500, late_ms: 1, sleep_ms: 2, open_ms: 5 };

/// A breaker, the time, and the requests it waits for.
#[derive(Clone)]
struct World {
    breaker: Breaker,
    now: Millis,
    waiting: Vec<Ticket>,
}

/// All that decides what it does from now on: times are relative, tickets have no names.
type Key = (u8, Millis, Vec<bool>, Vec<(bool, Millis)>, usize, usize);

impl World {
    fn new() -> World {
        World { breaker: Breaker::new(SETTINGS), now: 0, waiting: Vec::new() }
    }

    fn key(&self) -> Key {
        let World { breaker, now, waiting } = self;
        let age = |ticket| breaker.pending.get(ticket).map(|since| now - since);
        let ages = waiting.iter().map(|ticket| (age(ticket).is_some(), age(ticket).unwrap_or(0)));
        let open_for = match breaker.state {
            State::Closed => 0,
            State::HalfOpen | State::Open => now - breaker.opened_at,
        };
        let window = breaker.window.iter().copied().collect();
        (breaker.state as u8, open_for, window, ages.collect(), breaker.probes, breaker.in_time)
    }

    /// Everything that may happen next.
    fn next(&self) -> Vec<World> {
        let mut all = vec![self.with(|world| {
            world.now += 1;
            world.breaker.state(world.now);
        })];
        if self.waiting.len() < WAITING_MAX {
            all.push(self.with(World::ask));
        }
        for place in 0..self.waiting.len() {
            all.push(self.with(|world| {
                let ticket = world.waiting.remove(place);
                world.breaker.answered(ticket, world.now);
            }));
            all.push(self.with(|world| {
                let ticket = world.waiting.remove(place);
                world.breaker.gone(ticket);
            }));
        }
        all
    }

    fn with(&self, step: impl FnOnce(&mut World)) -> World {
        let mut next = self.clone();
        step(&mut next);
        next
    }

    fn ask(&mut self) {
        let before = self.breaker.pending.len();
        match self.breaker.ask(self.now) {
            Some(ticket) => self.waiting.push(ticket),
            None => assert!(self.breaker.pending.len() <= before, "what is refused is not awaited"),
        }
    }

    /// How long it takes to close when every request is answered after `late` more milliseconds.
    fn closes_after(&self, late: Millis) -> Option<Millis> {
        let mut world = self.clone();
        let limit = SETTINGS.open_ms;
        (0..=limit).find(|_| {
            for _ in 0..PROBES {
                let Some(ticket) = world.breaker.ask(world.now) else { break };
                world.breaker.answered(ticket, world.now + late);
            }
            let closed = world.breaker.state(world.now) == State::Closed;
            world.now += 1;
            closed
        })
    }
}

/// Every world that can be reached.
fn all() -> Vec<World> {
    let mut known = BTreeSet::from([World::new().key()]);
    let mut all = vec![World::new()];
    let mut looked = 0;
    while looked < all.len() {
        for next in all[looked].next() {
            if known.insert(next.key()) {
                all.push(next);
            }
        }
        looked += 1;
    }
    all
}

#[test]
fn from_every_state_it_closes_again_when_the_service_is_healthy() {
    let all = all();
    assert!(all.len() > 1000, "{} states", all.len());
    for state in [State::Closed, State::HalfOpen, State::Open] {
        assert!(all.iter().any(|world| world.breaker.state == state), "{state:?} is reached");
    }
    for world in &all {
        let after = world.closes_after(0);
        let due = SETTINGS.sleep_ms + SETTINGS.late_ms + 1;
        assert!(after.is_some_and(|after| after <= due), "{after:?} from {:?}", world.key());
    }
}

#[test]
fn while_the_service_is_not_healthy_it_does_not_close_for_that() {
    let mut open = World::new();
    let tickets: Vec<_> = (0..2).map(|_| open.breaker.ask(0).expect("it is closed")).collect();
    open.now = SETTINGS.late_ms + 1;
    assert_eq!(open.breaker.state(open.now), State::Open, "both of {tickets:?} are late");
    let due = SETTINGS.sleep_ms + SETTINGS.late_ms + 1;
    let after = open.closes_after(SETTINGS.late_ms + 1);
    assert!(after.is_none_or(|after| after > due), "{after:?}");
}

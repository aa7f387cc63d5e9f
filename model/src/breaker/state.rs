//! A circuit breaker, the time, and the requests under way.

use std::hash::{Hash, Hasher};

use ::breaker::{Breaker, BreakerSettings, Millis, Mutant, PROBES, State, Ticket, View};

/// The smallest with which every change takes time, and closing without a probe the longest.
pub(super) const SETTINGS: BreakerSettings =
    BreakerSettings { volume: 2, failure_permille: 500, late_ms: 1, sleep_ms: 2, open_ms: 9 };
/// A probe of before may still open it again; from then on, probes close it, or that time is over.
pub(super) const BUSY_MS: Millis = SETTINGS.late_ms + 1 + SETTINGS.sleep_ms;
pub(super) const QUIET_MS: Millis = SETTINGS.late_ms + 1 + SETTINGS.open_ms;

/// The breaker and what it guards, at one moment.
#[derive(Clone, Debug)]
pub struct Guarded {
    pub(super) breaker: Breaker,
    pub(super) now: Millis,
    /// Requests that were let through, and whose clients wait for an answer.
    pub(super) waiting: Vec<Ticket>,
    /// Requests let through since it began to probe, but for those given up.
    pub(super) probing: usize,
    /// A refused request left a trace.
    pub(super) traced: bool,
}

impl Guarded {
    pub(super) fn new(mutant: Option<Mutant>) -> Guarded {
        let breaker = Breaker::new(SETTINGS, mutant);
        Guarded { breaker, now: 0, waiting: Vec::new(), probing: 0, traced: false }
    }

    /// All that decides what comes of it: how late it is does not, nor how many requests there were.
    pub(super) fn view(&self) -> (View, Vec<Option<Millis>>) {
        let waits = self.waiting.iter().map(|ticket| self.breaker.waits(*ticket, self.now));
        (self.breaker.view(self.now), waits.collect())
    }

    pub(super) fn tick(&mut self) {
        self.now += 1;
        self.look();
    }

    /// The breaker notices what time has brought.
    fn look(&mut self) -> State {
        let before = self.breaker.seen();
        let state = self.breaker.state(self.now);
        if state != before {
            self.probing = 0;
        }
        state
    }

    /// A client asks; what is refused is as if it had never been.
    pub(super) fn ask(&mut self) -> bool {
        let state = self.look();
        let before = self.view();
        match self.breaker.ask(self.now) {
            Some(ticket) => {
                self.waiting.push(ticket);
                self.probing += usize::from(state == State::HalfOpen);
                true
            }
            None => {
                self.traced |= self.view() != before;
                false
            }
        }
    }

    pub(super) fn answer(&mut self, place: usize) {
        let ticket = self.waiting.remove(place);
        self.breaker.answered(ticket, self.now);
        self.look();
    }

    /// The client of a request is gone.
    pub(super) fn give_up(&mut self, place: usize) {
        let ticket = self.waiting.remove(place);
        let awaited = self.breaker.waits(ticket, self.now).is_some();
        self.probing -= usize::from(awaited && self.breaker.seen() == State::HalfOpen);
        self.breaker.gone(ticket);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.breaker.seen() == State::Closed
    }

    /// How many clients have waited too long for an answer, as far as the breaker has not noticed.
    pub(super) fn overdue(&self) -> usize {
        let waits = self.waiting.iter().filter_map(|ticket| self.breaker.waits(*ticket, self.now));
        waits.filter(|wait| *wait > SETTINGS.late_ms).count()
    }

    /// From here on, `asks` clients a millisecond are answered at once: when is it closed?
    pub(super) fn closes_within(&self, limit: Millis, asks: usize) -> bool {
        let mut healthy = self.clone();
        for _ in 0..=limit {
            for _ in 0..asks {
                if healthy.ask() {
                    healthy.answer(healthy.waiting.len() - 1);
                }
            }
            if healthy.is_closed() {
                return true;
            }
            healthy.tick();
        }
        false
    }

    pub(super) fn has_too_many_probes(&self) -> bool {
        self.probing > PROBES
    }
}

impl PartialEq for Guarded {
    fn eq(&self, other: &Guarded) -> bool {
        let parts = |it: &Guarded| (it.view(), it.probing, it.traced);
        parts(self) == parts(other)
    }
}

impl Eq for Guarded {}

impl Hash for Guarded {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.view(), self.probing, self.traced).hash(hasher);
    }
}

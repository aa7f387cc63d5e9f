//! The circuit breaker: while too many answers come too late, requests are refused at once rather
//! than added to the heap. No IO and no clock: what time it is, is an argument.
//!
//! ```text
//!            enough late answers                  sleep window over
//!   closed ──────────────────────▶ open ──────────────────────────▶ half open
//!     ▲                             ▲ │                               │  │
//!     │                             │ └─ open circuit duration over ─▶ closed
//!     │                             └───────── a probe is late ───────┘  │
//!     └──────────────────────────── all probes are in time ──────────────┘
//! ```

mod mutant;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

pub use mutant::Mutant;

/// Milliseconds on some monotonic clock.
pub type Millis = u64;

/// Requests let through to find out whether the server has recovered.
pub const PROBES: usize = 10;

/// The keys `circuitBreaker.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// `requestVolumeThreshold`: the ratio is that of the last so many requests; fewer decide
    /// nothing. 100.
    pub volume: usize,
    /// `failureRatio`, in thousandths: the part of late requests from which on it opens. 0.5.
    pub failure_permille: u32,
    /// `minimumResponseTime`: a request not answered within it is late. 500 ms.
    pub late_ms: u64,
    /// `sleepWindowSize`: how long nothing is let through once it is open. 60 s.
    pub sleep_ms: u64,
    /// `openCircuitDuration`: after it the circuit closes even if no probe has decided, and is
    /// measured anew. 300 s.
    pub open_ms: u64,
}

/// What the breaker does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets all through, and watches.
    Closed,
    /// Lets a few through.
    HalfOpen,
    /// Refuses all.
    Open,
}

/// A request that was let through.
pub type Ticket = u64;

/// The breaker of one server.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    mutant: Option<Mutant>,
    state: State,
    /// When it last opened.
    opened_at: Millis,
    /// Of the last requests, oldest first: was it late?
    window: VecDeque<bool>,
    /// Let through and not answered, with when.
    pending: BTreeMap<Ticket, Millis>,
    next: Ticket,
    probes: usize,
    in_time: usize,
    /// How often it has changed, and what it has refused.
    pub tally: Tally,
}

/// How often it has changed, and what it has refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times it opened.
    pub opened: u64,
    /// Times it began to probe.
    pub half_opened: u64,
    /// Times it closed again.
    pub closed: u64,
    /// Requests.
    pub refused: u64,
}

impl Breaker {
    /// Closed, and nothing measured.
    #[must_use]
    pub fn new(settings: BreakerSettings, mutant: Option<Mutant>) -> Breaker {
        Breaker {
            settings,
            mutant,
            state: State::Closed,
            opened_at: 0,
            window: VecDeque::new(),
            pending: BTreeMap::new(),
            next: 0,
            probes: 0,
            in_time: 0,
            tally: Tally::default(),
        }
    }

    /// What it does now.
    pub fn state(&mut self, now: Millis) -> State {
        self.look_for_late(now);
        self.advance(now);
        self.state
    }

    /// What it did when last asked.
    #[must_use]
    pub fn seen(&self) -> State {
        self.state
    }

    /// May this request through? `None`: it is refused.
    pub fn ask(&mut self, now: Millis) -> Option<Ticket> {
        match self.state(now) {
            State::Closed => {}
            State::HalfOpen if self.probes < PROBES => self.probes += 1,
            State::HalfOpen if self.has(Mutant::AnyProbes) => {}
            State::HalfOpen | State::Open => {
                self.tally.refused += 1;
                if self.has(Mutant::CountsRefused) {
                    self.count(true, now);
                }
                return None;
            }
        }
        self.next += 1;
        self.pending.insert(self.next, now);
        Some(self.next)
    }

    /// A request was answered. One that was late has been counted already.
    pub fn answered(&mut self, ticket: Ticket, now: Millis) {
        self.look_for_late(now);
        if let Some(since) = self.pending.remove(&ticket) {
            // Always in time here, but for a defect.
            self.count(now.saturating_sub(since) > self.settings.late_ms, now);
        }
    }

    /// Nobody waits for a request's answer any more.
    pub fn gone(&mut self, ticket: Ticket) {
        let probe = self.pending.remove(&ticket).is_some() && self.state == State::HalfOpen;
        if probe && !self.has(Mutant::LostProbes) {
            self.probes -= 1;
        }
    }

    /// Requests are counted as late when they are, not when their answer comes: a disk that hangs
    /// gives no answers. Tickets are in order of time.
    fn look_for_late(&mut self, now: Millis) {
        if self.has(Mutant::AnswersOnly) {
            return;
        }
        while let Some(oldest) = self.pending.first_entry()
            && now.saturating_sub(*oldest.get()) > self.settings.late_ms
        {
            oldest.remove();
            self.count(true, now);
        }
    }

    fn count(&mut self, late: bool, now: Millis) {
        match self.state {
            State::Closed => {
                self.window.push_back(late);
                if self.window.len() > self.settings.volume {
                    self.window.pop_front();
                }
                if self.is_past_threshold() {
                    self.open(now);
                }
            }
            State::HalfOpen if late => self.open(now),
            State::HalfOpen => {
                self.in_time += 1;
                if self.in_time == PROBES {
                    self.close();
                }
            }
            State::Open => {}
        }
    }

    fn is_past_threshold(&self) -> bool {
        let late = self.window.iter().filter(|late| **late).count();
        let (n, permille) = (self.settings.volume, self.settings.failure_permille as usize);
        self.window.len() == n && late * 1000 >= n * permille
    }

    fn advance(&mut self, now: Millis) {
        let since = now.saturating_sub(self.opened_at);
        if self.has(Mutant::StaysOpen) {
            return;
        }
        if self.state != State::Closed && since >= self.settings.open_ms {
            self.close();
        } else if self.state == State::Open && since >= self.settings.sleep_ms {
            self.state = State::HalfOpen;
            self.tally.half_opened += 1;
            (self.probes, self.in_time) = (0, 0);
        }
    }

    /// Requests let through before have nothing to say about what comes.
    fn open(&mut self, now: Millis) {
        self.state = State::Open;
        self.opened_at = now;
        self.tally.opened += 1;
        self.pending.clear();
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.tally.closed += 1;
        self.window.clear();
        self.pending.clear();
    }

    /// All that decides what it does from `now` on, however late that is: times are ages.
    #[must_use]
    pub fn view(&self, now: Millis) -> View {
        let open = self.state != State::Closed;
        View {
            state: self.state,
            open_for: if open { now.saturating_sub(self.opened_at) } else { 0 },
            window: self.window.iter().copied().collect(),
            probes: self.probes,
            in_time: self.in_time,
        }
    }

    /// How long it waits for the answer to this request; nothing, if it does not (any more).
    #[must_use]
    pub fn waits(&self, ticket: Ticket, now: Millis) -> Option<Millis> {
        self.pending.get(&ticket).map(|since| now.saturating_sub(*since))
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// A breaker but for the requests that it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// What it does.
    pub state: State,
    /// Milliseconds since it opened.
    pub open_for: Millis,
    /// Of the last requests, oldest first: was it late?
    pub window: Vec<bool>,
    /// Requests let through since it began to probe.
    pub probes: usize,
    /// Those of them answered in time.
    pub in_time: usize,
}

//! The circuit breaker: while too many answers come too late, requests are refused at once rather
//! than added to the heap. Pure: the clock is an argument.
//!
//! ```text
//!            enough late answers                  sleep window over
//!   closed ──────────────────────▶ open ──────────────────────────▶ half open
//!     ▲                             ▲ │                               │  │
//!     │                             │ └─ open circuit duration over ─▶ closed
//!     │                             └───────── a probe is late ───────┘  │
//!     └──────────────────────────── all probes are in time ──────────────┘
//! ```

use std::collections::{BTreeMap, VecDeque};

/// Milliseconds on some monotonic clock.
pub(crate) type Millis = u64;

/// Requests let through to find out whether the server has recovered.
const PROBES: usize = 10;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Lets all through, and watches.
    Closed,
    /// Lets a few through.
    HalfOpen,
    /// Refuses all.
    Open,
}

/// A request that was let through.
pub(crate) type Ticket = u64;

/// The breaker of one server.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
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
    pub(crate) tally: Tally,
}

/// How often it has changed, and what it has refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) opened: u64,
    pub(crate) half_opened: u64,
    pub(crate) closed: u64,
    pub(crate) refused: u64,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Breaker {
        Breaker {
            settings,
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
    pub(crate) fn state(&mut self, now: Millis) -> State {
        self.look_for_late(now);
        self.advance(now);
        self.state
    }

    /// What it did when last asked.
    pub(crate) fn seen(&self) -> State {
        self.state
    }

    /// May this request through? `None`: it is refused.
    pub(crate) fn ask(&mut self, now: Millis) -> Option<Ticket> {
        match self.state(now) {
            State::Closed => {}
            State::HalfOpen if self.probes < PROBES => self.probes += 1,
            State::HalfOpen | State::Open => {
                self.tally.refused += 1;
                return None;
            }
        }
        self.next += 1;
        self.pending.insert(self.next, now);
        Some(self.next)
    }

    /// A request was answered. One that was late has been counted already.
    pub(crate) fn answered(&mut self, ticket: Ticket, now: Millis) {
        self.look_for_late(now);
        if self.pending.remove(&ticket).is_some() {
            self.count(false, now);
        }
    }

    /// Nobody waits for a request's answer any more.
    pub(crate) fn gone(&mut self, ticket: Ticket) {
        if self.pending.remove(&ticket).is_some() && self.state == State::HalfOpen {
            self.probes -= 1;
        }
    }

    /// Requests are counted as late when they are, not when their answer comes: a disk that hangs
    /// gives no answers. Tickets are in order of time.
    fn look_for_late(&mut self, now: Millis) {
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
}

#[cfg(test)]
mod search;

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings {
            volume: 4,
            failure_permille: 500,
            late_ms: 100,
            sleep_ms: 1000,
            open_ms: 5000,
        })
    }

    /// Asks, and is answered after `took`.
    fn request(breaker: &mut Breaker, at: Millis, took: Millis) -> bool {
        let Some(ticket) = breaker.ask(at) else { return false };
        breaker.answered(ticket, at + took);
        true
    }

    fn open() -> Breaker {
        let mut breaker = breaker();
        (0..4).for_each(|n| assert!(request(&mut breaker, n, 101)));
        assert_eq!(breaker.state(104), State::Open);
        breaker
    }

    #[test]
    fn it_opens_at_the_ratio_and_not_before() {
        let mut breaker = breaker();
        for took in [100, 0, 101, 0, 0, 0, 101] {
            assert!(request(&mut breaker, 0, took));
        }
        assert_eq!(breaker.state(101), State::Closed, "one late of the last four");
        let mut breaker = self::breaker();
        (0..3).for_each(|_| assert!(request(&mut breaker, 0, 200)));
        assert_eq!(breaker.state(200), State::Closed, "too few to decide");
        assert!(request(&mut breaker, 200, 1));
        assert_eq!(breaker.state(201), State::Open);
        assert_eq!(breaker.ask(202), None);
        assert_eq!((breaker.tally.opened, breaker.tally.refused), (1, 1));
    }

    #[test]
    fn requests_that_are_never_answered_open_it_too() {
        let mut breaker = breaker();
        let tickets: Vec<_> = (0..4).map(|_| breaker.ask(0).unwrap()).collect();
        assert_eq!(breaker.state(100), State::Closed);
        assert_eq!(breaker.state(101), State::Open);
        tickets.into_iter().for_each(|ticket| breaker.answered(ticket, 102));
        assert_eq!(breaker.state(102), State::Open, "answers that come too late change nothing");
    }

    #[test]
    fn probes_after_the_sleep_window_close_it() {
        let mut breaker = open();
        assert_eq!(breaker.ask(1103), None, "it still sleeps");
        let probes: Vec<_> = (0..PROBES).map(|_| breaker.ask(1104).unwrap()).collect();
        assert_eq!(breaker.ask(1104), None, "enough probes are on their way");
        probes.iter().for_each(|ticket| breaker.answered(*ticket, 1105));
        assert_eq!(breaker.state(1105), State::Closed);
        let tally = Tally { opened: 1, half_opened: 1, closed: 1, refused: 2 };
        assert_eq!(breaker.tally, tally);
        assert!(request(&mut breaker, 1106, 101), "it is measured anew");
        assert_eq!(breaker.state(1300), State::Closed);
    }

    #[test]
    fn a_late_probe_opens_it_again_and_a_lost_one_is_replaced() {
        let mut breaker = open();
        let probes: Vec<_> = (0..PROBES).map(|_| breaker.ask(1104).unwrap()).collect();
        breaker.gone(probes[0]);
        assert!(breaker.ask(1104).is_some());
        assert_eq!(breaker.state(1205), State::Open);
        assert_eq!((breaker.ask(2204), breaker.tally.opened), (None, 2));
        assert!(breaker.ask(2205).is_some());
    }

    #[test]
    fn it_does_not_stay_open_for_ever() {
        let mut breaker = open();
        assert_eq!(breaker.state(1104), State::HalfOpen);
        assert_eq!(breaker.state(5103), State::HalfOpen, "no probe came");
        assert_eq!(breaker.state(5104), State::Closed);
    }
}

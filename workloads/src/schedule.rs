//! When a client's operations are due.

use std::time::Duration;

use tokio::time::Instant;

/// Due times one period apart. What could not be done in time is left out, not caught up with: a
/// client that was held up for seconds does not burst afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    due: Instant,
    period: Duration,
}

impl Schedule {
    pub(crate) fn new(first: Instant, period: Duration) -> Schedule {
        Schedule { due: first, period }
    }

    /// Begins anew.
    pub(crate) fn restart(&mut self, first: Instant) {
        self.due = first;
    }

    /// When the next operation is due.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Notes that an operation was begun at `now`.
    pub(crate) fn done(&mut self, now: Instant) {
        self.due = (self.due + self.period).max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(20);

    #[test]
    fn on_time_it_keeps_the_beat() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, PERIOD);
        schedule.done(start + PERIOD / 4);
        assert_eq!(schedule.due(), start + PERIOD);
        schedule.done(start + PERIOD + PERIOD / 2);
        assert_eq!(schedule.due(), start + 2 * PERIOD);
    }

    #[test]
    fn after_a_long_wait_it_does_not_catch_up() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, PERIOD);
        let late = start + 100 * PERIOD;
        schedule.done(late);
        assert_eq!(schedule.due(), late);
        schedule.done(late);
        assert_eq!(schedule.due(), late + PERIOD);
    }
}

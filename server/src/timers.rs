//! The core's named timers on the real clock.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use zab::Timer;

/// Timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, ms: u64) {
        self.due.insert(timer, Instant::now() + Duration::from_millis(ms));
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.due.remove(&timer);
    }

    /// Takes out one timer that is due.
    pub(crate) fn pop(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let timer = self.due.iter().find(|(_, due)| **due <= now).map(|(timer, _)| *timer)?;
        self.due.remove(&timer);
        Some(timer)
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }
}

//! How much a check may use before it says that it does not know.

use std::time::{Duration, Instant};

/// Limits of time and memory. Both are looked at inside the search's inner loop, so that a search
/// ends near them and never far beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time one check may take.
    pub time: Duration,
    /// The memory its search may hold, bytes (estimated).
    pub bytes: usize,
}

impl Default for Limits {
    /// 20 s and 1 GiB: far more than a correct run needs.
    fn default() -> Limits {
        Limits { time: Duration::from_secs(20), bytes: 1 << 30 }
    }
}

/// What is left of the [`Limits`].
#[derive(Clone, Debug)]
pub struct Budget {
    deadline: Instant,
    limits: Limits,
    steps: u32,
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// The time.
    #[error("after {0:?}")]
    Time(Duration),
    /// The memory.
    #[error("at {0} bytes of memory")]
    Memory(usize),
}

impl Budget {
    /// Starts the clock.
    #[must_use]
    pub fn new(limits: Limits) -> Budget {
        Budget { deadline: Instant::now() + limits.time, limits, steps: 0 }
    }

    /// One of `n` equal parts of the memory, with the same deadline: for as many threads.
    pub(crate) fn shared_by(&self, n: usize) -> Budget {
        let bytes = self.limits.bytes / n.max(1);
        Budget { limits: Limits { bytes, ..self.limits }, ..self.clone() }
    }

    /// The same memory, and one of `n` equal parts of the time that is left.
    pub(crate) fn part(&self, n: u32) -> Budget {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Budget::new(Limits { time: left / n.max(1), ..self.limits })
    }

    /// Called at every step, with the bytes held; the clock is read at every 64th.
    pub(crate) fn step(&mut self, bytes: usize) -> Result<(), Exhausted> {
        if bytes > self.limits.bytes {
            return Err(Exhausted::Memory(self.limits.bytes));
        }
        let look = self.steps.is_multiple_of(64);
        self.steps = self.steps.wrapping_add(1);
        if look && Instant::now() >= self.deadline {
            return Err(Exhausted::Time(self.limits.time));
        }
        Ok(())
    }
}

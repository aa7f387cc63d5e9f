//! Warnings that others can cause, and that must not fill the disk.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets ten pass in ten seconds.
#[derive(Debug)]
pub(crate) struct Seldom {
    /// When the ten seconds began, and how many came since.
    recent: Mutex<Option<(Instant, u32)>>,
}

const PERIOD: Duration = Duration::from_secs(10);
const PER_PERIOD: u32 = 10;

impl Seldom {
    pub(crate) const fn new() -> Seldom {
        Seldom { recent: Mutex::new(None) }
    }

    /// Whether this one may be said.
    pub(crate) fn may(&self) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, n) = recent
            .filter(|(since, _)| since.elapsed() < PERIOD)
            .unwrap_or_else(|| (Instant::now(), 0));
        *recent = Some((since, n + 1));
        n < PER_PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_log() {
        let seldom = Seldom::new();
        assert_eq!((0..100).filter(|_| seldom.may()).count(), PER_PERIOD as usize);
    }
}

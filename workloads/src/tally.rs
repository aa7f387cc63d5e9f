//! Counts what clients have done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use history::Kind;

/// How many operations have ended, and how; `connect` is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Happened.
    pub ok: u64,
    /// Did not happen.
    pub fail: u64,
    /// May have happened.
    pub info: u64,
}

/// A [`Tally`] that several clients count in.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    ok: AtomicU64,
    fail: AtomicU64,
    info: AtomicU64,
}

impl Counter {
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            ok: self.ok.load(Ordering::Relaxed),
            fail: self.fail.load(Ordering::Relaxed),
            info: self.info.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count(&self, kind: Kind) {
        let counter = match kind {
            Kind::Invoke => return,
            Kind::Ok => &self.ok,
            Kind::Fail => &self.fail,
            Kind::Info => &self.info,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_counts_completions_only() {
        let counter = Counter::default();
        for kind in [Kind::Invoke, Kind::Ok, Kind::Ok, Kind::Fail, Kind::Info] {
            counter.count(kind);
        }
        assert_eq!(counter.tally(), Tally { ok: 2, fail: 1, info: 1 });
    }
}

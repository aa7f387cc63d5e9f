//! How long things took: least, mean, most.

use std::time::Duration;

/// A sum over durations (ZooKeeper's `AvgMinMaxCounter`).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    min: Option<Duration>,
    max: Duration,
    sum: Duration,
    count: u32,
}

impl Summary {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.min = Some(self.min.map_or(duration, |min| min.min(duration)));
        self.max = self.max.max(duration);
        self.sum = self.sum.saturating_add(duration);
        self.count = self.count.saturating_add(1);
    }

    /// Milliseconds.
    pub(crate) fn min_ms(&self) -> u64 {
        whole_ms(self.min.unwrap_or_default())
    }

    /// Milliseconds.
    pub(crate) fn max_ms(&self) -> u64 {
        whole_ms(self.max)
    }

    /// Milliseconds.
    pub(crate) fn mean_ms(&self) -> f64 {
        self.sum_ms() / f64::from(self.count.max(1))
    }

    /// Milliseconds.
    pub(crate) fn sum_ms(&self) -> f64 {
        self.sum.as_secs_f64() * 1000.0
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_mean_and_most() {
        let mut summary = Summary::default();
        assert_eq!((summary.min_ms(), summary.mean_ms(), summary.max_ms()), (0, 0.0, 0));
        summary.add(Duration::from_millis(2));
        summary.add(Duration::from_millis(5));
        assert_eq!((summary.min_ms(), summary.mean_ms(), summary.max_ms()), (2, 3.5, 5));
        assert_eq!((summary.count(), summary.sum_ms()), (2, 7.0));
    }
}

//! What a benchmark found.

use history::Target;
use serde::Serialize;

use super::cell::Cell;

/// Everything, as `--json` writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Where.
    pub machine: Machine,
    /// How the cells were measured.
    pub how: String,
    /// Operations per second and latencies.
    pub cells: Vec<CellResult>,
    /// What the machine allows where each session waits for every reply.
    pub bare: Vec<BareResult>,
    /// Everything else.
    pub figures: Vec<Figure>,
}

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// What the processor calls itself, as far as is known.
    pub processor: Option<String>,
    /// How many of it.
    pub cores: usize,
    /// Kernel release.
    pub kernel: String,
    /// Milliseconds for 4 KiB and `fdatasync`, the median of a hundred, before anything started.
    pub fdatasync_ms: f64,
    /// Apache ZooKeeper's version, if it took part and its package tells.
    pub zookeeper: Option<String>,
    /// Whether this program was built with optimization; without, its figures mean nothing.
    pub optimized: bool,
}

/// Something of ours and, if it took part, of Apache ZooKeeper.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Sides<T> {
    /// Of our server.
    pub zoobreak: T,
    /// Of Apache ZooKeeper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zookeeper: Option<T>,
}

/// One line of the table of operations.
#[derive(Clone, Debug, Serialize)]
pub struct CellResult {
    /// What was measured.
    pub cell: Cell,
    /// A sample a round.
    pub rounds: Sides<Vec<Sample>>,
}

/// A cell of reads, asked of servers that do nothing but answer.
#[derive(Clone, Debug, Serialize)]
pub struct BareResult {
    /// What was asked.
    pub cell: Cell,
    /// Operations per second, a round each.
    pub per_second: Vec<f64>,
    /// 99 of 100 took no longer, in milliseconds, a round each.
    pub p99_ms: Vec<f64>,
}

/// What one round of a cell showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Operations per second.
    pub per_second: f64,
    /// Half of the operations took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of all three servers for an operation, in microseconds.
    pub server_cpu_us: f64,
    /// Processors that the load program used; close to the machine's number of them, it was the
    /// limit and not the servers.
    pub load_cores: f64,
}

/// A measured quantity of which less is better.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What it is.
    pub what: String,
    /// `ms` or `MB`.
    pub unit: &'static str,
    /// How it was got.
    pub how: String,
    /// What each trial, or each server, showed.
    pub values: Sides<Vec<f64>>,
}

impl<T: Default> Sides<T> {
    /// Empty, for these targets.
    pub(super) fn of(targets: &[Target]) -> Sides<T> {
        let zookeeper = targets.contains(&Target::Zookeeper).then(T::default);
        Sides { zoobreak: T::default(), zookeeper }
    }

    /// The side of a target that takes part.
    pub(super) fn side(&mut self, target: Target) -> &mut T {
        match target {
            Target::Zoobreak => &mut self.zoobreak,
            Target::Zookeeper => self.zookeeper.as_mut().expect("only targets that take part"),
        }
    }
}

impl<T> Sides<T> {
    /// What `f` makes of each side.
    pub(super) fn map<U>(&self, f: impl Fn(&T) -> U) -> Sides<U> {
        Sides { zoobreak: f(&self.zoobreak), zookeeper: self.zookeeper.as_ref().map(f) }
    }
}

impl Sides<f64> {
    /// ZooKeeper's divided by ours.
    pub(super) fn theirs_by_ours(&self) -> Option<f64> {
        self.zookeeper.map(|theirs| theirs / self.zoobreak)
    }
}

/// Of an even number, the mean of the two in the middle; of none, not a number.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// The largest minus the smallest, as a fraction of the median.
pub(super) fn spread(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
    (largest - smallest) / median(values.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
        assert_eq!(spread(&[90.0, 100.0, 110.0]), 0.2);
        assert_eq!(spread(&[5.0]), 0.0);
    }

    #[test]
    fn a_ratio_needs_two_sides() {
        let both = Sides { zoobreak: 2.0, zookeeper: Some(6.0) };
        assert_eq!(both.theirs_by_ours(), Some(3.0));
        assert_eq!(Sides { zoobreak: 2.0, zookeeper: None }.theirs_by_ours(), None);
    }
}

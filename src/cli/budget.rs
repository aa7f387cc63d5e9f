//! What a check may use.

use std::time::Duration;

use checker::Limits;
use clap::Args;

use super::doctor;

/// The budget of a check.
#[derive(Debug, Args)]
pub(super) struct Budget {
    /// Seconds each check may take; then its verdict is unknown
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    budget_time: u64,
    /// MiB of memory the check may hold; then its verdict is unknown [default: 1024 with --spec, else half
    /// of what the machine has free]
    #[arg(long, value_name = "MIB")]
    budget_memory: Option<usize>,
}

impl Budget {
    /// Of a check against a specification.
    pub(super) fn of_spec(&self) -> Limits {
        self.limits(Limits::default().bytes)
    }

    /// Of a check of one of our own histories, which is held.
    pub(super) fn of_own(&self) -> Limits {
        self.limits(of_run().bytes)
    }

    fn limits(&self, otherwise: usize) -> Limits {
        let asked = self.budget_memory.map(|mib| mib.saturating_mul(1 << 20));
        Limits { time: Duration::from_secs(self.budget_time), bytes: asked.unwrap_or(otherwise) }
    }
}

/// Of a run that has just ended: half of the memory that the machine has free.
pub(super) fn of_run() -> Limits {
    let otherwise = Limits::default();
    Limits { bytes: doctor::memory_free().map_or(otherwise.bytes, |free| free / 2), ..otherwise }
}

//! What checking one history costs: processor time and memory of this process.

use std::fs;

use anyhow::Context;
use checker::engine::{Call, CasRegister, Decision, Shortcut, decide, shortcut};
use checker::{Budget, Limits};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use serde::{Deserialize, Serialize};

use super::generate::{Shape, generate};

/// The kernel counts in ticks; short checks are repeated until they fill many.
const LEAST_SECONDS: f64 = 0.1;

/// The cost of one check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cost {
    /// `valid`, `invalid` or `unknown`.
    pub(super) verdict: String,
    /// Keys that the search had to decide.
    pub(super) searched: usize,
    /// Processor seconds.
    pub(super) seconds: f64,
    /// The most memory at once, history included, bytes.
    pub(super) bytes: u64,
    /// Calls that the explanation needs, where there is one.
    pub(super) explained_by: usize,
}

/// Generates the history and checks it; the memory is that of this whole process, so each
/// measurement wants one of its own.
pub(super) fn measure(shape: Shape, search_only: bool) -> anyhow::Result<Cost> {
    let history = generate(shape);
    reset_peak()?;
    let mut cost = check(&history, search_only);
    cost.bytes = peak()?;
    let (mut rounds, before) = (0, processor_seconds()?);
    while rounds == 0 || processor_seconds()? - before < LEAST_SECONDS {
        check(&history, search_only);
        rounds += 1;
    }
    cost.seconds = (processor_seconds()? - before) / f64::from(rounds);
    Ok(cost)
}

fn check(history: &[Vec<Call<CasRegister>>], search_only: bool) -> Cost {
    let mut budget = Budget::new(Limits::default());
    let mut cost =
        Cost { verdict: "valid".to_owned(), searched: 0, seconds: 0.0, bytes: 0, explained_by: 0 };
    for calls in history {
        let short = if search_only { None } else { shortcut(calls) };
        match short {
            Some(Shortcut::Linearizable) => {}
            Some(Shortcut::Broken { calls, .. }) => {
                return Cost { verdict: "invalid".to_owned(), explained_by: calls.len(), ..cost };
            }
            None => {
                cost.searched += 1;
                match decide(CasRegister::default(), calls, &mut budget) {
                    Decision::Linearizable => {}
                    Decision::Broken { .. } => {
                        return Cost { verdict: "invalid".to_owned(), ..cost };
                    }
                    Decision::GaveUp { .. } => "unknown".clone_into(&mut cost.verdict),
                }
            }
        }
    }
    cost
}

/// The check runs in one thread, the first; its time in nanoseconds is the first number.
fn processor_seconds() -> anyhow::Result<f64> {
    let text = read("/proc/self/schedstat")?;
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok());
    let nanos = nanos.context("/proc/self/schedstat: no number")?;
    Ok(std::time::Duration::from_nanos(nanos).as_secs_f64())
}

/// Processor seconds of all threads there have been.
pub(super) fn all_threads_seconds() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("getrusage")?;
    let seconds = |time: TimeVal| {
        std::time::Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap_or(0))
    };
    Ok((seconds(usage.user_time()) + seconds(usage.system_time())).as_secs_f64())
}

/// From here on the peak is counted anew (proc(5), `clear_refs`).
pub(super) fn reset_peak() -> anyhow::Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("/proc/self/clear_refs")
}

pub(super) fn peak() -> anyhow::Result<u64> {
    let text = read("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.context("/proc/self/status: no VmHWM")? << 10)
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

//! What checking one history costs: processor time and memory of this process.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use checker::engine::{CasRegister, Decision, Shortcut, decide, shortcut};
use checker::{Budget, Limits};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use super::elsewhere;
use super::generate::{History, Shape, generate};
use super::stored::{self, Stored};
use super::text;
use super::witness::explained;

/// The kernel counts in ticks; short checks are repeated until they fill many.
const LEAST_SECONDS: f64 = 0.1;

/// What is measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Subject {
    /// A generated history, in memory.
    Shape(Shape),
    /// A history from elsewhere, read before.
    File(PathBuf),
    /// One of zoobreak's own on disk, and the reading of it.
    Stored(Stored),
}

/// What one side says of a history, and what that cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    /// `valid` or `invalid`; else why there is none.
    pub(super) verdict: String,
    /// What decided.
    pub(super) by: String,
    /// Processor seconds of the check.
    pub(super) seconds: f64,
    /// The most memory at once, history included, bytes.
    pub(super) peak: u64,
    /// Memory before the check, bytes.
    pub(super) before: u64,
    /// How many operations explain a violation, if it is explained; that is neither measured nor asked of
    /// Porcupine.
    #[serde(default)]
    pub(super) explained: Option<usize>,
}

impl Answer {
    pub(super) fn gave_up(why: String) -> Answer {
        Answer {
            verdict: why,
            by: String::new(),
            seconds: 0.0,
            peak: 0,
            before: 0,
            explained: None,
        }
    }

    pub(super) fn decided(&self) -> bool {
        ["valid", "invalid"].contains(&self.verdict.as_str())
    }
}

impl Subject {
    /// Measures it here, as JSON; the memory is that of this whole process, so each measurement
    /// wants one of its own.
    pub(super) fn measure(&self, search_only: bool, scratch: &Path) -> anyhow::Result<String> {
        Ok(match self {
            Subject::Stored(stored) => serde_json::to_string(&stored::measure(*stored, scratch)?),
            _ => serde_json::to_string(&measure(&self.history()?, search_only)?),
        }?)
    }

    /// Writes its history for Porcupine.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        Ok(text::write(&self.history()?, BufWriter::new(file))?)
    }

    fn history(&self) -> anyhow::Result<History> {
        match self {
            Subject::Shape(shape) => Ok(generate(*shape)),
            Subject::File(path) => elsewhere::read(path),
            Subject::Stored(_) => unreachable!("it is never held"),
        }
    }
}

fn measure(history: &History, search_only: bool) -> anyhow::Result<Answer> {
    reset_peak()?;
    let before = resident("VmRSS:")?;
    let (verdict, by) = check(history, search_only);
    let peak = resident("VmHWM:")?;
    let (mut rounds, start) = (0, processor_seconds()?);
    while rounds == 0 || processor_seconds()? - start < LEAST_SECONDS {
        check(history, search_only);
        rounds += 1;
    }
    let seconds = (processor_seconds()? - start) / f64::from(rounds);
    let explained = if verdict == "invalid" { explained(history) } else { None };
    Ok(Answer { verdict: verdict.to_owned(), by, seconds, peak, before, explained })
}

/// The verdict, and what decided.
fn check(history: &History, search_only: bool) -> (&'static str, String) {
    let mut budget = Budget::new(Limits::default());
    let mut searched = 0;
    for calls in history {
        let short = if search_only { None } else { shortcut(calls) };
        match short {
            Some(Shortcut::Linearizable) => continue,
            Some(Shortcut::Broken { .. }) => return ("invalid", "zones".to_owned()),
            None => searched += 1,
        }
        match decide(CasRegister::default(), calls, &mut budget) {
            Decision::Linearizable => {}
            Decision::Broken { .. } => return ("invalid", "search".to_owned()),
            Decision::GaveUp { .. } => return ("unknown", "search".to_owned()),
        }
    }
    let by = match searched {
        0 => "zones".to_owned(),
        n if n == history.len() => "search".to_owned(),
        n => format!("search of {n}"),
    };
    ("valid", by)
}

/// Of all threads there have been.
pub(super) fn processor_seconds() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("getrusage")?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64())
}

/// From here on the peak is counted anew (proc(5), `clear_refs`).
pub(super) fn reset_peak() -> anyhow::Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("/proc/self/clear_refs")
}

/// `VmRSS:` or `VmHWM:`, the most that it has been, in bytes.
pub(super) fn resident(name: &str) -> anyhow::Result<u64> {
    let path = "/proc/self/status";
    let text = fs::read_to_string(path).context(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.with_context(|| format!("{path}: no {name}"))? << 10)
}

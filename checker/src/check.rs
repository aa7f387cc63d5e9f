//! From a run directory to its verdict.

use std::path::Path;

use history::{FORMAT, History, Manifest, ReadError, RunDir, RunDirError, ServerLog};

use crate::budget::{Exhausted, Limits};
use crate::guarantees::check_all;
use crate::sentence::sentence;
use crate::soundness::soundness;
use crate::truth::resolved;
use crate::verdict::{Check, Outcome, Soundness, Verdict};
use crate::words::grouped;

/// Why a run cannot be judged. Each message names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run directory or its manifest.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// The history.
    #[error(transparent)]
    History(#[from] ReadError),
}

/// Judges a stored run from its directory alone, with the `logs` of its servers as far as there are
/// any; writes nothing. A history that does not fit into half of the memory is read as far as it does: a
/// violation there is one, and all else is unknown.
///
/// # Errors
/// When the manifest or the history cannot be read.
pub fn check_run(run: &RunDir, logs: Vec<ServerLog>, limits: Limits) -> Result<Verdict, Error> {
    let manifest = run.manifest()?;
    let history = history::read(&run.history(), limits.bytes / 2)?;
    Ok(judge(Some(&manifest), &resolved(History { logs, ..history }), limits))
}

/// Judges a history without a manifest: every guarantee binds, as with zoobreak's own server, and
/// whether the run was sound is not known. Limits are as in [`check_run`].
///
/// # Errors
/// When the history cannot be read.
pub fn check_history(path: &Path, limits: Limits) -> Result<Verdict, ReadError> {
    Ok(judge(None, &history::read(path, limits.bytes / 2)?, limits))
}

/// Judges a history by what the manifest asked for.
#[must_use]
pub fn check(manifest: &Manifest, history: &History) -> Verdict {
    check_within(manifest, history, Limits::default())
}

/// As [`check`], with limits for each check of its own.
#[must_use]
pub fn check_within(manifest: &Manifest, history: &History, limits: Limits) -> Verdict {
    judge(Some(manifest), &resolved(history.clone()), limits)
}

fn judge(manifest: Option<&Manifest>, history: &History, limits: Limits) -> Verdict {
    let settings = manifest.map(|manifest| &manifest.settings);
    let mut checks = check_all(history, settings, limits);
    if history.full {
        checks.iter_mut().for_each(|check| give_up(check, history, limits));
    }
    // Of a part of a run nobody knows.
    let facts = manifest.filter(|_| !history.full);
    let facts = facts.map_or_else(Vec::new, |manifest| soundness(manifest, history));
    let soundness = Soundness { facts };
    Verdict {
        format: FORMAT,
        outcome: worst(&checks),
        sentence: sentence(manifest, history, &checks, &soundness),
        checks,
        soundness,
        steps: None,
    }
}

/// What was not read may break what holds so far, and mends nothing that does not.
fn give_up(check: &mut Check, history: &History, limits: Limits) {
    if check.outcome == Outcome::Valid || check.examined == 0 {
        check.outcome = Outcome::Unknown;
        check.reason = Some(format!(
            "gave up at operation {}, {}; the rest was not read (allow more with --budget-memory, or judge \
             the linearizability of registers alone with --stream)",
            grouped(history.operations.len() as u64),
            Exhausted::Memory(limits.bytes)
        ));
        check.reached = history.operations.last().map(|op| op.invoke);
    }
}

fn worst(checks: &[Check]) -> Outcome {
    let binding = checks.iter().filter(|check| check.binding);
    binding.map(|check| check.outcome).max().unwrap_or(Outcome::Unknown)
}

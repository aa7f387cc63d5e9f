//! From a run directory to its verdict.

use std::path::Path;

use history::{FORMAT, History, Manifest, ReadError, RunDir, RunDirError, ServerLog};

use crate::budget::Limits;
use crate::guarantees::check_all;
use crate::sentence::sentence;
use crate::soundness::soundness;
use crate::truth::resolved;
use crate::verdict::{Check, Outcome, Soundness, Verdict};

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
/// any; writes nothing.
///
/// # Errors
/// When the manifest or the history cannot be read.
pub fn check_run(run: &RunDir, logs: Vec<ServerLog>) -> Result<Verdict, Error> {
    let manifest = run.manifest()?;
    let history = History { logs, ..history::read(&run.history())? };
    Ok(check(&manifest, &history))
}

/// Judges a history without a manifest: every guarantee binds, as with zoobreak's own server, and
/// whether the run was sound is not known.
///
/// # Errors
/// When the history cannot be read.
pub fn check_history(path: &Path) -> Result<Verdict, Error> {
    Ok(check_bare(path, Limits::default())?)
}

/// As [`check_history`], with limits for each check.
pub(crate) fn check_bare(path: &Path, limits: Limits) -> Result<Verdict, ReadError> {
    Ok(judge(None, &history::read(path)?, limits))
}

/// Judges a history by what the manifest asked for.
#[must_use]
pub fn check(manifest: &Manifest, history: &History) -> Verdict {
    check_within(manifest, history, Limits::default())
}

/// As [`check`], with limits for each check of its own.
#[must_use]
pub fn check_within(manifest: &Manifest, history: &History, limits: Limits) -> Verdict {
    judge(Some(manifest), history, limits)
}

fn judge(manifest: Option<&Manifest>, history: &History, limits: Limits) -> Verdict {
    let resolved = (!history.logs.is_empty()).then(|| resolved(history.clone()));
    let history = resolved.as_ref().unwrap_or(history);
    let settings = manifest.map(|manifest| &manifest.settings);
    let checks = check_all(history, settings, limits);
    let soundness = manifest
        .map_or_else(|| Soundness { facts: Vec::new() }, |manifest| soundness(manifest, history));
    Verdict {
        format: FORMAT,
        outcome: worst(&checks),
        sentence: sentence(manifest, history, &checks, &soundness),
        checks,
        soundness,
        steps: None,
    }
}

fn worst(checks: &[Check]) -> Outcome {
    let binding = checks.iter().filter(|check| check.binding);
    binding.map(|check| check.outcome).max().unwrap_or(Outcome::Unknown)
}

//! A run, for people: `report.html`, and one screen of text.
//!
//! Nothing is judged here and nothing is fetched: both are functions of a manifest, a history and
//! a verdict, so they can be made again from a stored run. A history without a run has a page too. The page is one file without network
//! access. Everything but the zoomable lanes is plain HTML and can be read without JavaScript.

mod data;
#[cfg(test)]
mod fake;
mod html;
mod page;
mod screen;
mod sections;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;
mod witness;
pub(crate) mod words;

use std::fs;
use std::path::{Path, PathBuf};

use checker::Verdict;
use history::foreign::Deed;
use history::{Event, Manifest, RunDir, RunDirError};

pub use screen::screen;

/// A history without a run, as its page shows it.
#[derive(Debug)]
pub(crate) struct Bare<'a> {
    /// Where it was read.
    pub(crate) file: &'a Path,
    /// The name of the specification, if one was asked for.
    pub(crate) spec: Option<&'a str>,
    /// What was typed.
    pub(crate) argv: &'a [String],
    /// The part of it that is drawn.
    pub(crate) drawn: Drawn,
}

/// The part of a history that is drawn.
#[derive(Debug)]
pub(crate) enum Drawn {
    /// Of one of zoobreak's own.
    Events(Vec<Event>),
    /// Of one from elsewhere.
    Deeds(Vec<Deed>),
}

/// Writes `report.html` into the run directory and returns its path. An older report is replaced;
/// a half-written one is never seen. `events` are all of the history, or, of one that is `long`, those near
/// to what the verdict tells of.
///
/// An event whose value has not the shape that its `f` promises does not stop the report: the
/// page names it.
///
/// # Errors
/// When the file cannot be written.
pub fn write_html(
    run: &RunDir,
    manifest: &Manifest,
    events: &[Event],
    long: bool,
    verdict: &Verdict,
) -> Result<PathBuf, RunDirError> {
    write_page(run.path(), &page::render(run.path(), manifest, events, long, verdict))
}

/// The same for a history without a run, into a directory that is there.
pub(crate) fn write_history_html(
    directory: &Path,
    history: &Bare<'_>,
    verdict: &Verdict,
) -> Result<PathBuf, RunDirError> {
    write_page(directory, &page::render_history(history, verdict))
}

fn write_page(directory: &Path, html: &str) -> Result<PathBuf, RunDirError> {
    let path = directory.join("report.html");
    let beside = directory.join("report.html.tmp");
    fs::write(&beside, html)
        .and_then(|()| fs::rename(&beside, &path))
        .map_err(|error| RunDirError::Io { path: path.clone(), error })?;
    Ok(path)
}

//! A run, for people: `report.html`, and one screen of text.
//!
//! Nothing is judged here and nothing is fetched: both are functions of a manifest, a history and
//! a verdict, so they can be made again from a stored run. The page is one file without network
//! access. Everything but the zoomable lanes is plain HTML and can be read without JavaScript.

mod data;
#[cfg(test)]
mod fake;
mod html;
mod page;
mod screen;
mod sections;
#[cfg(test)]
mod tests;
mod timeline;
mod witness;
pub(crate) mod words;

use std::fs;
use std::path::PathBuf;

use checker::Verdict;
use history::{Event, Manifest, RunDir, RunDirError};

pub use screen::screen;

/// Writes `report.html` into the run directory and returns its path. An older report is replaced;
/// a half-written one is never seen.
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
    verdict: &Verdict,
) -> Result<PathBuf, RunDirError> {
    let path = run.path().join("report.html");
    let beside = run.path().join("report.html.tmp");
    let html = page::render(run.path(), manifest, events, verdict);
    fs::write(&beside, html)
        .and_then(|()| fs::rename(&beside, &path))
        .map_err(|error| RunDirError::Io { path: path.clone(), error })?;
    Ok(path)
}

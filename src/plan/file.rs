//! Plan files: TOML, with errors that name line, key and what is allowed.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::{Plan, PlanError, did_you_mean, keys};

impl Plan {
    /// Reads a plan file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has an unknown key or a value that is not allowed.
    pub fn from_file(path: &Path) -> Result<Plan, PlanError> {
        let text = fs::read_to_string(path)
            .map_err(|error| PlanError::Unreadable { path: path.to_owned(), error })?;
        Plan::from_text(path, &text)
    }

    /// Reads the text of a plan file; `path` is for errors.
    ///
    /// # Errors
    /// As [`from_file`](Plan::from_file).
    pub fn from_text(path: &Path, text: &str) -> Result<Plan, PlanError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().unwrap_or(0..0);
            PlanError::Wrong {
                path: path.to_owned(),
                line: line_of(text, at.start),
                message: explain(text, at.start, error.message()),
            }
        })
    }
}

/// What is wrong at byte `at`: with the key, or with its value, or with the TOML.
fn explain(text: &str, at: usize, message: &str) -> String {
    let message = message.trim_end().replace('\n', ", ");
    let known = keys();
    match entry_at(text, at) {
        None => message,
        Some((key, _)) if !known.contains(&key) => unknown_key(&key, &known),
        Some((key, value)) => format!("{key} = {}: {message}", one_line(&text[value])),
    }
}

fn unknown_key(key: &str, known: &[String]) -> String {
    let hint = did_you_mean(key, known.iter().map(String::as_str));
    let list = known.join(", ");
    format!("unknown key `{key}`{hint} (keys: {list})")
}

/// The top-level entry that covers byte `at`, if the text is TOML: its key, and where its value is.
fn entry_at(text: &str, at: usize) -> Option<(String, Range<usize>)> {
    let table = DeTable::parse(text).ok()?;
    table
        .get_ref()
        .iter()
        .find(|(key, value)| key.span().contains(&at) || value.span().contains(&at))
        .map(|(key, value)| (key.get_ref().to_string(), value.span()))
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

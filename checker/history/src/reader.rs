//! Reads a history back.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::{Hex, Kind, Process, Stat};
use crate::history::{History, Pairing};
use crate::line::Line;
use crate::operation::Operation;

/// Why a history cannot be read. Each message names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// No event in it.
    #[error("{path}: the history is empty: the run stopped before its first event")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line that cannot be what the harness wrote.
    #[error("{path}:{line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a line of a history, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is no JSON.
    #[error("not JSON ({error}); a history has one JSON object a line")]
    NotJson {
        /// The parser's words.
        error: String,
    },
    /// The text has not the form of a history.
    #[error("no event ({error})")]
    Form {
        /// What is wrong with it.
        error: String,
    },
    /// A field is missing, or of the wrong type or shape.
    #[error("field `{field}`: {message}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Events are missing.
    #[error(
        "field `index`: expected {expected}, found {found}: events are missing; \
         restore the file as the harness wrote it"
    )]
    Gap {
        /// The index that follows.
        expected: u64,
        /// The one read.
        found: u64,
    },
    /// An event a second time, or out of order.
    #[error(
        "field `index`: expected {expected}, found {found}: events are repeated or out of order; \
         sort them by index, each once"
    )]
    Disorder {
        /// The index that follows.
        expected: u64,
        /// The one read.
        found: u64,
    },
    /// Time went backwards.
    #[error(
        "field `time`: {found} is before the last event's {before}; \
         times must come from one monotonic clock"
    )]
    Backwards {
        /// The last event's time.
        before: u64,
        /// This event's.
        found: u64,
    },
    /// A client does what no client does.
    #[error(
        "field `f`: unknown operation {found:?}; known are connect, read, local-read, write, cas"
    )]
    UnknownOperation {
        /// Its name.
        found: String,
    },
    /// A client begins an operation before its last one completed.
    #[error(
        "field `type`: client {process} invokes while its operation of event {open} is open; \
         a client has one operation at a time"
    )]
    DoubleInvocation {
        /// The client.
        process: u64,
        /// Index of the open invocation.
        open: u64,
    },
    /// A completion of nothing.
    #[error(
        "field `type`: client {process} completes an operation that it has not invoked; \
         its `invoke` is missing"
    )]
    NoInvocation {
        /// The client.
        process: u64,
    },
    /// A completion that does not belong to its invocation.
    #[error(
        "field `{field}`: found {found:?}, but the operation invoked at event {invoke} has \
         {expected:?}"
    )]
    OtherOperation {
        /// Index of the invocation.
        invoke: u64,
        /// The field that differs.
        field: &'static str,
        /// The invocation's.
        expected: String,
        /// The completion's.
        found: String,
    },
}

impl Problem {
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Problem {
        Problem::Field { field: field.to_owned(), message: message.into() }
    }
}

/// The longest event: longer lines are no history, and would fill the memory.
pub const LINE_BYTES_MAX: u64 = 16 << 20;

/// Reads a history from a file, until it holds more than about so many bytes: then it is
/// [full](History::full). A last line that was cut by a crash is dropped, and [`History::cut`] says so.
///
/// # Errors
/// When the file cannot be read, is empty, or holds a line that the harness cannot have written.
pub fn read(path: &Path, bytes_max: usize) -> Result<History, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::Io { path: path.into(), error })?;
    read_from(BufReader::new(file), path, bytes_max)
}

/// Reads a history from bytes; `path` is for messages.
///
/// # Errors
/// As [`read`].
pub fn read_from(
    mut input: impl BufRead,
    path: &Path,
    bytes_max: usize,
) -> Result<History, ReadError> {
    let mut pairing = Pairing::default();
    let mut text = Vec::new();
    let (mut cut, mut full) = (None, false);
    for line in 1.. {
        let blame = |problem| ReadError::Line { path: path.into(), line, problem };
        text.clear();
        match input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut text) {
            Ok(0) => break,
            Ok(_) if text.len() as u64 > LINE_BYTES_MAX => {
                let error = format!("longer than {} MiB", LINE_BYTES_MAX >> 20);
                return Err(blame(Problem::Form { error }));
            }
            Ok(_) => {}
            Err(error) => return Err(ReadError::Io { path: path.into(), error }),
        }
        let at_end = input.fill_buf().is_ok_and(<[u8]>::is_empty);
        if at_end && is_cut(&text) {
            cut = Some(format!("line {line} was cut after {} bytes; dropped", text.len()));
            break;
        }
        full = pairing.bytes() > bytes_max;
        if full {
            break;
        }
        parse(&text).and_then(|event| pairing.take(&event)).map_err(blame)?;
    }
    match pairing.finish() {
        history if history.events == 0 => Err(ReadError::Empty { path: path.into() }),
        history => Ok(History { cut, full, ..history }),
    }
}

/// The operations whose events are on these lines of a history, and nothing else of it: lines are
/// counted from 1.
///
/// # Errors
/// When the file cannot be read, or one of the lines is no event of an operation.
pub fn read_lines(path: &Path, lines: &BTreeSet<u64>) -> Result<Vec<Operation>, ReadError> {
    let failed = |error| ReadError::Io { path: path.into(), error };
    let mut input = BufReader::new(File::open(path).map_err(failed)?);
    let (mut pairing, mut text) = (Pairing::default(), Vec::new());
    for line in 1..=lines.last().copied().unwrap_or(0) {
        text.clear();
        input.read_until(b'\n', &mut text).map_err(failed)?;
        if lines.contains(&line) {
            let taken = parse(&text).and_then(|event| pairing.pair(&event));
            taken.map_err(|problem| ReadError::Line { path: path.into(), line, problem })?;
        }
    }
    Ok(pairing.finish().operations)
}

/// Is this the beginning of a line whose end was never written?
fn is_cut(text: &[u8]) -> bool {
    !text.trim_ascii().is_empty()
        && serde_json::from_slice::<Value>(text).is_err_and(|error| error.is_eof())
}

fn parse(text: &[u8]) -> Result<Line<'_>, Problem> {
    serde_json::from_slice(text).map_err(|error| diagnose(text, &error))
}

/// Finds the field that an error is about: serde's own message does not name it.
fn diagnose(text: &[u8], error: &serde_json::Error) -> Problem {
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Problem::NotJson { error: error.to_string() },
    };
    let Value::Object(fields) = &value else {
        return Problem::NotJson { error: "no object".to_owned() };
    };
    let mut required = ["index", "time", "process", "type", "f"].into_iter();
    if let Some(missing) = required.find(|name| !fields.contains_key(*name)) {
        return Problem::field(missing, "missing; every event has it");
    }
    fields
        .iter()
        .find_map(|(name, value)| Some(Problem::field(name, wrong_type(name, value)?)))
        .unwrap_or_else(|| Problem::NotJson { error: error.to_string() })
}

fn wrong_type(name: &str, value: &Value) -> Option<String> {
    match name {
        "index" | "time" => misfit::<u64>(value, "a whole number"),
        "process" => misfit::<Process>(value, "a client's number or a name"),
        "type" => misfit::<Kind>(value, "invoke, ok, fail or info"),
        "f" => misfit::<String>(value, "an operation's name"),
        "key" | "error" | "node" => misfit::<Option<String>>(value, "a string"),
        "session" | "zxid" => misfit::<Option<Hex>>(value, "a number like \"0x1f\""),
        "stat" => misfit::<Option<Stat>>(value, "czxid, mzxid and version"),
        _ => None,
    }
}

fn misfit<T: DeserializeOwned>(value: &Value, expected: &str) -> Option<String> {
    let fits = T::deserialize(value).is_ok();
    (!fits).then(|| format!("expected {expected}, found {value}"))
}

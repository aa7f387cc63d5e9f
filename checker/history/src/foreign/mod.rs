//! Histories from elsewhere, and for elsewhere: Jepsen's EDN, the log lines of `jepsen.util` that
//! Porcupine's register tests read, plain JSON lines, and Porcupine's text of a map's history.
//!
//! Order is the order of the file. `:index` may be sparse or missing but must grow; without one,
//! `:time` must not go back. What is invoked and never completed has an unknown outcome.

mod datum;
mod edn;
mod input;
mod own;
mod pair;
mod record;
mod write;

use std::path::Path;
use std::str::FromStr;

pub use datum::Datum;
pub(crate) use input::Input;
pub(crate) use record::Record;
pub use write::{writable, write};

use crate::operation::Status;
use crate::reader::ReadError;

/// A history from elsewhere, its events paired.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    /// What clients did, in order of invocation.
    pub deeds: Vec<Deed>,
    /// Events by others than clients, such as faults.
    pub others: u64,
    /// Deeds that were left out, and why.
    pub left_out: Vec<String>,
    /// What was dropped from a file that ends in the middle of a form.
    pub cut: Option<String>,
    /// How many deeds were held when they filled the memory allowed; the rest was not read, and what
    /// was under way is of unknown outcome.
    pub full: Option<usize>,
}

/// An operation of a client, in a vocabulary that its specification knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// The client.
    pub process: u64,
    /// Its name: `read`, `cas`, `enqueue`, …
    pub f: String,
    /// The object, where there are several.
    pub key: Option<Datum>,
    /// The argument.
    pub asked: Datum,
    /// The result; none unless it is ok.
    pub answered: Option<Datum>,
    /// What became of it.
    pub status: Status,
    /// Why it is not ok.
    pub error: Option<Datum>,
    /// Position of the invocation among the events.
    pub invoke: u64,
    /// Position of the completion.
    pub complete: Option<u64>,
    /// Line of the invocation, from 1.
    pub line: u64,
}

impl Deed {
    /// Position of the completion, when the outcome is known.
    #[must_use]
    pub fn answered_at(&self) -> Option<u64> {
        self.complete.filter(|_| self.status != Status::Unknown)
    }

    /// Bytes it holds, about.
    fn bytes(&self) -> usize {
        let data =
            [Some(&self.asked), self.answered.as_ref(), self.key.as_ref(), self.error.as_ref()];
        let held = data.into_iter().flatten().map(Datum::held).sum::<usize>();
        // Lists double as they grow; each string is its allocation's overhead larger.
        2 * size_of::<Deed>() + self.f.len() + 16 + held
    }

    /// Was it refused because of what the object held? Other failures say nothing about it. In
    /// EDN and JSON such a failure has the error `differs`, in a log every failed `cas` is one.
    #[must_use]
    pub fn differs(&self) -> bool {
        let error = self.error.as_ref().and_then(Datum::name);
        self.status == Status::Fail && error == Some(DIFFERS)
    }
}

/// The error of an operation that was refused because of what the object held.
const DIFFERS: &str = "differs";

/// A form of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Jepsen's: one map an event, or a vector of them.
    Edn,
    /// Lines `INFO  jepsen.util - PROCESS :TYPE :F VALUE`; one register.
    Log,
    /// One JSON object an event, with Jepsen's field names.
    Json,
    /// Porcupine's text of a map's history: EDN with a field `:key`.
    Kv,
}

/// Names of the [`Format`]s.
pub const FORMATS: [(&str, Format); 4] =
    [("edn", Format::Edn), ("log", Format::Log), ("json", Format::Json), ("kv", Format::Kv)];

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Format, String> {
        let known = FORMATS.iter().find(|(known, _)| *known == name);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<_> = FORMATS.iter().map(|(name, _)| *name).collect();
            format!("no form of histories; known are {}", names.join(", "))
        })
    }
}

/// How a history from elsewhere is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Its form; told from its content where none is given.
    pub format: Option<Format>,
    /// Is each value a pair of a key and the value proper, as Jepsen's `independent` writes them?
    /// EDN does not tell such pairs from vectors.
    pub keyed: bool,
}

/// Reads a history from elsewhere, or one of zoobreak's own, of which remains what a register
/// without versions knows.
///
/// # Errors
/// When the file cannot be read, holds no event, or an event that makes no sense.
pub fn read(path: &Path, options: Options) -> Result<Foreign, ReadError> {
    pick(path, options, usize::MAX, &mut Some)
}

/// As [`read`], but of the deeds only those that `keep` keeps, as it returns them. What is not kept is
/// forgotten at once. Reading ends where the deeds kept hold more than about so many `bytes`.
///
/// # Errors
/// As [`read`].
pub fn pick(
    path: &Path,
    options: Options,
    bytes: usize,
    keep: &mut dyn FnMut(Deed) -> Option<Deed>,
) -> Result<Foreign, ReadError> {
    let mut input = Input::open(path, options)?;
    let mut pairing = pair::Pairing::within(bytes);
    while let Some(record) = input.next()?.filter(|_| !pairing.is_full()) {
        let line = record.line;
        pairing.take(record, keep).map_err(|problem| input.blame(line, problem))?;
    }
    match pairing.finish(input.cut(), keep) {
        (_, 0) => Err(ReadError::Empty { path: path.into() }),
        (foreign, _) => Ok(foreign),
    }
}

#[cfg(test)]
mod tests;

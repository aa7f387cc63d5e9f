//! One event in few bytes, and many of them together.

use std::ops::Range;

use crate::event::Kind;

/// One event, as far as a register's checker looks at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The client; none for others.
    pub process: Option<u64>,
    /// Invocation or completion.
    pub kind: Kind,
    /// What is asked.
    pub verb: Verb,
    /// Argument or result.
    pub value: Argument,
    /// Why it is `fail` or `info`.
    pub refusal: Refusal,
    /// The version in the reply's Stat.
    pub version: Option<i32>,
    /// Its `index`.
    pub index: Option<i64>,
    /// Its `time`.
    pub time: Option<i64>,
    /// Does it carry what only zoobreak's own histories have?
    pub own: bool,
    /// Where its key is in the batch's text.
    pub(super) key: Option<(u32, u32)>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `read`.
    Read,
    /// `write`.
    Write,
    /// `cas`.
    Cas,
    /// Nothing that such a register promises: `local-read`, `connect` and requests of the znodes workload among
    /// them.
    Other,
}

impl Verb {
    pub(super) fn named(name: &[u8]) -> Verb {
        match name {
            b"read" => Verb::Read,
            b"write" => Verb::Write,
            b"cas" => Verb::Cas,
            _ => Verb::Other,
        }
    }

    /// Its name in the history, of those that a register knows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Cas => "cas",
            Verb::Other => "another operation",
        }
    }
}

/// A value, if it is one that needs no memory of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Argument {
    /// `null`, `nil`, or missing.
    #[default]
    Nil,
    /// A whole number.
    Int(i64),
    /// Two of them.
    Pair(i64, i64),
    /// Anything else.
    Other,
}

/// Why an operation is not ok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is said.
    #[default]
    None,
    /// The register held another value.
    Differs,
    /// The znode had another version.
    BadVersion,
    /// Anything else.
    Other,
}

impl Refusal {
    pub(super) fn named(name: &[u8]) -> Refusal {
        match name {
            b"differs" => Refusal::Differs,
            b"BadVersion" => Refusal::BadVersion,
            _ => Refusal::Other,
        }
    }
}

/// Events that follow each other in the file.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events.
    pub steps: Vec<Step>,
    /// Bytes of the file up to its end.
    pub read: u64,
    /// What holds the keys.
    pub(super) text: Vec<u8>,
}

impl Batch {
    /// The key of a step, as it is written; empty if it has none.
    #[must_use]
    pub fn key(&self, step: &Step) -> &[u8] {
        step.key.map_or(&[], |(from, to)| &self.text[from as usize..to as usize])
    }

    pub(super) fn span(range: Range<usize>) -> Option<(u32, u32)> {
        Some((u32::try_from(range.start).ok()?, u32::try_from(range.end).ok()?))
    }
}

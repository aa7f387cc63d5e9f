//! Recorded runs, judged: each server's trace is replayed through the core, and all of them
//! together are walked through [`protocol`](crate::protocol), which must allow every step.
//!
//! The first question finds what differs from the code that ships; the second does not depend on it.
//! Both take time linear in the trace.

mod conform;
mod coverage;
mod emit;
mod merge;
mod replay;

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use zab::{Digest, Record, ServerId};

pub use coverage::Coverage;

use crate::protocol::Entry;

/// The traces of a run, by server.
pub type Traces = BTreeMap<ServerId, Vec<Record>>;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The server whose step it is.
    pub server: ServerId,
    /// The line of its trace, from 1.
    pub line: usize,
    /// Microseconds on the traces' clock.
    pub at: u64,
    /// What it did, in words.
    pub what: String,
}

/// What the protocol says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every step is allowed.
    Conforms,
    /// The first step that is not, or after which an invariant is broken.
    Rejected(Rejection),
    /// The model does not know what the run did from here on: a reconfiguration.
    Unknown(Rejection),
}

/// What came of judging a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Steps in all traces.
    pub steps: usize,
    /// The first step, in time, that the core would have taken differently.
    pub replay: Option<Rejection>,
    /// Whether the protocol allows every step, and every invariant holds after it.
    pub protocol: Verdict,
    /// What of the protocol the run exercised, up to that step.
    pub coverage: Coverage,
}

/// A server's trace as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Its steps.
    pub records: Vec<Record>,
    /// Lines that a kill cut short: the last of a life each. Nobody can have seen anything of such a step.
    pub cut: usize,
}

/// Reads a trace. What a kill cut short is followed by nothing, or by the next start, on a line of its own or on
/// the same one.
///
/// # Errors
/// When reading fails, or another line is not a record.
pub fn read(lines: impl BufRead) -> io::Result<Read> {
    let mut read = Read::default();
    let mut unread: Option<io::Error> = None;
    for (line, number) in lines.split(b'\n').zip(1..) {
        let line = line?;
        match serde_json::from_slice(&line).or_else(|error| start_behind(&line).ok_or(error)) {
            Ok(record) => {
                let starts = matches!(record, Record::Start { .. });
                let same_line = starts && !line.starts_with(START);
                read.cut += usize::from(same_line || unread.is_some());
                if let Some(error) = unread.take().filter(|_| !starts) {
                    return Err(error);
                }
                read.records.push(record);
            }
            Err(error) => {
                unread.get_or_insert(io::Error::other(format!("line {number}: {error}")));
            }
        }
    }
    read.cut += usize::from(unread.is_some());
    Ok(read)
}

/// How a start begins.
const START: &[u8] = b"{\"start\":";

/// The start that was written behind a line that was cut short.
fn start_behind(line: &[u8]) -> Option<Record> {
    let place = line.windows(START.len()).rposition(|window| window == START)?;
    serde_json::from_slice(&line[place..]).ok()
}

/// Judges a run. With `wipes`, a server may come back with nothing: somebody emptied its disk.
#[must_use]
pub fn judge(traces: &Traces, wipes: bool) -> Judgement {
    let (protocol, coverage) = conform::conform(traces, wipes);
    let replayed = traces.iter().filter_map(|(server, trace)| replay::replay(*server, trace));
    Judgement {
        steps: traces.values().map(Vec::len).sum(),
        replay: replayed.min_by_key(|rejection| rejection.at),
        protocol,
        coverage,
    }
}

/// An entry as the protocol has it.
fn plain(entry: &zab::Entry<Digest>) -> Entry {
    Entry { zxid: entry.zxid, txn: entry.txn.of }
}

//! The trace: every step of the protocol core as a line of JSON, for a checker to replay.
//!
//! A line is written before any of its outputs is carried out, so that what other servers may
//! have seen of a step is in the trace, wherever this process is killed.

mod file;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::Path;

use nix::time::{ClockId, clock_gettime};
use tracing::warn;
use zab::{Config, Digest, Durable, Mapping, Record, ServerId, Transaction};

use file::TraceFile;

use crate::proposal::{Input, Message, Output, State, Txn};

/// Where steps are recorded. Ends, with a warning, when its file cannot be written.
#[derive(Debug)]
pub(crate) struct Trace {
    file: Option<TraceFile>,
    line: Vec<u8>,
}

impl Trace {
    /// Goes on with the trace in `directory`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(directory: &Path) -> io::Result<Trace> {
        Ok(Trace { file: Some(TraceFile::open(directory)?), line: Vec::new() })
    }

    pub(crate) fn start(&mut self, config: Config, durable: &Durable<Txn>, out: &[Output]) {
        let (durable, out) = (durable.map(digest), mapped(out));
        self.record(&Record::Start { at: now(), config, durable, out });
    }

    pub(crate) fn step(&mut self, step: Step, out: &[Output]) {
        let Step { at, via, input } = step;
        self.record(&Record::Step { at, via, input, out: mapped(out) });
    }

    fn record(&mut self, record: &Record) {
        let Some(file) = &mut self.file else { return };
        self.line.clear();
        let written =
            serde_json::to_writer(&mut self.line, record).map_err(io::Error::from).and_then(|()| {
                self.line.push(b'\n');
                file.add(&self.line)
            });
        if let Err(error) = written {
            warn!(%error, "the trace ends here: trace.jsonl cannot be written");
            self.file = None;
        }
    }
}

/// A step that is about to be taken.
pub(crate) struct Step {
    at: u64,
    via: Option<u64>,
    input: zab::Input<Digest, u64>,
}

impl Step {
    /// `via` names the connection that a message of this peer comes on.
    pub(crate) fn new(input: &Input, via: impl FnOnce(ServerId) -> Option<u64>) -> Step {
        let via = match input {
            zab::Input::Received { message, .. } if message.is_for_election() => None,
            zab::Input::Received { from: peer, .. } | zab::Input::Connected { peer } => via(*peer),
            _ => None,
        };
        Step { at: now(), via, input: input.map(&MAPPING) }
    }
}

type Contents = Mapping<fn(&Txn) -> Digest, fn(&State) -> u64>;

const MAPPING: Contents = Mapping { txn: digest, state: |state| state.0.lineage() };

/// As it is in a record.
pub(crate) fn without_contents(message: &Message) -> zab::Message<Digest, u64> {
    message.map(&MAPPING)
}

fn mapped(out: &[Output]) -> Vec<zab::Output<Digest, u64>> {
    out.iter().map(|output| output.map(&MAPPING)).collect()
}

/// The same in every process of this program: the hasher has no key.
fn digest(txn: &Txn) -> Digest {
    let of = BuildHasherDefault::<DefaultHasher>::default().hash_one(txn);
    Digest { of, members: txn.members().cloned() }
}

/// Microseconds of the machine's monotonic clock, which is the same for all of its processes.
fn now() -> u64 {
    let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    since_boot.tv_sec().cast_unsigned() * 1_000_000 + since_boot.tv_nsec().cast_unsigned() / 1000
}

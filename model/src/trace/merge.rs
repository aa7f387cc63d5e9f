//! One order of all servers' steps: by time, and no message before it was sent.
//!
//! Any order that keeps causes before effects is one in which the run could have happened; time only
//! chooses among them.

use std::collections::BTreeMap;

use zab::{Record, ServerId};

use super::Traces;

/// Where each trace is.
pub(super) struct Merge<'a> {
    left: BTreeMap<ServerId, &'a [Record]>,
    lines: BTreeMap<ServerId, usize>,
}

/// A server's next step.
pub(super) struct Next<'a> {
    pub(super) server: ServerId,
    pub(super) line: usize,
    pub(super) record: &'a Record,
}

impl<'a> Merge<'a> {
    pub(super) fn new(traces: &'a Traces) -> Merge<'a> {
        let left = traces.iter().map(|(id, trace)| (*id, trace.as_slice())).collect();
        Merge { left, lines: BTreeMap::new() }
    }

    /// The first step in time that is `ready`; where none is, the first one. `None` at the end.
    pub(super) fn next(&mut self, ready: impl Fn(ServerId, &Record) -> bool) -> Option<Next<'a>> {
        let heads = self.left.iter().filter_map(|(id, left)| Some((*id, left.first()?)));
        let mut heads: Vec<(ServerId, &'a Record)> = heads.collect();
        heads.sort_by_key(|(id, record)| (record.at(), *id));
        let chosen = heads.iter().find(|(id, record)| ready(*id, record)).or(heads.first())?;
        Some(self.take(chosen.0, chosen.1))
    }

    fn take(&mut self, server: ServerId, record: &'a Record) -> Next<'a> {
        let left = self.left.get_mut(&server).expect("it has a step left");
        *left = &left[1..];
        let line = self.lines.entry(server).or_insert(0);
        *line += 1;
        Next { server, line: *line, record }
    }
}

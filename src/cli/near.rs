//! The part of a history that is drawn: all of it, or what is near to what matters.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use checker::{Check, Verdict};
use history::foreign::{self, Deed, Options};
use history::{Event, Kind, LINE_BYTES_MAX, Process, ReadError, f};

/// Of a longer history, only about as many events are drawn; a page of them has some 3 MB.
const DRAWN: u64 = 80_000;

/// Which operations are near to what the verdict tells of, by the index of their invocation.
pub(super) struct Near {
    around: Range<u64>,
    told: BTreeSet<u64>,
}

impl Near {
    pub(super) fn of(verdict: &Verdict) -> Near {
        let witnesses = || verdict.checks.iter().filter_map(|check| check.witness.as_ref());
        let told: BTreeSet<u64> =
            witnesses().flat_map(|witness| witness.operations.iter().copied()).collect();
        let blamed = witnesses().find_map(|witness| witness.operations.last().copied());
        let reached = verdict.checks.iter().find_map(|check: &Check| check.reached);
        let from = blamed.or(reached).unwrap_or(0).saturating_sub(DRAWN / 2);
        Near { around: from..from + DRAWN, told }
    }

    fn has(&self, index: u64) -> bool {
        self.around.contains(&index) || self.told.contains(&index)
    }

    /// The deeds of a history from elsewhere.
    pub(super) fn deeds(&self, file: &Path, options: Options) -> Result<Vec<Deed>, ReadError> {
        let keep = &mut |deed: Deed| self.has(deed.invoke).then_some(deed);
        Ok(foreign::pick(file, options, usize::MAX, keep)?.deeds)
    }

    /// The events of one of zoobreak's own, and what else happened before.
    pub(super) fn events(&self, file: &Path) -> anyhow::Result<Vec<Event>> {
        let mut open = BTreeSet::new();
        let last = self.told.last().map_or(0, |last| last + DRAWN).max(self.around.end);
        pick(file, last, &mut |event| match (&event.process, event.kind) {
            (Process::Client(client), Kind::Invoke) => {
                self.has(event.index) && open.insert(*client)
            }
            (Process::Client(client), _) => open.remove(client),
            (Process::Part(_), _) => self.has(event.index) || is_rare(event),
        })
    }
}

/// All events of a history.
pub(super) fn events(file: &Path) -> anyhow::Result<Vec<Event>> {
    pick(file, u64::MAX, &mut |_| true)
}

/// Faults, roles, phases: a long run has few of them.
fn is_rare(event: &Event) -> bool {
    ![f::WATCH, f::DIGEST].contains(&event.f.as_str())
}

/// The events that are wanted up to the one of index `last`. The checker has read the history so far; where
/// a line makes no sense, it has read no further.
fn pick(
    path: &Path,
    last: u64,
    wanted: &mut dyn FnMut(&Event) -> bool,
) -> anyhow::Result<Vec<Event>> {
    let failed = || path.display().to_string();
    let mut file = BufReader::new(File::open(path).with_context(failed)?);
    let (mut events, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).with_context(failed)?;
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) if event.index <= last => events.extend(wanted(&event).then_some(event)),
            Ok(_) | Err(_) => return Ok(events),
        }
    }
}

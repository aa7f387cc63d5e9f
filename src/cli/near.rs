//! The part of a history that is drawn: all of it, or what is near to what matters.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use checker::{Check, Verdict};
use history::foreign::{self, Deed, Options};
use history::{Event, Kind, Process, ReadError};

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

    /// The events of one of zoobreak's own.
    pub(super) fn events(&self, file: &Path) -> anyhow::Result<Vec<Event>> {
        let mut open = BTreeSet::new();
        pick(file, &mut |event| match (&event.process, event.kind) {
            (Process::Client(client), Kind::Invoke) => {
                self.has(event.index) && open.insert(*client)
            }
            (Process::Client(client), _) => open.remove(client),
            (Process::Part(_), _) => self.has(event.index),
        })
    }
}

/// All events of a history.
pub(super) fn events(file: &Path) -> anyhow::Result<Vec<Event>> {
    pick(file, &mut |_| true)
}

/// The events that are wanted, of a history that the checker has read, up to a last line that was cut.
fn pick(path: &Path, wanted: &mut dyn FnMut(&Event) -> bool) -> anyhow::Result<Vec<Event>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut events = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| path.display().to_string())?;
        match serde_json::from_str(&line) {
            Ok(event) if wanted(&event) => events.push(event),
            Ok(_) => {}
            Err(error) if error.is_eof() => break,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    Ok(events)
}

//! Histories of runs, read back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use history::{Event, Kind, Process, Recorder};
use tempfile::TempDir;

/// A recorder, and the file that it writes.
pub(crate) struct Recording {
    pub(crate) recorder: Recorder,
    path: PathBuf,
    _dir: TempDir,
}

impl Recording {
    pub(crate) fn start() -> Recording {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("history.jsonl");
        Recording { recorder: Recorder::create(&path).unwrap(), path, _dir: dir }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// An operation: its invocation and its completion.
pub(crate) type Operation = (Event, Event);

/// Pairs invocations with completions by process, in order of completion. Panics when they do
/// not pair: a process invokes only when nothing of it is open, a completion has its
/// invocation's `f` and `key`, and nothing is left open.
pub(crate) fn pair(events: &[Event]) -> Vec<Operation> {
    let mut open: BTreeMap<Process, Event> = BTreeMap::new();
    let mut operations = Vec::new();
    for event in events.iter().cloned() {
        if event.kind == Kind::Invoke {
            let before = open.insert(event.process.clone(), event);
            assert!(before.is_none(), "invoked while open: {before:?}");
        } else {
            let invoke = open.remove(&event.process).expect("a completion has an invocation");
            assert_eq!((&invoke.f, &invoke.key), (&event.f, &event.key));
            operations.push((invoke, event));
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    operations
}

/// The completions of operation `f` with `kind`.
pub(crate) fn completions<'a>(operations: &'a [Operation], f: &str, kind: Kind) -> Vec<&'a Event> {
    operations.iter().map(|(_, done)| done).filter(|e| e.f == f && e.kind == kind).collect()
}

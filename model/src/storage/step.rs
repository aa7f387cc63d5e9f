//! What may happen next, and what comes of it.

use serde::{Deserialize, Serialize};

use super::Flaw;
use super::files::{Name, Survivors};
use super::state::{Op, State};
use crate::catalogue::Bounds;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A transaction is appended.
    Append,
    /// A newer epoch is promised.
    Promise,
    /// A snapshot is begun.
    Snapshot,
    /// The thread that writes log and epoch takes its next step.
    Write,
    /// The thread that writes snapshots does.
    Copy,
    /// The process is killed: what it wrote is there, synced or not.
    Kill,
    /// The power goes, and with it what was not synced, but for these: a bit each.
    PowerCut {
        /// Sectors of files.
        sectors: u16,
        /// Changes of names.
        names: u16,
    },
    /// The server comes back.
    Start,
}

impl Action {
    /// All names.
    pub(crate) const NAMES: [&str; 8] =
        ["append", "promise", "snapshot", "write", "copy", "kill", "power-cut", "start"];

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Action::Append => "append",
            Action::Promise => "promise",
            Action::Snapshot => "snapshot",
            Action::Write => "write",
            Action::Copy => "copy",
            Action::Kill => "kill",
            Action::PowerCut { .. } => "power-cut",
            Action::Start => "start",
        }
    }
}

/// Adds every action that `state` allows within the bounds.
pub(crate) fn offer(state: &State, bounds: &Bounds, actions: &mut Vec<Action>) {
    if !state.ghost.broken.is_empty() {
        return;
    }
    let Some(process) = &state.process else { return actions.push(Action::Start) };
    let used = &state.used;
    let may = [
        (Action::Append, used.txns < bounds.txns),
        (Action::Promise, used.elections < bounds.elections),
        (Action::Snapshot, used.syncs < bounds.syncs && process.may_snapshot()),
        (Action::Write, !process.writer.is_empty()),
        (Action::Copy, !process.snapshots.is_empty()),
        (Action::Kill, used.crashes < bounds.crashes),
    ];
    actions.extend(may.into_iter().filter(|(_, may)| *may).map(|(action, _)| action));
    if used.crashes < bounds.crashes {
        let (sectors, names) = state.disk.at_stake();
        let cuts = (0..1 << sectors)
            .flat_map(|sectors| (0..1 << names).map(move |names| (sectors, names)));
        actions.extend(cuts.map(|(sectors, names)| Action::PowerCut { sectors, names }));
    }
}

impl State {
    pub(crate) fn take(&mut self, action: Action, flaw: Option<Flaw>) {
        match action {
            Action::Start => return self.start(flaw),
            Action::Kill | Action::PowerCut { .. } => {
                self.used.crashes += 1;
                self.process = None;
            }
            _ => {}
        }
        if let Action::PowerCut { sectors, names } = action {
            self.disk.cut_power(Survivors { sectors, names });
        }
        let Some(process) = &mut self.process else { return };
        let mut next = None;
        match action {
            Action::Append => {
                self.used.txns += 1;
                let value = self.used.txns.try_into().expect("bounds are small");
                self.ghost.history.push(value);
                process.waiting += 1;
                process.begin_batch(flaw);
            }
            Action::Promise => {
                self.used.elections += 1;
                process.begin_promise(flaw);
            }
            Action::Snapshot => {
                self.used.syncs += 1;
                process.begin_snapshot(flaw);
            }
            Action::Write => next = process.writer.pop_front(),
            Action::Copy => next = process.snapshots.pop_front(),
            Action::Kill | Action::PowerCut { .. } | Action::Start => {}
        }
        next.into_iter().for_each(|op| self.perform(op, flaw));
    }
}

/// What `action` does in the state `before`, in words.
pub(crate) fn tell(before: &State, action: &Action, flaw: Option<Flaw>) -> String {
    match action {
        Action::Append => format!("entry {} is appended", before.ghost.history.len() + 1),
        Action::Promise => "a newer epoch is to be promised".to_owned(),
        Action::Snapshot => "a snapshot is begun".to_owned(),
        Action::Write => thread(before, "writer", |process| process.writer.front()),
        Action::Copy => thread(before, "snapshot", |process| process.snapshots.front()),
        Action::Kill => "the process is killed".to_owned(),
        Action::PowerCut { sectors, names } => {
            let (all_sectors, all_names) = before.disk.at_stake();
            format!(
                "the power goes: of what was not synced, {} of {all_sectors} sectors and {} of {all_names} changes of \
                 names survive",
                sectors.count_ones(),
                names.count_ones()
            )
        }
        Action::Start => {
            let mut after = before.clone();
            after.start(flaw);
            match after.process {
                Some(process) => format!(
                    "the server starts, with {} entries, the state {:?} and epoch {}",
                    process.applied, process.tree, process.epoch
                ),
                None => "the server does not start".to_owned(),
            }
        }
    }
}

fn thread<'a>(
    before: &'a State,
    name: &str,
    next: impl FnOnce(&'a super::state::Process) -> Option<&'a Op>,
) -> String {
    let op = before.process.as_ref().and_then(next);
    op.map_or_else(String::new, |op| format!("{name}: {}", words(op)))
}

fn words(op: &Op) -> String {
    match op {
        Op::Create(name) => format!("creates {}", file(*name)),
        Op::Append(name, bytes) => format!("writes {} bytes to {}", bytes.len(), file(*name)),
        Op::AppendEntries(name, 1) => format!("writes an entry to {}", file(*name)),
        Op::AppendEntries(name, n) => format!("writes {n} entries to {}", file(*name)),
        Op::AppendCopy => format!("writes what was copied to {}", file(Name::SnapshotBeside)),
        Op::Sync(name) => format!("syncs {}", file(*name)),
        Op::SyncNames => "syncs the directory".to_owned(),
        Op::Rename(from, to) => format!("renames {} to {}", file(*from), file(*to)),
        Op::Prune(begun) => format!("removes what snapshots before entry {begun} would need"),
        Op::Copy(key) => format!("copies key {key}"),
        Op::ReportEntries(1) => "reports that the entry is durable".to_owned(),
        Op::ReportEntries(n) => format!("reports that {n} entries are durable"),
        Op::ReportEpoch(epoch) => format!("reports that epoch {epoch} is durable"),
    }
}

fn file(name: Name) -> String {
    match name {
        Name::Epoch => "the epoch's file".to_owned(),
        Name::EpochBeside => "the file beside the epoch's".to_owned(),
        Name::Log(first) => format!("log.{first}"),
        Name::Snapshot(begun) => format!("snapshot.{begun}"),
        Name::SnapshotBeside => "the file beside the snapshot".to_owned(),
    }
}

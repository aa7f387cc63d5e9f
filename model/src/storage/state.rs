//! One server's storage at one moment: the disk, what the process is at, and what it has promised.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use zab::Zxid;

use super::Flaw;
use super::files::{FileSystem, Name};
use crate::catalogue::Bounds;

/// Keys of the state: an entry sets one of them.
pub(crate) const KEYS: usize = 2;
/// So large that a sector in the middle of it may be lost.
const BODY: usize = 1100;

/// What a key holds; 0 before it is set.
pub(crate) type Value = u8;
/// The state after some entries.
pub(crate) type Tree = [Value; KEYS];

/// A transaction as it is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Txn {
    pub(crate) value: Value,
    body: Vec<u8>,
}

pub(crate) fn entry(number: u8, value: Value) -> zab::Entry<Txn> {
    zab::Entry { zxid: Zxid::new(1, number.into()), txn: Txn { value, body: vec![0xab; BODY] } }
}

/// The first entry sets the first key, the next the next one.
pub(crate) fn set(tree: &mut Tree, number: u8, value: Value) {
    tree[(usize::from(number) + KEYS - 1) % KEYS] = value;
}

/// The disk, the process, and what was promised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) disk: FileSystem,
    /// None while it is down.
    pub(crate) process: Option<Process>,
    pub(crate) ghost: Ghost,
    /// What of the bounds is used up: of syncs, snapshots, and of elections, promises.
    pub(crate) used: Bounds,
}

/// What nobody knows but us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// The value of every entry that was appended, but for those that a crash took.
    pub(crate) history: Vec<Value>,
    /// So many entries were reported as durable.
    pub(crate) reported: u8,
    /// This epoch was.
    pub(crate) promised: u8,
    /// The invariants that a restart broke, and how. Nothing happens after it.
    pub(crate) broken: Vec<(&'static str, String)>,
}

/// A server's memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    /// So many entries are applied, since they are durable.
    pub(crate) applied: u8,
    pub(crate) tree: Tree,
    pub(crate) epoch: u8,
    /// Appended, and waiting for the writer.
    pub(crate) waiting: u8,
    /// The segment that appends go to; none when the next one begins another.
    pub(crate) segment: Option<Name>,
    /// What the thread that writes log and epoch does next.
    pub(crate) writer: VecDeque<Op>,
    /// What the thread that writes snapshots does next.
    pub(crate) snapshots: VecDeque<Op>,
    /// A snapshot: begun after this entry, and what was copied so far.
    pub(crate) copy: (u8, Tree),
}

/// A step of a thread; those that concern the disk are system calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Create(Name),
    Append(Name, Vec<u8>),
    /// So many waiting entries, as one write.
    AppendEntries(Name, u8),
    /// What was copied is written.
    AppendCopy,
    Sync(Name),
    SyncNames,
    Rename(Name, Name),
    /// What only older snapshots would need is removed.
    Prune(u8),
    /// A key is copied for a snapshot.
    Copy(usize),
    /// The server hears that these are durable: entries, or the epoch.
    ReportEntries(u8),
    ReportEpoch(u8),
}

/// What a thread of a server with this flaw does.
fn program(flaw: Option<Flaw>, steps: impl IntoIterator<Item = Op>) -> impl Iterator<Item = Op> {
    steps.into_iter().filter(move |op| match op {
        Op::Sync(_) => flaw != Some(Flaw::NoSync),
        Op::SyncNames => !matches!(flaw, Some(Flaw::NoSync | Flaw::NoNames)),
        _ => true,
    })
}

impl Process {
    pub(crate) fn new(applied: u8, tree: Tree, epoch: u8, segment: Option<Name>) -> Process {
        Process {
            applied,
            tree,
            epoch,
            waiting: 0,
            segment,
            writer: VecDeque::new(),
            snapshots: VecDeque::new(),
            copy: (0, Tree::default()),
        }
    }

    /// All that waits is written at once, when the writer has nothing else to do.
    pub(crate) fn begin_batch(&mut self, flaw: Option<Flaw>) {
        if self.waiting == 0 || !self.writer.is_empty() {
            return;
        }
        let n = std::mem::take(&mut self.waiting);
        let name = self.segment.unwrap_or(Name::Log(self.applied + 1));
        let header = || journal::HEADER.to_vec();
        let begin = [Op::Create(name), Op::Append(name, header()), Op::Sync(name), Op::SyncNames];
        let new = self.segment.replace(name).is_none();
        let begin = begin.into_iter().filter(|_| new);
        let rest = [Op::AppendEntries(name, n), Op::Sync(name), Op::ReportEntries(n)];
        self.writer.extend(program(flaw, begin.chain(rest)));
    }

    /// One at a time, and not before there is something in it.
    pub(crate) fn may_snapshot(&self) -> bool {
        self.snapshots.is_empty() && self.applied > 0
    }

    /// The file is written beside the old one, and renamed.
    pub(crate) fn begin_promise(&mut self, flaw: Option<Flaw>) {
        use Name::{Epoch, EpochBeside};
        self.epoch += 1;
        let steps = [
            Op::Create(EpochBeside),
            Op::Append(EpochBeside, with_checksum(&[self.epoch])),
            Op::Sync(EpochBeside),
            Op::Rename(EpochBeside, Epoch),
            Op::SyncNames,
            Op::ReportEpoch(self.epoch),
        ];
        self.writer.extend(program(flaw, steps));
    }

    /// The next append begins another segment.
    pub(crate) fn begin_snapshot(&mut self, flaw: Option<Flaw>) {
        use Name::{Snapshot, SnapshotBeside};
        let begun = self.applied;
        self.segment = None;
        self.copy = (begun, Tree::default());
        let steps = [
            Op::Create(SnapshotBeside),
            Op::AppendCopy,
            Op::Sync(SnapshotBeside),
            Op::Rename(SnapshotBeside, Snapshot(begun)),
            Op::SyncNames,
            Op::Prune(begun),
        ];
        self.snapshots.extend(program(flaw, (0..KEYS).map(Op::Copy).chain(steps)));
    }
}

/// A small file's bytes: contents and their checksum.
pub(crate) fn with_checksum(contents: &[u8]) -> Vec<u8> {
    let sum = contents.iter().fold(0x5a, |sum: u8, byte| sum.wrapping_mul(31) ^ byte);
    contents.iter().copied().chain([sum]).collect()
}

/// The contents, if the checksum is right.
pub(crate) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (_, contents) = bytes.split_last()?;
    (with_checksum(contents) == bytes).then_some(contents)
}

impl State {
    /// A thread takes its next step.
    pub(crate) fn perform(&mut self, op: Op, flaw: Option<Flaw>) {
        let State { disk, process, ghost, .. } = self;
        let Some(process) = process else { return };
        match op {
            Op::Create(name) => disk.create(name),
            Op::Append(name, bytes) => disk.append(name, &bytes),
            Op::AppendEntries(name, n) => {
                let bytes = records(disk, process.applied, n, &ghost.history, name);
                disk.append(name, &bytes);
            }
            Op::AppendCopy => {
                let (_, tree) = process.copy;
                let bytes = [tree.as_slice(), &[process.applied]].concat();
                disk.append(Name::SnapshotBeside, &with_checksum(&bytes));
            }
            Op::Sync(name) => disk.sync(name),
            Op::SyncNames => disk.sync_names(),
            Op::Rename(from, to) => disk.rename(from, to),
            Op::Prune(begun) => prune(disk, begun),
            Op::Copy(key) => process.copy.1[key] = process.tree[key],
            Op::ReportEntries(n) => {
                for number in process.applied + 1..=process.applied + n {
                    let value = ghost.history[usize::from(number) - 1];
                    set(&mut process.tree, number, value);
                }
                process.applied += n;
                ghost.reported = process.applied;
            }
            Op::ReportEpoch(epoch) => ghost.promised = epoch,
        }
        process.begin_batch(flaw);
    }
}

/// The next `n` entries as the log has them.
fn records(disk: &FileSystem, applied: u8, n: u8, history: &[Value], name: Name) -> Vec<u8> {
    let length = disk.read(name).map_or(0, <[u8]>::len) as u64;
    let mut bytes = Vec::new();
    for number in applied + 1..=applied + n {
        let entry = entry(number, history[usize::from(number) - 1]);
        journal::write(&entry, length + bytes.len() as u64, length, &mut bytes);
    }
    bytes
}

/// Older snapshots go, and segments whose entries are all in this one; one after the other.
fn prune(disk: &mut FileSystem, begun: u8) {
    let names: Vec<Name> = disk.names().collect();
    let segments: Vec<u8> = names
        .iter()
        .filter_map(|name| if let Name::Log(first) = name { Some(*first) } else { None })
        .collect();
    for name in names {
        let goes = match name {
            Name::Snapshot(older) => older < begun,
            Name::Log(first) => segments.iter().any(|next| *next > first && *next <= begun + 1),
            _ => false,
        };
        if goes {
            disk.remove(name);
        }
    }
}

//! A file system that keeps after a power cut what was synced, and of the rest anything.
//!
//! Sectors of a file are written whole or not at all, in any order; names change one by one, in any order. That is
//! all that POSIX and disks promise; most file systems do better (`docs/faults.md`).

use std::collections::BTreeMap;

/// Disks write sectors of this size whole.
const SECTOR: usize = 512;

/// A name in the server's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    /// The accepted epoch.
    Epoch,
    /// The epoch, before it is renamed.
    EpochBeside,
    /// A segment of the log, from this entry on.
    Log(u8),
    /// A snapshot that was begun after this entry.
    Snapshot(u8),
    /// A snapshot, before it is renamed.
    SnapshotBeside,
}

/// A file's bytes: after a sync, and now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct File {
    synced: Vec<u8>,
    written: Vec<u8>,
}

type Names = BTreeMap<Name, u8>;

/// One name set, and one removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Change {
    set: Option<(Name, u8)>,
    removed: Option<Name>,
}

/// What survives a power cut of what was not synced: a bit each, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Survivors {
    pub(crate) sectors: u16,
    pub(crate) names: u16,
}

/// A directory and its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FileSystem {
    files: BTreeMap<u8, File>,
    names: Names,
    /// As they were when the directory was synced last.
    synced_names: Names,
    /// What was done to them since.
    changes: Vec<Change>,
}

impl FileSystem {
    pub(crate) fn names(&self) -> impl DoubleEndedIterator<Item = Name> {
        self.names.keys().copied()
    }

    pub(crate) fn read(&self, name: Name) -> Option<&[u8]> {
        self.names.get(&name).map(|number| self.files[number].written.as_slice())
    }

    pub(crate) fn create(&mut self, name: Name) {
        let number = self.files.keys().next_back().map_or(0, |last| last + 1);
        self.files.insert(number, File::default());
        self.change(Change { set: Some((name, number)), removed: None });
    }

    pub(crate) fn append(&mut self, name: Name, bytes: &[u8]) {
        self.file(name).written.extend_from_slice(bytes);
    }

    /// Cuts a file back, durably.
    pub(crate) fn cut(&mut self, name: Name, length: usize) {
        let file = self.file(name);
        file.written.truncate(length);
        file.synced.clone_from(&file.written);
    }

    pub(crate) fn sync(&mut self, name: Name) {
        let file = self.file(name);
        file.synced.clone_from(&file.written);
    }

    pub(crate) fn rename(&mut self, from: Name, to: Name) {
        let number = self.names[&from];
        self.change(Change { set: Some((to, number)), removed: Some(from) });
    }

    pub(crate) fn remove(&mut self, name: Name) {
        self.change(Change { set: None, removed: Some(name) });
    }

    pub(crate) fn sync_names(&mut self) {
        self.synced_names.clone_from(&self.names);
        self.changes.clear();
        self.forget_nameless();
    }

    /// How many sectors, and changes of names, are not synced.
    pub(crate) fn at_stake(&self) -> (usize, usize) {
        (self.files.values().map(|file| file.dirty().len()).sum(), self.changes.len())
    }

    pub(crate) fn cut_power(&mut self, survivors: Survivors) {
        let Survivors { mut sectors, names } = survivors;
        for file in self.files.values_mut() {
            let n = file.dirty().len();
            file.cut_power(sectors);
            sectors >>= n;
        }
        let changes = std::mem::take(&mut self.changes);
        let kept = changes.iter().enumerate().filter(|(idx, _)| names & 1 << idx != 0);
        let mut left = self.synced_names.clone();
        kept.for_each(|(_, change)| change.apply(&mut left));
        (self.names, self.synced_names) = (left.clone(), left);
        self.forget_nameless();
    }

    fn file(&mut self, name: Name) -> &mut File {
        self.files.get_mut(&self.names[&name]).expect("a name is of a file")
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn forget_nameless(&mut self) {
        let FileSystem { files, names, .. } = self;
        files.retain(|number, _| names.values().any(|named| named == number));
    }
}

impl Change {
    fn apply(&self, names: &mut Names) {
        names.retain(|name, _| Some(*name) != self.removed);
        names.extend(self.set);
    }
}

impl File {
    /// The sectors that are not synced.
    fn dirty(&self) -> std::ops::Range<usize> {
        if self.synced == self.written {
            return 0..0;
        }
        self.synced.len() / SECTOR..self.written.len().div_ceil(SECTOR)
    }

    /// A file is as long as the last sector that was written, and has zeros where none was.
    fn cut_power(&mut self, survivors: u16) {
        let kept = |idx: &usize| survivors & 1 << (idx - self.synced.len() / SECTOR) != 0;
        let mut left = self.synced.clone();
        for sector in self.dirty().filter(kept) {
            let (start, end) = (sector * SECTOR, ((sector + 1) * SECTOR).min(self.written.len()));
            left.resize(end.max(left.len()), 0);
            left[start..end].copy_from_slice(&self.written[start..end]);
        }
        (self.synced, self.written) = (left.clone(), left);
    }
}

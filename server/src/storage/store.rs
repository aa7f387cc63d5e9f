//! The store as a whole: what a server knows after a crash.

use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::{Entry, Zxid};

use super::StorageError;
use super::file::{sync_names, sync_parent};
use super::log::Segment;
use super::snapshot;
use super::state::State;
use crate::Mutant;

/// Snapshots kept unless [told](Store::keep_snapshots) otherwise, as in ZooKeeper
/// (`autopurge.snapRetainCount`).
const SNAPSHOTS_KEPT: usize = 3;

/// The files of one server: entries `T`, states `S`. Appends are durable after [`sync`](Store::sync); everything else when
/// the call returns.
#[derive(Debug)]
pub struct Store<T, S> {
    root: PathBuf,
    state: State,
    segments: Vec<Segment>,
    /// Start a new segment with the next append.
    roll: bool,
    snapshots_kept: usize,
    mutant: Option<Mutant>,
    holds: PhantomData<fn(T, S)>,
}

/// What a server finds when it starts.
#[derive(Debug)]
pub struct Recovered<T, S> {
    /// `acceptedEpoch`.
    pub accepted_epoch: u32,
    /// `currentEpoch`.
    pub current_epoch: u32,
    /// The newest configuration known to be committed; zero if none is.
    pub settled: Zxid,
    /// The newest readable snapshot.
    pub snapshot: Option<(Zxid, S)>,
    /// The log after it.
    pub log: Vec<Entry<T>>,
    /// What was repaired or passed over, in words.
    pub notes: Vec<String>,
}

impl<T, S> Store<T, S>
where
    T: Serialize + DeserializeOwned,
    S: Serialize + DeserializeOwned,
{
    /// Opens the store under `data_dir`, or makes a new one.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged where a crash cannot have damaged it.
    pub fn open(data_dir: &Path) -> Result<(Self, Recovered<T, S>), StorageError> {
        Store::open_as(data_dir, None)
    }

    /// The same for a server that may have a defect of its log.
    pub(crate) fn open_as(
        data_dir: &Path,
        mutant: Option<Mutant>,
    ) -> Result<(Self, Recovered<T, S>), StorageError> {
        let root = data_dir.join("zoobreak");
        fs::create_dir_all(&root).map_err(|error| StorageError::io(&root, error))?;
        let state = read_state(&root)?;
        let mut store = Store {
            root,
            state,
            segments: Vec::new(),
            roll: true,
            snapshots_kept: SNAPSHOTS_KEPT,
            mutant,
            holds: PhantomData,
        };
        let directory = store.directory();
        fs::create_dir_all(&directory).map_err(|error| StorageError::io(&directory, error))?;
        sync_parent(&directory)?;
        sync_parent(&store.root)?;
        store.remove_other_generations()?;
        remove_unfinished(&directory)?;
        let recovered = store.recover()?;
        // A server that was killed may have made names that were never synced.
        sync_names(&directory)?;
        Ok((store, recovered))
    }

    /// How many snapshots to keep when the next one is written, with the log since the oldest.
    pub fn keep_snapshots(&mut self, n: usize) {
        self.snapshots_kept = n;
    }

    /// Adds an entry to the log; durable after the next [`sync`](Store::sync).
    ///
    /// # Errors
    /// When a new segment cannot be made.
    pub fn append(&mut self, entry: &Entry<T>) -> Result<(), StorageError> {
        if self.roll || self.segments.is_empty() {
            self.sync()?;
            self.segments.push(Segment::create(&self.directory(), entry.zxid, self.mutant)?);
            self.roll = false;
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.append(entry);
        }
        Ok(())
    }

    /// Are there appends that are not durable yet?
    pub(super) fn is_dirty(&self) -> bool {
        self.segments.last().is_some_and(Segment::is_dirty)
    }

    /// Makes every append so far durable.
    ///
    /// # Errors
    /// When the disk refuses. What was appended may or may not be durable then: stop.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.segments.last_mut().map_or(Ok(()), Segment::sync)
    }

    /// Drops every entry after `after`, and every snapshot that holds one of them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn truncate(&mut self, after: Zxid) -> Result<(), StorageError> {
        self.sync()?;
        for (zxid, path) in listed(&self.directory(), "snapshot.")? {
            if zxid > after {
                remove(&path)?;
            }
        }
        while let Some(segment) = self.segments.last_mut() {
            if segment.first().is_some_and(|first| first <= after) {
                return segment.truncate::<T>(after);
            }
            remove(segment.path())?;
            self.segments.pop();
        }
        Ok(())
    }

    /// Saves both epochs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save_epochs(&mut self, accepted: u32, current: u32) -> Result<(), StorageError> {
        self.save(State { accepted_epoch: accepted, current_epoch: current, ..self.state })
    }

    /// Saves that the configuration of this version is committed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save_settled(&mut self, version: Zxid) -> Result<(), StorageError> {
        self.save(State { settled: version.0, ..self.state })
    }

    fn save(&mut self, state: State) -> Result<(), StorageError> {
        self.sync()?;
        state.write(&self.root.join("state"))?;
        self.state = state;
        Ok(())
    }

    /// Replaces snapshot and log by these: a new generation beside the old one, then the switch.
    ///
    /// # Errors
    /// When the disk refuses; the old generation is then still in force.
    pub fn install(
        &mut self,
        zxid: Zxid,
        state_after: &S,
        log: &[Entry<T>],
    ) -> Result<(), StorageError> {
        let state = State { generation: self.state.generation + 1, ..self.state };
        let directory = self.root.join(generation_name(state.generation));
        fs::create_dir(&directory).map_err(|error| StorageError::io(&directory, error))?;
        snapshot::write(&directory, zxid, state_after)?;
        let mut segments = Vec::new();
        if let Some(first) = log.first() {
            let mut segment = Segment::create(&directory, first.zxid, self.mutant)?;
            log.iter().for_each(|entry| segment.append(entry));
            segment.sync()?;
            segments.push(segment);
        }
        sync_parent(&directory)?;
        state.write(&self.root.join("state"))?;
        self.state = state;
        self.segments = segments;
        self.roll = false;
        self.remove_other_generations()
    }

    /// Writes a snapshot of the state after `zxid`: `begin_snapshot`, `Unwritten::write` and
    /// `end_snapshot` in one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn snapshot(&mut self, zxid: Zxid, state: S) -> Result<(), StorageError> {
        self.begin_snapshot(zxid, state)?.write()?;
        self.end_snapshot()
    }

    /// Begins a snapshot of the state after `zxid`, which any thread may write while this one goes
    /// on with the log. What it holds is durable in the log before; the next append starts a new
    /// segment.
    pub(super) fn begin_snapshot(
        &mut self,
        zxid: Zxid,
        state: S,
    ) -> Result<Unwritten<S>, StorageError> {
        self.sync()?;
        self.roll = true;
        Ok(Unwritten { directory: self.directory(), zxid, state })
    }

    /// A snapshot is written: deletes what only older ones would need.
    pub(super) fn end_snapshot(&mut self) -> Result<(), StorageError> {
        let names = listed(&self.directory(), "snapshot.")?;
        let Some(surplus) = names.len().checked_sub(self.snapshots_kept) else { return Ok(()) };
        let oldest = names[surplus].0;
        for (_, path) in &names[..surplus] {
            remove(path)?;
        }
        while self.segments.len() > 1 && self.segments[0].last().is_none_or(|last| last <= oldest) {
            remove(self.segments.remove(0).path())?;
        }
        Ok(())
    }

    /// The state in the snapshot after `zxid`.
    ///
    /// # Errors
    /// When there is none that is readable.
    pub(super) fn load(&self, zxid: Zxid) -> Result<S, StorageError> {
        let path = snapshot::path(&self.directory(), zxid);
        snapshot::read(&path)?.ok_or_else(|| StorageError::damaged(&path, 0, "a wrong checksum"))
    }

    fn directory(&self) -> PathBuf {
        self.root.join(generation_name(self.state.generation))
    }

    fn recover(&mut self) -> Result<Recovered<T, S>, StorageError> {
        let mut notes = Vec::new();
        let snapshot = self.newest_snapshot(&mut notes)?;
        let base = snapshot.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        let mut log = Vec::new();
        let names = listed(&self.directory(), "log.")?;
        for (n, (_, path)) in names.iter().enumerate() {
            let contents = Segment::open::<T>(path, n + 1 == names.len(), self.mutant)?;
            notes.extend(contents.repaired);
            log.extend(contents.entries.into_iter().filter(|entry| entry.zxid > base));
            self.segments.push(contents.segment);
        }
        self.roll = self.segments.is_empty();
        Ok(Recovered {
            accepted_epoch: self.state.accepted_epoch,
            current_epoch: self.state.current_epoch,
            settled: Zxid(self.state.settled),
            snapshot,
            log,
            notes,
        })
    }

    /// The newest snapshot with a right checksum. Passing over a damaged one is safe only when an
    /// older one is there, for the log is kept from the oldest on.
    fn newest_snapshot(&self, notes: &mut Vec<String>) -> Result<Option<(Zxid, S)>, StorageError> {
        let names = listed(&self.directory(), "snapshot.")?;
        let mut damaged = None;
        for (zxid, path) in names.iter().rev() {
            if let Some(state) = snapshot::read(path)? {
                return Ok(Some((*zxid, state)));
            }
            notes.push(format!("{}: wrong checksum, passed over", path.display()));
            damaged = Some(path);
        }
        match damaged {
            Some(path) => Err(StorageError::damaged(path, 0, "no snapshot is readable")),
            // Each generation but the first begins with one.
            None if self.state.generation > 0 => {
                Err(StorageError::damaged(&self.directory(), 0, "its snapshot is missing"))
            }
            None => Ok(None),
        }
    }

    /// Deletes what an interrupted or finished switch left behind.
    fn remove_other_generations(&self) -> Result<(), StorageError> {
        for path in other_generations(&self.root, &self.directory())? {
            fs::remove_dir_all(&path).map_err(|error| StorageError::io(&path, error))?;
        }
        Ok(())
    }
}

/// The state file. A new server writes one before anything else, so that one that has a log
/// without it has lost its promises, and its data must not be taken for leftovers.
fn read_state(root: &Path) -> Result<State, StorageError> {
    let path = root.join("state");
    if let Some(state) = State::read(&path)? {
        return Ok(state);
    }
    for generation in other_generations(root, &path)? {
        let files = |prefix| listed(&generation, prefix).map(|files| files.len());
        if files("log.")? + files("snapshot.")? > 0 {
            return Err(StorageError::NoState { path, data: generation, root: root.to_owned() });
        }
    }
    let state = State::default();
    state.write(&path)?;
    Ok(state)
}

/// A snapshot to be written.
pub(super) struct Unwritten<S> {
    directory: PathBuf,
    zxid: Zxid,
    state: S,
}

impl<S: Serialize> Unwritten<S> {
    pub(super) fn write(&self) -> Result<(), StorageError> {
        snapshot::write(&self.directory, self.zxid, &self.state)
    }
}

/// The generations that are not in force.
pub(super) fn other_generations(
    root: &Path,
    in_force: &Path,
) -> Result<Vec<PathBuf>, StorageError> {
    let mut others = Vec::new();
    for entry in fs::read_dir(root).map_err(|error| StorageError::io(root, error))? {
        let entry = entry.map_err(|error| StorageError::io(root, error))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix('g'));
        let is_generation = number.is_some_and(|number| number.parse::<u64>().is_ok());
        if is_generation && entry.path() != in_force {
            others.push(entry.path());
        }
    }
    Ok(others)
}

pub(super) fn generation_name(generation: u64) -> String {
    format!("g{generation}")
}

fn remove(path: &Path) -> Result<(), StorageError> {
    fs::remove_file(path).map_err(|error| StorageError::io(path, error))?;
    sync_parent(path)
}

/// Deletes what a crash left of files that were being written.
fn remove_unfinished(directory: &Path) -> Result<(), StorageError> {
    for entry in fs::read_dir(directory).map_err(|error| StorageError::io(directory, error))? {
        let path = entry.map_err(|error| StorageError::io(directory, error))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The files `<prefix><zxid>` of a directory, by zxid.
pub(super) fn listed(directory: &Path, prefix: &str) -> Result<Vec<(Zxid, PathBuf)>, StorageError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| StorageError::io(directory, error))? {
        let entry = entry.map_err(|error| StorageError::io(directory, error))?;
        let name = entry.file_name();
        let zxid = name.to_str().and_then(|name| name.strip_prefix(prefix));
        if let Some(zxid) = zxid.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            found.push((Zxid(zxid), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The files as they are now, to see what a crash at this moment would leave.
#[cfg(test)]
pub(super) fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let copy = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => {
                fs::create_dir(&copy).unwrap();
                copy_files(&entry.path(), &copy);
            }
            false => drop(fs::copy(entry.path(), copy).unwrap()),
        }
    }
}

#[cfg(test)]
mod tests;

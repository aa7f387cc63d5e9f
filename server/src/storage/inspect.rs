//! Looks at a store without touching it: what is there, what is damaged, what recovery would do.
//!
//! The rules are those of [`Store::open`](super::Store::open), which see; here nothing is written.

use std::fs;
use std::path::{Path, PathBuf};

use journal::{Cause, Record};
use serde::de::DeserializeOwned;
use zab::{Entry, ServerId, Zxid};

use super::StorageError;
use super::diverged::Diverged;
use super::owner::owner;
use super::snapshot;
use super::state::State;
use super::store::{generation_name, listed, other_generations};

/// What the files under a data directory hold.
#[derive(Debug)]
pub struct Inspection<T, S> {
    /// `acceptedEpoch`.
    pub accepted_epoch: u32,
    /// `currentEpoch`.
    pub current_epoch: u32,
    /// The server whose they are; `None` without a mark.
    pub owner: Option<ServerId>,
    /// The directory in force.
    pub directory: PathBuf,
    /// Left by a server that stopped because its state was wrong.
    pub diverged: Option<Diverged>,
    /// Directories that a start would delete: what an interrupted switch left behind.
    pub leftovers: Vec<PathBuf>,
    /// Oldest first.
    pub snapshots: Vec<SnapshotFile<S>>,
    /// Oldest first.
    pub segments: Vec<SegmentFile<T>>,
}

/// One snapshot.
#[derive(Debug)]
pub struct SnapshotFile<S> {
    /// The file.
    pub path: PathBuf,
    /// The zxid of the state.
    pub zxid: Zxid,
    /// The state; `None` where the checksum is wrong.
    pub state: Option<S>,
    /// The length of the file.
    pub bytes: u64,
}

/// One file of the log.
#[derive(Debug)]
pub struct SegmentFile<T> {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: usize,
    /// Its whole entries, each with its first byte and its length in the file.
    pub entries: Vec<(Entry<T>, usize, usize)>,
    /// What follows them.
    pub damage: Option<Damage>,
}

/// Where a log file stops being readable.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first byte that is not understood.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
    /// It may be what a crash leaves of the last write: a start cuts it off, with so many whole records of that
    /// write behind it. Otherwise a start is refused.
    pub torn: Option<usize>,
    /// It was on disk before the record at this byte was written.
    pub durable_before: Option<usize>,
}

impl<T: DeserializeOwned, S: DeserializeOwned> Inspection<T, S> {
    /// Reads everything under `data_dir`. `None` if no server has ever used it.
    ///
    /// # Errors
    /// When a file cannot be read, or the `state` file is damaged, without which nothing else has a
    /// meaning.
    pub fn read(data_dir: &Path) -> Result<Option<Inspection<T, S>>, StorageError> {
        let root = data_dir.join("zoobreak");
        let Some(state) = State::read(&root.join("state"))? else {
            return match root.exists() {
                true => Self::read_generation(&root, State::default()).map(Some),
                false => Ok(None),
            };
        };
        Self::read_generation(&root, state).map(Some)
    }

    fn read_generation(root: &Path, state: State) -> Result<Inspection<T, S>, StorageError> {
        let directory = root.join(generation_name(state.generation));
        let (mut snapshots, mut segments) = (Vec::new(), Vec::new());
        if directory.exists() {
            for (zxid, path) in listed(&directory, "snapshot.")? {
                let state = snapshot::read(&path)?;
                let bytes = fs::metadata(&path).map_or(0, |file| file.len());
                snapshots.push(SnapshotFile { path, zxid, state, bytes });
            }
            let names = listed(&directory, "log.")?;
            for (n, (_, path)) in names.iter().enumerate() {
                segments.push(read_segment(path, n + 1 == names.len())?);
            }
        }
        Ok(Inspection {
            accepted_epoch: state.accepted_epoch,
            current_epoch: state.current_epoch,
            diverged: Diverged::read(root)?,
            leftovers: other_generations(root, &directory)?,
            owner: owner(root)?,
            directory,
            snapshots,
            segments,
        })
    }
}

fn read_segment<T: DeserializeOwned>(
    path: &Path,
    newest: bool,
) -> Result<SegmentFile<T>, StorageError> {
    let bytes = fs::read(path).map_err(|error| StorageError::io(path, error))?;
    let found = journal::scan::<T>(&bytes, true);
    let damage = found.damage.map(|journal::Damage { at, what, cause }| Damage {
        at,
        what,
        torn: match cause {
            Cause::Crash { dropped } if newest => Some(dropped),
            _ => None,
        },
        durable_before: match cause {
            Cause::DurableBefore { record } => Some(record),
            _ => None,
        },
    });
    let entry = |Record { entry, start, end, .. }| (entry, start, end - start);
    let entries = found.records.into_iter().map(entry).collect();
    Ok(SegmentFile { path: path.to_owned(), length: bytes.len(), entries, damage })
}

//! The disk: transaction log, snapshots, epochs.
//!
//! ```text
//! dataDir/zoobreak/
//!   state                       both epochs, the configuration and the generation in force;
//!                               replaced atomically
//!   owner                       whose data these are; a server alone leaves none
//!   diverged                    left by a server that stopped because its state was wrong
//!   g<generation>/
//!     log.<first zxid>          entries in batches, each with its length, its batch and a checksum
//!     snapshot.<last zxid>      the tree after that zxid
//! ```
//!
//! A synchronisation that replaces everything (SNAP) is written as a new generation beside the
//! old one; the switch is the replacement of `state`; only then is the old one deleted.

mod diverged;
mod file;
#[cfg(test)]
mod fuzz;
mod inspect;
mod log;
mod owner;
mod snapshot;
mod state;
mod store;
mod worker;

pub use diverged::Diverged;
pub use inspect::{Damage, Inspection, SegmentFile, SnapshotFile};
pub(crate) use log::said_of_dropped;
pub(crate) use owner::claim;
pub use store::{Recovered, Store};
pub use worker::{Grouping, Report, Worker};

use std::io;
use std::path::{Path, PathBuf};

/// Why the disk cannot be used. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Another version wrote the files.
    #[error(
        "{path}: written by another version of zoobreak (format {format}, this one reads \
         {readable}); run that version, or empty the data directory to fetch everything from the \
         leader"
    )]
    Format {
        /// The state file.
        path: PathBuf,
        /// The format it names; 1 if none.
        format: String,
        /// The one that this version reads and writes.
        readable: u64,
    },
    /// Another server made the promises that are kept here.
    #[error(
        "{root}: the data of server {owner}, and this is server {id}: give it the dataDir of server \
         {id}; if that is lost, move {root} away, and it fetches everything from the leader while the \
         others serve. (Only to give all servers of an ensemble one server's backup, while none of \
         them runs: delete {mark}.)"
    )]
    Foreign {
        /// The directory with its log and snapshots.
        root: PathBuf,
        /// The server whose they are.
        owner: zab::ServerId,
        /// The one that was started.
        id: zab::ServerId,
        /// The file that says whose they are.
        mark: PathBuf,
    },
    /// No thread can be started.
    #[error("no thread to write a snapshot: {error}")]
    Thread {
        /// What the system said.
        error: io::Error,
    },
    /// A file is intact, but not of this version.
    #[error(
        "{path}: written by another version of this server; start that version, or empty the data \
         directory to fetch everything from the leader"
    )]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// The promises that go with a log are lost.
    #[error(
        "{path} is missing, but {data} is not empty: what this server has promised is not known;          restore the file, or, while the others serve, empty {root} to fetch everything from the          leader"
    )]
    NoState {
        /// The state file.
        path: PathBuf,
        /// What is there.
        data: PathBuf,
        /// The directory of both.
        root: PathBuf,
    },
    /// A file is damaged where a crash cannot have damaged it.
    #[error(
        "{path}: damaged at byte {offset}: {what}; restore this file, or empty the data directory \
         to fetch everything from the leader"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}

impl StorageError {
    fn io(path: &Path, error: io::Error) -> StorageError {
        StorageError::Io { path: path.to_owned(), error }
    }

    fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> StorageError {
        StorageError::Damaged { path: path.to_owned(), offset, what: what.into() }
    }
}

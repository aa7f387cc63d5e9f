//! A disk that can be broken: it knows what was synced, and a power cut takes what was not; requests can be
//! held, refused, or delayed.
//!
//! It is a file system in memory, mounted by FUSE; or, where `/dev/fuse` cannot be opened, the machine's own
//! disk, with the servers' system calls watched by seccomp(2).

mod content;
mod fuse;
mod illness;
mod image;
mod mounted;
mod state;
mod watched;

use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::{Ailment, Damage, FaultId};
use mounted::Mounted;
use watched::Watched;

/// How much of what was not synced a power cut takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// All of it.
    Everything,
    /// The first sectors of each file and the first changes of names stay; where that ends is random.
    Torn,
    /// Each sector stays or not, for disks write in any order; of the changes of names, the first ones stay.
    Scattered,
}

/// Which names a power cut leaves in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// Those of directories that were synced since: all that POSIX promises, fsync(2).
    Posix,
    /// Also those of files that were synced since, and every change before: the journal of ext4 is
    /// written in order.
    Ext4,
}

/// There is no such disk here, or it could not be set up or taken away.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {source}")]
pub struct DiskError {
    /// What was being done, to what.
    pub action: String,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// What makes disks breakable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Means {
    /// A file system in memory.
    Fuse,
    /// System calls of the servers are watched; why there is no file system in memory.
    Seccomp(String),
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Means::Fuse => f.write_str("a file system in memory (FUSE)"),
            Means::Seccomp(why) => write!(f, "watched system calls (seccomp), for: {why}"),
        }
    }
}

/// What there is for breakable disks, as far as a look tells; `mounts` says whether this process may mount.
pub fn means(mounts: bool) -> Result<Means, DiskError> {
    match available() {
        Ok(()) if mounts => Ok(Means::Fuse),
        Ok(()) => Ok(Means::Seccomp("without namespaces nothing can be mounted".into())),
        Err(why) if watched::available() => Ok(Means::Seccomp(why.to_string())),
        Err(why) => Err(why),
    }
}

/// Can this machine have file systems in memory, as far as a look at the device tells?
pub fn available() -> Result<(), DiskError> {
    mounted::open_device().map(drop)
}

/// A breakable disk on an existing empty directory, for every process of this mount namespace.
pub(crate) fn provide(place: &Path, mounts: bool) -> Result<Arc<dyn Disk>, DiskError> {
    match means(mounts)? {
        Means::Fuse => Ok(Arc::new(Mounted::mount(place)?)),
        Means::Seccomp(_) => Ok(Arc::new(Watched::start(place)?)),
    }
}

/// The same of system calls alone.
pub(crate) fn provide_watched(place: &Path) -> Result<Arc<dyn Disk>, DiskError> {
    Ok(Arc::new(Watched::start(place)?))
}

/// Where one server keeps its data.
pub(crate) trait Disk: fmt::Debug + Send + Sync {
    /// Does what must be done so that a program that is to be started uses this disk.
    fn prepare(&self, _command: &mut Command) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything durable that is on it.
    fn sync_all(&self);

    /// From now on no fsync is answered.
    fn stall(&self);

    /// From now on nothing is answered. Processes must be killed before [`Disk::let_go`] lets them see it.
    fn power_off(&self);

    /// Answers every request that is held with an error. For processes that were sent SIGKILL: without an
    /// answer the kernel does not let them end, and no instruction of theirs sees the answer.
    fn let_go(&self);

    /// Takes what was not durable. What was lost, for the evidence, and whether anything was.
    fn lose(&self, loss: Loss, rules: Rules, rng: &mut ChaCha8Rng) -> (Value, bool);

    /// A machine that starts: the power is on, and what is read comes from the disk.
    fn start(&self);

    /// Damages what is durable in one of the larger files. Where, for the evidence.
    fn damage(&self, damage: Damage, rng: &mut ChaCha8Rng) -> Option<Value>;

    /// Makes it ill. `size` is as in [`crate::Fault::Disk`].
    fn infect(&self, id: FaultId, ailment: Ailment, size: u64);

    /// Heals it; how many requests felt it.
    fn cure(&self, id: FaultId) -> u64;

    /// Is it ill of that?
    fn is_ill(&self, id: FaultId) -> bool;

    /// Ends it; its files are in the directory that it was made for. Later calls do nothing.
    fn eject(&self) -> Result<(), DiskError>;
}

fn failed(action: String) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { action, source }
}

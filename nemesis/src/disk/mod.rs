//! A disk that can be broken: a file system in memory, mounted by FUSE, which knows what was synced.
//!
//! A power cut takes what was not; requests can be held, refused, or delayed. Without FUSE there is
//! none of it, and the servers keep the machine's disk.

mod content;
mod fuse;
mod image;
mod state;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fuser::{BackgroundSession, Config, Session, SessionACL};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getgid, getuid};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::{Ailment, Damage, FaultId};
use crate::worker::Worker;
use fuse::Driver;
use state::{Power, Shared};

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

const DEVICE: &str = "/dev/fuse";

/// A mounted disk. Dropping it saves its files into the directory it was mounted on.
#[derive(Debug)]
pub(crate) struct Disk {
    place: PathBuf,
    shared: Arc<Shared>,
    session: Option<BackgroundSession>,
    /// Answers requests that were delayed.
    clerk: Option<Worker<()>>,
}

/// Can this machine have such disks, as far as a look at the device tells?
pub fn available() -> Result<(), DiskError> {
    open_device().map(drop)
}

impl Disk {
    /// Mounts an empty disk on an existing directory, for every process of this mount namespace.
    pub(crate) fn mount(place: &Path) -> Result<Disk, DiskError> {
        let device = open_device()?;
        let failed = |source: io::Error| {
            failed(format!("mount a disk in memory on {}", place.display()))(source)
        };
        let options = format!(
            "fd={},rootmode=40755,user_id={},group_id={},allow_other",
            device.as_raw_fd(),
            getuid(),
            getgid()
        );
        let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
        mount(Some("zoobreak"), place, Some("fuse"), flags, Some(options.as_str()))
            .map_err(|errno| failed(errno.into()))?;
        let shared = Arc::new(Shared::default());
        let start = || -> io::Result<(BackgroundSession, Worker<()>)> {
            let driver = Driver(Arc::clone(&shared));
            let acl = SessionACL::All;
            let mut config = Config::default();
            config.acl = acl;
            let session = Session::from_fd(driver, device.into(), acl, config)?.spawn()?;
            let clerk = Arc::clone(&shared);
            Ok((session, Worker::start("disk", move |stop| clerk.answer_late(stop))?))
        };
        match start() {
            Ok((session, clerk)) => {
                let (session, clerk) = (Some(session), Some(clerk));
                Ok(Disk { place: place.to_owned(), shared, session, clerk })
            }
            Err(error) => {
                // The mount goes with the namespace, if not now.
                let _ = umount2(place, MntFlags::MNT_DETACH);
                Err(failed(error))
            }
        }
    }

    /// Makes everything durable that is on it.
    pub(crate) fn sync_all(&self) {
        self.shared.lock().image.sync_all();
    }

    /// From now on no fsync is answered.
    pub(crate) fn stall(&self) {
        self.shared.lock().stalled = true;
    }

    /// From now on nothing is answered. Processes must be killed before [`Disk::let_go`] lets them see it.
    pub(crate) fn power_off(&self) {
        self.shared.set_power(Power::Off);
    }

    /// Answers every request that is held with an error. For processes that were sent SIGKILL: without an
    /// answer the kernel does not let them end, and no instruction of theirs sees the answer.
    pub(crate) fn let_go(&self) {
        self.shared.let_go();
    }

    /// Takes what was not durable. What was lost, for the evidence, and whether anything was.
    pub(crate) fn lose(&self, loss: Loss, rules: Rules, seed: u64) -> (Value, bool) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut state = self.shared.lock();
        let lost = state.image.lose(loss, rules, &mut rng);
        let any = lost.files > 0 || !lost.names.is_empty();
        (json!(lost), any)
    }

    /// A machine that starts: the power is on, and what is read comes from the disk.
    pub(crate) fn start(&self) {
        self.shared.lock().image.forget_given_up();
        self.shared.set_power(Power::On);
    }

    /// Damages what is durable in one of the larger files. Where, for the evidence.
    pub(crate) fn damage(&self, damage: Damage, seed: u64) -> Option<Value> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (path, place) = self.shared.lock().image.damage(damage, &mut rng)?;
        Some(json!({ "file": path, "bytes": place }))
    }

    /// Makes it ill. `size` is as in [`crate::Fault::Disk`].
    pub(crate) fn infect(&self, id: FaultId, ailment: Ailment, size: u64) {
        self.shared.infect(id, ailment, size);
    }

    /// Heals it; how many requests felt it.
    pub(crate) fn cure(&self, id: FaultId) -> u64 {
        self.shared.cure(id)
    }

    /// Is it ill of that?
    pub(crate) fn is_ill(&self, id: FaultId) -> bool {
        self.shared.lock().illnesses.contains_key(&id)
    }

    /// Unmounts it, and writes its files into the directory it was mounted on. Later calls do nothing.
    pub(crate) fn eject(&mut self) -> Result<(), DiskError> {
        let Some(session) = self.session.take() else { return Ok(()) };
        self.shared.set_power(Power::Gone);
        self.shared.let_go();
        self.clerk = None;
        let place = self.place.display().to_string();
        umount2(&self.place, MntFlags::MNT_DETACH)
            .map_err(|errno| failed(format!("unmount {place}"))(errno.into()))?;
        // It ends when the last process has left the mount; one that has not must not hold up the run.
        if wait_for(Duration::from_secs(2), || session.guard.is_finished()) {
            let ended = session.join();
            ended.map_err(failed(format!("end the file system of {place}")))?;
        }
        let saved = self.shared.lock().image.save(&self.place);
        saved.map_err(failed(format!("save the files of a disk in memory to {place}")))
    }
}

impl Drop for Disk {
    /// Call [`Disk::eject`] to hear of failures.
    fn drop(&mut self) {
        let _ = self.eject();
    }
}

fn open_device() -> Result<File, DiskError> {
    let open = fs::OpenOptions::new().read(true).write(true).open(DEVICE);
    open.map_err(|source| {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => " (as root: `chmod 666 /dev/fuse`)",
            _ => " (as root: `modprobe fuse`)",
        };
        DiskError { action: format!("open {DEVICE}{hint}"), source }
    })
}

fn wait_for(limit: Duration, done: impl Fn() -> bool) -> bool {
    let start = std::time::Instant::now();
    while !done() && start.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(1));
    }
    done()
}

fn failed(action: String) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { action, source }
}

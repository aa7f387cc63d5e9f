//! A disk that is a file system in memory, mounted by FUSE.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getgid, getuid};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::fuse::Driver;
use super::state::{Power, Shared};
use super::{Disk, DiskError, Loss, Rules, failed};
use crate::fault::{Ailment, Damage, FaultId};
use crate::worker::Worker;

const DEVICE: &str = "/dev/fuse";

/// Dropping it saves its files into the directory it was mounted on.
#[derive(Debug)]
pub(super) struct Mounted {
    place: PathBuf,
    shared: Arc<Shared>,
    /// `None` once it is ejected.
    session: Mutex<Option<(BackgroundSession, Clerk)>>,
}

/// Answers requests that were delayed.
type Clerk = Worker<()>;

impl Mounted {
    /// Mounts an empty disk on an existing directory, for every process of this mount namespace.
    pub(super) fn mount(place: &Path) -> Result<Mounted, DiskError> {
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
                let session = Mutex::new(Some((session, clerk)));
                Ok(Mounted { place: place.to_owned(), shared, session })
            }
            Err(error) => {
                // The mount goes with the namespace, if not now.
                let _ = umount2(place, MntFlags::MNT_DETACH);
                Err(failed(error))
            }
        }
    }
}

impl Disk for Mounted {
    fn sync_all(&self) {
        self.shared.lock().image.sync_all();
    }

    fn stall(&self) {
        self.shared.lock().stalled = true;
    }

    fn power_off(&self) {
        self.shared.set_power(Power::Off);
    }

    fn let_go(&self) {
        self.shared.let_go();
    }

    fn lose(&self, loss: Loss, rules: Rules, rng: &mut ChaCha8Rng) -> (Value, bool) {
        let mut state = self.shared.lock();
        let lost = state.image.lose(loss, rules, rng);
        let any = lost.files > 0 || !lost.names.is_empty();
        (json!(lost), any)
    }

    fn start(&self) {
        self.shared.lock().image.forget_given_up();
        self.shared.set_power(Power::On);
    }

    fn damage(&self, damage: Damage, rng: &mut ChaCha8Rng) -> Option<Value> {
        let (path, place) = self.shared.lock().image.damage(damage, rng)?;
        Some(json!({ "file": path, "bytes": place }))
    }

    fn infect(&self, id: FaultId, ailment: Ailment, size: u64) {
        self.shared.infect(id, ailment, size);
    }

    fn cure(&self, id: FaultId) -> u64 {
        self.shared.cure(id)
    }

    fn is_ill(&self, id: FaultId) -> bool {
        self.shared.lock().illnesses.has(id)
    }

    fn eject(&self) -> Result<(), DiskError> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((session, clerk)) = session else { return Ok(()) };
        self.shared.set_power(Power::Gone);
        self.shared.let_go();
        drop(clerk);
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

impl Drop for Mounted {
    /// Call `eject` to hear of failures.
    fn drop(&mut self) {
        let _ = self.eject();
    }
}

pub(super) fn open_device() -> Result<File, DiskError> {
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
    let start = Instant::now();
    while !done() && start.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(1));
    }
    done()
}

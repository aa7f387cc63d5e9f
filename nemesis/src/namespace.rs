//! Network namespaces without names: they vanish with the last process, socket or descriptor in them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::panic::resume_unwind;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// An open network namespace. Nothing in the file system refers to it.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    inode: u64,
}

impl Namespace {
    /// The calling thread's namespace.
    pub fn current() -> io::Result<Namespace> {
        let file = File::open("/proc/thread-self/ns/net")?;
        let inode = file.metadata()?.st_ino();
        Ok(Namespace { file, inode })
    }

    /// A new, empty namespace; the calling thread moves into it.
    pub fn unshare() -> io::Result<Namespace> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Namespace::current()
    }

    /// Moves the calling thread, and so every thread and process it starts later, into this namespace.
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET)?)
    }

    /// Runs `work` on a short-lived thread inside this namespace. The caller stays where it is.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let inside = || self.enter().map(|()| work());
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Process ids of every living process in this namespace, whoever started it. Zombies are not in it.
    pub fn pids(&self) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if self.holds(pid) {
                pids.push(pid);
            }
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// A process that ends while we look has left the namespace: any error means "not here".
    fn holds(&self, pid: i32) -> bool {
        std::fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|ns| ns.st_ino() == self.inode)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

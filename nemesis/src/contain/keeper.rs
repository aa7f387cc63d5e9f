//! What remains where the machine forbids namespaces: processes that end with the harness, however it dies.
//!
//! Three processes: the calling one, a keeper in a session of its own, and the inner one, which goes on. The
//! outer two are subreapers (prctl(2)), so whatever the inner one leaves behind becomes a child of one of them, and is
//! killed. Each watches over another, so that killing any one of them, or a whole process group, leaves nothing.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::exit;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, setsid};

use super::{ContainError, Step, die_with_parent, one_thread, supervise};

/// What the keeper hears when the outer process has died.
const ORPHANED: Signal = Signal::SIGUSR1;

/// Makes sure that no process outlives the program, without namespaces. Call it first in `main`.
///
/// Returns in the inner process alone. The calling process passes its exit status on, and SIGINT, SIGTERM and SIGHUP to it.
/// There is no network of its own and no private mount: see [`crate::Lab::on_loopback`].
pub fn enter_without_namespaces() -> Result<(), ContainError> {
    one_thread()?;
    // Whatever became this process by exec(2) may have had children, which are not ours.
    let strangers = children();
    adopt()?;
    let (life, lifeline) = pipe()?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(|errno| Step::Fork.error(errno))? {
        ForkResult::Parent { child } => {
            drop(life);
            let status = supervise(child, None);
            drop(lifeline);
            end_children(&strangers);
            exit(status)
        }
        ForkResult::Child => {
            drop(lifeline);
            keep(&life)
        }
    }
}

/// The keeper's work; it returns in the inner process.
fn keep(life: &OwnedFd) -> Result<(), ContainError> {
    // The keeper must not end by what is meant for the terminal's foreground group.
    setsid().map_err(|errno| Step::ParentDeath.error(errno))?;
    adopt()?;
    let (inner_life, inner_lifeline) = pipe()?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(|errno| Step::Fork.error(errno))? {
        ForkResult::Parent { child } => {
            drop(inner_life);
            let watched = watch_parent(life);
            let status = if watched { supervise(child, Some(ORPHANED)) } else { 3 };
            drop(inner_lifeline);
            end_children(&[]);
            exit(status)
        }
        ForkResult::Child => {
            drop(inner_lifeline);
            die_with_parent(&inner_life, Signal::SIGKILL)?;
            adopt()
        }
    }
}

/// Blocked first, so that it waits until it is asked for.
fn watch_parent(life: &OwnedFd) -> bool {
    SigSet::from_iter([ORPHANED]).thread_block().is_ok() && die_with_parent(life, ORPHANED).is_ok()
}

/// Orphans of our descendants become our children.
fn adopt() -> Result<(), ContainError> {
    set_child_subreaper(true).map_err(|errno| Step::ParentDeath.error(errno))
}

fn pipe() -> Result<(OwnedFd, OwnedFd), ContainError> {
    let (read, write) = io::pipe().map_err(|e| Step::Fork.failed(&e))?;
    Ok((read.into(), write.into()))
}

/// Kills every child but `strangers`, and those that become children by it, until there is none.
fn end_children(strangers: &[Pid]) {
    loop {
        let mut ours = children();
        ours.retain(|pid| !strangers.contains(pid));
        if ours.is_empty() {
            return;
        }
        for pid in ours {
            // Both fail only if the child has ended and was waited for.
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
        sleep(Duration::from_millis(1));
    }
}

/// By the fourth field of `/proc/<pid>/stat`; not every kernel has a list of children.
fn children() -> Vec<Pid> {
    let own = getpid().to_string();
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        parent == Some(own.as_str())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_child).map(Pid::from_raw).collect()
}

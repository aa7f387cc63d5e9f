//! Containment: the whole harness in private namespaces, so that its death, even by `kill -9`, removes
//! every process, interface, rule and mount it made. The kernel cleans up; no code of ours has to run.
//!
//! The outer process stays behind as a supervisor; the inner one is pid 1 of a new pid namespace, and
//! when pid 1 dies the kernel kills the rest. See pid_namespaces(7) and user_namespaces(7).

mod error;
mod keeper;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::exit;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getgid, getuid};

pub use error::{ContainError, Step};
pub use keeper::enter_without_namespaces;

use crate::host::Host;
use crate::namespace::Namespace;
use crate::netlink::{Netlink, interface_index};
use crate::switch::Port;

/// How the process was contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contained {
    /// True if a user namespace was needed, because the caller lacked the capabilities.
    pub user_namespace: bool,
}

/// Moves the program into namespaces of its own. Call it first in `main`, before any thread exists.
///
/// Returns only in the inner process, which is pid 1, sees its own `/proc` and an empty `/run`, and has
/// no network but what it builds. The calling process waits for it and passes its exit status on (128 +
/// signal if it was killed). SIGINT, SIGTERM and SIGHUP are passed to the inner process, which, being pid 1,
/// gets only those it has a handler for; the death of either process kills everything.
pub fn enter() -> Result<Contained, ContainError> {
    let user_namespace = isolate()?;
    let (life, lifeline) = std::io::pipe().map_err(|e| Step::Fork.failed(&e))?;
    // SAFETY: `isolate` made sure that this process has one thread.
    match unsafe { fork() }.map_err(|errno| Step::Fork.error(errno))? {
        ForkResult::Parent { child } => {
            drop(life);
            let status = supervise(child, None);
            // Closed by our death alone: the inner process looks at the other end once.
            drop(lifeline);
            exit(status)
        }
        ForkResult::Child => {
            drop(lifeline);
            die_with_parent(&life.into(), Signal::SIGKILL)?;
            mount_own()?;
            Ok(Contained { user_namespace })
        }
    }
}

/// Tries everything that [`enter`] and a lab need, mounts and network included, in a child process.
///
/// The steps are rehearsed to the end because some systems allow the first ones and refuse a late one
/// (Ubuntu's AppArmor rule lets `unshare` pass and refuses the address). Call it before threads exist.
pub fn probe() -> Result<(), ContainError> {
    let (mut verdict, report) = std::io::pipe().map_err(|e| Step::Fork.failed(&e))?;
    let rehearsal = fork_and(|| send_verdict(report, rehearse_in_pid_namespace()))?;
    let mut bytes = Vec::new();
    let read = verdict.read_to_end(&mut bytes);
    waitpid(rehearsal, None).map_err(|errno| Step::Rehearsal.error(errno))?;
    read.map_err(|e| Step::Rehearsal.failed(&e))?;
    ContainError::decode(&bytes)
}

/// The capabilities that make a user namespace unnecessary: NET_ADMIN, NET_RAW, SYS_ADMIN.
const CAPABILITIES: u64 = 1 << 12 | 1 << 13 | 1 << 21;

fn one_thread() -> Result<(), ContainError> {
    match status_field("Threads:", 10)? {
        1 => Ok(()),
        _ => Err(Step::SingleThread.error(Errno::EINVAL)),
    }
}

fn isolate() -> Result<bool, ContainError> {
    one_thread()?;
    let namespaces = CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if status_field("CapEff:", 16)? & CAPABILITIES == CAPABILITIES {
        unshare(namespaces).map_err(|errno| Step::Namespaces.error(errno))?;
        return Ok(false);
    }
    isolate_as_user(namespaces).map(|()| true)
}

/// Becomes root of a new user namespace: the maps are refused unless setgroups is given up first.
fn isolate_as_user(namespaces: CloneFlags) -> Result<(), ContainError> {
    let (uid, gid) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER | namespaces)
        .map_err(|errno| Step::UserNamespace.error(errno))?;
    let write = |path, text: String| fs::write(path, text).map_err(|e| Step::IdMaps.failed(&e));
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))
}

fn status_field(name: &str, radix: u32) -> Result<u64, ContainError> {
    let status = fs::read_to_string("/proc/self/status").map_err(|e| Step::Status.failed(&e))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| u64::from_str_radix(value.trim(), radix).ok())
        .ok_or_else(|| Step::Status.error(Errno::EINVAL))
}

/// Waits for the end of the inner process, whose exit status it returns, or for the signal `stop`.
fn supervise(inner: Pid, stop: Option<Signal>) -> i32 {
    let passed = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD];
    let signals = SigSet::from_iter(passed.into_iter().chain(stop));
    let passing = signals.thread_block();
    loop {
        // Where signals cannot be waited for, they keep their usual effect and nothing is passed on.
        let flags = passing.is_ok().then_some(WaitPidFlag::WNOHANG);
        match waitpid(inner, flags) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Ok(WaitStatus::StillAlive) => match signals.wait() {
                Ok(asked) if Some(asked) == stop => return 128 + Signal::SIGKILL as i32,
                Ok(asked) => pass_on(inner, asked),
                Err(_) => {}
            },
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => {
                eprintln!("the contained process was lost: {errno}");
                return 3;
            }
        }
    }
}

/// What asks this process to end is for the inner one, which may end in order.
fn pass_on(inner: Pid, asked: Signal) {
    if asked != Signal::SIGCHLD {
        // It fails only if the inner process has ended, which the next look tells.
        let _ = kill(inner, asked);
    }
}

/// The signal covers a parent that dies from now on, the closed pipe one that has died already.
fn die_with_parent(life: &OwnedFd, by: Signal) -> Result<(), ContainError> {
    set_pdeathsig(by).map_err(|errno| Step::ParentDeath.error(errno))?;
    let mut fds = [PollFd::new(life.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).map_err(|errno| Step::ParentDeath.error(errno))?;
    if fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
        exit(128 + Signal::SIGKILL as i32);
    }
    Ok(())
}

/// Mounts that nobody outside sees: `/proc` of the new pid namespace, and `/run` for iptables' lock file.
fn mount_own() -> Result<(), ContainError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|errno| Step::PrivateRoot.error(errno))?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), plain, none)
        .map_err(|errno| Step::MountProc.error(errno))?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::MS_NOSUID, Some("size=64m"))
        .map_err(|errno| Step::MountRun.error(errno))
}

fn rehearse_in_pid_namespace() -> Result<(), ContainError> {
    isolate()?;
    let (mut verdict, report) = std::io::pipe().map_err(|e| Step::Fork.failed(&e))?;
    let inner = fork_and(|| send_verdict(report, mount_own().and_then(|()| rehearse_network())))?;
    let mut bytes = Vec::new();
    verdict.read_to_end(&mut bytes).map_err(|e| Step::Rehearsal.failed(&e))?;
    waitpid(inner, None).map_err(|errno| Step::Rehearsal.error(errno))?;
    ContainError::decode(&bytes)
}

fn rehearse_network() -> Result<(), ContainError> {
    let namespace = Namespace::current().map_err(|e| Step::Veth.failed(&e))?;
    let netlink = Netlink::open().map_err(|e| Step::Veth.error(e.errno))?;
    netlink
        .add_veth("rehearsal0", "rehearsal1", namespace.as_fd(), [2, 0, 0, 0, 0, 1])
        .map_err(|e| Step::Veth.error(e.errno))?;
    let index = interface_index("rehearsal1").map_err(|e| Step::Veth.error(e.errno))?;
    netlink
        .add_addr(index, Host::Observer.addr(), 24)
        .and_then(|()| netlink.set_up(index))
        .map_err(|e| Step::Address.error(e.errno))?;
    Port::open("rehearsal0").map(drop).map_err(|e| Step::PacketSocket.failed(&e))
}

/// Runs `work` in a forked child, which ends with it.
fn fork_and(work: impl FnOnce()) -> Result<Pid, ContainError> {
    // SAFETY: callers are documented to have one thread, so the child may allocate and lock.
    match unsafe { fork() }.map_err(|errno| Step::Fork.error(errno))? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            work();
            // SAFETY: ends the child without running the parent's exit handlers a second time.
            unsafe { nix::libc::_exit(0) }
        }
    }
}

/// A verdict that cannot be written reads as an empty one, which the parent refuses.
fn send_verdict(mut report: std::io::PipeWriter, verdict: Result<(), ContainError>) {
    let _ = report.write_all(&ContainError::encode(verdict));
}

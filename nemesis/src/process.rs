//! A node's processes: everything that lives in its place, whoever started it.
//!
//! Servers may be shell scripts that start a Java program, or daemons that fork twice. Finding processes
//! by place catches them all, so that "killed" and "paused" are true of the node and not of a wrapper.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::disk::Disk;
use crate::namespace::Namespace;
use crate::place::Place;

/// How to start a server. Started again after a kill, it gets the same files, which are appended to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Launch {
    /// The program, looked up in `$PATH` unless it has a slash.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to the harness' environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Where its standard output goes.
    pub stdout: PathBuf,
    /// Where its standard error goes.
    pub stderr: PathBuf,
    /// The folders it keeps its data in, whose content is gone after [`crate::Fault::Wipe`]. What
    /// it needs to start does not belong in them.
    pub disks: Vec<PathBuf>,
}

/// A server could not be started, stopped or looked at.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {source}")]
pub struct ProcessError {
    /// What was being done, to what.
    pub action: String,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Launch {
    /// Starts the program in the namespace, with a process group of its own, so that a ctrl-C at the
    /// terminal reaches the harness alone.
    pub fn spawn(&self, ns: &Namespace) -> Result<Child, ProcessError> {
        let start = || ns.run(|| self.command()?.spawn())?;
        start().map_err(failed(|| format!("start {}", self.program.display())))
    }

    /// The same in another place, perhaps with a disk of ours for its data.
    fn spawn_at(&self, place: &Place, disk: Option<&Arc<dyn Disk>>) -> Result<Child, ProcessError> {
        let start = || -> io::Result<Child> {
            let mut command = self.command()?;
            place.mark(&mut command);
            disk.map_or(Ok(()), |disk| disk.prepare(&mut command))?;
            place.run(|| command.spawn())?
        };
        start().map_err(failed(|| format!("start {}", self.program.display())))
    }

    fn command(&self) -> io::Result<Command> {
        let append = |path| OpenOptions::new().create(true).append(true).open(path);
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(&self.env)
            .current_dir(&self.cwd)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(append(&self.stdout)?)
            .stderr(append(&self.stderr)?);
        Ok(command)
    }
}

/// The server of one node: how to start it, and the process that was started last.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) launch: Launch,
    child: Option<Child>,
    /// What it keeps its data on, if that is ours.
    disk: Option<Arc<dyn Disk>>,
}

impl Server {
    pub(crate) fn start(
        launch: Launch,
        disk: Option<Arc<dyn Disk>>,
        place: &Place,
    ) -> Result<Server, ProcessError> {
        let child = launch.spawn_at(place, disk.as_ref())?;
        Ok(Server { launch, child: Some(child), disk })
    }

    /// Starts it again; the pid. What the node still runs must be killed first.
    pub(crate) fn restart(&mut self, place: &Place) -> Result<u32, ProcessError> {
        if let Some(disk) = &self.disk {
            disk.start();
        }
        let child = self.launch.spawn_at(place, self.disk.as_ref())?;
        Ok(self.child.insert(child).id())
    }

    /// How it ended, if it did so since it was started and not by [`Server::kill`]. Told once.
    pub(crate) fn take_exit(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let exit = child.try_wait().map_err(failed(|| "wait for a server".into()))?;
        if exit.is_some() {
            self.child = None;
        }
        Ok(exit)
    }

    /// SIGTERM to everything in the place; what is left after [`GRACE`] is killed.
    pub(crate) fn terminate(&mut self, place: &Place) -> Result<Ended, ProcessError> {
        let pids = list(place)?;
        pids.iter().try_for_each(|&pid| send(pid, Signal::SIGTERM))?;
        let start = Instant::now();
        while !list(place)?.is_empty() && start.elapsed() < GRACE {
            sleep(Duration::from_millis(1));
        }
        let forced = !self.kill(place)?.pids.is_empty();
        pids.iter().for_each(|&pid| reap_orphan(pid));
        Ok(Ended { pids, forced })
    }

    /// Removes what is in the folders of its data. Returns their names if they held anything.
    pub(crate) fn wipe(&self) -> Result<Vec<PathBuf>, ProcessError> {
        let mut removed = Vec::new();
        for disk in self.launch.disks.iter().filter(|disk| disk.exists()) {
            let wiped = fs::remove_dir_all(disk);
            wiped.map_err(failed(|| format!("empty {}", disk.display())))?;
            removed.push(disk.clone());
        }
        Ok(removed)
    }

    /// SIGKILL to everything in the place, until nothing is left of it. Returns whom it hit.
    pub(crate) fn kill(&mut self, place: &Place) -> Result<Ended, ProcessError> {
        let killed = kill_all(place, self.disk.as_deref())?;
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).map_err(failed(|| "end a server".into()))?;
        }
        killed.iter().for_each(|&pid| reap_orphan(pid));
        Ok(Ended { pids: killed, forced: false })
    }

    /// The same. One that has ended on its own, which nobody was told of, counts as hit.
    pub(crate) fn kill_or_bury(&mut self, place: &Place) -> Result<Ended, ProcessError> {
        let own = self.child.as_ref().map(|child| child.id() as i32);
        let mut ended = self.kill(place)?;
        if ended.pids.is_empty() {
            ended.pids.extend(own);
        }
        Ok(ended)
    }
}

/// Processes that are no more.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) pids: Vec<i32>,
    /// They were asked to end, and had to be killed.
    pub(crate) forced: bool,
}

/// How long a server may take to end after SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// How long the kernel may take to stop or end a process. A process that waits for the disk cannot be
/// stopped or killed before the disk answers.
const SIGNAL_LIMIT: Duration = Duration::from_secs(10);

/// Repeated, because a process may fork between the look and the signal, or wait for the disk meanwhile.
fn kill_all(place: &Place, disk: Option<&dyn Disk>) -> Result<Vec<i32>, ProcessError> {
    let mut hit = Vec::new();
    wait_until("kill every process of a node", || {
        let pids = list(place)?;
        for &pid in &pids {
            send(pid, Signal::SIGKILL)?;
        }
        if let Some(disk) = disk {
            disk.let_go();
        }
        hit.extend(&pids);
        Ok(pids.is_empty())
    })?;
    hit.sort_unstable();
    hit.dedup();
    Ok(hit)
}

/// SIGSTOP to everything in the place, until every thread of it stands still. Returns whom it hit.
pub(crate) fn pause(place: &Place) -> Result<Vec<i32>, ProcessError> {
    let mut stopped = Vec::new();
    wait_until("pause every process of a node", || {
        stopped = list(place)?;
        let moving: Vec<_> = stopped.iter().copied().filter(|&pid| !is_stopped(pid)).collect();
        moving.iter().try_for_each(|&pid| send(pid, Signal::SIGSTOP))?;
        Ok(moving.is_empty())
    })?;
    Ok(stopped)
}

/// SIGCONT to everything in the place, until no thread of it stands still.
pub(crate) fn resume(place: &Place) -> Result<(), ProcessError> {
    wait_until("resume every process of a node", || {
        let still = stopped(place)?;
        still.iter().try_for_each(|&pid| send(pid, Signal::SIGCONT))?;
        Ok(still.is_empty())
    })
}

/// The processes of the place that are stopped.
pub(crate) fn stopped(place: &Place) -> Result<Vec<i32>, ProcessError> {
    Ok(list(place)?.into_iter().filter(|&pid| is_stopped(pid)).collect())
}

/// The processes of the place.
pub(crate) fn list(place: &Place) -> Result<Vec<i32>, ProcessError> {
    place.pids().map_err(failed(|| "list the processes in /proc".into()))
}

/// True if every thread is stopped: state `T` in `/proc/<pid>/task/<tid>/stat`.
pub(crate) fn is_stopped(pid: i32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    tasks.flatten().all(|task| {
        // A thread that has ended meanwhile does not move either.
        fs::read_to_string(task.path().join("stat"))
            .is_ok_and(|stat| matches!(state(&stat), Some('T' | 'Z' | 'X')))
    })
}

/// The third field of `/proc/<pid>/stat`; the second is in parentheses and may contain anything.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A process that is gone has what the signal was for, or will be missed by the caller's next look.
fn send(pid: i32, signal: Signal) -> Result<(), ProcessError> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(failed(|| format!("send {signal} to process {pid}"))(errno.into())),
    }
}

/// Orphans of a contained harness become its children. Others reap their own, so errors mean nothing.
fn reap_orphan(pid: i32) {
    let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
}

fn wait_until(
    action: &str,
    mut done: impl FnMut() -> Result<bool, ProcessError>,
) -> Result<(), ProcessError> {
    let start = Instant::now();
    while !done()? {
        if start.elapsed() > SIGNAL_LIMIT {
            return Err(failed(|| action.to_owned())(io::ErrorKind::TimedOut.into()));
        }
        sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn failed(action: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> ProcessError {
    move |source| ProcessError { action: action(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_the_last_parenthesis() {
        assert_eq!(state("12 (java) S 1 12"), Some('S'));
        assert_eq!(state("12 (a) R (b) T 1 12"), Some('T'));
        assert_eq!(state("12 (cut"), None);
    }
}

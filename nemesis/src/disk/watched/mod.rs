//! The machine's own disk, with the system calls of a server watched: fsync, write, and the making of files.
//!
//! An fsync is noted and not done, for nothing but our power cuts ever takes what it would have saved. What
//! escapes: what is overwritten by writev(2) or through mmap(2), and truncations, both of which count as durable
//! at once. Reads never fail.

mod ledger;
mod notify;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::illness::Illnesses;
use super::{Disk, DiskError, Loss, Rules, failed};
use crate::fault::{Ailment, Damage, FaultId};
use ledger::Ledger;
use notify::{Answer, Call};

pub(super) use notify::available;

/// How late a delayed answer may be, in milliseconds.
const TICK_MS: u8 = 1;
/// The longest path that the kernel takes.
const PATH_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Watched {
    place: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    /// Without power no call is answered.
    power: bool,
    /// No fsync is answered.
    stalled: bool,
    illnesses: Illnesses,
    /// Bytes that may still be written, if the disk is nearly full.
    room: Option<u64>,
    /// What went wrong in the books: then nothing can be said of a power cut.
    trouble: Option<String>,
}

impl Watched {
    pub(super) fn start(place: &Path) -> Result<Watched, DiskError> {
        let action = || format!("watch the disk at {}", place.display());
        let place = fs::canonicalize(place).map_err(failed(action()))?;
        let links = place.with_extension("durable");
        let ledger = Ledger::of(&place, &links).map_err(failed(action()))?;
        let (illnesses, room, trouble) = (Illnesses::default(), None, None);
        let state = State { ledger, power: true, stalled: false, illnesses, room, trouble };
        Ok(Watched { place, state: Arc::new(Mutex::new(state)) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the files; what fails is told when the power is cut.
    fn keep<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> Option<T> {
        let mut state = self.lock();
        let done = work(&mut state);
        done.map_err(|error| state.trouble = Some(error.to_string())).ok()
    }
}

impl Disk for Watched {
    fn prepare(&self, command: &mut Command) -> io::Result<()> {
        let started = notify::ask_first(command)?;
        let state = Arc::clone(&self.state);
        thread::Builder::new().name("disk".into()).spawn(move || watch(&started, &state))?;
        Ok(())
    }

    fn sync_all(&self) {
        self.keep(|state| state.ledger.sync_all());
    }

    fn stall(&self) {
        self.lock().stalled = true;
    }

    fn power_off(&self) {
        self.lock().power = false;
    }

    /// A thread that waits for us can be killed.
    fn let_go(&self) {}

    fn lose(&self, loss: Loss, rules: Rules, rng: &mut ChaCha8Rng) -> (Value, bool) {
        let lost = self.keep(|state| state.ledger.lose(loss, rules, rng)).unwrap_or_default();
        let any = lost.files > 0 || !lost.names.is_empty();
        match &self.lock().trouble {
            Some(trouble) => (json!({ "lost": lost, "trouble": trouble }), false),
            None => (json!(lost), any),
        }
    }

    fn start(&self) {
        self.keep(|state| state.ledger.forget_given_up());
        let mut state = self.lock();
        (state.power, state.stalled) = (true, false);
    }

    fn damage(&self, damage: Damage, rng: &mut ChaCha8Rng) -> Option<Value> {
        let damaged = self.keep(|state| state.ledger.damage(damage, rng))?;
        damaged.map(|(path, place)| json!({ "file": path, "bytes": place }))
    }

    fn infect(&self, id: FaultId, ailment: Ailment, size: u64) {
        let mut state = self.lock();
        state.illnesses.infect(id, ailment, size);
        state.room = state.illnesses.room();
    }

    fn cure(&self, id: FaultId) -> u64 {
        let mut state = self.lock();
        let n_felt = state.illnesses.cure(id);
        state.room = state.illnesses.room();
        n_felt
    }

    fn is_ill(&self, id: FaultId) -> bool {
        self.lock().illnesses.has(id)
    }

    fn eject(&self) -> Result<(), DiskError> {
        let place = self.place.display();
        self.lock().ledger.end().map_err(failed(format!("end the watch over {place}")))
    }
}

/// A call that is not answered yet.
struct Waiting {
    due: Instant,
    call: Call,
}

/// Answers the calls of a program until it has ended, and all that it started.
fn watch(started: &UnixStream, state: &Mutex<State>) {
    // Without a listener there is no such program: it could not be started, which is told elsewhere.
    let Ok(listener) = notify::listener(started) else { return };
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let timeout = if waiting.is_empty() { PollTimeout::NONE } else { TICK_MS.into() };
        let _interrupted = poll(&mut fds, timeout);
        let events = fds[0].revents().unwrap_or(PollFlags::empty());
        if events.contains(PollFlags::POLLHUP) {
            return;
        }
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if events.contains(PollFlags::POLLIN)
            && let Ok(Some(call)) = notify::receive(&listener)
        {
            let due = Instant::now() + state.delay(&call);
            waiting.push(Waiting { due, call });
        }
        waiting.retain(|Waiting { due, call }| {
            let is_held = *due > Instant::now() || state.holds(call);
            if !is_held {
                notify::answer(&listener, call, state.answer(call));
            }
            is_held
        });
    }
}

impl State {
    fn holds(&self, call: &Call) -> bool {
        !self.power || (self.stalled && is_sync(call))
    }

    /// How long it takes to be answered.
    fn delay(&mut self, call: &Call) -> Duration {
        match self.target(call) {
            Some(Target::New) => self.illnesses.delay(Ailment::SlowCreate),
            Some(_) if is_sync(call) => self.illnesses.delay(Ailment::Slow),
            _ => Duration::ZERO,
        }
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let Some(target) = self.target(call) else { return Answer::Go };
        let done = match target {
            _ if !is_sync(call) && self.illnesses.suffers(Ailment::Eio) => {
                return Answer::Error(libc::EIO);
            }
            Target::New => return Answer::Go,
            Target::File(file) if is_sync(call) => return self.sync(&file),
            Target::Dir(path) => match self.illnesses.suffers(Ailment::Eio) {
                true => return Answer::Error(libc::EIO),
                false => self.ledger.sync_dir(&path),
            },
            Target::File(file) => {
                let n_bytes = call.data.args[2];
                if !self.take_room(n_bytes) {
                    return Answer::Error(libc::ENOSPC);
                }
                self.before_write(call, &file, n_bytes)
            }
        };
        if let Err(error) = done {
            self.trouble = Some(error.to_string());
        }
        if is_sync(call) { Answer::Done } else { Answer::Go }
    }

    fn sync(&mut self, file: &fs::Metadata) -> Answer {
        if self.illnesses.suffers(Ailment::FsyncError) || self.illnesses.suffers(Ailment::Eio) {
            self.ledger.fail_file(file.ino(), file.len());
            return Answer::Error(libc::EIO);
        }
        self.ledger.sync_file(file.ino(), file.len());
        Answer::Done
    }

    fn take_room(&mut self, n_bytes: u64) -> bool {
        match self.room {
            Some(room) if n_bytes > room => {
                self.illnesses.suffers(Ailment::Full);
                false
            }
            room => {
                self.room = room.map(|room| room - n_bytes);
                true
            }
        }
    }

    fn before_write(&mut self, call: &Call, file: &fs::Metadata, n_bytes: u64) -> io::Result<()> {
        let at = match is_positioned(call) {
            true => call.data.args[3],
            false => position(call, file)?,
        };
        if at >= file.len() {
            return Ok(());
        }
        let opened = File::open(descriptor(call))?;
        self.ledger.before_write(&opened, file.ino(), at, n_bytes)
    }

    /// What of the watched directory it is about.
    fn target(&self, call: &Call) -> Option<Target> {
        if is_open(call) {
            let path = path_argument(call).ok()?;
            let is_new = path.starts_with(self.ledger.place()) && !path.exists();
            return is_new.then_some(Target::New);
        }
        let link = descriptor(call);
        let path = fs::read_link(&link).ok()?;
        let file = fs::metadata(&link).ok()?;
        match path.starts_with(self.ledger.place()) {
            true if file.is_dir() => Some(Target::Dir(path)),
            true if file.is_file() => Some(Target::File(file)),
            _ => None,
        }
    }
}

enum Target {
    /// A file that is not there yet.
    New,
    File(fs::Metadata),
    Dir(PathBuf),
}

fn is_sync(call: &Call) -> bool {
    [libc::SYS_fsync, libc::SYS_fdatasync].contains(&i64::from(call.data.nr))
}

fn is_open(call: &Call) -> bool {
    i64::from(call.data.nr) == libc::SYS_openat
}

fn is_positioned(call: &Call) -> bool {
    i64::from(call.data.nr) == libc::SYS_pwrite64
}

/// The file that a call is about, as its thread has opened it.
fn descriptor(call: &Call) -> PathBuf {
    format!("/proc/{}/fd/{}", call.pid, call.data.args[0] as i32).into()
}

/// Where a write goes that does not say so.
fn position(call: &Call, file: &fs::Metadata) -> io::Result<u64> {
    let path = format!("/proc/{}/fdinfo/{}", call.pid, call.data.args[0] as i32);
    let text = fs::read_to_string(path)?;
    let field = |name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim()));
    let flags = field("flags:").and_then(|flags| i32::from_str_radix(flags, 8).ok());
    let position = field("pos:").and_then(|position| position.parse().ok());
    match (flags, position) {
        (Some(flags), _) if flags & libc::O_APPEND != 0 => Ok(file.len()),
        (_, Some(position)) => Ok(position),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The second argument as a path, if it is a whole one.
fn path_argument(call: &Call) -> io::Result<PathBuf> {
    let memory = File::open(format!("/proc/{}/mem", call.pid))?;
    let mut bytes = vec![0; PATH_MAX];
    let n_read = memory.read_at(&mut bytes, call.data.args[1])?;
    let end =
        bytes[..n_read].iter().position(|byte| *byte == 0).ok_or(io::ErrorKind::InvalidData)?;
    let path = std::str::from_utf8(&bytes[..end]).map_err(io::Error::other)?;
    Ok(path.into())
}

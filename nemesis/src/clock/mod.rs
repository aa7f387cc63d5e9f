//! A wrong clock for one process, while it runs: its vDSO is patched.
//!
//! Programs ask for the time through a page of code that the kernel maps into each of them, vdso(7). Its functions
//! get a jump to a small piece of code, put into the unused end of the page, which asks the kernel and
//! adds an offset. That needs no root, no preloaded library and nothing of the language, and changing the
//! offset later is one write of eight bytes.
//!
//! Only the wall clock is wrong: monotonic time, timers and sleeps are left alone, as after `date -s`. A
//! program that reads the processor's counter, or calls the kernel itself, escapes; a process that
//! `exec`s starts with the right time. x86-64 only.

mod code;
mod remote;
mod vdso;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use code::Layout;
use remote::Remote;
use vdso::{Function, JUMP_LEN, Jump, Vdso};

/// A process whose clock can be set.
#[derive(Debug)]
pub(crate) struct Clock {
    pid: i32,
    memory: File,
    /// Address of `clock_gettime`.
    entry: u64,
    /// Where our code is.
    code: u64,
    /// What the jumps replaced, by address.
    replaced: BTreeMap<u64, Jump>,
    /// Where our code counts the wrong answers it gives.
    counter: u64,
    /// Wrong answers that were given to ourselves.
    n_probes: AtomicU64,
}

impl Clock {
    /// Patches a process whose threads all stand still. It gets the right time until [`Clock::set`].
    ///
    /// `WouldBlock` if a thread stands where the jumps go: let it run a little, and try again.
    pub(crate) fn patch(pid: i32) -> io::Result<Clock> {
        let layout = Layout::get();
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"))?;
        let (base, len) = find(pid)?;
        let mut image = vec![0; len];
        memory.read_exact_at(&mut image, base)?;
        let vdso = Vdso::parse(&image, layout.bytes).map_err(io::Error::other)?;
        let code = base + vdso.room as u64;
        let clear = |pc: u64| {
            vdso.entries.keys().all(|entry| {
                let inside = pc.wrapping_sub(base + *entry as u64);
                inside == 0 || inside >= JUMP_LEN as u64
            })
        };
        if !counters_of(pid)?.into_iter().all(clear) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let gettime = vdso.entries.iter().find(|(_, f)| **f == Function::ClockGettime);
        let (entry, _) = gettime.ok_or_else(|| io::Error::other("there is no clock_gettime"))?;
        let entry = base + *entry as u64;
        memory.write_all_at(layout.bytes, code)?;
        let mut clock = Clock {
            pid,
            memory,
            entry,
            code,
            replaced: BTreeMap::new(),
            counter: 0,
            n_probes: AtomicU64::new(0),
        };
        for (&entry, &function) in &vdso.entries {
            let at = base + entry as u64;
            let target = code + layout.function(function);
            let mut old = [0; JUMP_LEN];
            clock.memory.read_exact_at(&mut old, at)?;
            clock.memory.write_all_at(&vdso::jump(at, target), at)?;
            clock.replaced.insert(at, old);
        }
        Ok(clock)
    }

    /// Gives the code a place to count at. The process must be running, as for every question to it.
    pub(crate) fn count(&mut self) -> io::Result<()> {
        let layout = Layout::get();
        let mut remote = Remote::attach(self.pid)?;
        self.counter = remote.map_page(self.code + layout.syscall)?;
        self.memory.write_all_at(&self.counter.to_ne_bytes(), self.code + layout.counter)
    }

    /// Makes the clock wrong by so much, or right again (0).
    pub(crate) fn set(&self, offset_ms: i64) -> io::Result<()> {
        let layout = Layout::get();
        let offset = offset_ms.saturating_mul(1_000_000);
        self.memory.write_all_at(&offset.to_ne_bytes(), self.code + layout.offset)
    }

    /// Lets the process ask for the time once. True if the answer is wrong by exactly `offset_ms`.
    pub(crate) fn shows(&self, offset_ms: i64) -> io::Result<bool> {
        let layout = Layout::get();
        let mut remote = Remote::attach(self.pid)?;
        let before = now();
        let seen = remote.ask(self.entry, self.code + layout.trap, &self.memory)?;
        let after = now();
        self.n_probes.fetch_add(u64::from(offset_ms != 0), Ordering::Relaxed);
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        let seen = if offset_ms < 0 { Some(seen + offset) } else { seen.checked_sub(offset) };
        Ok(seen.is_some_and(|seen| (before..=after).contains(&seen)))
    }

    /// How often the process was given a wrong time, other than by us.
    pub(crate) fn n_wrong_answers(&self) -> io::Result<u64> {
        let mut count = [0; 8];
        self.memory.read_exact_at(&mut count, self.counter)?;
        Ok(u64::from_ne_bytes(count).saturating_sub(self.n_probes.load(Ordering::Relaxed)))
    }

    /// True if the jumps are still there.
    pub(crate) fn is_patched(&self) -> bool {
        self.replaced.keys().all(|&at| {
            let mut now = [0; JUMP_LEN];
            self.memory.read_exact_at(&mut now, at).is_ok() && now[0] == vdso::JUMP
        })
    }

    /// Puts everything back; all threads must stand still. Our code stays in its corner, unused.
    pub(crate) fn restore(&self) -> io::Result<()> {
        for (&at, old) in &self.replaced {
            self.memory.write_all_at(old, at)?;
            let mut now = [0; JUMP_LEN];
            self.memory.read_exact_at(&mut now, at)?;
            if now != *old {
                return Err(io::Error::other("the vDSO does not keep what is written to it"));
            }
        }
        Ok(())
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Address and length of the page, from `/proc/<pid>/maps`.
fn find(pid: i32) -> io::Result<(u64, usize)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    line.and_then(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        let start = u64::from_str_radix(start, 16).ok()?;
        let end = u64::from_str_radix(end, 16).ok()?;
        Some((start, (end - start) as usize))
    })
    .ok_or_else(|| io::Error::other(format!("process {pid} has no vDSO")))
}

/// Where each thread stands: the last field of `/proc/<pid>/task/<tid>/syscall`.
fn counters_of(pid: i32) -> io::Result<Vec<u64>> {
    let mut counters = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has ended meanwhile stands nowhere.
        let Ok(text) = fs::read_to_string(task?.path().join("syscall")) else { continue };
        let last = text.split_whitespace().last().and_then(|word| word.strip_prefix("0x"));
        counters.extend(last.and_then(|word| u64::from_str_radix(word, 16).ok()));
    }
    Ok(counters)
}

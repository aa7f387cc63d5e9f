//! One call in another process, made by ptrace(2): its main thread is borrowed for some microseconds.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

/// The main thread of a process, stopped. Dropping it lets the thread go on as if nothing had happened.
#[derive(Debug)]
pub(super) struct Remote {
    pid: i32,
    /// What its registers held.
    saved: libc::user_regs_struct,
    /// Signals that came in between, which the thread must still get.
    signals: Vec<i32>,
}

/// What the System V ABI lets a leaf function use below the stack pointer.
const RED_ZONE: u64 = 128;
/// For our arguments.
const SCRATCH: u64 = 256;

impl Remote {
    /// Stops the thread. The process must not be stopped by a signal.
    pub(super) fn attach(pid: i32) -> io::Result<Remote> {
        ptrace(libc::PTRACE_SEIZE, pid, 0)?;
        let stopped = ptrace(libc::PTRACE_INTERRUPT, pid, 0).and_then(|()| interrupted(pid));
        match stopped.and_then(|()| registers(pid)) {
            Ok(saved) => Ok(Remote { pid, saved, signals: Vec::new() }),
            Err(error) => {
                // It has ended, most likely, and then there is nothing to let go.
                let _ = ptrace(libc::PTRACE_DETACH, pid, 0);
                Err(error)
            }
        }
    }

    /// A new page of the process' memory, by `mmap`. `syscall` is the address of that instruction.
    pub(super) fn map_page(&mut self, syscall: u64) -> io::Result<u64> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let registers = libc::user_regs_struct {
            rax: libc::SYS_mmap as u64,
            rdi: 0,
            rsi: 4096,
            rdx: (libc::PROT_READ | libc::PROT_WRITE) as u64,
            r10: flags as u64,
            r8: u64::MAX,
            r9: 0,
            rip: syscall,
            ..self.saved
        };
        let page = self.run(registers)?.rax;
        match page as i64 {
            -4095..0 => Err(io::Error::from_raw_os_error(-(page as i32))),
            _ => Ok(page),
        }
    }

    /// Calls `clock_gettime(CLOCK_REALTIME)` at `entry`. `trap` is the address of a breakpoint to return to.
    pub(super) fn ask(&mut self, entry: u64, trap: u64, memory: &File) -> io::Result<Duration> {
        let answer = (self.saved.rsp - RED_ZONE - SCRATCH) & !15;
        // The return address; the ABI wants the stack aligned before it was pushed.
        let rsp = answer - 24;
        memory.write_all_at(&trap.to_ne_bytes(), rsp)?;
        let (rdi, rsi, rip) = (libc::CLOCK_REALTIME as u64, answer, entry);
        let result = self.run(libc::user_regs_struct { rdi, rsi, rip, rsp, ..self.saved })?.rax;
        let mut time = [[0; 8]; 2];
        memory.read_exact_at(time.as_flattened_mut(), answer)?;
        let [seconds, nanos] = time.map(u64::from_ne_bytes);
        match result {
            0 => Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanos)),
            _ => Err(io::Error::other("clock_gettime failed in the process")),
        }
    }

    /// Runs to the next breakpoint. Without a system call to go back to, the kernel restarts none.
    fn run(&mut self, regs: libc::user_regs_struct) -> io::Result<libc::user_regs_struct> {
        set_registers(self.pid, &libc::user_regs_struct { orig_rax: u64::MAX, ..regs })?;
        loop {
            ptrace(libc::PTRACE_CONT, self.pid, 0)?;
            match stop(self.pid)? {
                Stop::Signal(libc::SIGTRAP) => return registers(self.pid),
                Stop::Signal(signal @ (libc::SIGSEGV | libc::SIGBUS | libc::SIGILL)) => {
                    let what = format!("our code failed in the process with signal {signal}");
                    return Err(io::Error::other(what));
                }
                Stop::Signal(signal) => self.signals.push(signal),
                Stop::Interrupt => {}
            }
        }
    }
}

impl Drop for Remote {
    /// If the process has ended meanwhile there is nothing to put back.
    fn drop(&mut self) {
        let _ = set_registers(self.pid, &self.saved);
        let first = self.signals.first().copied().unwrap_or(0);
        let _ = ptrace(libc::PTRACE_DETACH, self.pid, first as usize);
        for signal in self.signals.iter().skip(1) {
            // SAFETY: no memory is involved.
            unsafe { libc::kill(self.pid, *signal) };
        }
    }
}

/// Why a traced thread stopped.
enum Stop {
    /// A signal is about to be delivered.
    Signal(i32),
    /// It was told to by us, or because the process was continued.
    Interrupt,
}

/// Waits until our interrupt arrives; signals before it are delivered as usual.
fn interrupted(pid: i32) -> io::Result<()> {
    while let Stop::Signal(signal) = stop(pid)? {
        ptrace(libc::PTRACE_CONT, pid, signal as usize)?;
    }
    Ok(())
}

/// Waits until the thread stops.
fn stop(pid: i32) -> io::Result<Stop> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    Errno::result(retry(|| unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) }))?;
    match (libc::WIFSTOPPED(status), status >> 16) {
        (false, _) => Err(io::Error::other("the process ended")),
        (true, 0) => Ok(Stop::Signal(libc::WSTOPSIG(status))),
        (true, _) => Ok(Stop::Interrupt),
    }
}

fn registers(pid: i32) -> io::Result<libc::user_regs_struct> {
    // SAFETY: plain old data, for which zero is a valid value.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    ptrace(libc::PTRACE_GETREGS, pid, (&raw mut registers) as usize)?;
    Ok(registers)
}

fn set_registers(pid: i32, registers: &libc::user_regs_struct) -> io::Result<()> {
    ptrace(libc::PTRACE_SETREGS, pid, std::ptr::from_ref(registers) as usize)
}

fn retry(mut call: impl FnMut() -> i32) -> i32 {
    loop {
        let result = call();
        if result != -1 || Errno::last() != Errno::EINTR {
            return result;
        }
    }
}

fn ptrace(request: libc::c_uint, pid: i32, data: usize) -> io::Result<()> {
    // SAFETY: `data` is a number, or the address of a live `user_regs_struct` for the requests that want one.
    let result = unsafe { libc::ptrace(request, pid, null_mut::<u8>(), data) };
    Ok(Errno::result(result).map(drop)?)
}

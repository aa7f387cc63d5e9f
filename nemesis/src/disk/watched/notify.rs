//! System calls that wait for our answer: seccomp_unotify(2).

use std::fs::File;
use std::io;
use std::mem::{offset_of, size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::{self, c_int, c_long, c_void};

/// A call that waits. It names a thread, its number, and its arguments.
pub(super) type Call = libc::seccomp_notif;

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// The kernel does it.
    Go,
    /// It is done already.
    Done,
    /// It fails with this errno.
    Error(c_int),
}

const RECEIVE: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// Does this kernel know such calls?
pub(in crate::disk) fn available() -> bool {
    let action = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the kernel reads the four bytes of `action`.
    let known = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action)
    };
    cfg!(target_arch = "x86_64") && known == 0
}

/// Makes the program, when it starts, ask before each call that writes, syncs or makes a file. The other
/// end gives the descriptor to [`receive`] from.
pub(super) fn ask_first(command: &mut Command) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let program = program();
    let install = move || install(&program, theirs.as_raw_fd());
    // SAFETY: `install` makes system calls and nothing else: no allocation, no lock.
    unsafe { command.pre_exec(install) };
    Ok(ours)
}

/// The descriptor that a process which was started so has sent.
pub(super) fn listener(from: &UnixStream) -> io::Result<File> {
    let mut byte = 0_u8;
    let mut space = [0_u64; 8];
    let mut io_vec = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: zeros are a valid msghdr, and every pointer in it is to a local that outlives the call.
    let fd = unsafe {
        let mut message: libc::msghdr = zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut io_vec, 1);
        message.msg_control = space.as_mut_ptr().cast();
        message.msg_controllen = size_of::<[u64; 8]>();
        if libc::recvmsg(from.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) <= 0 {
            return Err(io::Error::last_os_error());
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned()
    };
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) }.into())
}

/// The next call that waits; `None` if its thread has ended meanwhile.
pub(super) fn receive(listener: &File) -> io::Result<Option<Call>> {
    // SAFETY: zeros are a valid call, as the kernel demands, and it fills in no more than its size.
    unsafe {
        let mut call: Call = zeroed();
        match libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut call) {
            0 => Ok(Some(call)),
            _ => match io::Error::last_os_error() {
                error if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {
                    Ok(None)
                }
                error => Err(error),
            },
        }
    }
}

/// Answers a call. Its thread may have ended: then there is nobody to hear it.
pub(super) fn answer(listener: &File, call: &Call, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Go => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Done => (0, 0),
        Answer::Error(errno) => (-errno, 0),
    };
    let response = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
    // SAFETY: the kernel reads a response of this layout.
    let _gone = unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const response) };
}

/// The filter: which calls wait. Writes to standard output and error do not.
fn program() -> Vec<libc::sock_filter> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ABOVE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = |n: c_long| n as u32;
    let argument = |n: usize| (offset_of!(libc::seccomp_data, args) + 8 * n) as u32;
    // A step may skip as many of the next ones as it says: first if it applies, second if not.
    vec![
        step(LOAD, 0, 0, offset_of!(libc::seccomp_data, arch) as u32),
        step(EQUAL, 0, 6, AUDIT_ARCH_X86_64),
        step(LOAD, 0, 0, offset_of!(libc::seccomp_data, nr) as u32),
        step(EQUAL, 10, 0, number(libc::SYS_fsync)),
        step(EQUAL, 9, 0, number(libc::SYS_fdatasync)),
        step(EQUAL, 3, 0, number(libc::SYS_write)),
        step(EQUAL, 2, 0, number(libc::SYS_pwrite64)),
        step(EQUAL, 3, 0, number(libc::SYS_openat)),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(LOAD, 0, 0, argument(0)),
        step(ABOVE, 3, 2, libc::STDERR_FILENO as u32),
        step(LOAD, 0, 0, argument(2)),
        step(ANY_BIT, 1, 0, libc::O_CREAT as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF),
    ]
}

/// Runs in the new process, before the program does.
fn install(program: &[libc::sock_filter], tell: RawFd) -> io::Result<()> {
    let filter =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: `filter` and the message point to what outlives the calls; zeros are a valid msghdr.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        let fd = libc::syscall(libc::SYS_seccomp, mode, flags, &raw const filter) as RawFd;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        send(tell, fd)
    }
}

/// # Safety
/// Both must be open.
unsafe fn send(over: RawFd, fd: RawFd) -> io::Result<()> {
    let (mut byte, mut space) = (0_u8, [0_u64; 8]);
    let mut io_vec = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: zeros are a valid msghdr, and every pointer in it is to a local that outlives the call.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        (message.msg_iov, message.msg_iovlen) = (&raw mut io_vec, 1);
        message.msg_control = space.as_mut_ptr().cast::<c_void>();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as usize;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        ((*header).cmsg_level, (*header).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as usize;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        match libc::sendmsg(over, &raw const message, 0) {
            1 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

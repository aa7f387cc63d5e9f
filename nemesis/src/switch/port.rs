//! One end of a cable: an AF_PACKET socket bound to an interface. See packet(7).

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use crate::netlink::interface_index;

/// Bytes before the IP header: `virtio_net_hdr` (10), which keeps offloaded packets whole, and Ethernet (14).
pub(super) const IP_OFFSET: usize = 24;

/// Room for the largest offloaded packet (64 KiB) and its headers.
pub(super) const FRAME_MAX: usize = 70_000;

/// Asked for each socket, so that a busy machine does not lose packets that no fault took.
const BUFFER_BYTES: i32 = 8 << 20;

/// A raw socket that receives what enters the interface and sends what shall leave it.
#[derive(Debug)]
pub struct Port {
    socket: OwnedFd,
}

impl Port {
    /// Opens the interface `name` of the calling thread's namespace.
    pub fn open(name: &str) -> io::Result<Port> {
        let index = interface_index(name).map_err(|e| io::Error::from(e.errno))?;
        let port = Port { socket: packet_socket()? };
        for option in
            [libc::PACKET_VNET_HDR, libc::PACKET_IGNORE_OUTGOING, libc::PACKET_QDISC_BYPASS]
        {
            port.set(libc::SOL_PACKET, option, 1)?;
        }
        // The forced size needs a capability in the first user namespace; the plain one is capped.
        port.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER_BYTES)
            .or_else(|_| port.set(libc::SOL_SOCKET, libc::SO_RCVBUF, BUFFER_BYTES))?;
        port.bind(index)?;
        Ok(port)
    }

    /// Reads one frame; `None` if there is none now.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // SAFETY: the pointer and length describe `buffer`, which outlives the call.
        let len = unsafe {
            libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0)
        };
        match Errno::result(len) {
            Ok(len) => Ok(Some(len as usize)),
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sends one frame; false if the interface would not take it.
    pub(super) fn send(&self, frame: &[u8]) -> bool {
        // SAFETY: the pointer and length describe `frame`, which outlives the call.
        let len =
            unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        len == frame.len() as isize
    }

    /// Frames that the kernel dropped because this socket's buffer was full, since the last call.
    pub(super) fn take_overflow(&self) -> io::Result<u64> {
        let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut len = size_of_val(&stats) as libc::socklen_t;
        // SAFETY: `stats` and `len` are valid for writes and `len` is the size of `stats`.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut len,
            )
        };
        Errno::result(result)?;
        Ok(u64::from(stats.tp_drops))
    }

    fn set(&self, level: i32, option: i32, value: i32) -> io::Result<()> {
        let len = size_of_val(&value) as libc::socklen_t;
        // SAFETY: the pointer and length describe `value`, which outlives the call.
        let result = unsafe {
            libc::setsockopt(self.socket.as_raw_fd(), level, option, (&raw const value).cast(), len)
        };
        Ok(Errno::result(result).map(drop)?)
    }

    fn bind(&self, interface: u32) -> io::Result<()> {
        // SAFETY: `sockaddr_ll` is plain old data, for which zero is a valid value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = interface as i32;
        let len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the pointer and length describe `address`, which outlives the call.
        let result =
            unsafe { libc::bind(self.socket.as_raw_fd(), (&raw const address).cast(), len) };
        Ok(Errno::result(result).map(drop)?)
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Protocol 0: nothing arrives before the socket is bound to its interface.
fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is involved.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: the descriptor was just opened and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

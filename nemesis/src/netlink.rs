//! The few rtnetlink requests a lab needs, synchronous and without a library: see rtnetlink(7).

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

/// Hardware address of an interface.
pub type Mac = [u8; 6];

/// A request that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action}: {errno}")]
pub struct NetlinkError {
    /// What was asked for, as in "add veth v1".
    pub action: String,
    /// The kernel's answer.
    pub errno: Errno,
}

/// A routing socket. It keeps talking about the namespace in which it was opened, wherever its thread goes.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// Opens a socket in the calling thread's namespace.
    pub fn open() -> Result<Netlink, NetlinkError> {
        socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )
        .map(|socket| Netlink { socket })
        .map_err(|errno| NetlinkError { action: "open a netlink socket".into(), errno })
    }

    /// Creates the pair `name` here and `peer`, with hardware address `mac`, in the namespace `ns`.
    pub fn add_veth(
        &self,
        name: &str,
        peer: &str,
        ns: BorrowedFd<'_>,
        mac: Mac,
    ) -> Result<(), NetlinkError> {
        let request = Message::new(libc::RTM_NEWLINK, CREATE)
            .interface(0, 0)
            .text(libc::IFLA_IFNAME, name)
            .nest(libc::IFLA_LINKINFO, |info| {
                info.text(libc::IFLA_INFO_KIND, "veth").nest(libc::IFLA_INFO_DATA, |data| {
                    data.nest(VETH_INFO_PEER, |other| {
                        other
                            .interface(0, 0)
                            .text(libc::IFLA_IFNAME, peer)
                            .attribute(libc::IFLA_ADDRESS, &mac)
                            .attribute(libc::IFLA_NET_NS_FD, &ns.as_raw_fd().to_ne_bytes())
                    })
                })
            });
        self.call(&format!("add veth {name}"), request)
    }

    /// Sets the interface up.
    pub fn set_up(&self, index: u32) -> Result<(), NetlinkError> {
        let request = Message::new(libc::RTM_NEWLINK, 0).interface(index, libc::IFF_UP as u32);
        self.call(&format!("set interface {index} up"), request)
    }

    /// Gives the interface `addr` in a network of `prefix` bits.
    pub fn add_addr(&self, index: u32, addr: Ipv4Addr, prefix: u8) -> Result<(), NetlinkError> {
        let mut header = vec![libc::AF_INET as u8, prefix, 0, 0];
        header.extend(index.to_ne_bytes());
        let request = Message::new(libc::RTM_NEWADDR, CREATE)
            .bytes(&header)
            .attribute(libc::IFA_LOCAL, &addr.octets())
            .attribute(libc::IFA_ADDRESS, &addr.octets());
        self.call(&format!("add address {addr}/{prefix}"), request)
    }

    /// Makes `addr` a permanent neighbour, so that no ARP is needed and none can be lost.
    pub fn add_neighbour(&self, index: u32, addr: Ipv4Addr, mac: Mac) -> Result<(), NetlinkError> {
        let mut header = vec![libc::AF_INET as u8, 0, 0, 0];
        header.extend(index.to_ne_bytes());
        header.extend(libc::NUD_PERMANENT.to_ne_bytes());
        header.extend([0, 0]);
        let request = Message::new(libc::RTM_NEWNEIGH, CREATE)
            .bytes(&header)
            .attribute(libc::NDA_DST, &addr.octets())
            .attribute(libc::NDA_LLADDR, &mac);
        self.call(&format!("add neighbour {addr}"), request)
    }

    fn call(&self, action: &str, request: Message) -> Result<(), NetlinkError> {
        self.exchange(request).map_err(|errno| NetlinkError { action: action.to_owned(), errno })
    }

    /// Every request asks for an acknowledgement: `nlmsghdr` (16 bytes), then the negated errno or 0.
    fn exchange(&self, request: Message) -> Result<(), Errno> {
        let fd = self.socket.as_fd().as_raw_fd();
        send(fd, &request.finish(), MsgFlags::empty())?;
        let mut reply = [0; 8192];
        let len = recv(fd, &mut reply, MsgFlags::empty())?;
        let status = reply[..len].get(16..20).ok_or(Errno::EBADMSG)?;
        match i32::from_ne_bytes(status.try_into().expect("four bytes were taken")) {
            0 => Ok(()),
            error => Err(Errno::from_raw(-error)),
        }
    }
}

/// Index of the interface `name` in the calling thread's namespace.
pub fn interface_index(name: &str) -> Result<u32, NetlinkError> {
    if_nametoindex(name)
        .map_err(|errno| NetlinkError { action: format!("find interface {name}"), errno })
}

const CREATE: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
/// From `linux/veth.h`; libc does not have it.
const VETH_INFO_PEER: u16 = 1;

/// A request under construction: `nlmsghdr`, a fixed header, then attributes, each padded to 4 bytes.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: i32) -> Message {
        let mut bytes = vec![0; 16];
        let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Message(bytes)
    }

    fn bytes(mut self, data: &[u8]) -> Message {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// `struct ifinfomsg`, changing exactly the given flags.
    fn interface(self, index: u32, flags: u32) -> Message {
        let mut header = [0; 16];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        header[8..12].copy_from_slice(&flags.to_ne_bytes());
        header[12..16].copy_from_slice(&flags.to_ne_bytes());
        self.bytes(&header)
    }

    fn attribute(mut self, kind: u16, data: &[u8]) -> Message {
        self.0.extend((4 + data.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.bytes(data)
    }

    fn text(self, kind: u16, text: &str) -> Message {
        self.attribute(kind, &[text.as_bytes(), &[0]].concat())
    }

    fn nest(mut self, kind: u16, inner: impl FnOnce(Message) -> Message) -> Message {
        let start = self.0.len();
        self.0.extend([0, 0]);
        self.0.extend(kind.to_ne_bytes());
        let mut outer = inner(self);
        let len = (outer.0.len() - start) as u16;
        outer.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        outer
    }

    fn finish(mut self) -> Vec<u8> {
        let len = self.0.len() as u32;
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nests_know_their_length() {
        let message = Message::new(16, 0).nest(2, |m| m.text(1, "veth")).finish();
        assert_eq!(message.len(), 16 + 4 + 4 + 8);
        assert_eq!(message[..4], 32_u32.to_ne_bytes());
        assert_eq!(message[16..18], 16_u16.to_ne_bytes());
        assert_eq!(message[20..22], 9_u16.to_ne_bytes());
    }
}

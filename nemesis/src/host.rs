//! Who can be addressed in the lab: the servers, the clients, and the observer that is never cut off.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A server, numbered from 1 as in ZooKeeper's `server.N=` lines. Written `n1`, `n2`, ….
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(pub u8);

impl NodeId {
    /// Most nodes that fit below the addresses of the harness.
    pub const MAX: u8 = 99;

    /// The first `n_nodes` nodes, in order.
    pub fn first(n_nodes: u8) -> Vec<NodeId> {
        (1..=n_nodes).map(NodeId).collect()
    }
}

/// An address in the lab. Written `n1`, `clients`, `observer`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// A server, `10.77.0.i`.
    Node(NodeId),
    /// The workload's clients, `10.77.0.200`: may be cut off from servers.
    Clients,
    /// The harness' own probes, `10.77.0.201`: no fault ever applies to it.
    Observer,
}

impl Host {
    /// The host's IPv4 address, the same in every namespace.
    pub fn addr(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.last_octet())
    }

    /// The host behind `addr`, if it belongs to the lab's network.
    pub fn of_addr(addr: Ipv4Addr) -> Option<Host> {
        match addr.octets() {
            [10, 77, 0, 200] => Some(Host::Clients),
            [10, 77, 0, 201] => Some(Host::Observer),
            [10, 77, 0, i @ 1..=NodeId::MAX] => Some(Host::Node(NodeId(i))),
            _ => None,
        }
    }

    fn last_octet(self) -> u8 {
        match self {
            Host::Node(NodeId(i)) => i,
            Host::Clients => 200,
            Host::Observer => 201,
        }
    }
}

impl From<NodeId> for Host {
    fn from(node: NodeId) -> Host {
        Host::Node(node)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Node(node) => node.fmt(f),
            Host::Clients => f.write_str("clients"),
            Host::Observer => f.write_str("observer"),
        }
    }
}

/// Text that names no host of the lab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host: write n1 to n{max}, clients or observer", max = NodeId::MAX)]
pub struct UnknownHost(String);

impl FromStr for NodeId {
    type Err = UnknownHost;

    fn from_str(text: &str) -> Result<NodeId, UnknownHost> {
        text.strip_prefix('n')
            .and_then(|number| number.parse().ok())
            .filter(|number| (1..=NodeId::MAX).contains(number))
            .map(NodeId)
            .ok_or_else(|| UnknownHost(text.to_owned()))
    }
}

impl FromStr for Host {
    type Err = UnknownHost;

    fn from_str(text: &str) -> Result<Host, UnknownHost> {
        match text {
            "clients" => Ok(Host::Clients),
            "observer" => Ok(Host::Observer),
            node => node.parse().map(Host::Node),
        }
    }
}

impl TryFrom<String> for NodeId {
    type Error = UnknownHost;

    fn try_from(text: String) -> Result<NodeId, UnknownHost> {
        text.parse()
    }
}

impl TryFrom<String> for Host {
    type Error = UnknownHost;

    fn try_from(text: String) -> Result<Host, UnknownHost> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(node: NodeId) -> String {
        node.to_string()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> String {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_go_both_ways() {
        for host in [Host::Node(NodeId(1)), Host::Node(NodeId(99)), Host::Clients, Host::Observer] {
            assert_eq!(host.to_string().parse(), Ok(host));
            assert_eq!(Host::of_addr(host.addr()), Some(host));
        }
    }

    #[test]
    fn strangers_are_refused() {
        for text in ["", "n", "n0", "n100", "n-1", "1", "client"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
        assert_eq!(Host::of_addr(Ipv4Addr::new(10, 77, 0, 0)), None);
        assert_eq!(Host::of_addr(Ipv4Addr::new(10, 78, 0, 1)), None);
    }
}

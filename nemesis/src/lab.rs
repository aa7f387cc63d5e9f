//! The lab: a network namespace for each server and one for the harness, joined by a [`Switch`]. Where the
//! machine forbids them, addresses on its loopback.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::{Host, NodeId};
use crate::namespace::Namespace;
use crate::netlink::{Mac, Netlink, NetlinkError, interface_index};
use crate::place::Place;
use crate::switch::{Port, Recovery, Switch};

/// Why there is no lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The number of nodes is out of range.
    #[error("a lab has 1 to {max} nodes, not {0}", max = NodeId::MAX)]
    Size(usize),
    /// A namespace, socket or thread was refused.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// An interface, address or neighbour was refused.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// Every part of the loopback that was tried is in use.
    #[error("no part of 127.0.0.0/8 is free for the servers: {0}")]
    Loopback(#[source] io::Error),
    /// The network was built and does not carry packets.
    #[error("no packet from {from} reached {to} within {within:?}: {last}")]
    Unreachable {
        /// Who asked.
        from: Host,
        /// Who did not answer.
        to: Host,
        /// How long it was tried.
        within: Duration,
        /// The last error.
        last: io::Error,
    },
}

/// Where the servers are. Dropping it takes the network down; nothing of it has a name that could stay.
#[derive(Debug)]
pub struct Lab {
    nodes: Vec<Place>,
    network: Network,
}

#[derive(Debug)]
enum Network {
    Own { harness: Namespace, switch: Switch },
    Loopback(Loopback),
}

/// `127.a.b.0/24`, which is this lab's as long as the socket is open.
#[derive(Debug)]
struct Loopback {
    prefix: [u8; 2],
    _claim: UdpSocket,
}

impl Lab {
    /// Builds the network of `n_nodes` servers and returns when every host can reach every server.
    ///
    /// Needs the rights that [`crate::contain::enter`] gives. The calling thread's namespace does not change.
    pub fn new(n_nodes: usize) -> Result<Lab, LabError> {
        Lab::with(n_nodes, Recovery::default())
    }

    /// The same, with connections that recover in this way.
    pub fn with(n_nodes: usize, recovery: Recovery) -> Result<Lab, LabError> {
        let n_nodes = size(n_nodes)?;
        let lab = thread::scope(|scope| scope.spawn(|| build(n_nodes, recovery)).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        lab.verify()?;
        Ok(lab)
    }

    /// A lab without a network of its own: servers share this machine's loopback, each with an address there, and
    /// processes are found by a mark. Nothing can be cut or slowed down. Two such labs never share an address.
    ///
    /// Needs no rights. [`crate::contain::enter_without_namespaces`] ends its processes.
    pub fn on_loopback(n_nodes: usize) -> Result<Lab, LabError> {
        let n_nodes = size(n_nodes)?;
        let loopback = Loopback::claim()?;
        let [a, b] = loopback.prefix;
        let place = |node: NodeId| Place::Marked(format!("{a}.{b}/{node}"));
        let nodes = NodeId::first(n_nodes).into_iter().map(place).collect();
        Ok(Lab { nodes, network: Network::Loopback(loopback) })
    }

    /// Does it have a network of its own, which can be broken?
    pub fn has_network(&self) -> bool {
        matches!(self.network, Network::Own { .. })
    }

    /// Where a host is reached.
    pub fn addr(&self, host: Host) -> Ipv4Addr {
        match &self.network {
            Network::Own { .. } => host.addr(),
            Network::Loopback(loopback) => loopback.addr(host),
        }
    }

    /// The servers, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        NodeId::first(self.nodes.len() as u8)
    }

    /// The namespace of a host; clients and observer share the harness' one.
    ///
    /// # Panics
    /// If the lab has no such node, or no network.
    pub fn namespace(&self, host: Host) -> &Namespace {
        match (host, &self.network) {
            (Host::Node(node), _) => match self.place(node) {
                Place::Namespace(namespace) => namespace,
                Place::Marked(_) => panic!("{NO_NETWORK}"),
            },
            (_, Network::Own { harness, .. }) => harness,
            (_, Network::Loopback(_)) => panic!("{NO_NETWORK}"),
        }
    }

    /// Where the processes of a server are.
    pub(crate) fn place(&self, NodeId(i): NodeId) -> &Place {
        &self.nodes[usize::from(i) - 1]
    }

    /// The switch between all hosts.
    ///
    /// # Panics
    /// If the lab has no network.
    pub fn switch(&self) -> &Switch {
        match &self.network {
            Network::Own { switch, .. } => switch,
            Network::Loopback(_) => panic!("{NO_NETWORK}"),
        }
    }

    /// Moves the calling thread into the harness' namespace, where [`Host::Clients`] and
    /// [`Host::Observer`] live. Threads it starts later live there too: call it before the runtime starts.
    ///
    /// Sockets use the clients' address unless they are bound to the observer's.
    pub fn enter_harness_ns(&self) -> io::Result<()> {
        match &self.network {
            Network::Own { harness, .. } => harness.enter(),
            Network::Loopback(_) => Ok(()),
        }
    }

    /// Every host must get an answer from every server before anybody relies on the network.
    fn verify(&self) -> Result<(), LabError> {
        let sources = self.nodes().into_iter().map(Host::from).chain([Host::Clients]);
        for from in sources {
            self.namespace(from)
                .run(|| self.nodes().into_iter().try_for_each(|to| reach(from, to.into())))
                .map_err(|e| LabError::System("enter a namespace", e))??;
        }
        Ok(())
    }
}

const NO_NETWORK: &str = "a lab on the loopback has no network: see Lab::has_network";

fn size(n_nodes: usize) -> Result<u8, LabError> {
    let small = u8::try_from(n_nodes).ok();
    small.filter(|n| (1..=NodeId::MAX).contains(n)).ok_or(LabError::Size(n_nodes))
}

impl Loopback {
    /// Takes a part that no other lab has: the kernel gives an address and port to one socket only, and
    /// takes it back when the process dies.
    fn claim() -> Result<Loopback, LabError> {
        let first = std::process::id();
        let mut last = io::ErrorKind::AddrInUse.into();
        for n in 0..LOOPBACK_TRIES {
            let [.., a, b] = first.wrapping_add(n).to_be_bytes();
            // The parts below 127.128 are where programs and distributions put things.
            let prefix = [a | 128, b];
            match UdpSocket::bind((addr_in(prefix, Host::Observer), CLAIM_PORT)) {
                Ok(claim) => return Ok(Loopback { prefix, _claim: claim }),
                Err(error) => last = error,
            }
        }
        Err(LabError::Loopback(last))
    }

    fn addr(&self, host: Host) -> Ipv4Addr {
        addr_in(self.prefix, host)
    }
}

const LOOPBACK_TRIES: u32 = 256;
const CLAIM_PORT: u16 = 2180;

fn addr_in([a, b]: [u8; 2], host: Host) -> Ipv4Addr {
    let [.., i] = host.addr().octets();
    Ipv4Addr::new(127, a, b, i)
}

/// A port that nobody listens on: its refusal proves that packets go there and come back.
const CLOSED_PORT: u16 = 1;
const READY_WITHIN: Duration = Duration::from_secs(10);

fn reach(from: Host, to: Host) -> Result<(), LabError> {
    let address = SocketAddr::from((to.addr(), CLOSED_PORT));
    let start = Instant::now();
    loop {
        // Shorter than TCP's first retransmission (1 s), so that one early loss costs little.
        match TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
            Err(last) if start.elapsed() > READY_WITHIN => {
                return Err(LabError::Unreachable { from, to, within: READY_WITHIN, last });
            }
            Err(_) => {}
        }
    }
}

/// Runs on a thread of its own, which moves through all the new namespaces.
fn build(n_nodes: u8, recovery: Recovery) -> Result<Lab, LabError> {
    let cabinet = unshare("create the switch's network namespace")?;
    let netlink = Netlink::open()?;
    write_settings(recovery)?;
    let hosts: Vec<Host> = NodeId::first(n_nodes).into_iter().map(Host::from).collect();
    let mut namespaces = Vec::new();
    for &host in &hosts {
        namespaces.push(Place::Namespace(build_host(&netlink, &[host], &hosts, recovery)?));
    }
    let harness = build_host(&netlink, &HARNESS, &hosts, recovery)?;
    cabinet.enter().map_err(|e| LabError::System("return to the switch's namespace", e))?;
    let switch = start_switch(&netlink, &hosts, recovery)?;
    Ok(Lab { nodes: namespaces, network: Network::Own { harness, switch } })
}

/// The first one's address is the source of sockets that ask for none.
const HARNESS: [Host; 2] = [Host::Clients, Host::Observer];

/// One namespace with one interface, which has the addresses of `own`, and knows every other host.
fn build_host(
    switch: &Netlink,
    own: &[Host],
    nodes: &[Host],
    recovery: Recovery,
) -> Result<Namespace, LabError> {
    let namespace = unshare("create a network namespace")?;
    write_settings(recovery)?;
    switch.add_veth(&cable(own[0]), "eth0", namespace.as_fd(), mac(own[0]))?;
    let netlink = Netlink::open()?;
    let index = interface_index("eth0")?;
    own.iter().try_for_each(|host| netlink.add_addr(index, host.addr(), 24))?;
    netlink.set_up(index)?;
    netlink.set_up(interface_index("lo")?)?;
    let others = nodes.iter().chain(&HARNESS).filter(|host| !own.contains(host));
    for host in others {
        netlink.add_neighbour(index, host.addr(), mac(*host))?;
    }
    Ok(namespace)
}

fn start_switch(netlink: &Netlink, nodes: &[Host], recovery: Recovery) -> Result<Switch, LabError> {
    let mut ports = Vec::new();
    let mut port_of = BTreeMap::new();
    for host in nodes.iter().chain(&HARNESS[..1]) {
        netlink.set_up(interface_index(&cable(*host))?)?;
        port_of.insert(*host, ports.len());
        ports.push(Port::open(&cable(*host)).map_err(|e| LabError::System("open a port", e))?);
    }
    port_of.insert(Host::Observer, port_of[&Host::Clients]);
    Switch::start(ports, &port_of, recovery).map_err(|e| LabError::System("start the switch", e))
}

/// The switch's end of the veth pair that leads to `host`.
fn cable(host: Host) -> String {
    format!("v-{host}")
}

/// Both of the harness' addresses are on one interface.
fn mac(host: Host) -> Mac {
    match host {
        Host::Node(NodeId(i)) => [2, 0, 0, 0, 0, i],
        Host::Clients | Host::Observer => [2, 0, 0, 0, 0, 200],
    }
}

fn unshare(what: &'static str) -> Result<Namespace, LabError> {
    Namespace::unshare().map_err(|e| LabError::System(what, e))
}

/// Settings of the calling thread's namespace; each file is absent on some kernels.
///
/// IPv6 is off, because its router solicitations would be packets that nobody asked for. Linux 6.15 and
/// later can bound TCP's back-off. Retries are counted, not timed, so the bound needs more of them to
/// keep a connection alive as long as before (`tcp_retries2`, kernel documentation ip-sysctl).
fn write_settings(recovery: Recovery) -> Result<(), LabError> {
    setting("ipv6/conf/all/disable_ipv6", "1")?;
    setting("ipv6/conf/default/disable_ipv6", "1")?;
    if recovery == Recovery::Fast && setting("ipv4/tcp_rto_max_ms", "1000")? {
        setting("ipv4/tcp_retries2", "250")?;
        setting("ipv4/tcp_syn_retries", "120")?;
    }
    Ok(())
}

/// False if this kernel has no such setting.
fn setting(name: &str, value: &str) -> Result<bool, LabError> {
    let path = Path::new("/proc/sys/net").join(name);
    match fs::write(path, value) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(LabError::System("write a setting under /proc/sys/net", e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_on_the_loopback_share_no_address() {
        let labs = [(); 2].map(|()| Lab::on_loopback(3).expect("there is room"));
        let addr = |lab: &Lab| lab.addr(Host::Node(NodeId(1)));
        assert!(labs.iter().all(|lab| addr(lab).is_loopback() && !lab.has_network()));
        assert_ne!(addr(&labs[0]), addr(&labs[1]));
        assert_ne!(addr(&labs[0]), labs[0].addr(Host::Clients));
    }

    #[test]
    fn a_lab_of_no_nodes_or_too_many_is_refused_before_anything_is_built() {
        for n_nodes in [0, 100, 256, 257] {
            assert!(matches!(Lab::new(n_nodes), Err(LabError::Size(n)) if n == n_nodes));
        }
    }
}

//! A network switch in user space: one thread moves every packet of the lab, and knows what it moved.

mod capture;
mod forwarder;
mod memory;
mod port;
mod quality;
mod special;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, PipeWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::FaultId;
use crate::host::Host;
use capture::Capture;
use forwarder::Forwarder;
pub use port::Port;
pub use quality::{QUEUE_MAX, Quality, Tally};

/// One direction between two hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Who sends.
    pub src: Host,
    /// Who would receive.
    pub dst: Host,
}

/// What the switch does with the packets of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Passes them on.
    #[default]
    Forward,
    /// Passes them on, and remembers the last segments of each TCP flow, because a firewall behind the
    /// switch may drop them.
    Hold,
    /// Drops them, and remembers the last segments of each TCP flow.
    Cut,
}

/// What has crossed a link since the switch was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Traffic {
    /// Packets that arrived at the switch. One packet may carry many segments (segmentation offload).
    pub packets: u64,
    /// Those of them that the policy dropped.
    pub dropped: u64,
}

/// Packets that were lost though no fault took them. Not zero: the machine was too busy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Losses {
    /// Dropped by the kernel because the switch did not read fast enough (PACKET_STATISTICS).
    pub overflow: u64,
    /// Read, but refused by the receiving interface.
    pub refused: u64,
}

impl std::ops::Sub for Losses {
    type Output = Losses;

    /// What was lost since `earlier`.
    fn sub(self, earlier: Losses) -> Losses {
        Losses {
            overflow: self.overflow - earlier.overflow,
            refused: self.refused - earlier.refused,
        }
    }
}

/// How connections recover from faults of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Recovery {
    /// The switch sends the last lost segments once more, and TCP's back-off is bounded.
    #[default]
    Fast,
    /// As in a real network: when TCP tries again.
    Natural,
}

/// Links that are bad no more.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unshaped {
    /// What happened on each link.
    pub tallies: BTreeMap<Link, Tally>,
    /// Lost TCP segments that were sent once more.
    pub n_replayed: usize,
}

/// The handle of a running switch. Dropping it stops the thread and closes the ports.
#[derive(Debug)]
pub struct Switch {
    requests: Sender<Request>,
    /// One byte per request wakes the thread; closing it ends the thread.
    wake: Option<PipeWriter>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl Switch {
    /// Starts the thread. `hosts` says behind which port each host is; hosts may share one.
    pub fn start(
        ports: Vec<Port>,
        hosts: &BTreeMap<Host, usize>,
        recovery: Recovery,
    ) -> io::Result<Switch> {
        let (requests, receiver) = channel();
        let (wake_reader, wake) = io::pipe()?;
        let counters = Arc::new(Counters::new(hosts));
        let forwarder =
            Forwarder::new(ports, hosts.clone(), receiver, wake_reader, counters.clone(), recovery);
        let thread = std::thread::Builder::new().name("switch".into()).spawn(|| forwarder.run())?;
        Ok(Switch { requests, wake: Some(wake), counters, thread: Some(thread) })
    }

    /// Gives every link in `links` the policy. It holds for every packet from the moment this returns.
    ///
    /// Links that return to [`Policy::Forward`] get their remembered segments sent once more; the result
    /// is the number of those.
    pub fn set(&self, links: &[Link], policy: Policy) -> io::Result<usize> {
        self.ask(|reply| Request::Set { links: links.to_vec(), policy, reply })
    }

    /// What crossed the link so far.
    pub fn traffic(&self, link: Link) -> Traffic {
        self.counters.links.get(&link).map(LinkCounters::read).unwrap_or_default()
    }

    /// Makes links bad, from the moment this returns. Faults on the same link add up. The n-th packet of a
    /// link meets the same luck whenever the seed is the same.
    pub fn shape(
        &self,
        fault: FaultId,
        links: &[Link],
        quality: Quality,
        seed: u64,
    ) -> io::Result<()> {
        let shaped = Shaped { fault, links: links.to_vec(), quality, seed };
        self.ask(|reply| Request::Shape { shaped, reply })
    }

    /// Ends what [`Switch::shape`] began. Packets on their way arrive at once, and the last lost segments
    /// of each TCP flow are sent once more.
    pub fn unshape(&self, fault: FaultId) -> io::Result<Unshaped> {
        self.ask(|reply| Request::Unshape { fault, reply })
    }

    /// The faults that make links bad at this moment.
    pub fn shapers(&self) -> io::Result<BTreeSet<FaultId>> {
        self.ask(|reply| Request::Shapers { reply })
    }

    /// Packets lost so far by no fault's doing.
    pub fn losses(&self) -> io::Result<Losses> {
        self.ask(|reply| Request::Losses { reply })
    }

    /// From now on every packet that reaches the switch is written to this file, those that are dropped
    /// too, in the format `pcap`. Checksums are those that the kernel has not filled in yet.
    pub fn capture(&self, path: &Path) -> io::Result<()> {
        let capture = Capture::create(path)?;
        self.ask(|reply| Request::Capture { capture, reply })
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> io::Result<T> {
        let (reply, answer) = channel();
        self.requests.send(request(reply)).map_err(|_| stopped())?;
        self.wake.as_ref().map_or_else(|| Err(stopped()), |mut wake| wake.write_all(&[0]))?;
        answer_within(&answer, Duration::from_secs(10))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.wake = None;
        // A panic in the thread has been printed by it, and every request since has failed.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What a handle may ask of the thread.
enum Request {
    Set { links: Vec<Link>, policy: Policy, reply: Sender<usize> },
    Shape { shaped: Shaped, reply: Sender<()> },
    Unshape { fault: FaultId, reply: Sender<Unshaped> },
    Shapers { reply: Sender<BTreeSet<FaultId>> },
    Losses { reply: Sender<Losses> },
    Capture { capture: Capture, reply: Sender<()> },
}

/// Which links a fault makes bad, and how.
struct Shaped {
    fault: FaultId,
    links: Vec<Link>,
    quality: Quality,
    seed: u64,
}

/// Written by the thread, read by anybody.
#[derive(Debug)]
struct Counters {
    links: BTreeMap<Link, LinkCounters>,
}

#[derive(Debug, Default)]
struct LinkCounters {
    packets: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    fn new(hosts: &BTreeMap<Host, usize>) -> Counters {
        let pairs = hosts.keys().flat_map(|&src| hosts.keys().map(move |&dst| Link { src, dst }));
        Counters { links: pairs.map(|link| (link, LinkCounters::default())).collect() }
    }
}

impl LinkCounters {
    fn read(&self) -> Traffic {
        Traffic {
            packets: self.packets.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

fn answer_within<T>(answer: &Receiver<T>, limit: Duration) -> io::Result<T> {
    answer.recv_timeout(limit).map_err(|_| stopped())
}

fn stopped() -> io::Error {
    io::Error::other("the switch of the lab has stopped: no packet moves any more")
}

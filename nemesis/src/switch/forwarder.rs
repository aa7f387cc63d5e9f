//! The switch's thread: read a frame, look up its link, apply the policy.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, PipeReader, Read};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Instant, SystemTime};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, ppoll};

use super::capture::Capture;
use super::port::{FRAME_MAX, IP_OFFSET, Port};
use super::special::{Fate, Special};
use super::{Counters, Link, Losses, Policy, Recovery, Request, Shaped, Unshaped};
use crate::fault::FaultId;
use crate::host::Host;

/// Frames taken from one port before the others get their turn.
const BATCH: usize = 32;

pub(super) struct Forwarder {
    ports: Vec<Port>,
    hosts: BTreeMap<Host, usize>,
    requests: Receiver<Request>,
    wake: PipeReader,
    counters: Arc<Counters>,
    /// Links that are not simply forwarded.
    special: BTreeMap<Link, Special>,
    /// Frames on their way, the next to arrive first.
    travelling: BinaryHeap<Reverse<Travelling>>,
    n_travelled: u64,
    losses: Losses,
    recovery: Recovery,
    capture: Option<Capture>,
}

/// A frame that arrives later. The number keeps the order of those that arrive at the same time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Travelling {
    at: Instant,
    number: u64,
    link: Link,
    frame: Vec<u8>,
}

impl Forwarder {
    pub(super) fn new(
        ports: Vec<Port>,
        hosts: BTreeMap<Host, usize>,
        requests: Receiver<Request>,
        wake: PipeReader,
        counters: Arc<Counters>,
        recovery: Recovery,
    ) -> Forwarder {
        let (special, losses) = (BTreeMap::new(), Losses::default());
        let (travelling, n_travelled) = (BinaryHeap::new(), 0);
        Forwarder {
            ports,
            hosts,
            requests,
            wake,
            counters,
            special,
            travelling,
            n_travelled,
            losses,
            recovery,
            capture: None,
        }
    }

    /// Runs until the handle is dropped. An error ends the thread, and with it every later request.
    pub(super) fn run(mut self) {
        raise_priority();
        let mut buffer = vec![0; FRAME_MAX];
        let ended = loop {
            match self.turn(&mut buffer) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = ended {
            eprintln!("the switch of the lab stopped: {error}");
        }
    }

    /// One wake-up. False if the handle is gone.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let (woken, readable) = self.wait()?;
        if woken && !self.serve_requests()? {
            return Ok(false);
        }
        for port in readable {
            self.drain(port, buffer)?;
        }
        self.let_arrive(Instant::now());
        Ok(true)
    }

    fn wait(&self) -> io::Result<(bool, Vec<usize>)> {
        let fds = std::iter::once(self.wake.as_fd()).chain(self.ports.iter().map(AsFd::as_fd));
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let next = self.travelling.peek().map(|Reverse(first)| first.at);
        let timeout = next.map(|at| at.saturating_duration_since(Instant::now()).into());
        match ppoll(&mut fds, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        let ports = (0..self.ports.len()).filter(|&port| ready(&fds[port + 1])).collect();
        Ok((ready(&fds[0]), ports))
    }

    /// A byte that was read and a request that was sent belong together; extra wake-ups do no harm.
    fn serve_requests(&mut self) -> io::Result<bool> {
        if self.wake.read(&mut [0; 64])? == 0 {
            return Ok(false);
        }
        while let Ok(request) = self.requests.try_recv() {
            self.serve(request)?;
        }
        Ok(true)
    }

    /// An asker that no longer waits for its reply is no concern of the switch.
    fn serve(&mut self, request: Request) -> io::Result<()> {
        match request {
            Request::Set { links, policy, reply } => {
                let n_replayed = links.into_iter().map(|link| self.set(link, policy)).sum();
                let _ = reply.send(n_replayed);
            }
            Request::Shape { shaped, reply } => {
                self.shape(&shaped);
                let _ = reply.send(());
            }
            Request::Unshape { fault, reply } => {
                let _ = reply.send(self.unshape(fault));
            }
            Request::Shapers { reply } => {
                let _ = reply.send(self.special.values().flat_map(Special::shapers).collect());
            }
            Request::Capture { capture, reply } => {
                self.capture = Some(capture);
                let _ = reply.send(());
            }
            Request::Losses { reply } => {
                let _ = reply.send(self.count_losses()?);
            }
        }
        Ok(())
    }

    fn set(&mut self, link: Link, policy: Policy) -> usize {
        let special = self.special.entry(link).or_default();
        special.policy = policy;
        if policy == Policy::Forward { self.replay(link) } else { 0 }
    }

    /// Sends what the link remembers once more, and forgets the link if nothing is special about it.
    fn replay(&mut self, link: Link) -> usize {
        let Some(special) = self.special.get_mut(&link) else { return 0 };
        let mut frames = special.take_memory();
        if self.recovery == Recovery::Natural {
            frames.clear();
        }
        if special.is_plain() {
            self.special.remove(&link);
        }
        frames.iter().for_each(|frame| self.deliver(link.dst, frame));
        frames.len()
    }

    fn shape(&mut self, shaped: &Shaped) {
        let now = Instant::now();
        for (&link, idx) in shaped.links.iter().zip(0..) {
            let seed = shaped.seed.wrapping_add(idx);
            let special = self.special.entry(link).or_default();
            special.shape(shaped.fault, shaped.quality, seed, now);
        }
    }

    fn unshape(&mut self, fault: FaultId) -> Unshaped {
        let mut unshaped = Unshaped::default();
        for (&link, special) in &mut self.special {
            unshaped.tallies.extend(special.unshape(fault).map(|tally| (link, tally)));
        }
        self.let_straight_through();
        for link in unshaped.tallies.keys() {
            let cut = self.special.get(link).is_some_and(|s| s.policy != Policy::Forward);
            unshaped.n_replayed += if cut { 0 } else { self.replay(*link) };
        }
        unshaped
    }

    /// Frames on links that are bad no more arrive now.
    fn let_straight_through(&mut self) {
        let all = std::mem::take(&mut self.travelling).into_sorted_vec();
        let shaped =
            |link: &Link| self.special.get(link).is_some_and(|s| s.shapers().next().is_some());
        let (still, free): (Vec<_>, Vec<_>) = all.into_iter().partition(|f| shaped(&f.0.link));
        self.travelling = still.into();
        // The reverse of what a heap of the reverse sorts ascending.
        free.iter().rev().for_each(|Reverse(f)| self.deliver(f.link.dst, &f.frame));
    }

    fn let_arrive(&mut self, now: Instant) {
        while let Some(Reverse(first)) = self.travelling.peek()
            && first.at <= now
        {
            if let Some(Reverse(first)) = self.travelling.pop() {
                self.deliver(first.link.dst, &first.frame);
            }
        }
    }

    fn count_losses(&mut self) -> io::Result<Losses> {
        for port in &self.ports {
            self.losses.overflow += port.take_overflow()?;
        }
        Ok(self.losses)
    }

    fn drain(&mut self, port: usize, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..BATCH {
            match self.ports[port].receive(buffer)? {
                Some(len) => self.forward(&buffer[..len]),
                None => break,
            }
        }
        Ok(())
    }

    fn forward(&mut self, frame: &[u8]) {
        let Some(link) = link_of(frame) else { return };
        let Some(counters) = self.counters.links.get(&link) else { return };
        counters.packets.fetch_add(1, Ordering::Relaxed);
        if let Some(capture) = &mut self.capture {
            capture.note(frame, SystemTime::now());
        }
        let Some(special) = self.special.get_mut(&link) else {
            return self.deliver(link.dst, frame);
        };
        match special.treat(frame, Instant::now()) {
            Fate::Cut => {
                counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Fate::Lost => {}
            Fate::Arrives { at: None, twice } => {
                (0..=u8::from(twice)).for_each(|_| self.deliver(link.dst, frame));
            }
            Fate::Arrives { at: Some(at), twice } => {
                (0..=u8::from(twice)).for_each(|_| self.send_off(link, at, frame));
            }
        }
    }

    fn send_off(&mut self, link: Link, at: Instant, frame: &[u8]) {
        self.n_travelled += 1;
        let number = self.n_travelled;
        self.travelling.push(Reverse(Travelling { at, number, link, frame: frame.to_vec() }));
    }

    fn deliver(&mut self, dst: Host, frame: &[u8]) {
        let sent = self.hosts.get(&dst).is_some_and(|&port| self.ports[port].send(frame));
        self.losses.refused += u64::from(!sent);
    }
}

/// The link of an IPv4 packet between two hosts of the lab; anything else (ARP, IPv6) goes nowhere.
fn link_of(frame: &[u8]) -> Option<Link> {
    let ip = frame.get(IP_OFFSET..IP_OFFSET + 20)?;
    if ip[0] >> 4 != 4 {
        return None;
    }
    let host = |at: usize| Host::of_addr(Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]));
    Some(Link { src: host(12)?, dst: host(16)? })
}

/// The busier the machine, the more the switch must come first. Without the right to it, it stays as it is.
///
/// Timers are late by 50 µs unless asked otherwise, which would add to every delay.
fn raise_priority() {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    // SAFETY: no memory is involved; who = 0 is the calling thread (setpriority(2), BUGS).
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

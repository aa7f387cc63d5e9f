//! The switch's thread: read a frame, look up its link, apply the policy.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::memory::Memory;
use super::port::{FRAME_MAX, IP_OFFSET, Port};
use super::{Counters, Link, Losses, Policy, Request};
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
    special: BTreeMap<Link, (Policy, Memory)>,
    losses: Losses,
}

impl Forwarder {
    pub(super) fn new(
        ports: Vec<Port>,
        hosts: BTreeMap<Host, usize>,
        requests: Receiver<Request>,
        wake: PipeReader,
        counters: Arc<Counters>,
    ) -> Forwarder {
        let (special, losses) = (BTreeMap::new(), Losses::default());
        Forwarder { ports, hosts, requests, wake, counters, special, losses }
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
        Ok(true)
    }

    fn wait(&self) -> io::Result<(bool, Vec<usize>)> {
        let fds = std::iter::once(self.wake.as_fd()).chain(self.ports.iter().map(AsFd::as_fd));
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::NONE) {
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
            Request::Losses { reply } => {
                let _ = reply.send(self.count_losses()?);
            }
        }
        Ok(())
    }

    fn set(&mut self, link: Link, policy: Policy) -> usize {
        if policy != Policy::Forward {
            self.special.entry(link).or_default().0 = policy;
            return 0;
        }
        let Some((_, memory)) = self.special.remove(&link) else { return 0 };
        let frames = memory.into_frames();
        frames.iter().for_each(|frame| self.deliver(link.dst, frame));
        frames.len()
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
        if let Some((policy, memory)) = self.special.get_mut(&link) {
            memory.note(frame);
            if *policy == Policy::Cut {
                counters.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        self.deliver(link.dst, frame);
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
fn raise_priority() {
    // SAFETY: no memory is involved; who = 0 is the calling thread (setpriority(2), BUGS).
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}

//! Who is connected, how many may be, and what all of them have asked for together.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tracing::info;
use wire::{RequestHeader, opcode};

use super::connection::ConnId;
use super::stats::Stats;
use crate::summary::Summary;
use breaker::{Breaker, BreakerSettings, Millis, State, Tally, Ticket};

/// Every client connection.
#[derive(Debug)]
pub(crate) struct Registry {
    /// `maxClientCnxns`; 0 is no limit.
    pub(crate) max_per_address: usize,
    /// `globalOutstandingLimit`: requests of all clients that may wait for an answer.
    max_outstanding: usize,
    guests: Mutex<Guests>,
    latencies: Mutex<Latencies>,
    outstanding: AtomicUsize,
    answered: Notify,
    /// Connections that wait for `answered`.
    throttled: AtomicUsize,
    breaker: Option<Mutex<Breaker>>,
    started: Instant,
    pub(crate) counts: Counts,
}

/// Counters of ZooKeeper's names (`ServerMetrics`).
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connection_requests: AtomicU64,
    pub(crate) connections_rejected: AtomicU64,
    pub(crate) connections_dropped: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    pub(crate) throttle_waits: AtomicU64,
}

/// Time from a request's arrival to its reply, in its place in the order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    pub(crate) all: Summary,
    pub(crate) reads: Summary,
}

#[derive(Debug, Default)]
struct Guests {
    last: ConnId,
    by_id: BTreeMap<ConnId, Arc<Stats>>,
    per_address: BTreeMap<IpAddr, usize>,
}

/// The circuit breaker is open.
#[derive(Debug)]
pub(super) struct Refused;

/// A connection's place in the registry, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) conn: ConnId,
    pub(crate) stats: Arc<Stats>,
    registry: Arc<Registry>,
}

impl Registry {
    pub(crate) fn new(
        max_per_address: usize,
        max_outstanding: usize,
        breaker: Option<BreakerSettings>,
    ) -> Arc<Registry> {
        Arc::new(Registry {
            max_per_address,
            max_outstanding,
            guests: Mutex::default(),
            latencies: Mutex::default(),
            outstanding: AtomicUsize::new(0),
            answered: Notify::new(),
            throttled: AtomicUsize::new(0),
            breaker: breaker.map(|settings| Mutex::new(Breaker::new(settings, None))),
            started: Instant::now(),
            counts: Counts::default(),
        })
    }

    /// Lets a connection in, or says that its address has as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, from: SocketAddr) -> Option<Visit> {
        let mut guests = lock(&self.guests);
        let present = guests.per_address.entry(from.ip()).or_default();
        if self.max_per_address > 0 && *present >= self.max_per_address {
            self.counts.connections_rejected.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *present += 1;
        guests.last += 1;
        let (conn, stats) = (guests.last, Arc::new(Stats::new(from)));
        guests.by_id.insert(conn, stats.clone());
        Some(Visit { conn, stats, registry: self.clone() })
    }

    pub(crate) fn n_connections(&self) -> usize {
        lock(&self.guests).by_id.len()
    }

    /// Every connection by its number, four-letter words among them.
    pub(crate) fn connections(&self) -> Vec<(ConnId, Arc<Stats>)> {
        lock(&self.guests).by_id.iter().map(|(conn, stats)| (*conn, stats.clone())).collect()
    }

    pub(crate) fn latencies(&self) -> Latencies {
        lock(&self.latencies).clone()
    }

    /// Starts measuring again (`srst`).
    pub(crate) fn reset(&self) {
        *lock(&self.latencies) = Latencies::default();
    }

    fn leave(&self, visit: &Visit) {
        let address = visit.stats.from.ip();
        let mut guests = lock(&self.guests);
        guests.by_id.remove(&visit.conn);
        if let Some(present) = guests.per_address.get_mut(&address) {
            *present -= 1;
            if *present == 0 {
                guests.per_address.remove(&address);
            }
        }
        self.counts.connections_dropped.fetch_add(1, Ordering::Relaxed);
        let waiting = visit.stats.waiting();
        self.release(waiting.len());
        waiting.into_iter().flatten().for_each(|ticket| {
            self.with_breaker(|breaker, _| breaker.gone(ticket));
        });
    }

    /// What the breaker does, and what it has done.
    pub(crate) fn breaker(&self) -> Option<(State, Tally)> {
        self.with_breaker(|breaker, now| (breaker.state(now), breaker.tally))
    }

    /// Does something with the breaker, if there is one, and logs when it opens or closes by that.
    fn with_breaker<R>(&self, what: impl FnOnce(&mut Breaker, Millis) -> R) -> Option<R> {
        let mut breaker = lock(self.breaker.as_ref()?);
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let former = breaker.seen();
        let done = what(&mut breaker, now);
        if breaker.seen() != former {
            info!(from = ?former, to = ?breaker.seen(), "circuit breaker");
        }
        Some(done)
    }

    /// Whether a request may go on, and by which ticket of the breaker.
    fn pass(&self, operation: i32) -> Result<Option<Ticket>, Refused> {
        if keeps_the_session(operation) {
            return Ok(None);
        }
        match self.with_breaker(Breaker::ask) {
            Some(None) => Err(Refused),
            ticket => Ok(ticket.flatten()),
        }
    }

    fn is_full(&self) -> bool {
        self.outstanding.load(Ordering::SeqCst) >= self.max_outstanding
    }

    async fn room(&self) {
        let _throttled = Throttled::new(&self.throttled);
        loop {
            // Registered before the look, so that no release between the two is missed.
            let mut answered = std::pin::pin!(self.answered.notified());
            answered.as_mut().enable();
            if !self.is_full() {
                return;
            }
            answered.await;
        }
    }

    fn release(&self, requests: usize) {
        self.outstanding.fetch_sub(requests, Ordering::SeqCst);
        // Either this sees the one that waits, or that one sees the room: both are in one order.
        if self.throttled.load(Ordering::SeqCst) > 0 {
            self.answered.notify_waiters();
        }
    }
}

impl Visit {
    /// Counts a request in, as soon as there is room for it among those of all clients; or
    /// refuses it, which needs an answer too.
    pub(super) async fn ask(&self, header: RequestHeader, bytes: usize) -> Result<(), Refused> {
        let registry = &self.registry;
        registry.counts.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
        if registry.is_full() {
            registry.counts.throttle_waits.fetch_add(1, Ordering::Relaxed);
            registry.room().await;
        }
        registry.outstanding.fetch_add(1, Ordering::Relaxed);
        let pass = registry.pass(header.opcode);
        self.stats.received(header, pass.as_ref().ok().copied().flatten());
        pass.map(|_| ())
    }

    /// Counts a request out: this frame answers it.
    pub(super) fn answered(&self, frame: &[u8]) {
        let Some(done) = self.stats.answered(frame) else { return };
        self.registry.release(1);
        if let Some(ticket) = done.ticket {
            self.registry.with_breaker(|breaker, now| breaker.answered(ticket, now));
        }
        let mut latencies = lock(&self.registry.latencies);
        latencies.all.add(done.took);
        if is_read(done.opcode) {
            latencies.reads.add(done.took);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.registry.clone().leave(self);
    }
}

/// Never refused: without these a session ends, or loses its watches.
fn keeps_the_session(operation: i32) -> bool {
    use opcode::{AUTH, CLOSE_SESSION, PING, SASL, SET_WATCHES, SET_WATCHES2};
    matches!(operation, AUTH | CLOSE_SESSION | PING | SASL | SET_WATCHES | SET_WATCHES2)
}

fn is_read(operation: i32) -> bool {
    use opcode::{
        EXISTS, GET_ACL, GET_ALL_CHILDREN_NUMBER, GET_CHILDREN, GET_CHILDREN2, GET_DATA,
        GET_EPHEMERALS, MULTI_READ,
    };
    matches!(
        operation,
        EXISTS
            | GET_ACL
            | GET_ALL_CHILDREN_NUMBER
            | GET_CHILDREN
            | GET_CHILDREN2
            | GET_DATA
            | GET_EPHEMERALS
            | MULTI_READ
    )
}

/// One more that waits, for as long as this lives: the wait may be given up.
struct Throttled<'a>(&'a AtomicUsize);

impl Throttled<'_> {
    fn new(count: &AtomicUsize) -> Throttled<'_> {
        count.fetch_add(1, Ordering::SeqCst);
        Throttled(count)
    }
}

impl Drop for Throttled<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic ends the process, so nothing half-changed is ever seen.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    fn from(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let registry = Registry::new(2, 10, None);
        let one = registry.admit(from("10.0.0.1:1"));
        let two = registry.admit(from("10.0.0.1:2"));
        assert!(one.is_some() && two.is_some());
        assert!(registry.admit(from("10.0.0.1:3")).is_none());
        assert!(registry.admit(from("10.0.0.2:1")).is_some(), "another address");
        assert_eq!(registry.counts.connections_rejected.load(Ordering::Relaxed), 1);
        drop(two);
        assert!(registry.admit(from("10.0.0.1:4")).is_some());
        let unlimited = Registry::new(0, 10, None);
        let many: Vec<_> = (1..99).map(|p| unlimited.admit(([10, 0, 0, 1], p).into())).collect();
        assert!(many.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn all_clients_together_wait_when_too_much_is_outstanding() {
        let registry = Registry::new(0, 2, None);
        let (one, two) = (registry.admit(from("10.0.0.1:1")), registry.admit(from("10.0.0.2:1")));
        let (one, two) = (one.unwrap(), two.unwrap());
        let soon = Duration::from_millis(20);
        let header = |xid| RequestHeader { xid, opcode: opcode::GET_DATA };
        one.ask(header(1), 8).await.unwrap();
        one.ask(header(2), 8).await.unwrap();
        assert!(timeout(soon, two.ask(header(1), 8)).await.is_err());
        let mut reply = Vec::new();
        wire::encode_reply(wire::ReplyHeader::ok(1, 7), None, &mut reply);
        one.answered(&reply);
        assert!(timeout(soon, two.ask(header(1), 8)).await.is_ok());
        assert_eq!(registry.latencies().reads.count(), 1);
        assert!(timeout(soon, two.ask(header(2), 8)).await.is_err());
        drop(one);
        assert!(
            timeout(soon, two.ask(header(2), 8)).await.is_ok(),
            "a client that left waits for nothing"
        );
        assert_eq!(registry.counts.throttle_waits.load(Ordering::Relaxed), 2);
    }
}

//! What one connection has done, and how much of it is still on its way to the client.
//!
//! Shared by the connection's reader and writer and the engine; each holds the lock for a few
//! instructions.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::Notify;
use wire::RequestHeader;

use crate::summary::Summary;
use breaker::Ticket;

/// Bytes of replies and events that may wait to be written, or are expected of the requests not
/// answered yet, before no more requests are read.
const UNSENT_PAUSE: usize = 8 << 20;
/// Bytes that may wait before the connection is given up: its client does not read.
const UNSENT_MAX: usize = 64 << 20;

/// One connection.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) from: SocketAddr,
    pub(crate) established: SystemTime,
    secure: AtomicBool,
    counters: Mutex<Counters>,
    unsent: AtomicUsize,
    unanswered: AtomicUsize,
    last_reply_bytes: AtomicUsize,
    written: Notify,
    held: AtomicBool,
    given_up: AtomicBool,
    ending: Notify,
    let_go: Notify,
}

/// What `cons` tells of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) last_operation: Option<i32>,
    pub(crate) last_xid: i32,
    pub(crate) last_zxid: i64,
    pub(crate) last_reply: Option<Instant>,
    pub(crate) last_latency_ms: u64,
    pub(crate) latency: Summary,
    /// Requests that have not been answered, oldest first.
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Debug)]
struct Waiting {
    header: RequestHeader,
    since: Instant,
    ticket: Option<Ticket>,
}

/// An answered request.
pub(super) struct Answered {
    pub(super) opcode: i32,
    pub(super) took: std::time::Duration,
    /// The breaker let it through.
    pub(super) ticket: Option<Ticket>,
}

impl Stats {
    pub(super) fn new(from: SocketAddr) -> Stats {
        Stats {
            from,
            established: SystemTime::now(),
            secure: AtomicBool::new(false),
            counters: Mutex::default(),
            unsent: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            last_reply_bytes: AtomicUsize::new(0),
            written: Notify::new(),
            held: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            ending: Notify::new(),
            let_go: Notify::new(),
        }
    }

    /// It came by TLS.
    pub(super) fn secured(&self) {
        self.secure.store(true, Ordering::Relaxed);
    }

    /// Whether it came by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure.load(Ordering::Relaxed)
    }

    /// A copy of the counters.
    pub(crate) fn counters(&self) -> Counters {
        Counters { waiting: VecDeque::new(), ..self.lock().clone() }
    }

    /// Starts counting again (`crst`).
    pub(crate) fn reset(&self) {
        let mut counters = self.lock();
        let waiting = std::mem::take(&mut counters.waiting);
        *counters = Counters { waiting, ..Counters::default() };
    }

    /// A request arrived.
    pub(super) fn received(&self, header: RequestHeader, ticket: Option<Ticket>) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        let mut counters = self.lock();
        counters.received += 1;
        counters.waiting.push_back(Waiting { header, since: Instant::now(), ticket });
    }

    /// The frame of a reply leaves. Replies keep the order of requests, except that a ping is
    /// answered at once; so the request is found at or near the front.
    pub(super) fn answered(&self, frame: &[u8]) -> Option<Answered> {
        let xid = i32::from_be_bytes(*frame.get(4..)?.first_chunk()?);
        let zxid = i64::from_be_bytes(*frame.get(8..)?.first_chunk()?);
        let mut counters = self.lock();
        let at = counters.waiting.iter().position(|waiting| waiting.header.xid == xid)?;
        let Waiting { header: RequestHeader { xid, opcode }, since, ticket } =
            counters.waiting.remove(at)?;
        let now = Instant::now();
        let took = now.saturating_duration_since(since);
        self.last_reply_bytes.store(frame.len(), Ordering::Relaxed);
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
        counters.sent += 1;
        counters.last_operation = Some(opcode);
        counters.last_xid = xid;
        counters.last_zxid = zxid;
        counters.last_reply = Some(now);
        counters.last_latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        counters.latency.add(took);
        Some(Answered { opcode, took, ticket })
    }

    /// The requests without an answer yet.
    pub(super) fn waiting(&self) -> Vec<Option<Ticket>> {
        self.lock().waiting.iter().map(|waiting| waiting.ticket).collect()
    }

    /// So many more bytes are to be written. False when the connection is given up, because more
    /// waits already than a client may leave unread: then they must be dropped.
    pub(super) fn queue(&self, bytes: usize) -> bool {
        if self.unsent.fetch_add(bytes, Ordering::Relaxed) > UNSENT_MAX
            && !self.given_up.swap(true, Ordering::Relaxed)
        {
            self.ending.notify_one();
        }
        !self.given_up.load(Ordering::Relaxed)
    }

    /// Waits until the connection is given up.
    pub(super) async fn ending(&self) {
        self.ending.notified().await;
    }

    /// The engine has nothing more to say to this client.
    pub(super) fn drop_outbox(&self) {
        self.let_go.notify_one();
    }

    /// Waits for that.
    pub(super) async fn let_go(&self) {
        self.let_go.notified().await;
    }

    /// Whether so much waits to be written that reads are to wait too. Then [`written`](Self::written)
    /// tells when they may go on.
    pub(super) fn hold(&self) -> bool {
        let full = self.unsent.load(Ordering::Relaxed) > UNSENT_PAUSE;
        if full {
            self.held.store(true, Ordering::Relaxed);
        }
        full
    }

    /// So many bytes were written. True when reads wait for it, and may go on.
    pub(super) fn written(&self, bytes: usize) -> bool {
        let left = self.unsent.fetch_sub(bytes, Ordering::Relaxed) - bytes;
        self.written.notify_one();
        left <= UNSENT_PAUSE / 2 && self.held.swap(false, Ordering::Relaxed)
    }

    /// Waits until the client has taken enough of its replies to be read from again.
    pub(super) async fn room(&self) {
        while self.expected() > UNSENT_PAUSE {
            self.written.notified().await;
        }
    }

    /// Bytes on their way to the client, if replies are as long as the last one.
    fn expected(&self) -> usize {
        let load = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let to_come = load(&self.unanswered).saturating_mul(load(&self.last_reply_bytes));
        load(&self.unsent).saturating_add(to_come)
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        // A panic ends the process, so nothing half-changed is ever seen.
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> Stats {
        Stats::new("127.0.0.1:1".parse().unwrap())
    }

    fn reply(xid: i32, zxid: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::encode_reply(wire::ReplyHeader::ok(xid, zxid), None, &mut bytes);
        bytes
    }

    #[test]
    fn a_reply_is_counted_for_its_request_even_if_a_ping_overtakes_it() {
        let stats = stats();
        stats.received(RequestHeader { xid: 1, opcode: 5 }, Some(4));
        stats.received(RequestHeader { xid: -2, opcode: 11 }, None);
        assert_eq!(stats.answered(&reply(-2, 6)).map(|done| done.opcode), Some(11));
        assert_eq!(stats.waiting(), [Some(4)]);
        assert_eq!(stats.answered(&reply(1, 7)).map(|done| done.opcode), Some(5));
        let counters = stats.counters();
        assert_eq!((counters.received, counters.sent), (2, 2));
        assert_eq!((counters.last_operation, counters.last_zxid), (Some(5), 7));
        assert!(stats.answered(&reply(9, 7)).is_none(), "nobody asked for it");
        stats.reset();
        assert_eq!(stats.counters().received, 0);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_paused_and_then_given_up() {
        let stats = stats();
        stats.room().await;
        assert!(stats.queue(UNSENT_PAUSE + 1));
        let paused = tokio::time::timeout(std::time::Duration::from_millis(20), stats.room());
        assert!(paused.await.is_err());
        stats.written(UNSENT_PAUSE);
        stats.room().await;
        assert!(stats.queue(UNSENT_MAX));
        assert!(!stats.queue(1));
        stats.ending().await;
    }

    #[test]
    fn reads_wait_while_too_much_is_unsent_and_go_on_once() {
        let stats = stats();
        assert!(!stats.hold());
        assert!(stats.queue(UNSENT_PAUSE + 1));
        assert!(stats.hold());
        assert!(!stats.written(1), "half of it must have gone");
        assert!(stats.written(UNSENT_PAUSE / 2), "the reads that wait are told");
        assert!(!stats.hold());
        assert!(!stats.written(UNSENT_PAUSE / 2), "nobody waits any more");
    }
}

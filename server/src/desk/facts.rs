//! What the engine tells of itself, as plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zab::ServerId;

use crate::ServerAddress;
use crate::clients::ConnId;
use crate::metrics::Metrics;
use crate::summary::Summary;

/// What a question is about beyond the figures, which every answer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Want {
    /// The clients' sessions, queues and timeouts.
    pub(crate) clients: bool,
    /// Every session with its ephemerals.
    pub(crate) sessions: bool,
    /// Every watch.
    pub(crate) watches: bool,
    /// Start counting again after this answer.
    pub(crate) reset: bool,
}

/// One server at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `leader`, `follower`, `observer`, `standalone` or `read-only`; `None` while not serving.
    pub(crate) mode: Option<&'static str>,
    pub(crate) leader: Option<ServerId>,
    /// `looking`, `leading`, `following` or `observing`.
    pub(crate) role: &'static str,
    /// `election`, `discovery`, `synchronization` or `broadcast`.
    pub(crate) phase: &'static str,
    /// The members; empty when standalone.
    pub(crate) servers: BTreeMap<ServerId, ServerAddress>,
    /// Since which transaction they are.
    pub(crate) version: u64,
    pub(crate) zxid: u64,
    pub(crate) epoch: u32,
    pub(crate) node_count: usize,
    pub(crate) ephemerals: usize,
    pub(crate) data_size: u64,
    pub(crate) n_watches: usize,
    pub(crate) connections: usize,
    pub(crate) outstanding: usize,
    pub(crate) n_sessions: usize,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) digest: u64,
    pub(crate) lineage: u64,
    pub(crate) uptime: Duration,
    /// Time that writes and syncs took.
    pub(crate) updates: Summary,
    pub(crate) leading: Option<Leading>,
    pub(crate) metrics: Metrics,
    pub(crate) clients: BTreeMap<ConnId, ClientFacts>,
    pub(crate) sessions: Vec<SessionFacts>,
    pub(crate) watches: BTreeMap<ConnId, BTreeSet<String>>,
}

impl Facts {
    /// Serving reads, but without a quorum.
    pub(crate) fn is_read_only(&self) -> bool {
        self.mode == Some("read-only")
    }
}

/// What a leader adds.
#[derive(Clone, Debug)]
pub(crate) struct Leading {
    pub(crate) quorum_size: usize,
    pub(crate) learners: usize,
    pub(crate) synced: usize,
    /// Observers brought up.
    pub(crate) observers: Vec<ServerId>,
    pub(crate) uptime: Duration,
}

/// A connection with a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientFacts {
    pub(crate) session: i64,
    /// Requests not answered.
    pub(crate) queued: usize,
    pub(crate) timeout_ms: i32,
}

/// A session of the ensemble.
#[derive(Clone, Debug)]
pub(crate) struct SessionFacts {
    pub(crate) id: i64,
    pub(crate) timeout_ms: i32,
    /// Known to the leader only.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) ephemerals: Vec<String>,
}

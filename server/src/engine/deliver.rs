//! Committed transactions reach the tree, the watches, and the client that waits.

use tracing::info;
use tree::{Applied, Fired, Reply};
use wire::{WatcherEvent, encode_notification};
use zab::{Entry, ServerId, Zxid};

use super::{Engine, planted};
use crate::links::Frame;
use crate::proposal::{State, Txn};
use crate::{Mutant, ServerError};

/// What an entry of the log's window takes besides its bytes.
const ENTRY_BYTES: usize = 64;
/// Bytes that the log's window may take however small the data is.
const WINDOW_MIN: u64 = 2 << 20;
/// Larger data gives it this part of its own size: a learner that lacks less is sent the log
/// instead of a snapshot.
const WINDOW_SHARE: u64 = 8;
/// Bytes of log that need no snapshot however small the data is: a restart reads them quickly, and a
/// segment of the log that is deleted takes no long while (with 64 MiB, p99 of writes was half as much again).
const UNSAVED_MIN: u64 = 16 << 20;

/// The newest part of the log, which is kept in memory: when it is full, its older half goes.
#[derive(Default)]
pub(super) struct Window {
    /// What the newer half takes.
    bytes: u64,
    /// Where it begins.
    middle: Zxid,
}

impl Window {
    /// Another entry; returns up to where the window is to go now.
    fn add(&mut self, zxid: Zxid, bytes: u64, data_size: u64) -> Option<Zxid> {
        self.bytes += bytes;
        if self.bytes < WINDOW_MIN.max(data_size / WINDOW_SHARE) / 2 {
            return None;
        }
        self.bytes = 0;
        Some(std::mem::replace(&mut self.middle, zxid))
    }
}

impl Engine {
    pub(super) fn deliver(&mut self, entry: &Entry<Txn>) {
        if self.failed.is_some() || std::mem::take(&mut self.skip_next) {
            return;
        }
        let proposal = match entry.txn.decode() {
            Ok(proposal) => proposal,
            Err(error) => {
                let zxid = entry.zxid;
                self.failed = Some(ServerError::Unreadable { zxid, error });
                return;
            }
        };
        let applied = planted::apply(&mut self.tree, entry.zxid.0, &proposal.txn, self.mutant);
        let late = self.mutant == Some(Mutant::LateWatchEvents);
        if !late {
            self.tell_watchers(entry.zxid, &applied.fired);
        }
        self.note_quota(&proposal, &applied.reply);
        if self.leading() {
            self.keep_sessions(&proposal.txn, &applied);
        }
        let closed = applied.closed;
        self.answer(proposal.origin, entry.zxid, applied.reply);
        if late {
            self.tell_watchers(entry.zxid, &applied.fired);
        }
        if let Some(session) = closed {
            self.close_session_here(session);
        }
        self.count(entry.zxid, (entry.txn.len() + ENTRY_BYTES) as u64);
    }

    fn count(&mut self, zxid: Zxid, bytes: u64) {
        self.since_snapshot += 1;
        self.log_bytes += bytes;
        if self.is_snapshot_due() {
            self.take_snapshot(zxid);
        }
        if let Some(upto) = self.window.add(zxid, bytes, self.tree.data_size()) {
            self.input(zab::Input::Forget { upto });
        }
    }

    /// Watch events leave before any reply at the new zxid.
    fn tell_watchers(&mut self, zxid: Zxid, fired: &[Fired]) {
        for fired in fired {
            let conns = self.watches.fire(fired);
            // Most changes are nobody's wait.
            if conns.is_empty() {
                continue;
            }
            let mut bytes = Vec::new();
            let event = WatcherEvent::new(fired.event, &*fired.path);
            encode_notification(zxid.0.cast_signed(), &event, &mut bytes);
            for client in conns.iter().filter_map(|conn| self.clients.get(conn)) {
                if fired.may_be_told(&client.who()) {
                    client.tell(bytes.clone());
                    self.sent += 1;
                }
            }
        }
    }

    fn keep_sessions(&mut self, txn: &tree::Txn, applied: &Applied) {
        if let (tree::Txn::CreateSession { id, timeout_ms, .. }, Ok(Reply::SessionCreated)) =
            (txn, &applied.reply)
        {
            let now = self.now();
            self.sessions.opened(*id, u64::try_from(*timeout_ms).unwrap_or(0), now);
        }
        if let Some(id) = applied.closed {
            self.sessions.closed(id);
        }
    }

    /// A snapshot is written when the log since the last one is as much as the data, so that it costs
    /// no more than the log did and reading both at a restart no more than twice the data; and then
    /// when so many transactions have come as the operator says (`snapCount`), or 16 MiB of them.
    fn is_snapshot_due(&self) -> bool {
        let enough = self.since_snapshot >= self.config.snap_count || self.log_bytes >= UNSAVED_MIN;
        self.snapshotting.is_none() && enough && self.log_bytes >= self.tree.data_size()
    }

    fn take_snapshot(&mut self, zxid: Zxid) {
        self.snapshotting = Some(zxid);
        (self.since_snapshot, self.log_bytes) = (0, 0);
        self.worker.snapshot(zxid, State(self.tree.clone()));
    }

    pub(super) fn snapshot_done(&mut self, zxid: Zxid) {
        if self.snapshotting.take_if(|taken| *taken == zxid).is_some() {
            self.input(zab::Input::Compact { upto: zxid });
        }
    }

    pub(super) fn send_snapshot(&mut self, to: ServerId, zxid: Zxid) {
        info!(to, %zxid, znodes = self.tree.node_count(), "sending a snapshot");
        let state = State(self.tree.clone());
        self.send(to, Frame::Zab(zab::Message::Snapshot { zxid, state }));
    }

    /// Goes to a state that the protocol names: one from the leader, or the newest durable one.
    pub(super) fn reset(&mut self, zxid: Zxid, state: Option<State>) {
        // A snapshot of our own that is still being written belongs to the state thrown away.
        self.snapshotting = None;
        let state = match state {
            None if zxid != Zxid::ZERO => self.worker.load(zxid),
            state => Some(state.unwrap_or_default()),
        };
        // Without one the disk has failed, which the next report says.
        let Some(State(tree)) = state else { return };
        info!(%zxid, "state replaced");
        self.tree = tree;
        (self.since_snapshot, self.log_bytes) = (0, 0);
    }
}

//! Committed transactions reach the tree, the watches, and the client that waits.

use std::sync::Arc;

use tracing::{error, info};
use tree::{Applied, Reply};
use wire::{WatcherEvent, encode_notification};
use zab::{Entry, ServerId, Zxid};

use super::{Engine, decode_tree, origin_of};
use crate::links::Frame;
use crate::proposal::{State, Txn};
use crate::storage::Op;

impl Engine {
    pub(super) fn deliver(&mut self, entry: &Entry<Txn>) {
        if std::mem::take(&mut self.skip_next) {
            return;
        }
        let applied = self.tree.apply(entry.zxid.0, &entry.txn.txn);
        self.tell_watchers(entry.zxid, &applied);
        self.note_quota(&entry.txn, &applied.reply);
        if self.leading() {
            self.keep_sessions(&entry.txn.txn, &applied);
        }
        let closed = applied.closed;
        self.answer(origin_of(&entry.txn), entry, applied.reply);
        if let Some(session) = closed {
            self.close_session_here(session);
        }
        self.since_snapshot += 1;
        if self.since_snapshot >= self.config.snap_count && !self.snapshotting {
            self.take_snapshot(entry.zxid);
        }
    }

    /// Watch events leave before any reply at the new zxid.
    fn tell_watchers(&mut self, zxid: Zxid, applied: &Applied) {
        for fired in &applied.fired {
            let event = WatcherEvent::new(fired.event, fired.path.as_str());
            for conn in self.watches.fire(fired) {
                if let Some(client) = self.clients.get(&conn)
                    && fired.may_be_told(&client.who())
                {
                    let mut bytes = Vec::new();
                    encode_notification(zxid.0.cast_signed(), &event, &mut bytes);
                    client.tell(bytes);
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

    fn take_snapshot(&mut self, zxid: Zxid) {
        let bytes = self.encode_tree();
        self.snapshotting = true;
        self.since_snapshot = 0;
        self.pending_base = (zxid, bytes.clone());
        self.worker.submit(Op::Snapshot { zxid, bytes });
    }

    pub(super) fn snapshot_done(&mut self, zxid: Zxid) {
        self.snapshotting = false;
        if self.pending_base.0 == zxid {
            self.base = std::mem::take(&mut self.pending_base);
            self.input(zab::Input::Compact { upto: zxid });
        }
    }

    pub(super) fn send_snapshot(&mut self, to: ServerId, zxid: Zxid) {
        let state = self.encode_tree();
        info!(to, %zxid, bytes = state.len(), "sending a snapshot");
        self.send(to, Frame::Zab(zab::Message::Snapshot { zxid, state }));
    }

    fn encode_tree(&self) -> State {
        Arc::new(postcard::to_stdvec(&self.tree).expect("a tree holds only plain data"))
    }

    /// Goes to a state that the protocol names: one from the leader, or the newest durable one.
    pub(super) fn reset(&mut self, zxid: Zxid, state: Option<State>) {
        // A snapshot of our own that is still being written belongs to the state thrown away.
        self.pending_base = Default::default();
        if let Some(state) = state {
            self.base = (zxid, state);
        }
        info!(%zxid, "state replaced");
        match decode_tree(self.base.0, &self.base.1) {
            Ok(tree) if self.base.0 == zxid => self.tree = tree,
            Ok(_) => panic!("asked to return to {zxid}, but the snapshot is of {}", self.base.0),
            Err(error) => {
                // The leader's snapshot is unreadable: another version, or damage on the way.
                error!(%zxid, %error, "a snapshot that cannot be read");
                std::process::exit(1);
            }
        }
        self.since_snapshot = 0;
    }
}

//! What the leader knows of sessions beyond the tree: when each expires, and which server its
//! client is connected to. Pure: the clock is an argument.

use std::collections::{BTreeMap, BTreeSet};

use zab::ServerId;

/// Milliseconds on the leader's monotonic clock.
pub(crate) type Millis = u64;

/// The leader's table. A new leader starts an empty one and gives every session its full timeout.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    live: BTreeMap<i64, Live>,
    by_deadline: BTreeSet<(Millis, i64)>,
    owners: BTreeMap<i64, ServerId>,
}

#[derive(Debug)]
struct Live {
    timeout: Millis,
    deadline: Millis,
}

impl Sessions {
    /// A session was created, or a new leader takes it over: it has its full timeout from `now`.
    pub(crate) fn opened(&mut self, id: i64, timeout: Millis, now: Millis) {
        if let Some(before) = self.live.remove(&id) {
            self.by_deadline.remove(&(before.deadline, id));
        }
        let deadline = now + timeout;
        self.live.insert(id, Live { timeout, deadline });
        self.by_deadline.insert((deadline, id));
    }

    /// A session is gone.
    pub(crate) fn closed(&mut self, id: i64) {
        if let Some(live) = self.live.remove(&id) {
            self.by_deadline.remove(&(live.deadline, id));
        }
        self.owners.remove(&id);
    }

    /// Its client was heard from.
    pub(crate) fn touch(&mut self, id: i64, now: Millis) {
        if let Some(live) = self.live.get_mut(&id) {
            self.by_deadline.remove(&(live.deadline, id));
            live.deadline = live.deadline.max(now + live.timeout);
            self.by_deadline.insert((live.deadline, id));
        }
    }

    /// Takes out the sessions not heard from for their timeout: close them.
    pub(crate) fn expired(&mut self, now: Millis) -> Vec<i64> {
        let mut expired = Vec::new();
        while let Some((deadline, id)) = self.by_deadline.first().copied()
            && deadline <= now
        {
            self.by_deadline.pop_first();
            self.live.remove(&id);
            expired.push(id);
        }
        expired
    }

    /// When a session expires unless it is heard from.
    pub(crate) fn deadline(&self, id: i64) -> Option<Millis> {
        self.live.get(&id).map(|live| live.deadline)
    }

    /// The session's client is connected to `server` from now on.
    pub(crate) fn claim(&mut self, id: i64, server: ServerId) {
        self.owners.insert(id, server);
    }

    /// May `server` write for this session? Not after another server claimed it: a write that a
    /// former server still holds must not overtake what the client has done since
    /// (ZooKeeper's SESSIONMOVED).
    pub(crate) fn may_write(&self, id: i64, server: ServerId) -> bool {
        self.owners.get(&id).is_none_or(|owner| *owner == server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_expires_only_after_its_timeout_without_a_word() {
        let mut sessions = Sessions::default();
        sessions.opened(1, 100, 0);
        sessions.opened(2, 300, 0);
        sessions.touch(1, 60);
        assert!(sessions.expired(159).is_empty());
        assert_eq!(sessions.expired(160), [1]);
        assert!(sessions.expired(160).is_empty(), "reported once");
        assert_eq!(sessions.expired(1000), [2]);
    }

    #[test]
    fn a_late_report_never_shortens_a_session() {
        let mut sessions = Sessions::default();
        sessions.opened(1, 100, 50);
        sessions.touch(1, 10);
        assert!(sessions.expired(149).is_empty());
    }

    #[test]
    fn a_former_server_may_not_write() {
        let mut sessions = Sessions::default();
        sessions.claim(1, 3);
        sessions.opened(1, 100, 0);
        assert!(sessions.may_write(1, 3) && !sessions.may_write(1, 2), "who asked for it");
        sessions.claim(1, 2);
        assert!(sessions.may_write(1, 2) && !sessions.may_write(1, 3));
        sessions.closed(1);
        assert!(sessions.may_write(1, 3));
    }
}

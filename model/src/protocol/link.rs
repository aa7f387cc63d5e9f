//! A learner's connection to its leader: first in, first out, until an end closes it or it breaks.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use zab::{ServerId, Zxid};

use super::Entry;

/// Which connection. `via` tells one from an earlier one between the same two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LinkId {
    pub(crate) learner: ServerId,
    pub(crate) leader: ServerId,
    pub(crate) via: u64,
}

impl LinkId {
    pub(crate) fn ends(self) -> [ServerId; 2] {
        [self.learner, self.leader]
    }

    pub(crate) fn other(self, end: ServerId) -> ServerId {
        if end == self.learner { self.leader } else { self.learner }
    }
}

/// What servers say to each other, by the names of ZooKeeper's protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Words {
    /// FOLLOWERINFO (the paper's CEPOCH): the newest epoch I have promised.
    FollowerInfo { accepted: u32 },
    /// LEADERINFO (NEWEPOCH).
    LeaderInfo { epoch: u32 },
    /// ACKEPOCH: promised; this is my history, and it cannot be cut below `snapshot`.
    AckEpoch { current: u32, last: Zxid, snapshot: Zxid },
    /// TRUNC.
    Truncate { after: Zxid },
    /// SNAP: all that the leader has delivered.
    Snapshot { history: Vec<Entry> },
    /// An entry of DIFF, or PROPOSAL.
    Propose(Entry),
    /// NEWLEADER.
    NewLeader { epoch: u32 },
    /// ACK of NEWLEADER (ACK-LD).
    AckLeader { epoch: u32 },
    /// UPTODATE (COMMIT-LD).
    UpToDate { committed: Zxid },
    /// ACK.
    Ack { zxid: Zxid },
    /// COMMIT.
    Commit { zxid: Zxid },
    /// PING, numbered, so that an answer proves that it was sent after the question.
    Ping { seq: u64 },
    /// The answer.
    Pong { seq: u64 },
    /// SYNC, asked.
    Sync { token: u64 },
    /// SYNC, answered.
    Synced { token: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    /// It broke: what is sent is lost, and each end will learn of it in its own time.
    pub(crate) cut: bool,
    learner: Half,
    leader: Half,
}

/// One end: what is on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Half {
    pub(crate) open: bool,
    pub(crate) inbox: VecDeque<Words>,
}

impl Link {
    pub(crate) fn new() -> Link {
        let half = Half { open: true, inbox: VecDeque::new() };
        Link { cut: false, learner: half.clone(), leader: half }
    }

    pub(crate) fn half(&self, id: LinkId, end: ServerId) -> &Half {
        if end == id.learner { &self.learner } else { &self.leader }
    }

    pub(crate) fn half_mut(&mut self, id: LinkId, end: ServerId) -> &mut Half {
        if end == id.learner { &mut self.learner } else { &mut self.leader }
    }

    /// On its way to `end`, if anything still gets there.
    pub(crate) fn send(&mut self, id: LinkId, end: ServerId, words: Words) {
        let lost = self.cut;
        let half = self.half_mut(id, end);
        if half.open && !lost {
            half.inbox.push_back(words);
        }
    }

    /// `end` neither hears nor speaks any more.
    pub(crate) fn close(&mut self, id: LinkId, end: ServerId) {
        let half = self.half_mut(id, end);
        half.open = false;
        half.inbox.clear();
    }

    /// May `end` notice now that the connection is gone?
    pub(crate) fn may_notice(&self, id: LinkId, end: ServerId) -> bool {
        let gone = self.cut || !self.half(id, id.other(end)).open;
        gone && self.half(id, end).open
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self.learner.open && !self.leader.open
    }
}

//! Connections between a learner and its leader, and what is said on them.

use std::fmt;

use serde::{Deserialize, Serialize};
use zab::{ServerId, Zxid};

use super::Entry;
use crate::link::Ends;

/// Which connection. `via` tells one from an earlier one between the same two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LinkId {
    pub(crate) learner: ServerId,
    pub(crate) leader: ServerId,
    pub(crate) via: u64,
}

/// The learner first: `n1-n3`.
impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.via {
            0 => write!(f, "n{}-n{}", self.learner, self.leader),
            via => write!(f, "n{}-n{} ({via})", self.learner, self.leader),
        }
    }
}

impl Ends for LinkId {
    fn learner(self) -> ServerId {
        self.learner
    }

    fn leader(self) -> ServerId {
        self.leader
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
    /// INFORM, to an observer: an entry, which is committed.
    Inform(Entry),
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

pub(crate) type Link = crate::link::Link<Words>;

//! The vocabulary: what goes into a peer, what comes out, what it says to others.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Configuration, Members, Mutant};

/// A server's number in the ensemble (`myid`).
pub type ServerId = u64;

/// A transaction id: epoch in the high 32 bits, counter in the low 32.
/// (ZooKeeper internals, "Guarantees, Properties, and Definitions".)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Zxid(pub u64);

impl Zxid {
    /// Before the first transaction.
    pub const ZERO: Zxid = Zxid(0);

    /// The `counter`-th transaction of `epoch`.
    #[must_use]
    pub fn new(epoch: u32, counter: u32) -> Zxid {
        Zxid(u64::from(epoch) << 32 | u64::from(counter))
    }

    /// The epoch of the leader that proposed it.
    #[must_use]
    pub fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Its place in the epoch, from 1.
    #[must_use]
    pub fn counter(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch(), self.counter())
    }
}

/// A transaction with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry<T> {
    /// Its place.
    pub zxid: Zxid,
    /// What it does; opaque here.
    pub txn: T,
}

/// What a peer is told once, at start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// This server.
    pub id: ServerId,
    /// Who belongs to the ensemble, as the snapshot says, or what the server was started with.
    pub configuration: Configuration,
    /// Durations.
    pub timing: Timing,
    /// Committed entries kept in memory behind the snapshot, so that a learner that lags by
    /// fewer is brought up by DIFF (ZooKeeper's `commitLogCount`, 500).
    pub log_kept: usize,
    /// A planted defect, for measuring whether a harness finds it.
    pub mutant: Option<Mutant>,
}

/// Durations in milliseconds. The peer only ever hands them back in [`Output::SetTimer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// `tickTime`: heartbeats are sent twice per tick.
    pub tick_ms: u64,
    /// Ticks that discovery and synchronisation may take (`initLimit`).
    pub init_limit: u32,
    /// Ticks without a word after which a leader or learner is given up (`syncLimit`).
    pub sync_limit: u32,
    /// Silence that ends an election once a quorum agrees (ZooKeeper: 200).
    pub settle_ms: u64,
    /// Time after which a looking server repeats its vote.
    pub resend_ms: u64,
}

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable<T> {
    /// The newest epoch this server promised to follow (`acceptedEpoch`).
    pub accepted_epoch: u32,
    /// The newest epoch whose history this server took over (`currentEpoch`).
    pub current_epoch: u32,
    /// The snapshot that the application has loaded covers everything up to here.
    pub snapshot: Zxid,
    /// The newest configuration known to be committed; zero if none is known.
    pub settled: Zxid,
    /// The log after `snapshot`, in order.
    pub log: Vec<Entry<T>>,
}

impl<T> Durable<T> {
    /// A new server's.
    #[must_use]
    pub fn nothing() -> Durable<T> {
        let (accepted_epoch, current_epoch) = (0, 0);
        let (snapshot, settled) = (Zxid::ZERO, Zxid::ZERO);
        Durable { accepted_epoch, current_epoch, snapshot, settled, log: Vec::new() }
    }

    /// What no crash can leave behind, in words: a sign that files were lost or mixed up, and that
    /// the server must not start from them.
    #[must_use]
    pub fn flaw(&self) -> Option<String> {
        let mut last = self.snapshot;
        for entry in &self.log {
            if entry.zxid <= last {
                return Some(format!("log entry {} stands after {last}", entry.zxid));
            }
            let is_next = match entry.zxid.epoch() == last.epoch() {
                true => last.counter().checked_add(1) == Some(entry.zxid.counter()),
                false => entry.zxid.counter() == 1,
            };
            if !is_next {
                return Some(format!("what stood between {last} and {} is missing", entry.zxid));
            }
            last = entry.zxid;
        }
        let newest = self.current_epoch.max(last.epoch());
        (self.accepted_epoch < newest).then(|| {
            format!("accepted epoch {} is older than the history's, {newest}", self.accepted_epoch)
        })
    }
}

/// Named timers. Setting a timer that is set replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// Looking: repeat the vote.
    Resend,
    /// Looking: a quorum agreed and nothing better came.
    Settle,
    /// Leading or following: discovery and synchronisation took too long.
    Init,
    /// Leading: half a tick has passed; following: half a tick has passed.
    Beat,
}

/// The only way in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Input<T, S> {
    /// A timer set by [`Output::SetTimer`] went off.
    Timer(Timer),
    /// A peer's message, in the order sent on that connection.
    Received {
        /// Who sent it.
        from: ServerId,
        /// What it says.
        message: Message<T, S>,
    },
    /// The connection asked for by [`Output::Connect`] stands.
    Connected {
        /// The leader.
        peer: ServerId,
    },
    /// The leader-learner connection with `peer` is gone, or could not be made; nothing of it
    /// will arrive any more.
    Disconnected {
        /// The other end.
        peer: ServerId,
    },
    /// Votes do not reach this server now: an election need not wait for it.
    Unreachable {
        /// The server.
        peer: ServerId,
    },
    /// The oldest `ops` operations of those given by [`Output::Store`] and not yet reported are
    /// durable.
    Stored {
        /// How many.
        ops: usize,
    },
    /// A client's transaction, to be ordered.
    Submit {
        /// What it does.
        txn: T,
    },
    /// Confirm leadership, then catch up with it: `sync`.
    Sync {
        /// Returned by [`Output::SyncDone`].
        token: u64,
    },
    /// The application's snapshot up to `upto` is durable: older entries may be forgotten.
    Compact {
        /// A delivered zxid.
        upto: Zxid,
    },
    /// Entries up to `upto` take too much memory: those that are delivered are forgotten, whether
    /// or not a snapshot holds them. They stay on disk.
    Forget {
        /// A zxid.
        upto: Zxid,
    },
}

/// What the driver must do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Output<T, S> {
    /// Send to a peer. [`Message::Notification`] and [`Message::Members`] go out on the election
    /// link, at best effort; all others on the leader-learner connection, first in, first out.
    Send {
        /// The receiver.
        to: ServerId,
        /// What to say.
        message: Message<T, S>,
    },
    /// Send `Message::Snapshot { zxid, state }`, where `state` is the application's state now,
    /// that is, after the last [`Output::Deliver`].
    SendSnapshot {
        /// The learner.
        to: ServerId,
        /// The zxid of that state.
        zxid: Zxid,
    },
    /// Open the leader-learner connection to `to`, until it stands or `Disconnect` is ordered.
    Connect {
        /// The leader.
        to: ServerId,
    },
    /// Close the leader-learner connection with `peer`. No `Disconnected` follows.
    Disconnect {
        /// The other end.
        peer: ServerId,
    },
    /// Write; report by [`Input::Stored`] when durable. Strictly in order.
    Store(Store<T, S>),
    /// Start a timer.
    SetTimer {
        /// Which.
        timer: Timer,
        /// In how many milliseconds.
        ms: u64,
    },
    /// Stop a timer.
    CancelTimer(Timer),
    /// Apply a committed entry.
    Deliver(Entry<T>),
    /// Replace the application's state by the given one (`Some`), or by what the last durable or
    /// ordered snapshot holds (`None`); deliveries go on from there.
    Reset {
        /// The zxid of that state.
        zxid: Zxid,
        /// The state.
        state: Option<S>,
    },
    /// The peer's role changed. Clients are served only while `serving`.
    Role(Role),
    /// Those it may have to speak to from now on.
    Contacts(Members),
    /// The `sync` with this token is done: what was committed before it was asked has been
    /// delivered here.
    SyncDone {
        /// As given.
        token: u64,
    },
}

/// A write to the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Store<T, S> {
    /// Append to the log.
    Append(Entry<T>),
    /// Drop every entry after `after`.
    Truncate {
        /// The last entry to keep.
        after: Zxid,
    },
    /// Replace snapshot and log by these, atomically.
    Install {
        /// The zxid of the snapshot.
        zxid: Zxid,
        /// The snapshot.
        state: S,
        /// The log after it.
        log: Vec<Entry<T>>,
    },
    /// Save both epochs, atomically.
    Epochs {
        /// `acceptedEpoch`.
        accepted: u32,
        /// `currentEpoch`.
        current: u32,
    },
    /// Save that the configuration of this version, which is in the history, is committed.
    Settled {
        /// Its zxid.
        version: Zxid,
    },
}

/// Who leads, as far as this peer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Searching for a leader.
    Looking,
    /// Learning from `leader`.
    Following {
        /// The leader.
        leader: ServerId,
        /// Its epoch; 0 before it is known.
        epoch: u32,
        /// Synchronised: clients may be served.
        serving: bool,
    },
    /// Learning from `leader` without a say: an observer, or no member (yet, or any more).
    Observing {
        /// The leader.
        leader: ServerId,
        /// Its epoch; 0 before it is known.
        epoch: u32,
        /// Synchronised, and a member: clients may be served.
        serving: bool,
    },
    /// Leading.
    Leading {
        /// Its epoch; 0 before it is known.
        epoch: u32,
        /// Established: a quorum follows.
        serving: bool,
    },
}

impl Role {
    /// May clients be served?
    #[must_use]
    pub fn serving(self) -> bool {
        matches!(
            self,
            Role::Following { serving: true, .. }
                | Role::Observing { serving: true, .. }
                | Role::Leading { serving: true, .. }
        )
    }
}

/// Candidate for leadership. Ordered by epoch, then zxid, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// The candidate's current epoch.
    pub epoch: u32,
    /// The last zxid in its log.
    pub zxid: Zxid,
    /// The candidate.
    pub leader: ServerId,
}

impl Vote {
    /// The vote of one that has none.
    pub const NOBODY: Vote = Vote { epoch: 0, zxid: Zxid::ZERO, leader: 0 };
}

/// What a notification's sender is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stance {
    /// Voting.
    Looking,
    /// Follows its vote's candidate.
    Following,
    /// Leads, and is its vote's candidate.
    Leading,
}

/// What peers say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message<T, S> {
    /// Election: my vote.
    Notification {
        /// The election round (logical clock) it belongs to.
        round: u64,
        /// The vote.
        vote: Vote,
        /// What the sender is doing.
        stance: Stance,
        /// The newest configuration that the sender knows to be committed.
        version: Zxid,
        /// The newest configuration in its log.
        logged: Zxid,
    },
    /// To one that looks: you are behind, this configuration is committed.
    Members(Configuration),
    /// Learner → leader: I follow you (FOLLOWERINFO).
    FollowerInfo {
        /// Its `acceptedEpoch`.
        accepted_epoch: u32,
    },
    /// Leader → learner: the new epoch (LEADERINFO).
    LeaderInfo {
        /// The epoch.
        epoch: u32,
    },
    /// Learner → leader: epoch accepted, durably; this is my history (ACKEPOCH).
    AckEpoch {
        /// Its `currentEpoch` before.
        current_epoch: u32,
        /// The last zxid in its log.
        last: Zxid,
        /// Its snapshot; it cannot truncate below.
        snapshot: Zxid,
    },
    /// Leader → learner: drop every entry after `after` (TRUNC).
    Truncate {
        /// The last entry to keep.
        after: Zxid,
    },
    /// Leader → learner: start from this state (SNAP).
    Snapshot {
        /// The zxid of the state.
        zxid: Zxid,
        /// The state.
        state: S,
    },
    /// Leader → learner: append this (DIFF's entries and PROPOSAL alike).
    Propose(Entry<T>),
    /// Leader → learner: that was my history; take it over (NEWLEADER).
    NewLeader {
        /// The epoch.
        epoch: u32,
        /// The configuration in force at the leader; one in the history may follow it.
        configuration: Configuration,
    },
    /// Learner → leader: history and epoch are durable (ACK of NEWLEADER).
    AckLeader {
        /// The epoch.
        epoch: u32,
    },
    /// Leader → learner: a quorum took it over; everything up to `committed` is committed; serve
    /// (UPTODATE).
    UpToDate {
        /// The last committed zxid.
        committed: Zxid,
    },
    /// Learner → leader: everything up to here is durable (ACK).
    Ack {
        /// The last durable zxid.
        zxid: Zxid,
    },
    /// Leader → learner: everything up to here is committed (COMMIT).
    Commit {
        /// The last committed zxid.
        zxid: Zxid,
    },
    /// Leader → learner: I am here (PING), with the number of the newest confirmation asked for.
    Ping {
        /// Echoed by [`Message::Pong`].
        seq: u64,
    },
    /// Learner → leader: I still follow you.
    Pong {
        /// The `seq` of the ping.
        seq: u64,
    },
    /// Learner → leader: order this transaction (REQUEST).
    Forward {
        /// What it does.
        txn: T,
    },
    /// Learner → leader: `sync`.
    SyncRequest {
        /// The learner's token.
        token: u64,
    },
    /// Leader → learner: every commit that the `sync` must see has been sent before this (SYNC).
    SyncReply {
        /// The learner's token.
        token: u64,
    },
}

impl<T, S> Message<T, S> {
    /// Does it travel on the election link, at best effort?
    #[must_use]
    pub fn is_for_election(&self) -> bool {
        matches!(self, Message::Notification { .. } | Message::Members(_))
    }
}

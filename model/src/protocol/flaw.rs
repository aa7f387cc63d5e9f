//! Ways to get ZAB wrong: what the paper leaves open, what ZooKeeper did, what must not be left out.

use crate::care::Care;

/// A rule left out or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// ZOOKEEPER-2845: a server that looks for a leader keeps its database, and with it forgets what
    /// its log holds beyond; a DIFF then appends behind a tail that should have been cut.
    KeptDatabase,
    /// ZOOKEEPER-3911: NEWLEADER is acknowledged before its history is even written.
    UnwrittenAck,
    /// ZOOKEEPER-4643: `currentEpoch` is written before the history that it vouches for.
    EpochFirst,
    /// ZOOKEEPER-4646: NEWLEADER is acknowledged before its history is durable.
    UnsyncedAck,
    /// ZOOKEEPER-4685: entries of the history are acknowledged ahead of NEWLEADER.
    EagerAck,
    /// ZOOKEEPER-4712: writes still on their way when a follower leaves reach the log, but not its
    /// memory.
    LateLog,
    /// The paper says that a leader proposes to those who acknowledged NEWLEADER; whoever joins
    /// between two proposals then misses one.
    NarrowBroadcast,
    /// The paper lets a history be sent while an entry of it is appended and not yet broadcast; it
    /// then arrives twice.
    LateBroadcast,
    /// The paper does not say what COMMIT-LD commits; the end of what the follower acknowledged is
    /// too much.
    EagerCommit,
    /// A follower acknowledges a proposal before it is durable.
    EarlyAck,
    /// The leader counts itself before its own disk has the proposal.
    EarlySelf,
    /// A promise is sent before it is durable.
    EarlyPromise,
    /// Half of the servers are a quorum.
    HalfQuorum,
    /// A leader goes on although a promise came with a newer history than its own.
    NoComparison,
    /// TRUNC is ignored.
    NoTruncation,
    /// Followers serve before a quorum has taken over the history.
    EarlyService,
    /// A DIFF begins one entry too late.
    LateDiff,
    /// A snapshot is of the log as it stands, committed or not, and TRUNC leaves it: the entries that
    /// were cut are back after a restart.
    KeptSnapshot,
    /// An acknowledgement goes to the former leader too, which does not look at its epoch.
    StrayAcks,
    /// ZOOKEEPER-1277: the zxid's counter wraps into its epoch.
    WrappingCounter,
    /// ZooKeeper's own `sync`: the leader answers from what it knows, and asks nobody.
    LocalSync,
    /// Observers count as those who vote do.
    CountedObservers,
    /// ZOOKEEPER-2959: observers count in the quorum that opens an epoch.
    ObserverEpoch,
    /// An observer is told that an entry is committed before it is.
    EarlyInform,
    /// Nothing is synced.
    NoSync,
    /// Files are synced, and directories are not: their names may be lost.
    NoNames,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 26] = [
        Flaw::KeptDatabase,
        Flaw::UnwrittenAck,
        Flaw::EpochFirst,
        Flaw::UnsyncedAck,
        Flaw::EagerAck,
        Flaw::LateLog,
        Flaw::NarrowBroadcast,
        Flaw::LateBroadcast,
        Flaw::EagerCommit,
        Flaw::EarlyAck,
        Flaw::EarlySelf,
        Flaw::EarlyPromise,
        Flaw::HalfQuorum,
        Flaw::NoComparison,
        Flaw::NoTruncation,
        Flaw::EarlyService,
        Flaw::LateDiff,
        Flaw::KeptSnapshot,
        Flaw::StrayAcks,
        Flaw::WrappingCounter,
        Flaw::LocalSync,
        Flaw::CountedObservers,
        Flaw::ObserverEpoch,
        Flaw::EarlyInform,
        Flaw::NoSync,
        Flaw::NoNames,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Flaw::KeptDatabase => "ZOOKEEPER-2845",
            Flaw::UnwrittenAck => "ZOOKEEPER-3911",
            Flaw::EpochFirst => "ZOOKEEPER-4643",
            Flaw::UnsyncedAck => "ZOOKEEPER-4646",
            Flaw::EagerAck => "ZOOKEEPER-4685",
            Flaw::LateLog => "ZOOKEEPER-4712",
            Flaw::NarrowBroadcast => "narrow-broadcast",
            Flaw::LateBroadcast => "late-broadcast",
            Flaw::EagerCommit => "eager-commit",
            Flaw::EarlyAck => "early-ack",
            Flaw::EarlySelf => "early-self",
            Flaw::EarlyPromise => "early-promise",
            Flaw::HalfQuorum => "half-quorum",
            Flaw::NoComparison => "no-comparison",
            Flaw::NoTruncation => "no-truncation",
            Flaw::EarlyService => "early-service",
            Flaw::LateDiff => "late-diff",
            Flaw::KeptSnapshot => "kept-snapshot",
            Flaw::StrayAcks => "stray-acks",
            Flaw::WrappingCounter => "ZOOKEEPER-1277",
            Flaw::LocalSync => "ZOOKEEPER-1675",
            Flaw::CountedObservers => "counted-observers",
            Flaw::ObserverEpoch => "ZOOKEEPER-2959",
            Flaw::EarlyInform => "early-inform",
            Flaw::NoSync => "no-sync",
            Flaw::NoNames => "no-directory-sync",
        }
    }

    /// How its servers treat their disks.
    pub(crate) fn care(self) -> Care {
        match self {
            Flaw::NoSync => Care::NoSync,
            Flaw::NoNames => Care::NoNames,
            _ => Care::Full,
        }
    }

    /// The flaw of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Flaw> {
        Flaw::ALL.into_iter().find(|flaw| flaw.name() == name)
    }
}

//! Planted defects.

use serde::{Deserialize, Serialize};

/// A planted defect of the protocol (numbers of the project's mutant catalogue).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mutant {
    /// A follower acknowledges a proposal before it is durable.
    X1,
    /// A leader counts its own entries before they are durable.
    X3,
    /// A learner acknowledges NEWLEADER before its history is durable (ZOOKEEPER-4646).
    X4,
    /// A learner saves `currentEpoch` before it has the history that goes with it (ZOOKEEPER-4643).
    X5,
    /// `acceptedEpoch` is saved with `currentEpoch`, and not before the promise is told.
    X6,
    /// Leaders are chosen, and believed, by zxid and server id: epochs are not compared.
    X7,
    /// Leaders are chosen, and believed, by server id alone: epoch and zxid are not compared.
    X8,
    /// A quorum is ⌊n/2⌋ servers.
    X9,
    /// A learner ignores TRUNC and keeps its divergent tail.
    X11,
    /// Entries whose quorums are complete at the same time are delivered newest first.
    X15,
    /// `sync` is answered by whoever is asked, without asking the leader or a quorum.
    X17,
    /// Observers count as participants do.
    X43,
    /// A reconfiguration under way counts alone: the one before it has no say.
    X44,
    /// A reconfiguration under way does not count before it is committed.
    X45,
}

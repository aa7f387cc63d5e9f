//! What the nemesis really did, told apart from what it was asked to do.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::FaultId;

/// Whether a fault was in force. After the vocabulary of OpenRaft's Jepsen suite.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It was, and the evidence shows it.
    Installed,
    /// It was not, and nothing was changed.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It may have been, in part or for a time.
    Indeterminate {
        /// Why nobody can tell.
        reason: String,
    },
}

/// An injection or a heal, as it went.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Which fault.
    pub id: FaultId,
    /// After an injection, what can be said at once; after a heal, the last word about the fault.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Pids, states, packet counters, durations in milliseconds. Its form depends on the fault.
    pub evidence: Value,
}

/// Something that was broken and could not be repaired, or not be shown to be. The run is not sound.
#[derive(Clone, PartialEq, Debug)]
pub struct NotHealed {
    /// One sentence per thing that is still broken.
    pub problems: Vec<String>,
    /// What was healed nevertheless.
    pub healed: Vec<Report>,
}

impl Outcome {
    pub(crate) fn skipped(reason: impl Into<String>) -> Outcome {
        Outcome::Skipped { reason: reason.into() }
    }

    /// Installed, unless there are doubts.
    pub(crate) fn unless(doubts: &[String]) -> Outcome {
        match doubts {
            [] => Outcome::Installed,
            _ => Outcome::Indeterminate { reason: doubts.join("; ") },
        }
    }
}

impl fmt::Display for NotHealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not everything was healed: {}", self.problems.join("; "))
    }
}

impl std::error::Error for NotHealed {}

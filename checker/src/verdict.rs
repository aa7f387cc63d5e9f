//! What was decided, as data: `verdict.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict of one check. Ordered: the worst of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The promise was kept in everything examined.
    Valid,
    /// Not decided within the budget, or nothing to examine.
    Unknown,
    /// The promise was broken; a witness says how.
    Invalid,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Valid => "valid",
            Outcome::Unknown => "unknown",
            Outcome::Invalid => "invalid",
        })
    }
}

/// `verdict.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Version of the run directory's format.
    pub format: u32,
    /// The worst outcome of the binding checks.
    pub outcome: Outcome,
    /// The verdict in one sentence, with values.
    pub sentence: String,
    /// One entry per guarantee, in the order of the catalogue.
    pub checks: Vec<Check>,
    /// Did the run test anything?
    pub soundness: Soundness,
    /// What the servers say that they did, if they say it. The verdict is about what clients were promised,
    /// and does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
}

impl Verdict {
    /// What `zoobreak` exits with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.outcome {
            Outcome::Invalid => Exit::Invalid,
            _ if !self.soundness.sound() => Exit::Unsound,
            Outcome::Unknown => Exit::Unknown,
            Outcome::Valid => Exit::Valid,
        }
    }
}

/// The documented exit codes of `zoobreak`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every binding guarantee held, and the run was sound.
    Valid = 0,
    /// A guarantee was broken.
    Invalid = 1,
    /// A check could not decide.
    Unknown = 2,
    /// The run itself is not sound: a harness error, no verified fault, too little load, a
    /// history cut short.
    Unsound = 3,
    /// Wrong usage: a flag, a plan, a path (`EX_USAGE`).
    Usage = 64,
}

/// One guarantee's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// `linearizable`, `C1`, `C2`, …
    pub id: String,
    /// A short name: "session order".
    pub name: String,
    /// What is promised, in one sentence.
    pub promise: String,
    /// Where it is promised.
    pub source: String,
    /// Does the target promise it? If not, the outcome is reported and does not count.
    pub binding: bool,
    /// What was found.
    pub outcome: Outcome,
    /// Why, where the outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the outcome is unknown because a budget was used up: up to which operation it is known,
    /// by the index of its invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<u64>,
    /// Items examined (operations, pairs, …).
    pub examined: u64,
    /// Milliseconds it took.
    pub millis: f64,
    /// Why it is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
}

/// What shows a violation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// One sentence with values.
    pub sentence: String,
    /// The znode, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The operations involved, by the index of their invocation; the one that cannot be placed
    /// is the last.
    pub operations: Vec<u64>,
    /// As many of these as fit into one order that the specification accepts, in that order: how far
    /// one comes before the last has no place. Empty where no search has looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<u64>,
    /// From the first invocation to the last completion of these, nanoseconds since the start.
    pub window: (u64, u64),
    /// What the specification allows, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was seen, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
}

/// Did the run test anything? A green run proves that it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Soundness {
    /// What was counted, and what was needed.
    pub facts: Vec<Fact>,
}

impl Soundness {
    /// Is every need met?
    #[must_use]
    pub fn sound(&self) -> bool {
        self.facts.iter().all(Fact::holds)
    }
}

/// Were the steps that servers recorded steps of their protocol?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// Whether they were; unknown where the protocol's model does not know them, or nothing was judged.
    pub outcome: Outcome,
    /// In words; of the first one that was not, which server's, when, and where it is recorded.
    pub sentence: String,
    /// How many there are.
    pub examined: u64,
    /// Milliseconds it took to read and judge them.
    pub millis: f64,
    /// How often each action of the protocol was seen, up to the first step that is none.
    pub actions: BTreeMap<String, u64>,
    /// The actions that came right after each, at one server.
    pub followed_by: BTreeMap<String, Vec<String>>,
    /// The actions that were not seen.
    pub never: Vec<String>,
}

impl Steps {
    /// Nothing judged.
    #[must_use]
    pub fn unknown() -> Steps {
        Steps {
            outcome: Outcome::Unknown,
            sentence: String::new(),
            examined: 0,
            millis: 0.0,
            actions: BTreeMap::new(),
            followed_by: BTreeMap::new(),
            never: Vec::new(),
        }
    }
}

/// One count, and the least that a sound run has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What was counted: "verified partitions".
    pub what: String,
    /// How many there were.
    pub count: u64,
    /// How many a sound run has at least.
    pub needed: u64,
    /// More in words: "3 installed, 1 skipped (no leader known)".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Fact {
    /// Is the need met?
    #[must_use]
    pub fn holds(&self) -> bool {
        self.count >= self.needed
    }
}

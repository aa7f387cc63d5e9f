//! One line of a history.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The operations' names (`Event::f`).
pub mod f {
    /// Open a session, or resume the process' session on another server. `value`: the server
    /// asked for. The first is invoked before the faults.
    pub const CONNECT: &str = "connect";
    /// `sync`, then `getData`. ok: `value` is the integer read, or null when the znode is empty.
    pub const READ: &str = "read";
    /// `getData` alone: may be stale, but never goes back in time within a session.
    pub const LOCAL_READ: &str = "local-read";
    /// `setData` whatever the version. `value`: the integer written.
    pub const WRITE: &str = "write";
    /// `setData` at an expected version. `value`: `[expected version, integer written]`. A `fail`
    /// with error `BadVersion` is a definite answer: the version differed.
    pub const CAS: &str = "cas";
    /// A fault's steps; `process` is `nemesis`, `value` a [`FaultEvent`](super::FaultEvent).
    pub const FAULT: &str = "fault";
    /// A server's role as seen from outside; `process` is `probe`, `value` a
    /// [`RoleEvent`](super::RoleEvent).
    pub const ROLE: &str = "role";
    /// A watch event of the znodes workload, whose requests have the names of
    /// [`Ask`](crate::znode::Ask); `process` is `watch`, `value` a
    /// [`WatchEvent`](crate::znode::WatchEvent).
    pub const WATCH: &str = "watch";
    /// A fingerprint of a server's state; `process` is `probe`, `value` a
    /// [`DigestEvent`](super::DigestEvent).
    pub const DIGEST: &str = "digest";
    /// A server ended that nobody killed; `process` is `run`, `node` the server, `value` its exit
    /// status in words.
    pub const EXIT: &str = "exit";
    /// The run enters a phase; `process` is `run`, `value` a [`Phase`](super::Phase).
    pub const PHASE: &str = "phase";
}

/// One thing that happened.
///
/// ```json
/// {"index":17,"time":3291485317,"process":3,"type":"ok","f":"read","key":"/r2","value":3000017,
///  "node":"n2","session":"0x200000f3a0000","zxid":"0x10000002a",
///  "stat":{"czxid":"0x100000003","mzxid":"0x10000002a","version":7}}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Line number from 0, without gaps.
    pub index: u64,
    /// Nanoseconds since the run began, on the harness' monotonic clock.
    pub time: u64,
    /// Who did it.
    pub process: Process,
    /// Invocation or completion.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The operation: one of [`f`].
    pub f: String,
    /// The znode, for operations on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Argument or result; its shape depends on `f`.
    #[serde(default)]
    pub value: Value,
    /// Why it is `fail` or `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The server that was asked: `n1`, `n2`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The session it was asked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Hex>,
    /// The zxid in the reply's header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zxid: Option<Hex>,
    /// The znode's Stat in the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stat: Option<Stat>,
}

/// Who did it: a client by number, or a part of the harness by name. A client invokes one
/// operation at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Process {
    /// A client.
    Client(u64),
    /// `nemesis`, `probe`, `watch` or `run`.
    Part(String),
}

impl Process {
    /// The one that breaks things.
    #[must_use]
    pub fn nemesis() -> Process {
        Process::Part("nemesis".into())
    }

    /// The one that asks servers for their role.
    #[must_use]
    pub fn probe() -> Process {
        Process::Part("probe".into())
    }

    /// Watch events, whose client is in their value: a client has one operation under way.
    #[must_use]
    pub fn watch() -> Process {
        Process::Part("watch".into())
    }

    /// The conductor.
    #[must_use]
    pub fn run() -> Process {
        Process::Part("run".into())
    }
}

/// By hand, for what serde derives copies the value before it looks at it, in every event.
impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Process, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Process;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a client's number or a name")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Process, E> {
                Ok(Process::Client(number))
            }

            fn visit_str<E>(self, name: &str) -> Result<Process, E> {
                Ok(Process::Part(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Process::Client(n) => write!(f, "client {n}"),
            Process::Part(name) => f.write_str(name),
        }
    }
}

/// Jepsen's four kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It begins.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// It may have happened; or a note that is no operation.
    Info,
}

/// A 64-bit number written as `"0x1f"`: zxids and session ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex(pub u64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl FromStr for Hex {
    type Err = String;

    fn from_str(text: &str) -> Result<Hex, String> {
        text.strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Hex)
            .ok_or_else(|| format!("expected a number like \"0x1f\", found {text:?}"))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hex, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Hex;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number like \"0x1f\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hex, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The part of ZooKeeper's Stat that checks use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// The zxid that created the znode.
    pub czxid: Hex,
    /// The zxid that last changed its data.
    pub mzxid: Hex,
    /// Changes of its data since creation.
    pub version: i32,
}

/// What became of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// It was in force; the evidence says how that is known.
    Installed,
    /// It was not tried.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Whether it was in force is not known.
    Indeterminate {
        /// Why.
        reason: String,
    },
}

/// A step of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultStep {
    /// About to be injected.
    Injecting,
    /// Injected; see the outcome.
    Injected,
    /// About to be healed.
    Healing,
    /// Healed, and the fault's final outcome: only now is it known whether a partition dropped
    /// anything.
    Healed,
}

/// `Event::value` of a fault. An operation of the nemesis is always of kind `info`, as in Jepsen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultEvent {
    /// Number of the fault in the schedule, from 1.
    pub fault: u32,
    /// Which step this is.
    pub step: FaultStep,
    /// `kill`, `pause` or `partition`.
    pub kind: String,
    /// In words: "leader n3 cut off from n1 n2 n4 n5".
    pub what: String,
    /// The servers hit.
    pub nodes: Vec<String>,
    /// What became of it; absent in steps that only announce.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What proves it: packet counters, process states.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub evidence: Value,
}

/// `Event::value` of a role change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleEvent {
    /// `leader`, `follower`, `looking`, `unreachable`.
    pub role: String,
    /// The epoch, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
}

/// `Event::value` of a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestEvent {
    /// The last transaction of the state.
    pub zxid: Hex,
    /// The server's fingerprint of it. Servers of one kind have the same at the same zxid.
    pub digest: Hex,
    /// What a quorum had there, where the server has stopped because of the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Hex>,
}

/// The phases of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Servers start.
    Boot,
    /// Sessions are opened, znodes created.
    Setup,
    /// Clients work while the nemesis breaks things.
    Load,
    /// Every fault is healed.
    Heal,
    /// Servers agree on a leader again.
    Settle,
    /// Every server is read.
    FinalReads,
    /// The run is over; a history without it was cut short.
    End,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Boot => "boot",
            Phase::Setup => "setup",
            Phase::Load => "load",
            Phase::Heal => "heal",
            Phase::Settle => "settle",
            Phase::FinalReads => "final reads",
            Phase::End => "end",
        })
    }
}

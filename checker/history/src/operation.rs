//! An operation: an invocation with its completion.

use std::fmt;
use std::sync::Arc;

use crate::event::{Hex, Stat, f};
use crate::znode::{Ask, Told};

/// One operation of a client, from invocation to completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The client.
    pub process: u64,
    /// What was asked.
    pub action: Action,
    /// What became of it.
    pub status: Status,
    /// Index of the invocation's event.
    pub invoke: u64,
    /// Index of the completion's event; absent while the operation is open.
    pub complete: Option<u64>,
    /// When it was invoked, nanoseconds since the start.
    pub start: u64,
    /// When its answer came, nanoseconds since the start; absent when the outcome is unknown,
    /// because the operation may still take effect at any later time.
    pub end: Option<u64>,
    /// The integer that an ok read returned; absent when the znode was empty.
    pub read: Option<i64>,
    /// What a request of the znodes workload was told.
    pub told: Option<Box<Told>>,
    /// Why it is not ok.
    pub error: Option<Arc<str>>,
    /// The server that was asked.
    pub node: Option<Arc<str>>,
    /// The session it was asked in.
    pub session: Option<Hex>,
    /// The zxid in the reply's header.
    pub zxid: Option<Hex>,
    /// The znode's Stat in the reply.
    pub stat: Option<Stat>,
}

/// What an operation asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open or resume the session on `node`.
    Connect {
        /// The server asked for.
        node: Arc<str>,
    },
    /// `sync`, then read.
    Read {
        /// The znode.
        key: Arc<str>,
    },
    /// Read without `sync`.
    LocalRead {
        /// The znode.
        key: Arc<str>,
    },
    /// Write whatever the version.
    Write {
        /// The znode.
        key: Arc<str>,
        /// The integer written.
        value: i64,
    },
    /// Write at an expected version.
    Cas {
        /// The znode.
        key: Arc<str>,
        /// The version expected.
        expected: i32,
        /// The integer written.
        value: i64,
    },
    /// A request of the znodes workload.
    Znode(Box<Ask>),
}

impl Action {
    /// Its name in the history: one of [`f`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Action::Connect { .. } => f::CONNECT,
            Action::Read { .. } => f::READ,
            Action::LocalRead { .. } => f::LOCAL_READ,
            Action::Write { .. } => f::WRITE,
            Action::Cas { .. } => f::CAS,
            Action::Znode(ask) => ask.name(),
        }
    }

    /// The register, for operations on one.
    #[must_use]
    pub fn key(&self) -> Option<&Arc<str>> {
        match self {
            Action::Connect { .. } | Action::Znode(_) => None,
            Action::Read { key }
            | Action::LocalRead { key }
            | Action::Write { key, .. }
            | Action::Cas { key, .. } => Some(key),
        }
    }

    /// What is asked of the tree, in the znodes workload.
    #[must_use]
    pub fn ask(&self) -> Option<&Ask> {
        match self {
            Action::Znode(ask) => Some(ask),
            _ => None,
        }
    }

    /// The znode, for operations on one, of either workload.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.key().map(|key| &**key).or_else(|| self.ask()?.path())
    }

    /// The integer it writes.
    #[must_use]
    pub fn written(&self) -> Option<i64> {
        match self {
            Action::Write { value, .. } | Action::Cas { value, .. } => Some(*value),
            _ => None,
        }
    }

    /// Is it a read, with `sync` or without?
    #[must_use]
    pub fn is_read(&self) -> bool {
        match self {
            Action::Read { .. } | Action::LocalRead { .. } => true,
            Action::Znode(ask) => !ask.is_write(),
            Action::Connect { .. } | Action::Write { .. } | Action::Cas { .. } => false,
        }
    }

    /// Is it a write, conditional or not?
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self {
            Action::Write { .. } | Action::Cas { .. } => true,
            Action::Znode(ask) => ask.is_write(),
            Action::Connect { .. } | Action::Read { .. } | Action::LocalRead { .. } => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Connect { node } => write!(f, "connect to {node}"),
            Action::Read { key } => write!(f, "read {key}"),
            Action::LocalRead { key } => write!(f, "local-read {key}"),
            Action::Write { key, value } => write!(f, "write {key} = {value}"),
            Action::Cas { key, expected, value } => {
                write!(f, "cas {key} = {value} at version {expected}")
            }
            Action::Znode(ask) => ask.fmt(f),
        }
    }
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// It may have happened, or may happen yet.
    Unknown,
}

impl Operation {
    /// Did it happen?
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// Did the server answer that the version differs? Unlike other failures, this says something
    /// about the znode.
    #[must_use]
    pub fn is_bad_version(&self) -> bool {
        self.status == Status::Fail && self.error.as_deref() == Some("BadVersion")
    }

    /// Did the server answer a write, with success or with a definite refusal that it decided on
    /// in its place in the order? Such answers carry a zxid of their own.
    #[must_use]
    pub fn is_answered_write(&self) -> bool {
        match &self.action {
            Action::Znode(ask) => ask.is_write() && (self.is_ok() || self.is_refused_in_order()),
            action => action.is_write() && (self.is_ok() || self.is_bad_version()),
        }
    }

    /// Was it refused because of the state at its place in the order?
    fn is_refused_in_order(&self) -> bool {
        const BY_STATE: [&str; 5] =
            ["BadVersion", "NoNode", "NodeExists", "NotEmpty", "NoChildrenForEphemerals"];
        self.status == Status::Fail
            && self.error.as_deref().is_some_and(|error| BY_STATE.contains(&error))
    }

    /// The integers that it writes.
    #[must_use]
    pub fn values(&self) -> Vec<i64> {
        match &self.action {
            Action::Znode(ask) => ask.parts().iter().filter_map(Ask::written).collect(),
            action => action.written().into_iter().collect(),
        }
    }

    /// Had its answer come when `later` was invoked? Compared by the events' order, which is
    /// exact where times are equal.
    #[must_use]
    pub fn precedes(&self, later: &Operation) -> bool {
        self.answered().is_some_and(|answered| answered < later.invoke)
    }

    /// Index of the completion, when the outcome is known.
    #[must_use]
    pub fn answered(&self) -> Option<u64> {
        self.complete.filter(|_| self.status != Status::Unknown)
    }
}

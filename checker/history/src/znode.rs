//! The znodes workload in a history: what is asked of the tree, what is told, which events come.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::Hex;

/// A request. `Event::value` of its invocation; `Event::f` is [`Ask::name`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// `create2`; in a multi, `create`.
    Create {
        /// Its path; of a sequential one, without the number.
        path: String,
        /// Its data, which no other operation of the run writes.
        value: i64,
        /// Does it go with its session?
        #[serde(default, skip_serializing_if = "is_false")]
        ephemeral: bool,
        /// Does the server append a number to its path?
        #[serde(default, skip_serializing_if = "is_false")]
        sequential: bool,
    },
    /// `delete`.
    Delete {
        /// Its path.
        path: String,
        /// The version it must have; -1 is any.
        version: i32,
    },
    /// `setData`.
    Set {
        /// Its path.
        path: String,
        /// Its data, which no other operation of the run writes.
        value: i64,
        /// The version it must have; -1 is any.
        version: i32,
    },
    /// `check`, in a multi.
    Check {
        /// Its path.
        path: String,
        /// The version it must have; -1 is any.
        version: i32,
    },
    /// `getData`.
    Get {
        /// Its path.
        path: String,
        /// Leave a watch?
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
    },
    /// `exists`.
    Exists {
        /// Its path.
        path: String,
        /// Leave a watch?
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
    },
    /// `getChildren2`.
    Children {
        /// The parent's path.
        path: String,
        /// Leave a watch?
        #[serde(default, skip_serializing_if = "is_false")]
        watch: bool,
        /// After a `sync` of its own?
        #[serde(default, skip_serializing_if = "is_false")]
        sync: bool,
    },
    /// All or none.
    Multi {
        /// In order.
        ops: Vec<Ask>,
    },
    /// `setWatches`, after a reconnect: the watches that were left on other connections of the
    /// session and not answered there.
    SetWatches {
        /// The largest zxid in the session's replies: events of changes after it are still owed.
        since: Hex,
        /// Znodes whose data or deletion is watched.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        data: Vec<String>,
        /// Znodes that did not exist, whose creation is watched.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exist: Vec<String>,
        /// Znodes whose children are watched.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        child: Vec<String>,
    },
    /// The session's end.
    Close,
}

/// A reply. `Event::value` of a completion; a refused multi has one too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case")]
pub enum Told {
    /// A znode is created.
    Created {
        /// Its path, with its number.
        path: String,
        /// Its Stat; absent in a multi.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stat: Option<ZnodeStat>,
    },
    /// Data is set.
    Set {
        /// The Stat afterwards.
        stat: ZnodeStat,
    },
    /// Data was read.
    Data {
        /// The integer; absent when the znode is empty.
        value: Option<i64>,
        /// Its Stat.
        stat: ZnodeStat,
    },
    /// The znode exists.
    Exists {
        /// Its Stat.
        stat: ZnodeStat,
    },
    /// Children were read.
    Children {
        /// Their names.
        names: Vec<String>,
        /// The parent's Stat.
        stat: ZnodeStat,
    },
    /// Of a multi, each operation's.
    Multi {
        /// In their order.
        results: Vec<Told>,
    },
    /// It is done, and nothing else is said: of a delete, a check, a close.
    Done,
    /// Of an operation in a multi: the error code, 0 where another one failed later.
    Error {
        /// ZooKeeper's number.
        code: i32,
    },
}

/// All of a znode's Stat but its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZnodeStat {
    /// The zxid that created it.
    pub czxid: Hex,
    /// The zxid that last changed its data.
    pub mzxid: Hex,
    /// The zxid that last created or deleted a child of it.
    pub pzxid: Hex,
    /// Changes of its data.
    pub version: i32,
    /// Changes of its children.
    pub cversion: i32,
    /// The session that it goes with; 0 is none.
    pub owner: Hex,
    /// Bytes of data.
    pub length: i32,
    /// Number of children.
    pub children: i32,
}

/// What happened to a watched znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was set.
    Changed,
    /// A child was created or deleted.
    Children,
}

/// `Event::value` of a watch event, which stands in the history where it stood in the
/// connection's bytes: before the completion of the reply that came after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEvent {
    /// Which client was told.
    pub client: u64,
    /// Of which znode.
    pub path: String,
    /// What.
    pub change: Change,
}

impl Ask {
    /// Its name in the history.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Ask::Create { .. } => "create",
            Ask::Delete { .. } => "delete",
            Ask::Set { .. } => "set",
            Ask::Check { .. } => "check",
            Ask::Get { .. } => "get",
            Ask::Exists { .. } => "exists",
            Ask::Children { .. } => "children",
            Ask::Multi { .. } => "multi",
            Ask::SetWatches { .. } => "set-watches",
            Ask::Close => "close",
        }
    }

    /// The names of requests that stand alone.
    pub(crate) const NAMES: [&str; 9] =
        ["create", "delete", "set", "get", "exists", "children", "multi", "set-watches", "close"];

    /// The znode, for requests on one.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Ask::Create { path, .. }
            | Ask::Delete { path, .. }
            | Ask::Set { path, .. }
            | Ask::Check { path, .. }
            | Ask::Get { path, .. }
            | Ask::Exists { path, .. }
            | Ask::Children { path, .. } => Some(path),
            Ask::Multi { .. } | Ask::SetWatches { .. } | Ask::Close => None,
        }
    }

    /// Can it change anything?
    #[must_use]
    pub fn is_write(&self) -> bool {
        let reads = matches!(self, Ask::Get { .. } | Ask::Exists { .. } | Ask::Children { .. });
        !reads && !matches!(self, Ask::SetWatches { .. })
    }

    /// Itself, or the operations of a multi.
    #[must_use]
    pub fn parts(&self) -> &[Ask] {
        match self {
            Ask::Multi { ops } => ops,
            one => std::slice::from_ref(one),
        }
    }

    /// The data it writes.
    #[must_use]
    pub fn written(&self) -> Option<i64> {
        match self {
            Ask::Create { value, .. } | Ask::Set { value, .. } => Some(*value),
            _ => None,
        }
    }
}

impl Told {
    /// Itself, or the results of a multi.
    #[must_use]
    pub fn parts(&self) -> &[Told] {
        match self {
            Told::Multi { results } => results,
            one => std::slice::from_ref(one),
        }
    }

    /// The Stat in it.
    #[must_use]
    pub fn stat(&self) -> Option<&ZnodeStat> {
        match self {
            Told::Created { stat, .. } => stat.as_ref(),
            Told::Set { stat }
            | Told::Data { stat, .. }
            | Told::Exists { stat }
            | Told::Children { stat, .. } => Some(stat),
            Told::Multi { .. } | Told::Done | Told::Error { .. } => None,
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Ask::Create { path, value, ephemeral, sequential } => {
                let ephemeral = if *ephemeral { "ephemeral " } else { "" };
                let number = if *sequential { "<n>" } else { "" };
                write!(f, "create {ephemeral}{path}{number} = {value}")
            }
            Ask::Set { path, value, version: -1 } => write!(f, "set {path} = {value}"),
            Ask::Set { path, value, version } => {
                write!(f, "set {path} = {value} at version {version}")
            }
            Ask::Delete { path, version: -1 } => write!(f, "delete {path}"),
            Ask::Delete { path, version } | Ask::Check { path, version } => {
                write!(f, "{name} {path} at version {version}")
            }
            Ask::Get { path, watch }
            | Ask::Exists { path, watch }
            | Ask::Children { path, watch, .. } => {
                write!(f, "{name} {path}{}", if *watch { " with a watch" } else { "" })
            }
            Ask::Multi { ops } => {
                let ops: Vec<String> = ops.iter().map(Ask::to_string).collect();
                write!(f, "multi ({})", ops.join("; "))
            }
            Ask::SetWatches { data, exist, child, .. } => {
                let paths: Vec<&str> =
                    data.iter().chain(exist).chain(child).map(String::as_str).collect();
                write!(f, "set watches again on {}", paths.join(" "))
            }
            Ask::Close => f.write_str(name),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

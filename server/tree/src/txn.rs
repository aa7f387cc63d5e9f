//! What is put in order, and what comes of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{
    Acl, CreateMode, Data, ErrorCode, EventType, Identity, OpResult, Response, Stat, perms,
};

use crate::access::{self, Stored};
use crate::member;
use crate::node::Node;

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Txn {
    /// Open a session.
    CreateSession {
        /// Its id, unique for ever.
        id: i64,
        /// Its timeout, as negotiated.
        timeout_ms: i32,
        /// What a client must show to resume it.
        password: [u8; 16],
    },
    /// Close a session, because its client said so or because it expired.
    CloseSession {
        /// Its id.
        id: i64,
    },
    /// A client's write.
    Write {
        /// The session that asks.
        session: i64,
        /// The client's number for the request.
        xid: i32,
        /// The leader's clock, in milliseconds since 1970, for `ctime` and `mtime`.
        time_ms: i64,
        /// Who its client has proved to be: every replica judges by the same identities.
        who: Arc<[Identity]>,
        /// Whether hard limits of quotas are enforced where the client is connected.
        enforce_quota: bool,
        /// What it asks.
        op: WriteOp,
    },
    /// Delete a container or a znode with a time to live if, at that time, it is due.
    Reap {
        /// Its path.
        path: String,
        /// The leader's clock, in milliseconds since 1970.
        time_ms: i64,
    },
}

/// What a client's write does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WriteOp {
    /// Create a znode.
    Create {
        /// Its path; for a sequential one, without the number.
        path: String,
        /// Its data.
        #[serde(with = "wire::data")]
        data: Data,
        /// Its access control list.
        acl: Vec<Acl>,
        /// What kind of znode.
        mode: CreateMode,
        /// Its time to live, if it is of that kind; else -1.
        ttl_ms: i64,
        /// Whether the reply has the stat (create2).
        with_stat: bool,
    },
    /// Delete a znode.
    Delete {
        /// Its path.
        path: String,
        /// The version it must have; -1 is any.
        version: i32,
    },
    /// Replace a znode's data.
    SetData {
        /// Its path.
        path: String,
        /// The new data.
        #[serde(with = "wire::data")]
        data: Data,
        /// The version it must have; -1 is any.
        version: i32,
    },
    /// Replace a znode's access control list.
    SetAcl {
        /// Its path.
        path: String,
        /// The new list.
        acl: Vec<Acl>,
        /// How often it must have been replaced before; -1 is any.
        version: i32,
    },
    /// Fail unless a znode has a version.
    Check {
        /// Its path.
        path: String,
        /// The version; -1 is any.
        version: i32,
    },
    /// Several creates, deletes, sets and checks: all or none.
    Multi {
        /// In order; each sees what those before it did. None is a multi.
        #[serde(deserialize_with = "member::list")]
        ops: Vec<WriteOp>,
    },
    /// Put these members into `/zookeeper/config`, with the zxid as their version. Whoever put it
    /// in order has judged it already: they are in force.
    Reconfig {
        /// Lines `server.N=…`, without an end of line after the last.
        members: String,
    },
    /// A write refused before it was put in order; it still takes a zxid.
    Error {
        /// Why.
        code: ErrorCode,
    },
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What the client is told. An error means that nothing changed, and so does a
    /// [`Reply::Multi`] of errors.
    pub reply: Result<Reply, ErrorCode>,
    /// Changes that watches may wait for, in order.
    pub fired: Vec<Fired>,
    /// The session that this closed, if it was open.
    pub closed: Option<i64>,
}

/// The result of a transaction that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The session is open.
    SessionCreated,
    /// The session is closed, or was not open.
    SessionClosed,
    /// A znode is created.
    Create {
        /// Its path, with its number.
        path: Arc<str>,
    },
    /// A znode is created, and the client wants its stat.
    Create2 {
        /// Its path, with its number.
        path: Arc<str>,
        /// Its stat.
        stat: Stat,
    },
    /// A znode is deleted.
    Delete,
    /// Data is set.
    SetData {
        /// The stat after the change.
        stat: Stat,
    },
    /// The members are others.
    Reconfig {
        /// What `/zookeeper/config` says now.
        data: Data,
        /// Its stat.
        stat: Stat,
    },
    /// The access control list is set.
    SetAcl {
        /// The stat after the change.
        stat: Stat,
    },
    /// The version is the expected one.
    Check,
    /// What each operation of a multi came to.
    Multi {
        /// In their order.
        results: Vec<OpResult>,
    },
}

impl Reply {
    /// The body to send, if the operation has one.
    #[must_use]
    pub fn into_response(self) -> Option<Response> {
        match self {
            Reply::SessionCreated | Reply::SessionClosed | Reply::Delete | Reply::Check => None,
            Reply::Create { path } => Some(Response::Create { path: path.to_string() }),
            Reply::Create2 { path, stat } => {
                Some(Response::Create2 { path: path.to_string(), stat })
            }
            Reply::SetData { stat } => Some(Response::SetData { stat }),
            Reply::Reconfig { data, stat } => Some(Response::GetData { data, stat }),
            Reply::SetAcl { stat } => Some(Response::SetAcl { stat }),
            Reply::Multi { results } => Some(Response::Multi { results }),
        }
    }
}

/// A change that watches may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The znode.
    pub path: Arc<str>,
    /// What happened to it.
    pub event: EventType,
    /// The znode's access control list.
    acl: Stored,
}

impl Fired {
    /// A change of a znode that everybody may read.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, event: EventType) -> Fired {
        Fired { path: path.into(), event, acl: None }
    }

    pub(crate) fn of(path: impl Into<Arc<str>>, event: EventType, node: &Node) -> Fired {
        Fired { acl: node.custom_acl().cloned(), ..Fired::new(path, event) }
    }

    /// Whether somebody with these identities may hear of it: a watch is no way around the
    /// permission to read (CVE-2024-23944).
    #[must_use]
    pub fn may_be_told(&self, who: &[Identity]) -> bool {
        self.acl.as_deref().is_none_or(|list| access::allows(list, perms::READ, who))
    }
}

//! What is put in order, and what comes of it.

use serde::{Deserialize, Serialize};
use wire::{Acl, CreateMode, Data, ErrorCode, EventType, Response, Stat};

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
        /// What it asks.
        op: WriteOp,
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
        data: Data,
        /// Its access control list.
        acl: Vec<Acl>,
        /// What kind of znode.
        mode: CreateMode,
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
        data: Data,
        /// The version it must have; -1 is any.
        version: i32,
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
    /// What the client is told. An error means that nothing changed.
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
        path: String,
    },
    /// A znode is created, and the client wants its stat.
    Create2 {
        /// Its path, with its number.
        path: String,
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
}

impl Reply {
    /// The body to send, if the operation has one.
    #[must_use]
    pub fn into_response(self) -> Option<Response> {
        match self {
            Reply::SessionCreated | Reply::SessionClosed | Reply::Delete => None,
            Reply::Create { path } => Some(Response::Create { path }),
            Reply::Create2 { path, stat } => Some(Response::Create2 { path, stat }),
            Reply::SetData { stat } => Some(Response::SetData { stat }),
        }
    }
}

/// A change that watches may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The znode.
    pub path: String,
    /// What happened to it.
    pub event: EventType,
}

impl Fired {
    pub(crate) fn new(path: &str, event: EventType) -> Fired {
        Fired { path: path.to_owned(), event }
    }
}

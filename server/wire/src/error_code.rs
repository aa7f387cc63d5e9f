//! What the server can answer instead of a result.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// ZooKeeper's error codes (`KeeperException.Code`), without 0, which is success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(i32)]
        pub enum ErrorCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)*];
        }

        impl fmt::Display for ErrorCode {
            /// Writes ZooKeeper's name, such as `NoNode`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(ErrorCode::$name => stringify!($name),)*
                })
            }
        }
    };
}

error_codes! {
    /// Something inside the server; never sent, a bound of the codes below.
    SystemError = -1,
    /// A member of a failed multi behind the one that failed.
    RuntimeInconsistency = -2,
    /// The server found its data inconsistent.
    DataInconsistency = -3,
    /// The connection broke (made by clients).
    ConnectionLoss = -4,
    /// A record could not be decoded.
    MarshallingError = -5,
    /// The server does not know the operation.
    Unimplemented = -6,
    /// The operation took too long.
    OperationTimeout = -7,
    /// An argument makes no sense.
    BadArguments = -8,
    /// No such session.
    UnknownSession = -12,
    /// No quorum of the new configuration is connected.
    NewConfigNoQuorum = -13,
    /// Another reconfiguration is running.
    ReconfigInProgress = -14,
    /// A bound of the codes below; never sent.
    APIError = -100,
    /// The znode, or the parent of one to be created, does not exist.
    NoNode = -101,
    /// The access control list forbids it.
    NoAuth = -102,
    /// The znode's version is not the expected one.
    BadVersion = -103,
    /// The parent is ephemeral.
    NoChildrenForEphemerals = -108,
    /// The znode exists already.
    NodeExists = -110,
    /// The znode has children.
    NotEmpty = -111,
    /// The session has ended.
    SessionExpired = -112,
    /// Made by clients.
    InvalidCallback = -113,
    /// The access control list is empty or malformed.
    InvalidACL = -114,
    /// The credentials are not good.
    AuthFailed = -115,
    /// The session has moved to another server.
    SessionMoved = -118,
    /// The server is read-only and this is a write.
    NotReadOnly = -119,
    /// Local sessions cannot own ephemerals.
    EphemeralOnLocalSession = -120,
    /// No such watch.
    NoWatcher = -121,
    /// Made by clients.
    RequestTimeout = -122,
    /// Reconfiguration is switched off.
    ReconfigDisabled = -123,
    /// The server asks for SASL and the client did not use it.
    SessionClosedRequireSaslAuth = -124,
    /// A quota would be exceeded.
    QuotaExceeded = -125,
    /// The server has too much to do.
    ThrottledOp = -127,
}

impl ErrorCode {
    /// The code as it is sent.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The error that a code stands for; `None` for 0 and for codes that ZooKeeper does not have.
    #[must_use]
    pub fn from_i32(code: i32) -> Option<ErrorCode> {
        ErrorCode::ALL.iter().copied().find(|error| error.code() == code)
    }
}

impl std::error::Error for ErrorCode {}

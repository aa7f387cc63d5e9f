//! Sessions as the ensemble agrees on them. Their deadlines are the leader's business.

use serde::{Deserialize, Serialize};

use crate::paths::Paths;

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// How long it outlives silence.
    pub timeout_ms: i32,
    /// What a client must show to resume it.
    pub password: [u8; 16],
    /// The znodes that go with it.
    pub ephemerals: Paths,
}

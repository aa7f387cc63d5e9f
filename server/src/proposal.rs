//! What the ensemble orders.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zab::{Members, Transaction};

/// A transaction and the request it answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub(crate) origin: Origin,
    pub(crate) txn: tree::Txn,
    /// The members from here on, if it is a reconfiguration.
    pub(crate) members: Option<Arc<Members>>,
}

impl Transaction for Proposal {
    fn members(&self) -> Option<&Arc<Members>> {
        self.members.as_ref()
    }
}

/// Which request of which server, so that only the server that was asked answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The server.
    pub(crate) server: zab::ServerId,
    /// Drawn when that server process started: a restarted server has other requests.
    pub(crate) incarnation: u64,
    /// Counts its requests.
    pub(crate) number: u64,
}

/// Shared, since it is in the log window, in queues to learners and in deliveries at once.
pub(crate) type Txn = Arc<Proposal>;

/// A copy of the state, to be written or sent. Copies are cheap: they share what has not changed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State(pub(crate) tree::Tree);

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.lineage().hash(hasher);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state after {:#x}", self.0.last_zxid())
    }
}

pub(crate) type Peer = zab::Peer<Txn, State>;
pub(crate) type Input = zab::Input<Txn, State>;
pub(crate) type Output = zab::Output<Txn, State>;
pub(crate) type Message = zab::Message<Txn, State>;

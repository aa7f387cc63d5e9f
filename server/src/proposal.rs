//! What the ensemble orders.

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
/// A serialised [`tree::Tree`].
pub(crate) type State = Arc<Vec<u8>>;
pub(crate) type Peer = zab::Peer<Txn, State>;
pub(crate) type Input = zab::Input<Txn, State>;
pub(crate) type Output = zab::Output<Txn, State>;
pub(crate) type Message = zab::Message<Txn, State>;

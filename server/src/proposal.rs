//! What the ensemble orders.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zab::{Members, Transaction};

/// A transaction and the request it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub(crate) origin: Origin,
    pub(crate) txn: tree::Txn,
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

/// A [`Proposal`], encoded once by the server that was asked. These bytes are in the log, in the
/// log's window in memory and in queues to learners, and are decoded when they are applied.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Txn {
    #[serde(serialize_with = "write_bytes", deserialize_with = "read_bytes")]
    bytes: Arc<[u8]>,
    /// The members from here on, if it is a reconfiguration.
    members: Option<Arc<Members>>,
}

impl Txn {
    pub(crate) fn new(origin: Origin, txn: tree::Txn) -> Txn {
        let proposal = Proposal { origin, txn };
        let bytes = postcard::to_io(&proposal, Vec::with_capacity(256))
            .expect("a proposal holds only plain data");
        Txn { bytes: bytes.into(), members: None }
    }

    #[cfg(test)]
    pub(crate) fn encoded(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    #[cfg(test)]
    pub(crate) fn from_encoded(bytes: &[u8]) -> Txn {
        Txn { bytes: bytes.into(), members: None }
    }

    /// As the reconfiguration to these members, if there are any.
    pub(crate) fn with_members(self, members: Option<Arc<Members>>) -> Txn {
        Txn { members, ..self }
    }

    /// What is encoded here. Fails only for what another version has written, or a server gone
    /// wrong.
    pub(crate) fn decode(&self) -> Result<Proposal, postcard::Error> {
        postcard::from_bytes(&self.bytes)
    }

    /// CRC-32 of what is encoded here.
    pub(crate) fn digest(&self) -> u32 {
        crc32fast::hash(&self.bytes)
    }

    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Transaction for Txn {
    fn members(&self) -> Option<&Arc<Members>> {
        self.members.as_ref()
    }
}

impl fmt::Debug for Txn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.decode())
    }
}

fn write_bytes<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

fn read_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
    <&[u8]>::deserialize(deserializer).map(Arc::from)
}

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

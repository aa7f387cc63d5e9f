//! Connections between the servers of an ensemble.
//!
//! Two kinds, on two ports, as in ZooKeeper: *election links* carry votes, one way, at best
//! effort; a *channel* joins a learner to its leader, both ways, in order. Each message is a frame:
//! its length (u32, little-endian), then postcard.

mod channel;
mod election;
#[cfg(test)]
mod fuzz;

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use zab::ServerId;

use crate::proposal::{Message, Origin};
use crate::storage::Diverged;
use crate::tls::{Duplex, Stream};

pub(crate) use channel::{Channel, accept_channels, dial};
pub(crate) use election::{Voters, accept_votes};

/// What travels on a channel.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Frame {
    /// The protocol.
    Zab(Message),
    /// Learner → leader: these sessions were heard from.
    Touched(Vec<i64>),
    /// Learner → leader: this session's client is connected to me now.
    Claim(i64),
    /// Leader → learner: refused, the session has moved to another server.
    Moved(Origin),
    /// Leader → learner: this is my lineage at this zxid; and yours?
    Compare {
        zxid: u64,
        lineage: u64,
        /// Serve nobody: it is not known whose state is right.
        doubt: bool,
    },
    /// Learner → leader: mine is this.
    Lineage { zxid: u64, lineage: u64 },
    /// Leader → learner: a quorum has another. Stop.
    Outvoted(Diverged),
}

/// What the links tell the engine.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// A vote arrived.
    Vote { from: ServerId, message: Message },
    /// A connection for a channel stands. `dialled`: we opened it.
    Up { peer: ServerId, stream: Stream, dialled: bool },
    /// A frame arrived on channel `id`.
    Frame { peer: ServerId, id: u64, frame: Frame },
    /// The leader could not be reached.
    Unreachable { peer: ServerId },
    /// Channel `id` is gone.
    Down { peer: ServerId, id: u64 },
}

/// Opens every connection, so that a stray one is refused.
const MAGIC: &[u8; 4] = b"ZBK5";
/// The largest frame: a snapshot.
const FRAME_MAX: u32 = 1 << 30;
/// How long a connection may take to stand, and its opener to say who it is.
const GREETING: Duration = Duration::from_millis(1000);

fn greeting(me: ServerId) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..].copy_from_slice(&me.to_le_bytes());
    bytes
}

/// Reads who is calling; an error for anybody who is no server of ours.
async fn greeted(stream: &mut dyn Duplex) -> io::Result<ServerId> {
    let mut bytes = [0; 12];
    timeout(GREETING, stream.read_exact(&mut bytes)).await??;
    let (magic, id) = bytes.split_at(4);
    match magic == MAGIC {
        true => Ok(ServerId::from_le_bytes(id.try_into().expect("8 bytes"))),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "not a zoobreak server")),
    }
}

fn encode(value: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let body = postcard::to_stdvec(value).expect("messages hold only plain data");
    out.extend_from_slice(&body);
    let length = u32::try_from(body.len()).expect("snapshots are under 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

async fn read_frame<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = stream.read_u32_le().await?;
    if length > FRAME_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes"),
        ));
    }
    // Grows as bytes arrive, so that a lying length costs nothing.
    let mut body = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut body).await?;
    if body.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

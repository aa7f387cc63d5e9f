//! Connections between the servers of an ensemble.
//!
//! Two kinds, on two ports, as in ZooKeeper: *election links* carry votes, one way, at best
//! effort; a *channel* joins a learner to its leader, both ways, in order. Each message is a frame:
//! its length (u32, little-endian), then postcard. Snapshots are in [pieces].

mod channel;
mod election;
#[cfg(test)]
mod fuzz;
mod pieces;

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use zab::ServerId;

use crate::ServerAddress;
use crate::proposal::{Message, Origin};
use crate::reconfig::Ask;
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
    /// Learner → leader: a client wants other members.
    Reconfigure(Box<Ask>),
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
    /// A server called on the election port, and said where it is.
    Met { peer: ServerId, address: ServerAddress },
    /// Votes do not reach this server.
    Silent { peer: ServerId },
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
const MAGIC: &[u8; 4] = b"ZBK9";
/// The largest frame: a transaction, which `jute.maxbuffer` bounds.
const FRAME_MAX: u32 = 1 << 30;
/// Room is made at once for a frame up to so many bytes.
const SMALL: usize = 4 << 10;
/// How long a connection may take to stand, and its opener to say who it is.
const GREETING: Duration = Duration::from_millis(1000);

/// Who calls, and where it is called back: the callee may not have it among its members.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) id: ServerId,
    pub(crate) address: ServerAddress,
}

impl Caller {
    /// The mark, the id (u64), and the address as text behind its length (u16).
    fn greeting(&self) -> Vec<u8> {
        let address = self.address.to_string();
        let length = u16::try_from(address.len()).expect("host names are short");
        let (id, length) = (self.id.to_le_bytes(), length.to_le_bytes());
        [MAGIC.as_slice(), &id, &length, address.as_bytes()].concat()
    }
}

/// Welcomes whoever calls, each in a task of their own, for ever.
async fn accept<W>(listener: TcpListener, port: &str, welcome: impl Fn(TcpStream) -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(welcome(stream))),
            Err(error) => {
                tracing::warn!(%error, port, "a caller was not accepted");
                sleep(GREETING).await;
            }
        }
    }
}

/// Reads who is calling; an error for anybody who is no server of ours.
async fn greeted(stream: &mut dyn Duplex) -> io::Result<Caller> {
    timeout(GREETING, read_greeting(stream)).await?
}

async fn read_greeting(stream: &mut dyn Duplex) -> io::Result<Caller> {
    let mut mark = [0; 4];
    stream.read_exact(&mut mark).await?;
    if mark != *MAGIC {
        return Err(invalid("not a zoobreak server, or one of another version"));
    }
    let id = stream.read_u64_le().await?;
    let mut address = vec![0; stream.read_u16_le().await?.into()];
    stream.read_exact(&mut address).await?;
    let address = String::from_utf8(address).map_err(invalid)?.parse().map_err(invalid)?;
    Ok(Caller { id, address })
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn encode(value: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    postcard::to_io(value, &mut *out).expect("messages hold only plain data");
    let length = u32::try_from(out.len() - start - 4).expect("requests are under 1 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

async fn read_frame<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = stream.read_u32_le().await?;
    read_body(length, stream).await
}

/// Reads a frame after its length.
async fn read_body<T: DeserializeOwned>(
    length: u32,
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    if length > FRAME_MAX {
        return Err(invalid(format!("a frame of {length} bytes")));
    }
    // Grows as bytes arrive, so that a lying length costs little.
    let mut body = Vec::with_capacity(SMALL.min(length as usize));
    stream.take(u64::from(length)).read_to_end(&mut body).await?;
    if body.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&body).map_err(invalid)
}

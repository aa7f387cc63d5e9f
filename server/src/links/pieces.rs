//! A snapshot on a channel: in pieces, so that neither end holds all of its bytes, however many.
//!
//! In place of a frame's length stands [`MARK`]; then the snapshot's zxid (u64), and pieces, each
//! behind its length (u32). A length of 0 ends them. Numbers are little-endian. A snapshot that is cut
//! off is an error, and nothing of it is left.

use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;
use zab::Zxid;

use super::invalid;
use crate::joiner::Joiner;

/// No frame is as long.
pub(super) const MARK: u32 = u32::MAX;
/// Bytes of a piece.
pub(super) const PIECE: usize = 256 << 10;
/// The longest that is taken.
const PIECE_MAX: u32 = 1 << 20;
/// Pieces between the thread that encodes or decodes and the connection.
const AHEAD: usize = 2;

/// Sends the state after `zxid` in pieces of so many bytes. Another thread encodes it.
pub(super) async fn send<S: Serialize + Send + 'static>(
    zxid: Zxid,
    state: S,
    piece: usize,
    half: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let (pieces, mut queue) = channel(AHEAD);
    let cutter = Cutter { size: piece, piece: Vec::with_capacity(piece), pieces };
    let encoding = spawn_blocking(move || encode(&state, cutter));
    half.write_u32_le(MARK).await?;
    half.write_u64_le(zxid.0).await?;
    while let Some(bytes) = queue.recv().await {
        half.write_u32_le(u32::try_from(bytes.len()).map_err(invalid)?).await?;
        half.write_all(&bytes).await?;
    }
    encoding.await.expect("a panic ends the process")?;
    half.write_u32_le(0).await?;
    half.flush().await
}

/// Reads what [`send`] sent, after the mark. Another thread decodes it.
pub(super) async fn receive<S: DeserializeOwned + Send + 'static>(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Zxid, S)> {
    let zxid = Zxid(stream.read_u64_le().await?);
    let (pieces, queue) = channel(AHEAD);
    let decoding = spawn_blocking(move || decode(queue));
    loop {
        let length = stream.read_u32_le().await?;
        if length > PIECE_MAX {
            return Err(invalid(format!("a piece of a snapshot of {length} bytes")));
        }
        if length == 0 {
            break;
        }
        let mut piece = vec![0; length as usize];
        stream.read_exact(&mut piece).await?;
        if pieces.send(piece).await.is_err() {
            // It makes no sense: the decoder says why.
            break;
        }
    }
    drop(pieces);
    Ok((zxid, decoding.await.expect("a panic ends the process")?))
}

fn encode(state: &impl Serialize, cutter: Cutter) -> io::Result<()> {
    match postcard::to_io(state, cutter) {
        Ok(mut cutter) => cutter.flush(),
        // Nothing but the connection can fail.
        Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Cuts what is written into pieces.
struct Cutter {
    size: usize,
    piece: Vec<u8>,
    pieces: Sender<Vec<u8>>,
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.size - self.piece.len();
        let taken = bytes.len().min(room);
        self.piece.extend_from_slice(&bytes[..taken]);
        if taken == room {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(self.size));
        self.pieces.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn decode<S: DeserializeOwned>(mut queue: Receiver<Vec<u8>>) -> io::Result<S> {
    let next = |piece: &mut Vec<u8>| queue.blocking_recv().map(|next| *piece = next).is_some();
    match Joiner::new(next).value().map_err(invalid)? {
        (state, true) => Ok(state),
        (_, false) => Err(invalid("bytes after a snapshot")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::State;
    use crate::samples::{entries, proposal};
    use serde::ser::{SerializeSeq, Serializer};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::duplex;
    use tokio::runtime::Runtime;
    use tree::WriteOp;
    use wire::{Acl, CreateMode};

    const ZXID: Zxid = Zxid(0x3_0000_00ff);

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    /// A session, and two znodes with a list of their own; one with a value longer than most pieces.
    fn state() -> State {
        let everybody = Acl { perms: 1, scheme: "world".into(), id: "anyone".into() };
        let create = |path: &str, mode, data| WriteOp::Create {
            path: path.to_owned(),
            data: Some(data),
            acl: vec![everybody.clone()],
            mode,
            ttl_ms: -1,
            with_stat: false,
        };
        let txns = [
            entries()[0].txn.clone(),
            proposal(create("/long", CreateMode::Persistent, (0..=255).collect())),
            proposal(create("/short", CreateMode::Ephemeral, [7].into())),
        ];
        let mut tree = tree::Tree::new();
        for (zxid, txn) in (ZXID.0..).zip(txns) {
            tree.apply(zxid, &txn.decode().expect("just encoded").txn);
        }
        assert!(tree.get_data("/long").is_ok() && tree.get_data("/short").is_ok());
        State(tree)
    }

    fn sent<S: Serialize + Send + 'static>(state: S, piece: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        runtime().block_on(send(ZXID, state, piece, &mut bytes)).expect("a vector takes all");
        bytes
    }

    /// What is made of bytes, and how many are left.
    fn received(bytes: &[u8]) -> io::Result<(State, usize)> {
        let mut rest = bytes.strip_prefix(&MARK.to_le_bytes()).expect("the mark is first");
        let (zxid, state) = runtime().block_on(receive(&mut rest))?;
        assert_eq!(zxid, ZXID);
        Ok((state, rest.len()))
    }

    #[test]
    fn wherever_the_seams_are_what_is_sent_is_received() {
        let whole = postcard::to_stdvec(&state()).expect("plain data").len();
        for piece in (1..300).chain([whole - 1, whole, whole + 1, PIECE]) {
            let mut bytes = sent(state(), piece);
            assert_eq!(bytes.len(), 4 + 8 + whole + 4 * whole.div_ceil(piece) + 4);
            bytes.extend(b"what follows");
            assert_eq!(received(&bytes).expect("sound"), (state(), 12), "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_cut_off_anywhere_or_goes_on_is_no_snapshot() {
        let bytes = sent(state(), 50);
        for end in 4..bytes.len() {
            assert!(received(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
        }
        let more = [&bytes[..bytes.len() - 4], &[1, 0, 0, 0, 7], &[0; 4]].concat();
        assert!(received(&more).unwrap_err().to_string().contains("bytes after a snapshot"));
        let ended_early = [&bytes[..12 + 54], &[0; 4]].concat();
        assert!(received(&ended_early).is_err(), "an end before the end");
        let huge = [&bytes[..12], &(PIECE_MAX + 1).to_le_bytes(), &bytes[16..]].concat();
        assert!(received(&huge).unwrap_err().to_string().contains("1048577 bytes"));
    }

    /// Serialised as so many numbers, each a byte; counts them.
    struct Counted(Arc<AtomicUsize>, usize);

    impl Serialize for Counted {
        fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
            let mut items = serializer.serialize_seq(Some(self.1))?;
            for _ in 0..self.1 {
                self.0.fetch_add(1, Ordering::Relaxed);
                items.serialize_element(&0u8)?;
            }
            items.end()
        }
    }

    #[test]
    fn no_more_is_encoded_than_a_few_pieces_ahead_of_the_reader() {
        const N: usize = 100_000;
        let encoded = Arc::new(AtomicUsize::new(0));
        let (piece, pipe) = (100, 10);
        let (mut near, mut far) = duplex(pipe);
        let state = Counted(encoded.clone(), N);
        runtime().block_on(async {
            let sender = tokio::spawn(async move { send(ZXID, state, piece, &mut near).await });
            let mut read = 0;
            let mut buffer = [0; 64];
            loop {
                let n = far.read(&mut buffer).await.expect("it is open");
                if n == 0 {
                    break;
                }
                read += n;
                let ahead = encoded.load(Ordering::Relaxed).saturating_sub(read);
                assert!(ahead <= 8 * piece, "{ahead} bytes ahead at {read}");
            }
            assert!(read > N);
            sender.await.expect("it does not panic").expect("all was read");
        });
    }
}

//! Channels: the connection between a learner and its leader.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;
use zab::ServerId;

use super::{Caller, Frame, GREETING, LinkEvent, accept, encode, greeted, pieces, read_body};
use crate::ServerAddress;
use crate::tls::{Door, REFUSALS, Stream};

/// Between two attempts to reach a leader.
const REDIAL: Duration = Duration::from_millis(20);
/// After this long without a channel, the leader is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Frames are gathered into one write up to this many bytes.
const GATHER: usize = 256 * 1024;

/// One end of a channel. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Distinguishes it from earlier channels with the same peer.
    pub(crate) id: u64,
    /// Names it at both ends: the learner's port.
    pub(crate) via: Option<u16>,
    frames: UnboundedSender<Frame>,
    reader: AbortHandle,
    writer: JoinHandle<()>,
}

impl Channel {
    /// Queues a frame. If the connection is gone, `Down` is on its way.
    pub(crate) fn send(&self, frame: Frame) {
        let _gone = self.frames.send(frame);
    }

    /// Closes the connection after what was queued, or when that has taken too long.
    pub(crate) async fn finish(mut self, within: Duration) {
        (self.frames, _) = unbounded_channel();
        let _late = timeout(within, &mut self.writer).await;
    }

    /// Starts to read and write. Called by the engine, so that no frame comes before `Up`.
    pub(crate) fn start(
        peer: ServerId,
        stream: Stream,
        dialled: bool,
        events: &UnboundedSender<LinkEvent>,
    ) -> Channel {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let via = stream.caller_port(dialled);
        let (frames, queue) = unbounded_channel();
        let (reader, writer) = match stream {
            Stream::Plain(stream) => carry(peer, id, stream.into_split(), queue, events),
            Stream::Tls(stream) => carry(peer, id, split(stream), queue, events),
        };
        Channel { id, via, frames, reader, writer }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

/// Starts the tasks of a channel: its reader and its writer.
fn carry(
    peer: ServerId,
    id: u64,
    (read_half, write_half): (
        impl AsyncRead + Unpin + Send + 'static,
        impl AsyncWrite + Unpin + Send + 'static,
    ),
    queue: UnboundedReceiver<Frame>,
    events: &UnboundedSender<LinkEvent>,
) -> (AbortHandle, JoinHandle<()>) {
    let reader = tokio::spawn(read(peer, id, read_half, events.clone()));
    let writer = tokio::spawn(write(peer, id, write_half, queue, events.clone()));
    (reader.abort_handle(), writer)
}

/// Dials `peer` until the channel stands, or for a bounded time. Abort the task to stop.
pub(crate) async fn dial(
    caller: Caller,
    peer: ServerId,
    address: ServerAddress,
    door: Door,
    events: UnboundedSender<LinkEvent>,
) {
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        match open(&caller, &address, &door).await {
            Ok(stream) => {
                let _stopping = events.send(LinkEvent::Up { peer, stream, dialled: true });
                return;
            }
            Err(error) => debug!(peer, %error, "leader not reached yet"),
        }
        sleep(REDIAL).await;
    }
    let _stopping = events.send(LinkEvent::Unreachable { peer });
}

async fn open(caller: &Caller, address: &ServerAddress, door: &Door) -> io::Result<Stream> {
    let calling = door.call(&address.host, address.quorum_port);
    let mut stream = timeout(GREETING, calling).await??;
    stream.any().write_all(&caller.greeting()).await?;
    stream.any().flush().await?;
    Ok(stream)
}

/// Accepts learners.
pub(crate) async fn accept_channels(
    listener: TcpListener,
    door: Door,
    events: UnboundedSender<LinkEvent>,
) {
    accept(listener, "quorum port", |stream| welcome(stream, door.clone(), events.clone())).await;
}

async fn welcome(stream: TcpStream, door: Door, events: UnboundedSender<LinkEvent>) {
    let Ok(Ok(mut stream)) = timeout(GREETING, door.answer(stream)).await else { return };
    let Ok(Caller { id: peer, .. }) = greeted(stream.any()).await else { return };
    let _stopping = events.send(LinkEvent::Up { peer, stream, dialled: false });
}

async fn read(
    peer: ServerId,
    id: u64,
    half: impl AsyncRead + Unpin,
    events: UnboundedSender<LinkEvent>,
) {
    let mut stream = BufReader::with_capacity(64 * 1024, half);
    loop {
        let event = match receive(&mut stream).await {
            Ok(frame) => LinkEvent::Frame { peer, id, frame },
            Err(error) => {
                REFUSALS.log(&format_args!("server {peer}"), &error);
                debug!(peer, %error, "channel");
                let _stopping = events.send(LinkEvent::Down { peer, id });
                return;
            }
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// The next frame; a snapshot, when its last piece is there.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    match stream.read_u32_le().await? {
        pieces::MARK => {
            let (zxid, state) = pieces::receive(stream).await?;
            Ok(Frame::Zab(zab::Message::Snapshot { zxid, state }))
        }
        length => read_body(length, stream).await,
    }
}

async fn write(
    peer: ServerId,
    id: u64,
    mut half: impl AsyncWrite + Unpin,
    mut queue: UnboundedReceiver<Frame>,
    events: UnboundedSender<LinkEvent>,
) {
    let mut bytes = Vec::new();
    while let Some(frame) = queue.recv().await {
        if let Err(error) = send_with_more(frame, &mut queue, &mut bytes, &mut half).await {
            debug!(peer, %error, "channel");
            let _stopping = events.send(LinkEvent::Down { peer, id });
            return;
        }
        bytes.clear();
        bytes.shrink_to(GATHER);
    }
}

/// Sends a frame, with what stands behind it up to the next snapshot, and that.
async fn send_with_more(
    frame: Frame,
    queue: &mut UnboundedReceiver<Frame>,
    bytes: &mut Vec<u8>,
    half: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut next = Some(frame);
    while let Some(frame) = next {
        if let Frame::Zab(zab::Message::Snapshot { zxid, state }) = frame {
            half.write_all(bytes).await?;
            return pieces::send(zxid, state, pieces::PIECE, half).await;
        }
        encode(&frame, bytes);
        next = if bytes.len() < GATHER { queue.try_recv().ok() } else { None };
    }
    half.write_all(bytes).await?;
    half.flush().await
}

//! Channels: the connection between a learner and its leader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;
use zab::ServerId;

use super::{Caller, Frame, GREETING, LinkEvent, encode, greeted, read_frame};
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

async fn open(caller: &Caller, address: &ServerAddress, door: &Door) -> std::io::Result<Stream> {
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
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(welcome(stream, door.clone(), events.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "quorum port");
                sleep(GREETING).await;
            }
        }
    }
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
        let event = match read_frame(&mut stream).await {
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

async fn write(
    peer: ServerId,
    id: u64,
    mut half: impl AsyncWrite + Unpin,
    mut queue: UnboundedReceiver<Frame>,
    events: UnboundedSender<LinkEvent>,
) {
    let mut bytes = Vec::new();
    while let Some(frame) = queue.recv().await {
        bytes.clear();
        add(frame, &mut bytes).await;
        while bytes.len() < GATHER
            && let Ok(frame) = queue.try_recv()
        {
            add(frame, &mut bytes).await;
        }
        if let Err(error) = write_out(&mut half, &bytes).await {
            debug!(peer, %error, "channel");
            let _stopping = events.send(LinkEvent::Down { peer, id });
            return;
        }
        bytes.shrink_to(GATHER);
    }
}

/// Adds a frame. A snapshot takes its time: another thread encodes it, and what follows waits.
async fn add(frame: Frame, bytes: &mut Vec<u8>) {
    if !matches!(frame, Frame::Zab(zab::Message::Snapshot { .. })) {
        return encode(&frame, bytes);
    }
    let mut before = std::mem::take(bytes);
    *bytes = spawn_blocking(move || {
        encode(&frame, &mut before);
        before
    })
    .await
    .expect("a panic ends the process");
}

async fn write_out(half: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    half.write_all(bytes).await?;
    half.flush().await
}

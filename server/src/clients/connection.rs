//! A client's socket: frames in, replies out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use wire::frame::{FourLetter, four_letter_word};
use wire::{ConnectRequest, Request, RequestHeader};

use super::registry::{Refused, Registry, Visit};
use crate::desk::{Desk, Question};

/// Names a connection for as long as the process lives.
pub(crate) type ConnId = u64;

/// Requests of one connection that may wait for their replies. A client that does not read its
/// replies is not read from either.
const OUTSTANDING: usize = 1000;
/// How long a new connection may take to say what it wants.
const GREETING: Duration = Duration::from_secs(10);
/// How long the last replies of a closed connection may take to be written.
const FAREWELL: Duration = Duration::from_secs(2);

/// What clients want of the engine.
#[derive(Debug)]
pub(crate) enum ClientEvent {
    /// A connection asks for a session.
    Connect { conn: ConnId, request: ConnectRequest, outbox: Outbox, from: SocketAddr },
    /// A request in a session.
    Request { conn: ConnId, header: RequestHeader, request: Request },
    /// A request that the circuit breaker has refused.
    Refused { conn: ConnId, header: RequestHeader },
    /// The connection is gone.
    Gone { conn: ConnId },
    /// An operator's question.
    Ask(Question),
}

/// Where replies go. Dropping it closes the connection after what was sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: UnboundedSender<Outgoing>,
    visit: Arc<Visit>,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    /// Does it answer a request?
    answer: bool,
}

impl Outbox {
    /// Sends the reply to a request, a whole frame.
    pub(crate) fn reply(&self, bytes: Vec<u8>) {
        self.visit.answered(&bytes);
        self.send(Outgoing { bytes, answer: true });
    }

    /// Sends what no request asked for: a watch event, the answer to the connect request.
    pub(crate) fn tell(&self, bytes: Vec<u8>) {
        self.send(Outgoing { bytes, answer: false });
    }

    fn send(&self, outgoing: Outgoing) {
        if self.visit.stats.queue(outgoing.bytes.len()) {
            let _gone = self.frames.send(outgoing);
        }
    }
}

/// What every connection needs.
#[derive(Debug)]
pub(crate) struct Front {
    /// `jute.maxbuffer`.
    pub(crate) max_buffer: usize,
    pub(crate) registry: Arc<Registry>,
    pub(crate) desk: Desk,
    pub(crate) events: UnboundedSender<ClientEvent>,
}

/// Accepts clients.
pub(crate) async fn accept_clients(listener: TcpListener, front: Arc<Front>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => welcome(stream, from, &front),
            Err(error) => {
                warn!(%error, "client port");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn welcome(stream: TcpStream, from: SocketAddr, front: &Arc<Front>) {
    let Some(visit) = front.registry.admit(from) else {
        let limit = front.registry.max_per_address;
        return warn!(%from, limit, "too many connections from this address (maxClientCnxns)");
    };
    let front = front.clone();
    tokio::spawn(async move {
        if let Err(error) = greet(stream, visit, &front).await {
            debug!(%from, %error, "client");
        }
    });
}

async fn greet(mut stream: TcpStream, visit: Visit, front: &Front) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0; 4];
    timeout(GREETING, stream.read_exact(&mut first)).await??;
    match four_letter_word(first) {
        Some(word) => timeout(GREETING, answer_word(stream, word, front)).await?,
        None => session(stream, first, visit, front).await,
    }
}

async fn answer_word(mut stream: TcpStream, word: FourLetter, front: &Front) -> io::Result<()> {
    let mut argument = [0; 8];
    if word == FourLetter::Stmk {
        stream.read_exact(&mut argument).await?;
    }
    let text = front.desk.word(word, i64::from_be_bytes(argument)).await;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    // `echo srvr | nc` sends a line's end too. Closing with it unread would reset the connection,
    // and the answer might be lost.
    let mut rest = [0; 64];
    while timeout(FAREWELL, stream.read(&mut rest)).await?? > 0 {}
    Ok(())
}

async fn session(stream: TcpStream, first: [u8; 4], visit: Visit, front: &Front) -> io::Result<()> {
    let Front { max_buffer, events, .. } = front;
    let (conn, visit) = (visit.conn, Arc::new(visit));
    let (read_half, write_half) = stream.into_split();
    let mut frames =
        Frames { half: read_half, buffer: first.to_vec(), start: 0, max_buffer: *max_buffer };
    let hello = timeout(GREETING, frames.next()).await??;
    let request = ConnectRequest::decode(&hello).map_err(invalid)?;
    front.registry.counts.connection_requests.fetch_add(1, Ordering::Relaxed);
    let (sender, queue) = unbounded_channel();
    let permits = Arc::new(Semaphore::new(OUTSTANDING));
    let mut writer = tokio::spawn(write(write_half, queue, permits.clone(), visit.clone()));
    let outbox = Outbox { frames: sender, visit: visit.clone() };
    let from = visit.stats.from;
    let _stopping = events.send(ClientEvent::Connect { conn, request, outbox, from });
    let result = tokio::select! {
        result = read(&mut frames, &visit, &permits, events) => Some(result),
        // The engine has closed the connection, or the client does not take its replies.
        _ = &mut writer => None,
        () = visit.stats.ending() => {
            warn!(%from, "a client that does not read its replies is cut off");
            writer.abort();
            None
        }
    };
    let _stopping = events.send(ClientEvent::Gone { conn });
    let Some(result) = result else { return Ok(()) };
    if timeout(FAREWELL, &mut writer).await.is_err() {
        writer.abort();
    }
    result
}

async fn read(
    frames: &mut Frames,
    visit: &Visit,
    permits: &Semaphore,
    events: &UnboundedSender<ClientEvent>,
) -> io::Result<()> {
    loop {
        let frame = frames.next().await?;
        let (header, request) = wire::decode_request(&frame).map_err(invalid)?;
        permits.acquire().await.map_err(io::Error::other)?.forget();
        visit.stats.room().await;
        let conn = visit.conn;
        let event = match visit.ask(header, frame.len()).await {
            Ok(()) => ClientEvent::Request { conn, header, request },
            Err(Refused) => ClientEvent::Refused { conn, header },
        };
        if events.send(event).is_err() {
            return Ok(());
        }
    }
}

/// Writes until the engine drops its end; then the connection is closed.
async fn write(
    mut half: OwnedWriteHalf,
    mut queue: UnboundedReceiver<Outgoing>,
    permits: Arc<Semaphore>,
    visit: Arc<Visit>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(first) = queue.recv().await {
        bytes.clear();
        let mut answers = usize::from(first.answer);
        bytes.extend_from_slice(&first.bytes);
        while let Ok(more) = queue.try_recv() {
            answers += usize::from(more.answer);
            bytes.extend_from_slice(&more.bytes);
        }
        half.write_all(&bytes).await?;
        permits.add_permits(answers);
        visit.stats.written(bytes.len());
    }
    half.shutdown().await
}

/// Cuts the byte stream into frames.
struct Frames {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
    start: usize,
    max_buffer: usize,
}

impl Frames {
    /// The next frame's payload.
    async fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let unread = &self.buffer[self.start..];
            if let Some(range) = wire::frame::next(unread, self.max_buffer).map_err(invalid)? {
                let frame = unread[range.clone()].to_vec();
                self.start += range.end;
                return Ok(frame);
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.half.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn invalid(error: wire::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

//! A client's socket: frames in, replies out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};
use wire::frame::{FourLetter, four_letter_word};
use wire::{ConnectRequest, Identity, Request, RequestHeader};

use super::registry::{Refused, Registry, Visit};
use crate::auth;
use crate::desk::{Desk, Question};
use crate::seldom::Seldom;
use crate::tls::Refusals;

/// Names a connection for as long as the process lives.
pub(crate) type ConnId = u64;

/// Requests of one connection that may wait for their replies. A client that does not read its
/// replies is not read from either.
const OUTSTANDING: usize = 1000;
/// Bytes that the first read makes room for, and that a read of a busy connection does.
const BUFFER_MIN: usize = 1 << 10;
const BUFFER_MAX: usize = 16 << 10;
/// How long a new connection may take to say what it wants.
const GREETING: Duration = Duration::from_secs(10);
/// How long the last replies of a closed connection may take to be written.
const FAREWELL: Duration = Duration::from_secs(2);

/// What clients want of the engine.
#[derive(Debug)]
pub(crate) enum ClientEvent {
    /// A connection asks for a session.
    Connect { conn: ConnId, request: ConnectRequest, outbox: Outbox, who: Vec<Identity> },
    /// A request in a session.
    Request { conn: ConnId, header: RequestHeader, request: Request },
    /// A request that the circuit breaker has refused.
    Refused { conn: ConnId, header: RequestHeader },
    /// The client has taken enough of its replies for [held](Outbox::hold) reads to go on.
    Room { conn: ConnId },
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

impl Drop for Outbox {
    fn drop(&mut self) {
        self.visit.stats.drop_outbox();
    }
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

    /// Whether reads are to wait, because their replies could not be sent yet: then
    /// [`ClientEvent::Room`] comes.
    pub(crate) fn hold(&self) -> bool {
        self.visit.stats.hold()
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
    /// Connections of all clients.
    pub(crate) max_connections: usize,
    pub(crate) registry: Arc<Registry>,
    pub(crate) desk: Desk,
    pub(crate) events: UnboundedSender<ClientEvent>,
}

/// Clients that TLS has turned away.
static REFUSALS: Refusals = Refusals::new();
/// Clients too many.
static CROWDS: Seldom = Seldom::new();
/// Clients that send what is no request.
static MALFORMED: Seldom = Seldom::new();

/// Requests that cannot be read.
static UNREADABLE: Seldom = Seldom::new();

/// Accepts clients, with TLS or without.
pub(crate) async fn accept_clients(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => welcome(stream, from, tls.as_ref(), &front),
            Err(error) => {
                warn!(%error, "client port");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn welcome(stream: TcpStream, from: SocketAddr, tls: Option<&TlsAcceptor>, front: &Arc<Front>) {
    if front.registry.n_connections() >= front.max_connections {
        front.registry.counts.connections_rejected.fetch_add(1, Ordering::Relaxed);
        if CROWDS.may() {
            let limit = front.max_connections;
            warn!(%from, limit, "too many connections (maxCnxns, or the files this process may open)");
        }
        return;
    }
    let Some(visit) = front.registry.admit(from) else {
        if !CROWDS.may() {
            return;
        }
        let limit = front.registry.max_per_address;
        return warn!(%from, limit, "too many connections from this address (maxClientCnxns)");
    };
    let (front, tls) = (front.clone(), tls.cloned());
    tokio::spawn(async move {
        let served = match tls {
            None => serve_plain(stream, visit, &front).await,
            Some(tls) => serve_tls(stream, &tls, visit, &front).await,
        };
        if let Err(error) = served {
            REFUSALS.log(&from, &error);
            if error.kind() == io::ErrorKind::InvalidData && MALFORMED.may() {
                warn!(%from, %error, "a client is cut off: what it sends makes no sense");
            }
            debug!(%from, %error, "client");
        }
    });
}

async fn serve_plain(stream: TcpStream, visit: Visit, front: &Front) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let who = vec![auth::address(visit.stats.from.ip())];
    greet(stream.into_split(), visit, who, front).await
}

async fn serve_tls(
    stream: TcpStream,
    tls: &TlsAcceptor,
    visit: Visit,
    front: &Front,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = timeout(GREETING, tls.accept(stream)).await??;
    visit.stats.secured();
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let mut who = vec![auth::address(visit.stats.from.ip())];
    let super_user = front.desk.config.x509_super_user.as_deref();
    who.extend(shown.into_iter().flat_map(|shown| auth::certificate(shown, super_user)));
    greet(split(stream), visit, who, front).await
}

/// What a connection reads from, and what it writes to.
type Halves<R, W> = (R, W);

async fn greet<R, W>(
    (mut reader, writer): Halves<R, W>,
    visit: Visit,
    who: Vec<Identity>,
    front: &Front,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let mut first = [0; 4];
    timeout(GREETING, reader.read_exact(&mut first)).await??;
    match four_letter_word(first) {
        Some(word) => timeout(GREETING, answer_word((reader, writer), word, front)).await?,
        None => session((reader, writer), first, visit, who, front).await,
    }
}

async fn answer_word<R, W>(
    (mut reader, mut writer): Halves<R, W>,
    word: FourLetter,
    front: &Front,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut argument = [0; 8];
    if word == FourLetter::Stmk {
        reader.read_exact(&mut argument).await?;
    }
    let text = front.desk.word(word, i64::from_be_bytes(argument)).await;
    writer.write_all(text.as_bytes()).await?;
    writer.shutdown().await?;
    // `echo srvr | nc` sends a line's end too. Closing with it unread would reset the connection,
    // and the answer might be lost.
    let mut rest = [0; 64];
    while timeout(FAREWELL, reader.read(&mut rest)).await?? > 0 {}
    Ok(())
}

async fn session<R, W>(
    (read_half, write_half): Halves<R, W>,
    first: [u8; 4],
    visit: Visit,
    who: Vec<Identity>,
    front: &Front,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Front { max_buffer, events, .. } = front;
    let (conn, visit) = (visit.conn, Arc::new(visit));
    let (buffer, max_buffer) = (first.to_vec(), *max_buffer);
    let mut frames = Frames { half: read_half, buffer, start: 0, room: BUFFER_MIN, max_buffer };
    let hello = timeout(GREETING, frames.next()).await??;
    let request = ConnectRequest::decode(hello).map_err(invalid)?;
    front.registry.counts.connection_requests.fetch_add(1, Ordering::Relaxed);
    let (sender, queue) = unbounded_channel();
    // What a client asks before it has its session waits until it has.
    let permits = Arc::new(Semaphore::new(0));
    let mut writer =
        tokio::spawn(write(write_half, queue, permits.clone(), visit.clone(), events.clone()));
    let outbox = Outbox { frames: sender, visit: visit.clone() };
    let from = visit.stats.from;
    let _stopping = events.send(ClientEvent::Connect { conn, request, outbox, who });
    let result = tokio::select! {
        result = read(&mut frames, &visit, &permits, events) => Some(result),
        // The engine has closed the connection, or the client does not take its replies.
        _ = &mut writer => None,
        // The same, while its client does not read.
        () = visit.stats.let_go() => Some(Ok(())),
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
    frames: &mut Frames<impl AsyncRead + Unpin>,
    visit: &Visit,
    permits: &Semaphore,
    events: &UnboundedSender<ClientEvent>,
) -> io::Result<()> {
    loop {
        let frame = frames.next().await?;
        let bytes = frame.len();
        let (header, request) = decode(frame, visit)?;
        permits.acquire().await.map_err(io::Error::other)?.forget();
        visit.stats.room().await;
        let conn = visit.conn;
        let event = match visit.ask(header, bytes).await {
            Ok(()) => ClientEvent::Request { conn, header, request },
            Err(Refused) => ClientEvent::Refused { conn, header },
        };
        if events.send(event).is_err() {
            return Ok(());
        }
    }
}

fn decode(frame: &[u8], visit: &Visit) -> io::Result<(RequestHeader, Request)> {
    wire::decode_request(frame).or_else(|error| {
        if UNREADABLE.may() {
            warn!(from = %visit.stats.from, %error, "a request that cannot be read");
        }
        wire::unreadable_request(frame).ok_or_else(|| invalid(error))
    })
}

/// Writes until the engine drops its end; then the connection is closed.
async fn write(
    mut half: impl AsyncWrite + Unpin,
    mut queue: UnboundedReceiver<Outgoing>,
    permits: Arc<Semaphore>,
    visit: Arc<Visit>,
    events: UnboundedSender<ClientEvent>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    // The first frame answers the connect request.
    let mut more_may_ask = OUTSTANDING;
    while let Some(first) = queue.recv().await {
        bytes.clear();
        let mut answers = usize::from(first.answer) + std::mem::take(&mut more_may_ask);
        bytes.extend_from_slice(&first.bytes);
        while let Ok(more) = queue.try_recv() {
            answers += usize::from(more.answer);
            bytes.extend_from_slice(&more.bytes);
        }
        half.write_all(&bytes).await?;
        half.flush().await?;
        permits.add_permits(answers);
        if visit.stats.written(bytes.len()) {
            let _stopping = events.send(ClientEvent::Room { conn: visit.conn });
        }
    }
    half.shutdown().await
}

/// Cuts the byte stream into frames.
struct Frames<R> {
    half: R,
    buffer: Vec<u8>,
    start: usize,
    /// For how many bytes the next read makes room.
    room: usize,
    max_buffer: usize,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// The next frame's payload.
    async fn next(&mut self) -> io::Result<&[u8]> {
        loop {
            let unread = &self.buffer[self.start..];
            if let Some(range) = wire::frame::next(unread, self.max_buffer).map_err(invalid)? {
                let start = self.start;
                self.start += range.end;
                return Ok(&self.buffer[start + range.start..start + range.end]);
            }
            self.read_more().await?;
        }
    }

    /// Who fills the buffer, gets a larger one: an idle connection has little.
    async fn read_more(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(BUFFER_MAX);
        }
        self.buffer.reserve(self.room);
        let read = self.half.read_buf(&mut self.buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.buffer.len() == self.buffer.capacity() {
            self.room = (2 * self.room).min(BUFFER_MAX);
        }
        Ok(())
    }
}

fn invalid(error: wire::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

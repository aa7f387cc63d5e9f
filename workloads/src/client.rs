//! One ZooKeeper session on one connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use history::Kind;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use wire::{
    ConnectRequest, ConnectResponse, ReplyHeader, Request, WatcherEvent, decode_notification,
    decode_reply, xid,
};

use crate::connection::Connection;
use crate::outcome::{Answer, NoReply, Refusal, Reply};
use crate::socket;

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The server.
    pub addr: SocketAddr,
    /// Local address to connect from.
    pub source: Option<IpAddr>,
    /// Session timeout to ask for.
    pub session_timeout: Duration,
    /// How long to wait for the handshake, and for each answer.
    pub op_timeout: Duration,
}

/// What it takes to go on with a session on another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The session's id.
    pub session: u64,
    /// What proves that it is ours.
    pub password: Vec<u8>,
    /// The largest zxid seen in the session's replies: a server behind it must refuse.
    pub last_zxid: u64,
}

/// Why there is no session on a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No TCP connection.
    #[error("no connection: {0}")]
    Unreachable(io::Error),
    /// No TCP connection in time.
    #[error("no connection within {0:?}")]
    ConnectTimedOut(Duration),
    /// The session is unknown, has expired, or the password is wrong.
    #[error("session expired")]
    Expired,
    /// The server closed the connection instead of answering, as servers do that are not serving
    /// or are behind what the session has seen.
    #[error("handshake refused: {0}")]
    Closed(io::Error),
    /// Connected, but no answer in time.
    #[error("no handshake within {0:?}")]
    HandshakeTimedOut(Duration),
    /// The answer makes no sense.
    #[error("handshake not understood: {0}")]
    Malformed(wire::Error),
    /// Asked to resume one session, the server answered with another.
    #[error("the server answered with session {0:#x} instead of ours")]
    OtherSession(u64),
}

impl ConnectError {
    /// `fail` if the server certainly opened or moved no session, otherwise `info`.
    #[must_use]
    pub fn outcome(&self) -> Kind {
        match self {
            ConnectError::Unreachable(_)
            | ConnectError::ConnectTimedOut(_)
            | ConnectError::Expired => Kind::Fail,
            ConnectError::Closed(_)
            | ConnectError::HandshakeTimedOut(_)
            | ConnectError::Malformed(_)
            | ConnectError::OtherSession(_) => Kind::Info,
        }
    }
}

/// One session on one connection, one request in flight.
///
/// It never retries and never reconnects: a request without an answer closes the connection, and
/// what comes next is the caller's decision.
#[derive(Debug)]
pub struct Client {
    connection: Option<Connection>,
    resume: Resume,
    op_timeout: Duration,
    ping_period: Duration,
    last_sent: Instant,
    ping_pending: bool,
    next_xid: i32,
    events: Vec<WatcherEvent>,
}

impl Client {
    /// Opens a session, or goes on with one.
    ///
    /// # Errors
    /// See [`ConnectError`]. Nothing is tried twice.
    pub async fn connect(to: &Endpoint, resume: Option<&Resume>) -> Result<Client, ConnectError> {
        let limit = to.op_timeout;
        let started = Instant::now();
        let stream = timeout(limit, socket::connect(to.addr, to.source))
            .await
            .map_err(|_| ConnectError::ConnectTimedOut(limit))?
            .map_err(ConnectError::Unreachable)?;
        let mut connection = Connection::new(stream);
        connection.queue(|out| connect_request(to, resume).encode(out));
        let left = limit.saturating_sub(started.elapsed());
        let payload = timeout(left, exchange(&mut connection))
            .await
            .map_err(|_| ConnectError::HandshakeTimedOut(limit))?
            .map_err(ConnectError::Closed)?;
        let response = ConnectResponse::decode(&payload).map_err(ConnectError::Malformed)?;
        accept(response, resume, connection, limit)
    }

    /// Sends `request` and waits for its reply. Without a reply the connection is closed.
    ///
    /// # Errors
    /// Why there is no reply; see [`outcome`](crate::outcome()) for what that means.
    pub async fn call(&mut self, request: &Request) -> Answer {
        let xid = self.xid_for(request);
        let Some(connection) = &mut self.connection else {
            return Err(NoReply::Unsent("the connection is closed".into()));
        };
        self.last_sent = Instant::now();
        let before = connection.unsent();
        connection.queue(|out| wire::encode_request(xid, request, out));
        let len = connection.unsent() - before;
        match timeout(self.op_timeout, self.answer(xid, request.opcode())).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(self.give_up(len, NoReply::Lost(error.to_string()))),
            Err(_) => Err(self.give_up(len, NoReply::TimedOut(self.op_timeout))),
        }
    }

    /// Pings while there is nothing else to send. Returns, with the reason, when the connection
    /// is lost, and only then; may be cancelled at any time.
    pub async fn keep_alive(&mut self) -> NoReply {
        match self.ping_forever().await {
            Ok(never) => match never {},
            Err(error) => {
                self.connection = None;
                NoReply::Lost(error.to_string())
            }
        }
    }

    /// Whether the connection is open, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// The session's id.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.resume.session
    }

    /// The largest zxid seen in the session's replies.
    #[must_use]
    pub fn last_zxid(&self) -> u64 {
        self.resume.last_zxid
    }

    /// The watch events that have come since this was asked last, in order. Those that came
    /// before a reply are there when the reply is.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<WatcherEvent> {
        std::mem::take(&mut self.events)
    }

    /// Closes the connection, but not the session, and returns what it takes to go on with it.
    #[must_use]
    pub fn leave(self) -> Resume {
        self.resume
    }

    /// The connection, for a caller that speaks the protocol itself; `None` if it is closed.
    pub(crate) fn into_stream(self) -> Option<TcpStream> {
        self.connection.map(Connection::into_stream)
    }

    fn xid_for(&mut self, request: &Request) -> i32 {
        if let Request::SetWatches { .. } = request {
            return xid::SET_WATCHES;
        }
        let xid = self.next_xid;
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    async fn answer(&mut self, xid: i32, opcode: i32) -> io::Result<Reply> {
        open(&mut self.connection)?.flush().await?;
        loop {
            let payload = open(&mut self.connection)?.receive().await?;
            if self.take_aside(&payload)? {
                continue;
            }
            let (header, body) = decode_reply(&payload, opcode).map_err(io::Error::other)?;
            if header.xid != xid {
                return Err(unasked(header));
            }
            self.saw(header.zxid);
            let zxid = u64::try_from(header.zxid).unwrap_or(0);
            let result = if header.err == 0 { Ok(body) } else { Err(Refusal(header.err)) };
            return Ok(Reply { zxid, result });
        }
    }

    async fn ping_forever(&mut self) -> io::Result<std::convert::Infallible> {
        loop {
            let due = self.last_sent + self.ping_period;
            let connection = open(&mut self.connection)?;
            connection.flush().await?;
            tokio::select! {
                payload = connection.receive() => {
                    let payload = payload?;
                    if !self.take_aside(&payload)? {
                        return Err(unasked(peek(&payload)?));
                    }
                }
                () = sleep_until(due) => self.ping()?,
            }
        }
    }

    fn ping(&mut self) -> io::Result<()> {
        if self.ping_pending {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "a ping was not answered"));
        }
        self.ping_pending = true;
        self.last_sent = Instant::now();
        open(&mut self.connection)?
            .queue(|out| wire::encode_request(xid::PING, &Request::Ping, out));
        Ok(())
    }

    /// Takes a payload that answers no request: a ping's reply, whose zxid counts, or a
    /// notification, whose zxid does not.
    fn take_aside(&mut self, payload: &[u8]) -> io::Result<bool> {
        let header = peek(payload)?;
        if header.xid == xid::PING {
            self.ping_pending = false;
            self.saw(header.zxid);
        }
        if header.xid == xid::NOTIFICATION {
            let (_, event) = decode_notification(payload).map_err(io::Error::other)?;
            self.events.push(event);
        }
        Ok(matches!(header.xid, xid::PING | xid::NOTIFICATION))
    }

    fn saw(&mut self, zxid: i64) {
        let zxid = u64::try_from(zxid).unwrap_or(0);
        self.resume.last_zxid = self.resume.last_zxid.max(zxid);
    }

    /// Closes the connection. A request of which all `len` bytes are still queued never left.
    fn give_up(&mut self, len: usize, why: NoReply) -> NoReply {
        let whole = self.connection.take().is_some_and(|c| c.unsent() >= len);
        if whole { NoReply::Unsent(why.to_string()) } else { why }
    }
}

fn connect_request(to: &Endpoint, resume: Option<&Resume>) -> ConnectRequest {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: resume.map_or(0, |r| r.last_zxid.cast_signed()),
        timeout_ms: i32::try_from(to.session_timeout.as_millis()).unwrap_or(i32::MAX),
        session_id: resume.map_or(0, |r| r.session.cast_signed()),
        password: resume.map_or_else(|| vec![0; 16], |r| r.password.clone()),
        read_only: Some(false),
    }
}

async fn exchange(connection: &mut Connection) -> io::Result<Vec<u8>> {
    connection.flush().await?;
    connection.receive().await
}

fn accept(
    response: ConnectResponse,
    resume: Option<&Resume>,
    connection: Connection,
    op_timeout: Duration,
) -> Result<Client, ConnectError> {
    let Some(timeout_ms) = u64::try_from(response.timeout_ms).ok().filter(|ms| *ms > 0) else {
        return Err(ConnectError::Expired);
    };
    let session = response.session_id.cast_unsigned();
    if resume.is_some_and(|r| r.session != session) {
        return Err(ConnectError::OtherSession(session));
    }
    let last_zxid = resume.map_or(0, |r| r.last_zxid);
    Ok(Client {
        connection: Some(connection),
        resume: Resume { session, password: response.password, last_zxid },
        op_timeout,
        ping_period: Duration::from_millis(timeout_ms) / 3,
        last_sent: Instant::now(),
        ping_pending: false,
        next_xid: 1,
        events: Vec::new(),
    })
}

fn open(connection: &mut Option<Connection>) -> io::Result<&mut Connection> {
    connection.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
}

fn peek(payload: &[u8]) -> io::Result<ReplyHeader> {
    ReplyHeader::peek(payload).map_err(io::Error::other)
}

fn unasked(header: ReplyHeader) -> io::Error {
    io::Error::other(format!("the server answered request {}, which is not open", header.xid))
}

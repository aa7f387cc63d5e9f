//! One session of a load.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use wire::{Request, decode_reply, frame};

use super::work::Script;
use super::{Amount, Load, LoadError};
use crate::client::{Client, Endpoint};

const SESSION_TIMEOUT: Duration = Duration::from_secs(30);
/// Many replies in one read.
const INBOX_BYTES: usize = 64 << 10;

/// When requests may be sent, and when replies count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Window {
    Time { from: Instant, to: Instant },
    Always,
}

impl Window {
    pub(super) fn new(start: Instant, amount: &Amount) -> Window {
        match *amount {
            Amount::Time { lead_in, measured } => {
                Window::Time { from: start + lead_in, to: start + lead_in + measured }
            }
            Amount::Requests(_) => Window::Always,
        }
    }

    /// How long it is, where that is known beforehand.
    pub(super) fn length(self) -> Option<Duration> {
        match self {
            Window::Time { from, to } => Some(to - from),
            Window::Always => None,
        }
    }

    fn counts(self, at: Instant) -> bool {
        match self {
            Window::Time { from, to } => (from..to).contains(&at),
            Window::Always => true,
        }
    }

    fn is_open(self, at: Instant) -> bool {
        match self {
            Window::Time { to, .. } => at < to,
            Window::Always => true,
        }
    }
}

/// What one session measured.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) client: usize,
    pub(super) latencies_us: Vec<u32>,
    pub(super) answered: u64,
    pub(super) ended: Instant,
}

/// A session that is open and ready to go.
pub(super) struct Loaded {
    server: SocketAddr,
    client: usize,
    stream: TcpStream,
    script: Script,
    depth: usize,
    requests_max: u64,
    patience: Duration,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// When each open request was sent, the oldest first.
    sent_at: VecDeque<Instant>,
    answered: u64,
    last_zxid: i64,
    latencies_us: Vec<u32>,
}

impl Loaded {
    pub(super) async fn open(client: usize, load: Load) -> Result<Loaded, LoadError> {
        let server = load.servers[client % load.servers.len()];
        let connected = Client::connect(&endpoint(server, &load), None).await;
        let session = connected.map_err(|error| LoadError::Connect(server, error))?;
        let closed = || LoadError::Lost(server, "closed at once".to_owned());
        Ok(Loaded {
            server,
            client,
            stream: session.into_stream().ok_or_else(closed)?,
            script: Script::new(load.work, &load.root, client, load.data_len),
            depth: load.depth,
            requests_max: match &load.amount {
                Amount::Requests(each) => each[client],
                Amount::Time { .. } => u64::MAX,
            },
            patience: load.patience,
            inbox: Vec::with_capacity(INBOX_BYTES),
            outbox: Vec::new(),
            sent_at: VecDeque::with_capacity(load.depth),
            answered: 0,
            last_zxid: 0,
            latencies_us: Vec::new(),
        })
    }

    /// Sends and receives until the window closes or everything is sent, waits for what is open,
    /// and closes the session.
    pub(super) async fn drive(mut self, window: Window) -> Result<Sample, LoadError> {
        loop {
            self.top_up(window);
            if self.sent_at.is_empty() {
                break;
            }
            self.exchange().await?;
            self.take_replies(window)?;
        }
        let ended = Instant::now();
        self.close().await?;
        let Loaded { client, latencies_us, answered, .. } = self;
        Ok(Sample { client, latencies_us, answered, ended })
    }

    fn top_up(&mut self, window: Window) {
        let now = Instant::now();
        while self.sent_at.len() < self.depth
            && self.n_sent() < self.requests_max
            && window.is_open(now)
        {
            let n = self.n_sent();
            wire::encode_request(xid_of(n), self.script.request(n), &mut self.outbox);
            self.sent_at.push_back(now);
        }
    }

    fn n_sent(&self) -> u64 {
        self.answered + self.sent_at.len() as u64
    }

    /// Writes what is queued and reads what there is. A server that stops reading before it has
    /// answered is silent.
    async fn exchange(&mut self) -> Result<(), LoadError> {
        let both = async {
            self.stream.write_all(&self.outbox).await?;
            self.stream.read_buf(&mut self.inbox).await
        };
        let done = timeout(self.patience, both).await;
        let read = done.map_err(|_| LoadError::Silent(self.server, self.patience))?;
        self.outbox.clear();
        match read {
            Ok(0) => Err(self.lost("the server closed the connection")),
            Ok(_) => Ok(()),
            Err(error) => Err(self.lost(&error.to_string())),
        }
    }

    fn take_replies(&mut self, window: Window) -> Result<(), LoadError> {
        let now = Instant::now();
        let counts = window.counts(now);
        let mut used = 0;
        while let Some(payload) = frame::next(&self.inbox[used..], frame::MAX_LEN_DEFAULT)
            .map_err(|error| self.lost(&error.to_string()))?
        {
            let end = used + payload.end;
            self.take_reply(used + payload.start..end)?;
            used = end;
            let sent = self.sent_at.pop_front().expect("take_reply found an open request");
            self.answered += 1;
            if counts {
                let micros = (now - sent).as_micros();
                self.latencies_us.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
        }
        self.inbox.drain(..used);
        Ok(())
    }

    /// Checks that the payload answers the oldest open request, and well.
    fn take_reply(&mut self, payload: std::ops::Range<usize>) -> Result<(), LoadError> {
        let n = self.answered;
        if self.sent_at.is_empty() {
            return Err(self.lost("the server answered what was not asked"));
        }
        let decoded = decode_reply(&self.inbox[payload], self.script.opcode(n));
        let (header, body) = decoded.map_err(|error| self.wrong(n, error.to_string()))?;
        if header.xid != xid_of(n) {
            return Err(self.wrong(n, format!("xid {} instead of {}", header.xid, xid_of(n))));
        }
        if header.zxid < self.last_zxid {
            let why = format!("zxid {:#x} after {:#x}", header.zxid, self.last_zxid);
            return Err(self.wrong(n, why));
        }
        self.last_zxid = header.zxid;
        self.script.check(n, header.err, body).map_err(|why| self.wrong(n, why))
    }

    /// Ends the session, so that the servers need not wait for it to expire.
    async fn close(&mut self) -> Result<(), LoadError> {
        wire::encode_request(xid_of(self.answered), &Request::CloseSession, &mut self.outbox);
        self.exchange().await
    }

    fn lost(&self, why: &str) -> LoadError {
        LoadError::Lost(self.server, why.to_owned())
    }

    fn wrong(&self, n: u64, why: String) -> LoadError {
        LoadError::Wrong { server: self.server, what: self.script.describe(n), why }
    }
}

pub(super) fn endpoint(addr: SocketAddr, load: &Load) -> Endpoint {
    let op_timeout = load.patience;
    Endpoint { addr, source: None, session_timeout: SESSION_TIMEOUT, op_timeout }
}

/// Positive, and 1 again after the largest.
fn xid_of(n: u64) -> i32 {
    i32::try_from(n % i32::MAX as u64).expect("less than i32::MAX") + 1
}

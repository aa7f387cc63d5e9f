//! Plays a script on a server, one step at a time, and writes down all that it says.

use std::io;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use wire::{
    Acl, ConnectResponse, ErrorCode, EventType, Request, Response, decode_notification,
    decode_reply, xid,
};

use crate::connection::{Connection, Session};
use crate::names::{Names, Window};
use crate::script::{Action, CONFIG, SESSIONS, Step};
use crate::support::{seconds, until};

/// In the place of a session's number: one that is not among those of the script.
pub(crate) const STRANGER: usize = SESSIONS;

/// Timeout of the sessions of a script, which are not to expire.
pub(crate) const LONG_MS: i32 = 30_000;
/// Of the session that sweeps up, which must outlast answers that do not come.
const SWEEPER_MS: i32 = 60_000;

/// Something that a server said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// To whom.
    pub(crate) session: usize,
    pub(crate) what: What,
}

/// In the script's terms: see [`Names`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// The answer to a request, or to the ping that follows each step.
    Reply { xid: i32, zxid: i64, err: i32, body: Option<Response> },
    /// A watch fired.
    Event { zxid: i64, event: EventType, state: i32, path: String },
    /// A session was given.
    Opened { timeout_ms: i32, password_bytes: usize, read_only: Option<bool> },
    /// A session was given back, which was made with another timeout or this one.
    Resumed { timeout_ms: i32, made_with_ms: i32, password_bytes: usize, read_only: Option<bool> },
    /// There is no such session, says the server.
    Refused,
    /// The connection was closed by the server.
    Closed,
    /// Nothing came for very long.
    Silence,
    /// Bytes that make no sense, and why.
    Garbled(String),
}

/// What was seen of each step; first, of the sessions' opening.
pub(crate) type Record = Vec<Vec<Seen>>;

/// A server or an ensemble, and a superuser's session that sweeps up after each script.
pub(crate) struct Player {
    addrs: Vec<SocketAddr>,
    /// `server.N=…`, of an ensemble.
    members: Vec<String>,
    sweeper: Connection,
    plays: u32,
}

impl Player {
    pub(crate) fn new(addrs: &[SocketAddr], members: &[String]) -> Player {
        let addr = addrs[0];
        let mut sweeper = until("the server gives a session", seconds(60), || {
            let opened = Connection::open(addr, &Session::new(), SWEEPER_MS).ok()?;
            opened.1.filter(|response| response.session_id != 0).map(|_| opened.0)
        });
        let auth = Some(b"super:test".as_slice().into());
        let proof = Request::Auth { auth_type: 0, scheme: "digest".into(), auth };
        call(&mut sweeper, &proof).expect("the superuser is known").1.expect("no error");
        let (addrs, members) = (addrs.to_vec(), members.to_vec());
        Player { addrs, members, sweeper, plays: 0 }
    }

    /// From here on everybody may reconfigure the ensemble, and has a configuration that is a
    /// transaction's.
    pub(crate) fn open_configuration(&mut self) {
        let (path, acl, version) = (CONFIG.to_owned(), Acl::open(), -1);
        let open = Request::SetAcl { path, acl, version };
        call(&mut self.sweeper, &open).expect("an answer").1.expect("a superuser may");
        let (joining, leaving, cur_config_id) = (String::new(), String::new(), -1);
        let new_members = Some(self.members.join(","));
        let same = Request::Reconfig { joining, leaving, new_members, cur_config_id };
        until("all servers are there", seconds(60), || {
            call(&mut self.sweeper, &same).expect("an answer").1.ok()
        });
    }

    pub(crate) fn play(&mut self, steps: &[Step]) -> Record {
        self.plays += 1;
        let root = format!("/p{:09}", self.plays);
        let before_ms = now_ms();
        let (zxid, made) = call(&mut self.sweeper, &create(&root, 0)).expect("a root");
        made.expect("nobody else makes it");
        let mut names = Names::new(&root, zxid, &self.members);
        names.windows.push(Window { upto: zxid, before_ms, after_ms: now_ms() });
        let slots = std::array::from_fn(|idx| Slot {
            server: idx % self.addrs.len(),
            connection: None,
            session: Session::new(),
        });
        let mut stage = Stage { addrs: &self.addrs, sweeper: &mut self.sweeper, slots, names };
        let mut record = vec![stage.step(None)];
        record.extend(steps.iter().map(|step| stage.step(Some(step))));
        stage.end();
        call(&mut self.sweeper, &sync()).expect("an answer").1.expect("it is brought up");
        delete_all(&mut self.sweeper, &root);
        record
    }
}

struct Stage<'a> {
    addrs: &'a [SocketAddr],
    sweeper: &'a mut Connection,
    slots: [Slot; SESSIONS],
    names: Names,
}

struct Slot {
    /// Which server it is to be connected to.
    server: usize,
    connection: Option<Connection>,
    session: Session,
}

/// What a server said, in its own terms.
type Raw = (usize, What);

impl Stage<'_> {
    /// Does a step, then pings every session: events come before the answers to the pings. Several
    /// servers are asked to catch up instead, after which the next step finds them level.
    fn step(&mut self, step: Option<&Step>) -> Vec<Seen> {
        let before_ms = now_ms();
        let mut raw = Vec::new();
        match step {
            Some(step) => self.act(step, &mut raw),
            None => (0..SESSIONS).for_each(|idx| self.open(idx, LONG_MS, &mut raw)),
        }
        let first = step.map_or(0, |step| step.session);
        for idx in (0..SESSIONS).map(|n| (first + n) % SESSIONS) {
            let last = if self.addrs.len() == 1 { Request::Ping } else { sync() };
            self.ask(idx, &last, &mut raw);
        }
        let zxids = raw.iter().filter_map(|(_, what)| match what {
            What::Reply { zxid, .. } => Some(*zxid),
            _ => None,
        });
        let upto = zxids.max().unwrap_or(0);
        self.names.windows.push(Window { upto, before_ms, after_ms: now_ms() });
        let names = &self.names;
        raw.into_iter().map(|(session, what)| Seen { session, what: names.of(what) }).collect()
    }

    fn act(&mut self, step: &Step, raw: &mut Vec<Raw>) {
        let idx = step.session;
        match &step.action {
            Action::Call(request) => {
                if self.slots[idx].connection.is_none() {
                    self.open(idx, LONG_MS, raw);
                }
                let closing = *request == Request::CloseSession;
                self.ask(idx, &self.names.real(request), raw);
                if closing {
                    self.slots[idx].session = Session::new();
                }
            }
            Action::Reconnect { timeout_ms } => {
                self.slots[idx].connection = None;
                self.slots[idx].server = (self.slots[idx].server + 1) % self.addrs.len();
                self.open(idx, *timeout_ms, raw);
            }
            Action::Intrude => self.intrude(idx, raw),
            Action::Expire { path } => self.expire(&self.names.real_path(path), raw),
        }
    }

    /// Opens a connection with the slot's session. Once that is over, with a new one.
    fn open(&mut self, idx: usize, timeout_ms: i32, raw: &mut Vec<Raw>) {
        for _ in 0..2 {
            let session = self.slots[idx].session.clone();
            let server = self.slots[idx].server;
            let (connection, seen) = self.connect(server, &session, timeout_ms);
            let refused = seen == What::Refused;
            raw.push((idx, seen));
            self.slots[idx] = match connection {
                None => Slot { server, connection: None, session: Session::new() },
                Some((connection, session)) => {
                    Slot { server, connection: Some(connection), session }
                }
            };
            if !refused {
                return;
            }
        }
    }

    fn connect(
        &mut self,
        server: usize,
        session: &Session,
        timeout_ms: i32,
    ) -> (Option<(Connection, Session)>, What) {
        match Connection::open(self.addrs[server], session, timeout_ms) {
            Err(_) => (None, What::Silence),
            Ok((_, None)) => (None, What::Closed),
            Ok((_, Some(response))) if response.session_id == 0 => (None, What::Refused),
            Ok((connection, Some(response))) => {
                self.names.session(response.session_id);
                let seen = opened(session, &response);
                let resumed = response.session_id == session.id;
                let timeout_ms = if resumed { session.timeout_ms } else { response.timeout_ms };
                let (id, password) = (response.session_id, response.password);
                (Some((connection, Session { id, password, timeout_ms })), seen)
            }
        }
    }

    fn intrude(&mut self, idx: usize, raw: &mut Vec<Raw>) {
        let mut forged = self.slots[idx].session.clone();
        forged.password[0] ^= 1;
        if forged.id != 0 {
            raw.push((STRANGER, self.connect(self.slots[idx].server, &forged, LONG_MS).1));
        }
    }

    /// A session with the shortest timeout makes an ephemeral and is not heard of again. A second
    /// ephemeral, out of the script's sight, tells when it is over.
    fn expire(&mut self, path: &str, raw: &mut Vec<Raw>) {
        let (opened, seen) = self.connect(0, &Session::new(), 1);
        raw.push((STRANGER, seen));
        let Some((mut connection, _)) = opened else { return };
        let sign = self.names.real_path("/r") + "-sign";
        let signed = call(&mut connection, &create(&sign, 1));
        exchange(&mut connection, STRANGER, &create(path, 1), raw);
        drop(connection);
        signed.expect("an answer").1.expect("nobody else makes it");
        let look = Request::Exists { path: sign, watch: false };
        until("the session expires", seconds(30), || {
            let (_, result) = call(self.sweeper, &look).expect("an answer");
            (result == Err(ErrorCode::NoNode.code())).then_some(())
        });
    }

    /// Sends a request and takes what comes up to its reply.
    fn ask(&mut self, idx: usize, request: &Request, raw: &mut Vec<Raw>) {
        let slot = &mut self.slots[idx];
        if let Some(connection) = &mut slot.connection
            && !exchange(connection, idx, request, raw)
        {
            slot.connection = None;
        }
    }

    /// Closes the sessions.
    fn end(&mut self) {
        for idx in 0..SESSIONS {
            if self.slots[idx].connection.is_none() && self.slots[idx].session.id != 0 {
                self.open(idx, LONG_MS, &mut Vec::new());
            }
            self.ask(idx, &Request::CloseSession, &mut Vec::new());
        }
    }
}

fn opened(asked: &Session, response: &ConnectResponse) -> What {
    let ConnectResponse { timeout_ms, read_only, .. } = *response;
    let password_bytes = response.password.len();
    if response.session_id == asked.id {
        let made_with_ms = asked.timeout_ms;
        What::Resumed { timeout_ms, made_with_ms, password_bytes, read_only }
    } else {
        What::Opened { timeout_ms, password_bytes, read_only }
    }
}

/// False when there is nothing more to come on this connection.
fn exchange(
    connection: &mut Connection,
    session: usize,
    request: &Request,
    raw: &mut Vec<Raw>,
) -> bool {
    let number = connection.send(request);
    loop {
        let what = read(connection, request);
        let ends = matches!(what, What::Closed | What::Silence | What::Garbled(_));
        let answers = matches!(what, What::Reply { xid, .. } if xid == number);
        let is_last = answers && is_last(request, &what);
        raw.push((session, what));
        if ends || (answers && !is_last) {
            return !ends;
        }
    }
}

/// Whether the server is to close the connection after this reply.
fn is_last(request: &Request, reply: &What) -> bool {
    let What::Reply { err, .. } = reply else { return false };
    match ErrorCode::from_i32(*err) {
        None => *request == Request::CloseSession,
        Some(code) => matches!(code, ErrorCode::AuthFailed | ErrorCode::Unimplemented),
    }
}

fn read(connection: &mut Connection, request: &Request) -> What {
    let payload = match connection.receive() {
        Ok(Some(payload)) => payload,
        Ok(None) => return What::Closed,
        Err(_) => return What::Silence,
    };
    let garbled = |error| What::Garbled(format!("{error}: {payload:02x?}"));
    if payload.starts_with(&xid::NOTIFICATION.to_be_bytes()) {
        return match decode_notification(&payload) {
            Ok((header, told)) => What::Event {
                zxid: header.zxid,
                event: told.event_type,
                state: told.state,
                path: told.path,
            },
            Err(error) => garbled(error),
        };
    }
    match decode_reply(&payload, request.opcode()) {
        Ok((header, body)) => {
            What::Reply { xid: header.xid, zxid: header.zxid, err: header.err, body }
        }
        Err(error) => garbled(error),
    }
}

/// One request of a session that watches nothing: the zxid, and the body or the error's number.
fn call(
    connection: &mut Connection,
    request: &Request,
) -> io::Result<(i64, Result<Option<Response>, i32>)> {
    connection.send(request);
    match read(connection, request) {
        What::Reply { zxid, err: 0, body, .. } => Ok((zxid, Ok(body))),
        What::Reply { zxid, err, .. } => Ok((zxid, Err(err))),
        other => Err(io::Error::other(format!("{request:?}: {other:?}"))),
    }
}

fn sync() -> Request {
    Request::Sync { path: "/".to_owned() }
}

fn create(path: &str, flags: i32) -> Request {
    Request::Create { path: path.to_owned(), data: None, acl: Acl::open(), flags }
}

fn delete_all(sweeper: &mut Connection, path: &str) {
    let listing = Request::GetChildren { path: path.to_owned(), watch: false };
    let (_, listed) = call(sweeper, &listing).expect("an answer");
    if let Ok(Some(Response::GetChildren { children })) = listed {
        children.iter().for_each(|name| delete_all(sweeper, &format!("{path}/{name}")));
    }
    let delete = Request::Delete { path: path.to_owned(), version: -1 };
    // It may have gone with the session that owned it, or never have been there.
    let _ = call(sweeper, &delete).expect("an answer");
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).expect("years are below 292 million")
}

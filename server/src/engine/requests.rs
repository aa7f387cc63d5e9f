//! Clients' requests: reads are answered here, writes and syncs handed to the protocol.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tree::Reply;
use wire::{
    Data, ErrorCode, Identity, ReplyHeader, Request, RequestHeader, Response, encode_reply,
};
use zab::{ServerId, Zxid};

use super::sessions::{Asked, Guest};
use super::writes::write_op;
use super::{Engine, planted, refuse};
use crate::Mutant;
use crate::auth;
use crate::clients::{ClientEvent, ConnId, Outbox, Queue, Step};
use crate::links::Frame;
use crate::proposal::{Input, Origin, Proposal, Txn};
use crate::reconfig::Change;

/// Identities of one connection.
const IDENTITIES_MAX: usize = 100;
/// Bytes of their names together.
const IDENTITY_BYTES_MAX: usize = 64 << 10;

/// A connection with a session.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: i64,
    /// Who it is: its address, its certificate, and what it has proved.
    who: Arc<[Identity]>,
    outbox: Outbox,
    queue: Queue<(RequestHeader, Request)>,
}

impl Client {
    pub(super) fn new(session: i64, who: Arc<[Identity]>, outbox: Outbox) -> Client {
        Client { session, who, outbox, queue: Queue::new() }
    }

    pub(super) fn who(&self) -> Arc<[Identity]> {
        self.who.clone()
    }

    /// Adds identities, each once. False if there are too many: each write carries all of them.
    fn add_identities(&mut self, new: Vec<Identity>) -> bool {
        let mut who = self.who.to_vec();
        for identity in new {
            if !who.contains(&identity) {
                who.push(identity);
            }
        }
        let bytes: usize = who.iter().map(|identity| identity.id.len()).sum();
        let fits = who.len() <= IDENTITIES_MAX && bytes <= IDENTITY_BYTES_MAX;
        if fits {
            self.who = who.into();
        }
        fits
    }

    pub(super) fn tell(&self, bytes: Vec<u8>) {
        self.outbox.tell(bytes);
    }

    /// A request is answered; the reply keeps its place in the order.
    pub(super) fn answered(&mut self, reply: Vec<u8>) {
        self.queue.answered(reply);
    }

    /// The reply with this number is the next in its order.
    pub(super) fn expect(&mut self, number: u64) {
        self.queue.pending(number);
    }

    /// The next thing to do for it. A read waits while the replies before it cannot be sent: what
    /// it finds would only take memory.
    fn next(&mut self) -> Option<Step<(RequestHeader, Request)>> {
        let wait = self.queue.is_read_next() && self.outbox.hold();
        if wait { None } else { self.queue.next() }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.queue.len()
    }
}

/// What a number handed to the protocol stands for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A session being created.
    Open { guest: Guest, id: i64, timeout_ms: i32, password: [u8; 16] },
    /// A session that is to be resumed, once the leader was heard from.
    Resume { guest: Guest, id: i64, password: Vec<u8>, asked: Asked },
    /// A write or the session's end.
    Reply { conn: ConnId, xid: i32, since: Instant },
    /// A sync.
    Sync { conn: ConnId, xid: i32, path: String, since: Instant },
}

impl Engine {
    pub(super) fn client(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connect { conn, request, outbox, who } => {
                self.connect_client(conn, &request, outbox, who.into());
            }
            ClientEvent::Request { conn, header, request } if self.read_only => {
                self.request_read_only(conn, header, request);
            }
            ClientEvent::Request { conn, header, request } => self.request(conn, header, request),
            ClientEvent::Refused { conn, header } => self.refused(conn, header),
            ClientEvent::Room { conn } => self.pump(conn),
            ClientEvent::Gone { conn } => self.drop_client(conn),
            ClientEvent::Ask(question) => self.ask(question),
        }
    }

    /// Answers a request that the circuit breaker has refused, in its place in the order.
    fn refused(&mut self, conn: ConnId, header: RequestHeader) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        self.received += 1;
        self.touched.insert(client.session);
        let zxid = self.tree.last_zxid();
        client.queue.answered(reply_frame(header.xid, zxid, Err(ErrorCode::ThrottledOp)));
        self.pump(conn);
    }

    pub(super) fn request(&mut self, conn: ConnId, header: RequestHeader, request: Request) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        self.received += 1;
        let session = client.session;
        self.touched.insert(session);
        let xid = header.xid;
        match request {
            Request::Ping => self.reply_now(conn, xid, Ok(None)),
            Request::Auth { auth_type: _, scheme, auth } => {
                self.authenticate(conn, xid, &scheme, &auth);
            }
            Request::Sync { path } => self.sync(conn, xid, path),
            Request::Reconfig { joining, leaving, new_members, cur_config_id } => {
                let change = Change { joining, leaving, new_members, version: cur_config_id };
                self.ask_for_members(conn, xid, change);
            }
            Request::CloseSession => self.write(conn, xid, planted::closing(session, self.mutant)),
            request => match write_op(&request, self.config.extended_types) {
                Some(op) => {
                    let op = planted::ordered(op, self.mutant);
                    let (time_ms, who) = (wall_clock_ms(), client.who());
                    let enforce_quota = self.config.enforce_quota;
                    let txn = tree::Txn::Write { session, xid, time_ms, who, enforce_quota, op };
                    self.write(conn, xid, txn);
                }
                None => client.queue.read((header, request)),
            },
        }
        self.pump(conn);
    }

    /// Answered at once, before what is still pending. Identities count for requests behind it.
    fn authenticate(&mut self, conn: ConnId, xid: i32, scheme: &str, credentials: &Data) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        let credentials = credentials.as_deref().unwrap_or_default();
        let super_digest = self.config.super_digest.as_deref();
        let accepted = auth::prove(scheme, credentials, &client.who, super_digest)
            .is_some_and(|identities| client.add_identities(identities));
        let result = if accepted { Ok(None) } else { Err(ErrorCode::AuthFailed) };
        client.outbox.reply(reply_frame(xid, 0, result));
        self.sent += 1;
        if !accepted {
            self.metrics.auth_failed += 1;
            refuse(conn, "unknown scheme of authentication, or too many identities");
            self.drop_client(conn);
        }
    }

    fn write(&mut self, conn: ConnId, xid: i32, txn: tree::Txn) {
        let origin = self.next_origin();
        let Some(client) = self.clients.get_mut(&conn) else { return };
        client.queue.pending(origin.number);
        self.waiting.insert(origin.number, Waiting::Reply { conn, xid, since: Instant::now() });
        self.submit(origin, txn);
    }

    fn sync(&mut self, conn: ConnId, xid: i32, path: String) {
        let token = self.next_origin().number;
        let Some(client) = self.clients.get_mut(&conn) else { return };
        client.queue.pending(token);
        self.waiting.insert(token, Waiting::Sync { conn, xid, path, since: Instant::now() });
        self.input(Input::Sync { token });
    }

    pub(super) fn next_origin(&mut self) -> Origin {
        self.origin.number += 1;
        self.origin
    }

    /// Hands a transaction to the protocol. The leader applies to its own clients what it applies
    /// to those of its learners: only the session's present server may write.
    pub(super) fn submit(&mut self, origin: Origin, txn: tree::Txn) {
        if self.leading() && self.stopping() {
            return;
        }
        let may_write = !self.leading() || self.may_write(self.config.id, &txn);
        self.note_opener(self.config.id, &txn);
        let txn = Txn::new(origin, txn);
        match may_write {
            true => self.input(Input::Submit { txn }),
            false => self.moved(origin),
        }
    }

    /// A learner's transaction reaches the leader. One that is about to stop leaves it to the next.
    pub(super) fn forwarded(&mut self, from: ServerId, txn: Txn, proposal: &Proposal) {
        if self.stopping() {
            return;
        }
        if !self.may_write(from, &proposal.txn) {
            return self.send(from, Frame::Moved(proposal.origin));
        }
        self.note_opener(from, &proposal.txn);
        let message = zab::Message::Forward { txn };
        self.input(Input::Received { from, message });
    }

    /// A new session is that server's which asks for it, from the start: no claim of it is on its way.
    fn note_opener(&mut self, server: ServerId, txn: &tree::Txn) {
        if let tree::Txn::CreateSession { id, .. } = txn {
            self.sessions.claim(*id, server);
        }
    }

    fn may_write(&self, from: ServerId, txn: &tree::Txn) -> bool {
        match txn {
            tree::Txn::Write { session, .. } => {
                self.mutant == Some(Mutant::FormerOwners) || self.sessions.may_write(*session, from)
            }
            tree::Txn::CreateSession { .. }
            | tree::Txn::CloseSession { .. }
            | tree::Txn::Reap { .. } => true,
        }
    }

    /// A transaction was delivered: whoever asked for it here gets the reply.
    pub(super) fn answer(&mut self, origin: Origin, zxid: Zxid, reply: Result<Reply, ErrorCode>) {
        if (origin.server, origin.incarnation) != (self.origin.server, self.origin.incarnation) {
            return;
        }
        match self.waiting.remove(&origin.number) {
            Some(Waiting::Open { guest, id, timeout_ms, password }) => {
                self.attach(guest, id, timeout_ms, &password);
            }
            Some(Waiting::Reply { conn, xid, since }) => {
                self.latency.add(since.elapsed());
                let bytes = reply_frame(xid, zxid.0, reply.map(Reply::into_response));
                self.answer_in_order(conn, origin.number, bytes);
            }
            Some(Waiting::Resume { .. } | Waiting::Sync { .. }) | None => {}
        }
    }

    pub(super) fn sync_done(&mut self, token: u64) {
        match self.waiting.remove(&token) {
            Some(Waiting::Sync { conn, xid, path, since }) => {
                self.latency.add(since.elapsed());
                let zxid = self.tree.last_zxid();
                let bytes = reply_frame(xid, zxid, Ok(Some(Response::Sync { path })));
                self.answer_in_order(conn, token, bytes);
            }
            Some(Waiting::Resume { guest, id, password, asked }) => {
                self.resume(guest, id, &password, asked);
            }
            Some(Waiting::Open { .. } | Waiting::Reply { .. }) | None => {}
        }
    }

    fn answer_in_order(&mut self, conn: ConnId, number: u64, bytes: Vec<u8>) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.queue.answer(number, bytes);
            self.pump(conn);
        }
    }

    /// Sends every reply whose turn has come, and executes the reads between them.
    pub(super) fn pump(&mut self, conn: ConnId) {
        while let Some(client) = self.clients.get_mut(&conn)
            && let Some(step) = client.next()
        {
            let mut last = false;
            let bytes = match step {
                Step::Reply(bytes) => bytes,
                Step::Execute((header, Request::Unknown { opcode })) => {
                    last = true;
                    self.unimplemented(conn, header.xid, opcode)
                }
                Step::Execute((header, request)) => self.execute(conn, header.xid, request),
            };
            if let Some(client) = self.clients.get(&conn) {
                client.outbox.reply(bytes);
                self.sent += 1;
            }
            if last {
                self.drop_client(conn);
            }
        }
    }

    /// The last answer on a connection, as in ZooKeeper (`UnimplementedRequestProcessor`): who
    /// asks for what this server does not know may have more of it.
    fn unimplemented(&self, conn: ConnId, xid: i32, opcode: i32) -> Vec<u8> {
        refuse(conn, &format!("it asks for operation {opcode}, which this server does not know"));
        let mut bytes = Vec::new();
        encode_reply(ReplyHeader::failure(xid, -1, ErrorCode::Unimplemented), None, &mut bytes);
        bytes
    }

    pub(super) fn reply_now(
        &mut self,
        conn: ConnId,
        xid: i32,
        result: Result<Option<Response>, ErrorCode>,
    ) {
        if let Some(client) = self.clients.get(&conn) {
            client.outbox.reply(reply_frame(xid, self.tree.last_zxid(), result));
            self.sent += 1;
        }
    }
}

/// Most replies are shorter, but for data.
const REPLY_BYTES: usize = 128;

fn data_len(result: &Result<Option<Response>, ErrorCode>) -> usize {
    match result {
        Ok(Some(Response::GetData { data: Some(data), .. })) => data.len(),
        _ => 0,
    }
}

pub(super) fn reply_frame(
    xid: i32,
    zxid: u64,
    result: Result<Option<Response>, ErrorCode>,
) -> Vec<u8> {
    let zxid = zxid.cast_signed();
    let mut bytes = Vec::with_capacity(REPLY_BYTES + data_len(&result));
    match result {
        Ok(body) => encode_reply(ReplyHeader::ok(xid, zxid), body.as_ref(), &mut bytes),
        Err(code) => encode_reply(ReplyHeader::failure(xid, zxid, code), None, &mut bytes),
    }
    bytes
}

/// Milliseconds since 1970, for `ctime` and `mtime`; nothing is ordered by it.
pub(super) fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

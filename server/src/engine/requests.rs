//! Clients' requests: reads are answered here, writes and syncs handed to the protocol.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tree::{Reply, WriteOp};
use wire::{
    CreateMode, ErrorCode, ReplyHeader, Request, RequestHeader, Response, WatcherEvent,
    encode_notification, encode_reply,
};
use zab::{Entry, Role, ServerId};

use super::sessions::Guest;
use super::{Engine, origin_of, refuse};
use crate::clients::{ClientEvent, ConnId, Outbox, Queue, Step};
use crate::links::Frame;
use crate::proposal::{Input, Origin, Proposal, Txn};

/// A connection with a session.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: i64,
    outbox: Outbox,
    queue: Queue<(RequestHeader, Request)>,
}

impl Client {
    pub(super) fn new(session: i64, outbox: Outbox) -> Client {
        Client { session, outbox, queue: Queue::new() }
    }

    pub(super) fn tell(&self, bytes: Vec<u8>) {
        self.outbox.tell(bytes);
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
    /// A session that this server does not know yet.
    Resume { guest: Guest, id: i64, password: Vec<u8> },
    /// A write or the session's end.
    Reply { conn: ConnId, xid: i32, since: Instant },
    /// A sync.
    Sync { conn: ConnId, xid: i32, path: String, since: Instant },
}

impl Engine {
    pub(super) fn client(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connect { conn, request, outbox, from } => {
                self.connect_client(conn, &request, outbox, from);
            }
            ClientEvent::Request { conn, header, request } => self.request(conn, header, request),
            ClientEvent::Gone { conn } => self.drop_client(conn),
            ClientEvent::Ask(question) => self.ask(question),
        }
    }

    fn request(&mut self, conn: ConnId, header: RequestHeader, request: Request) {
        let Some(client) = self.clients.get_mut(&conn) else { return };
        self.received += 1;
        let session = client.session;
        self.touched.insert(session);
        let xid = header.xid;
        match request {
            Request::Ping => self.reply_now(conn, xid, Ok(None)),
            Request::Auth { .. } => {
                self.reply_now(conn, xid, Err(ErrorCode::AuthFailed));
                refuse(conn, "auth schemes are not supported");
                self.drop_client(conn);
            }
            Request::Sync { path } => self.sync(conn, xid, path),
            Request::CloseSession => self.write(conn, xid, tree::Txn::CloseSession { id: session }),
            Request::Unknown { .. } => {
                let mut bytes = Vec::new();
                let failure = ReplyHeader::failure(xid, -1, ErrorCode::Unimplemented);
                encode_reply(failure, None, &mut bytes);
                client.queue.answered(bytes);
            }
            request => match write_op(&request) {
                Some(op) => {
                    let txn = tree::Txn::Write { session, xid, time_ms: wall_clock_ms(), op };
                    self.write(conn, xid, txn);
                }
                None => client.queue.read((header, request)),
            },
        }
        self.pump(conn);
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
        let txn = Arc::new(Proposal { origin, txn });
        match self.role {
            Role::Leading { .. } => self.forwarded(self.config.id, txn),
            _ => self.input(Input::Submit { txn }),
        }
    }

    /// A transaction reaches the leader.
    pub(super) fn forwarded(&mut self, from: ServerId, txn: Txn) {
        let allowed = match &txn.txn {
            tree::Txn::Write { session, .. } => self.sessions.may_write(*session, from),
            tree::Txn::CreateSession { .. } | tree::Txn::CloseSession { .. } => true,
        };
        match allowed {
            true if from == self.config.id => self.input(Input::Submit { txn }),
            true => {
                let message = zab::Message::Forward { txn };
                self.input(Input::Received { from, message });
            }
            false if from == self.config.id => self.moved(origin_of(&txn)),
            false => self.send(from, Frame::Moved(origin_of(&txn))),
        }
    }

    /// A transaction was delivered: whoever asked for it here gets the reply.
    pub(super) fn answer(
        &mut self,
        origin: Origin,
        entry: &Entry<Txn>,
        reply: Result<Reply, ErrorCode>,
    ) {
        if (origin.server, origin.incarnation) != (self.origin.server, self.origin.incarnation) {
            return;
        }
        match self.waiting.remove(&origin.number) {
            Some(Waiting::Open { guest, id, timeout_ms, password }) => {
                self.attach(guest, id, timeout_ms, &password);
            }
            Some(Waiting::Reply { conn, xid, since }) => {
                self.latency.add(since.elapsed());
                let bytes = reply_frame(xid, entry.zxid.0, reply.map(Reply::into_response));
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
            Some(Waiting::Resume { guest, id, password }) => {
                self.resume_after_sync(guest, id, &password);
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
    fn pump(&mut self, conn: ConnId) {
        while let Some(client) = self.clients.get_mut(&conn)
            && let Some(step) = client.queue.next()
        {
            let bytes = match step {
                Step::Reply(bytes) => bytes,
                Step::Execute((header, request)) => self.execute(conn, header.xid, request),
            };
            if let Some(client) = self.clients.get(&conn) {
                client.outbox.reply(bytes);
                self.sent += 1;
            }
        }
    }

    /// Answers a read from this server's tree, and leaves the watch it asks for.
    fn execute(&mut self, conn: ConnId, xid: i32, request: Request) -> Vec<u8> {
        let zxid = self.tree.last_zxid();
        let result = match request {
            Request::Exists { path, watch } => {
                let result = self.tree.exists(&path);
                if watch && matches!(result, Ok(_) | Err(ErrorCode::NoNode)) {
                    self.watches.watch_data(conn, &path);
                }
                result.map(|stat| Some(Response::Exists { stat }))
            }
            Request::GetData { path, watch } => self.tree.get_data(&path).map(|(data, stat)| {
                if watch {
                    self.watches.watch_data(conn, &path);
                }
                Some(Response::GetData { data, stat })
            }),
            Request::GetChildren { path, watch } => self
                .children(conn, &path, watch)
                .map(|(children, _)| Some(Response::GetChildren { children })),
            Request::GetChildren2 { path, watch } => self
                .children(conn, &path, watch)
                .map(|(children, stat)| Some(Response::GetChildren2 { children, stat })),
            Request::GetAcl { path } => {
                self.tree.get_acl(&path).map(|(acl, stat)| Some(Response::GetAcl { acl, stat }))
            }
            Request::SetWatches { relative_zxid, data, exist, child } => {
                self.set_watches(conn, relative_zxid, &data, &exist, &child);
                Ok(None)
            }
            _ => Err(ErrorCode::Unimplemented),
        };
        reply_frame(xid, zxid, result)
    }

    fn children(
        &mut self,
        conn: ConnId,
        path: &str,
        watch: bool,
    ) -> Result<(Vec<String>, wire::Stat), ErrorCode> {
        let found = self.tree.get_children(path)?;
        if watch {
            self.watches.watch_children(conn, path);
        }
        Ok(found)
    }

    fn set_watches(
        &mut self,
        conn: ConnId,
        relative_zxid: i64,
        data: &[String],
        exist: &[String],
        child: &[String],
    ) {
        let missed = self.watches.set_watches(conn, &self.tree, relative_zxid, data, exist, child);
        let Some(client) = self.clients.get(&conn) else { return };
        for fired in missed {
            let mut bytes = Vec::new();
            let event = WatcherEvent::new(fired.event, fired.path);
            encode_notification(-1, &event, &mut bytes);
            client.tell(bytes);
        }
    }

    fn reply_now(&mut self, conn: ConnId, xid: i32, result: Result<Option<Response>, ErrorCode>) {
        if let Some(client) = self.clients.get(&conn) {
            client.outbox.reply(reply_frame(xid, self.tree.last_zxid(), result));
            self.sent += 1;
        }
    }
}

/// The write in a request; `None` for a read. A create with unknown flags still takes its place in
/// the order, as a refused write.
fn write_op(request: &Request) -> Option<WriteOp> {
    match request {
        Request::Create { path, data, acl, flags }
        | Request::Create2 { path, data, acl, flags } => {
            Some(match CreateMode::from_flags(*flags) {
                Ok(mode) => WriteOp::Create {
                    path: path.clone(),
                    data: data.clone(),
                    acl: acl.clone(),
                    mode,
                    with_stat: matches!(request, Request::Create2 { .. }),
                },
                Err(code) => WriteOp::Error { code },
            })
        }
        Request::Delete { path, version } => {
            Some(WriteOp::Delete { path: path.clone(), version: *version })
        }
        Request::SetData { path, data, version } => {
            Some(WriteOp::SetData { path: path.clone(), data: data.clone(), version: *version })
        }
        _ => None,
    }
}

fn reply_frame(xid: i32, zxid: u64, result: Result<Option<Response>, ErrorCode>) -> Vec<u8> {
    let zxid = zxid.cast_signed();
    let mut bytes = Vec::new();
    match result {
        Ok(body) => encode_reply(ReplyHeader::ok(xid, zxid), body.as_ref(), &mut bytes),
        Err(code) => encode_reply(ReplyHeader::failure(xid, zxid, code), None, &mut bytes),
    }
    bytes
}

/// Milliseconds since 1970, for `ctime` and `mtime`; nothing is ordered by it.
fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

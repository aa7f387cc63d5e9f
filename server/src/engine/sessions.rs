//! Opening, resuming and closing sessions.

use std::sync::Arc;

use tracing::{debug, info};
use wire::{ConnectRequest, ConnectResponse, Identity};

use super::requests::{Client, Waiting};
use super::{Engine, refuse};
use crate::Mutant;
use crate::clients::{ConnId, Outbox};
use crate::links::Frame;
use crate::proposal::{Input, Origin};

/// A connection that asked for a session and has no answer yet.
#[derive(Debug)]
pub(super) struct Guest {
    conn: ConnId,
    who: Arc<[Identity]>,
    outbox: Outbox,
    read_only: Option<bool>,
}

/// What was asked of the leader for a session that is to be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing yet.
    Nothing,
    /// What there is: the state here is not too old to know the session.
    Synced,
    /// To take note of a claim to it.
    Claimed,
}

impl Guest {
    pub(super) fn conn(&self) -> ConnId {
        self.conn
    }

    fn refuse(self) {
        self.outbox.tell(connect_frame(&ConnectResponse::refusal(self.read_only)));
    }
}

impl Engine {
    /// A connection asks for a session. Dropping the outbox closes it without an answer, which
    /// sends the client to another server.
    pub(super) fn connect_client(
        &mut self,
        conn: ConnId,
        request: &ConnectRequest,
        outbox: Outbox,
        who: Arc<[Identity]>,
    ) {
        self.received += 1;
        let reads_do = self.read_only && request.read_only == Some(true);
        if !self.serving() && !reads_do {
            return refuse(conn, "not serving");
        }
        let seen = request.last_zxid_seen.cast_unsigned();
        if seen > self.tree.last_zxid() && self.mutant != Some(Mutant::SkipLastZxidCheck) {
            return refuse(conn, "it has seen a later state than this server");
        }
        debug!(conn, ?who, session = request.session_id, "client");
        let guest = Guest { conn, who, outbox, read_only: request.read_only };
        if self.read_only {
            return self.connect_read_only(guest, request);
        }
        match request.session_id {
            0 => self.open(guest, request.timeout_ms),
            id => self.resume(guest, id, &request.password, Asked::Nothing),
        }
    }

    fn open(&mut self, guest: Guest, timeout_ms: i32) {
        let timeout_ms = self.config.session_timeout_ms(timeout_ms);
        let id = self.next_session;
        self.next_session += 1;
        let password: [u8; 16] = rand::random();
        let origin = self.next_origin();
        self.waiting.insert(origin.number, Waiting::Open { guest, id, timeout_ms, password });
        self.submit(origin, tree::Txn::CreateSession { id, timeout_ms, password });
    }

    /// Resumes a session, in steps. One that this server does not know may be too new for it: then it
    /// asks again after a sync before it says that the session expired. One that it knows is claimed
    /// first, and a sync tells that the leader has heard of the claim: otherwise it could come there
    /// after that of a server to which the client has gone since, and let old writes pass.
    pub(super) fn resume(&mut self, guest: Guest, id: i64, password: &[u8], asked: Asked) {
        let known = self.tree.session(id).map(|session| (session.password, session.timeout_ms));
        match known.filter(|(right, _)| right == password) {
            Some((_, timeout_ms)) if asked == Asked::Claimed => {
                self.attach(guest, id, timeout_ms, password);
            }
            Some((_, timeout_ms)) => {
                self.claim(id);
                match self.resumes_at_once() {
                    true => self.attach(guest, id, timeout_ms, password),
                    false => self.resume_after_sync(guest, id, password, Asked::Claimed),
                }
            }
            None if known.is_none() && asked == Asked::Nothing => {
                self.resume_after_sync(guest, id, password, Asked::Synced);
            }
            None => {
                let why = if known.is_some() { "wrong password" } else { "expired" };
                info!(session = format!("{id:#x}"), why, "session refused");
                guest.refuse();
            }
        }
    }

    /// Behind a gate nothing happens but what is ordered, and no client goes from server to server.
    fn resumes_at_once(&self) -> bool {
        self.gate.is_some() || self.mutant == Some(Mutant::SkipLastZxidCheck)
    }

    fn resume_after_sync(&mut self, guest: Guest, id: i64, password: &[u8], asked: Asked) {
        let number = self.next_origin().number;
        let password = password.to_vec();
        self.waiting.insert(number, Waiting::Resume { guest, id, password, asked });
        self.input(Input::Sync { token: number });
    }

    /// Gives the connection its session. An older connection of the session is closed.
    pub(super) fn attach(&mut self, guest: Guest, id: i64, timeout_ms: i32, password: &[u8]) {
        let Guest { conn, who, outbox, read_only } = guest;
        if let Some(older) = self.by_session.insert(id, conn) {
            self.drop_client(older);
        }
        self.touched.insert(id);
        outbox.tell(connect_frame(&ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session_id: id,
            password: password.to_vec(),
            read_only: read_only.map(|_| self.read_only),
        }));
        self.sent += 1;
        self.clients.insert(conn, Client::new(id, who, outbox));
    }

    /// Tells the leader that the session's client is here now, before any write of it.
    fn claim(&mut self, id: i64) {
        match self.upstream() {
            Some(leader) => self.send(leader, Frame::Claim(id)),
            None => self.sessions.claim(id, self.config.id),
        }
    }

    /// The session is gone: so is its connection, after what it was sent.
    pub(super) fn close_session_here(&mut self, id: i64) {
        if let Some(conn) = self.by_session.get(&id).copied() {
            self.drop_client(conn);
        }
    }

    pub(super) fn drop_client(&mut self, conn: ConnId) {
        if let Some(client) = self.clients.remove(&conn)
            && self.by_session.get(&client.session) == Some(&conn)
        {
            self.by_session.remove(&client.session);
        }
        self.watches.drop_connection(conn);
    }

    pub(super) fn drop_clients(&mut self) {
        info!(clients = self.clients.len(), "no longer serving");
        self.clients.clear();
        self.by_session.clear();
        self.waiting.clear();
        self.touched.clear();
        self.watches = Default::default();
        self.sessions = Default::default();
    }

    /// A new leader gives every session its full timeout.
    pub(super) fn start_serving(&mut self) {
        self.sessions = Default::default();
        if self.leading() && self.mutant != Some(Mutant::SessionsForgotten) {
            let now = self.now();
            for (id, session) in self.tree.sessions() {
                self.sessions.opened(id, u64::try_from(session.timeout_ms).unwrap_or(0), now);
            }
        }
    }

    /// The leader refused a write because the session has moved: its client is elsewhere.
    pub(super) fn moved(&mut self, origin: Origin) {
        if let Some(Waiting::Reply { conn, .. }) = self.waiting.remove(&origin.number) {
            refuse(conn, "its session has moved to another server");
            self.drop_client(conn);
        }
    }
}

fn connect_frame(response: &ConnectResponse) -> Vec<u8> {
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    bytes
}

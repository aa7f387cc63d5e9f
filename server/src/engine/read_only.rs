//! Reads without a quorum: `readonlymode.enabled`, for clients that said they can do with that
//! (Administrator's Guide, "Experimental Options").
//!
//! What is read is what this server last knew to be committed: other servers may know more.

use tracing::info;
use wire::{ConnectRequest, ErrorCode, Request, RequestHeader};

use super::requests::reply_frame;
use super::sessions::Guest;
use super::writes::write_op;
use super::{Engine, refuse};
use crate::clients::ConnId;
use crate::sessions::Millis;

/// An election that succeeds takes less.
pub(super) const GRACE_MS: Millis = 2000;

impl Engine {
    /// When read-only service may begin, if there is no quorum until then.
    pub(super) fn put_off_read_only(&mut self) {
        self.read_only_at = self.now() + self.config.tick_ms.max(GRACE_MS);
    }

    /// What happens every half tick without a quorum.
    pub(super) fn without_a_quorum(&mut self) {
        if self.read_only {
            return self.expire_here();
        }
        let looking = self.role == zab::Role::Looking && !self.doubt;
        if self.config.read_only_mode && looking && self.now() >= self.read_only_at {
            info!("no quorum: serving reads only");
            self.read_only = true;
        }
    }

    /// There may be a quorum again. Its clients come back for a session of the ensemble.
    pub(super) fn end_read_only(&mut self) {
        if std::mem::take(&mut self.read_only) {
            self.drop_clients();
        }
    }

    /// A session that only this server knows, or one of the ensemble as far as it is known here.
    pub(super) fn connect_read_only(&mut self, guest: Guest, request: &ConnectRequest) {
        let (id, timeout_ms, password) = match request.session_id {
            0 => {
                self.next_session += 1;
                let timeout_ms = self.config.session_timeout_ms(request.timeout_ms);
                (self.next_session - 1, timeout_ms, rand::random::<[u8; 16]>().to_vec())
            }
            id => match self.tree.session(id) {
                Some(session) if session.password == request.password[..] => {
                    (id, session.timeout_ms, request.password.clone())
                }
                // It may be open all the same: only a quorum could tell.
                _ => return refuse(guest.conn(), "its session is not known here"),
            },
        };
        let now = self.now();
        self.sessions.opened(id, u64::try_from(timeout_ms).unwrap_or(0), now);
        self.attach(guest, id, timeout_ms, &password);
    }

    /// Refuses what needs a quorum.
    pub(super) fn request_read_only(
        &mut self,
        conn: ConnId,
        header: RequestHeader,
        request: Request,
    ) {
        let xid = header.xid;
        match request {
            Request::CloseSession => {
                self.received += 1;
                self.reply_now(conn, xid, Ok(None));
                self.drop_client(conn);
            }
            request if self.needs_a_quorum(&request) => {
                let refusal = reply_frame(xid, self.tree.last_zxid(), Err(ErrorCode::NotReadOnly));
                let Some(client) = self.clients.get_mut(&conn) else { return };
                self.received += 1;
                self.touched.insert(client.session);
                client.answered(refusal);
                self.pump(conn);
            }
            request => self.request(conn, header, request),
        }
    }

    fn needs_a_quorum(&self, request: &Request) -> bool {
        let is_sync = matches!(request, Request::Sync { .. });
        is_sync || write_op(request, self.config.extended_types).is_some()
    }

    fn expire_here(&mut self) {
        let now = self.now();
        for id in std::mem::take(&mut self.touched) {
            self.sessions.touch(id, now);
        }
        for id in self.sessions.expired(now) {
            self.close_session_here(id);
        }
    }
}

//! Reconfigurations: the leader judges them, and puts in order what comes of them.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{info, warn};
use wire::{ErrorCode, perms};
use zab::{Members, ServerId, Zxid};

use super::Engine;
use super::requests::{Waiting, wall_clock_ms};
use crate::clients::ConnId;
use crate::links::Frame;
use crate::membership;
use crate::proposal::{Input, Txn};
use crate::reconfig::{Ask, Change};

impl Engine {
    /// A client asks for other members: only the leader can say whether they may be.
    pub(super) fn ask_for_members(&mut self, conn: ConnId, xid: i32, change: Change) {
        let origin = self.next_origin();
        let Some(client) = self.clients.get_mut(&conn) else { return };
        client.expect(origin.number);
        let (session, who) = (client.session, client.who());
        self.waiting.insert(origin.number, Waiting::Reply { conn, xid, since: Instant::now() });
        let ask = Ask { origin, session, xid, who, change };
        match self.upstream() {
            Some(leader) => self.send(leader, Frame::Reconfigure(Box::new(ask))),
            None => self.reconfigure(self.config.id, ask),
        }
    }

    /// Leading: what is refused takes its place in the order too, as a refused write.
    pub(super) fn reconfigure(&mut self, from: ServerId, ask: Ask) {
        if !self.leading() || self.stopping() {
            return;
        }
        if !self.sessions.may_write(ask.session, from) {
            return match from == self.config.id {
                true => self.moved(ask.origin),
                false => self.send(from, Frame::Moved(ask.origin)),
            };
        }
        let judged = self.judge(&ask);
        info!(from, change = ?ask.change, refused = ?judged.as_ref().err(), "reconfig");
        let (op, members) = match judged {
            Ok(members) => {
                let lines = membership::lines(&members);
                (tree::WriteOp::Reconfig { members: lines }, Some(Arc::new(members)))
            }
            Err(code) => (tree::WriteOp::Error { code }, None),
        };
        let Ask { origin, session, xid, who, .. } = ask;
        let (time_ms, enforce_quota) = (wall_clock_ms(), false);
        let write = tree::Txn::Write { session, xid, time_ms, who, enforce_quota, op };
        let txn = Txn::new(origin, write).with_members(members);
        match from == self.config.id {
            true => self.input(Input::Submit { txn }),
            false => {
                let message = zab::Message::Forward { txn };
                self.input(Input::Received { from, message });
            }
        }
    }

    /// In the order in which ZooKeeper judges. There is one reconfiguration under way at a time,
    /// and without a quorum that is there already it could not be committed.
    fn judge(&self, ask: &Ask) -> Result<Members, ErrorCode> {
        if !self.config.reconfig_enabled {
            return Err(ErrorCode::ReconfigDisabled);
        }
        if self.voters.is_none() {
            return Err(ErrorCode::Unimplemented);
        }
        if self.peer.next_configuration().is_some() {
            return Err(ErrorCode::ReconfigInProgress);
        }
        let present = self.peer.configuration();
        if ask.change.version != -1 && ask.change.version.cast_unsigned() != present.version.0 {
            return Err(ErrorCode::BadVersion);
        }
        let participants_min = if self.config.standalone_enabled { 2 } else { 1 };
        let members = ask.change.apply(&present.members, participants_min)?;
        if !self.peer.has_quorum_of(&members) {
            return Err(ErrorCode::NewConfigNoQuorum);
        }
        self.tree.authorize(tree::CONFIG, perms::WRITE, &ask.who)?;
        Ok(members)
    }

    /// The members that this server goes by are others, or somebody knows of others.
    pub(super) fn members_changed(&mut self) {
        let configuration = self.peer.configuration().clone();
        let belongs = configuration.members.0.contains_key(&self.config.id);
        if self.belongs != belongs {
            self.belongs = belongs;
            match belongs {
                true => info!(version = %configuration.version, "a member of the ensemble"),
                false => warn!(
                    version = %configuration.version,
                    "no member of the ensemble (any more): nobody is served until a reconfiguration adds this server"
                ),
            }
        }
        if self.written_members < configuration.version {
            self.written_members = configuration.version;
            self.write_members(&membership::data(&configuration), configuration.version);
        }
    }

    /// For people to read, and for servers to come: what is in force says the log.
    fn write_members(&self, text: &str, version: Zxid) {
        let Some(path) = self.config.dynamic_config_file.clone() else { return };
        let text = format!("{text}\n");
        tokio::task::spawn_blocking(move || {
            let beside = path.with_extension(format!("{:x}", version.0));
            let written =
                std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
            if let Err(error) = written {
                warn!(path = %path.display(), %error, "dynamicConfigFile is not written");
            }
        });
    }
}

//! Holds this server's state against the others', all the time.

use tracing::{error, info};
use zab::{Role, ServerId, Zxid};

use super::Engine;
use crate::ServerError;
use crate::comparison::Ruling;
use crate::links::Frame;
use crate::storage::Diverged;

impl Engine {
    /// Leading: asks everybody, itself first, at every beat. Frames are in order, so a learner is
    /// asked when it has applied just what is applied here.
    pub(super) fn compare(&mut self) {
        self.comparison.retain(|id| self.channels.contains_key(&id));
        let doubt = self.comparison.in_doubt(&self.participants());
        self.set_doubt(doubt);
        let (zxid, lineage) = (self.tree.last_zxid(), self.tree.lineage());
        self.comparison.ask(zxid, lineage);
        for channel in self.channels.values() {
            channel.send(Frame::Compare { zxid, lineage, doubt });
        }
    }

    /// Learning: answers with its own. One that is not at that zxid is still being brought up.
    pub(super) fn compare_with(&mut self, leader: ServerId, zxid: u64, theirs: u64, doubt: bool) {
        if !self.learns_from(leader) {
            return;
        }
        self.set_doubt(doubt && self.role.serving());
        if zxid != self.tree.last_zxid() {
            return;
        }
        let lineage = self.tree.lineage();
        self.metrics.mismatches += u64::from(lineage != theirs);
        self.send(leader, Frame::Lineage { zxid, lineage });
    }

    /// Leading: an answer came.
    pub(super) fn compared(&mut self, from: ServerId, zxid: u64, lineage: u64) {
        if !matches!(self.role, Role::Leading { serving: true, .. }) {
            return;
        }
        if self.comparison.hear(zxid, from, lineage) {
            self.metrics.mismatches += 1;
            error!(zxid = %Zxid(zxid), server = from, "its state is not that of the leader");
        }
        let ruling = self.comparison.ruling(zxid, &self.participants());
        if let Ruling::Decided { right, wrong } = ruling {
            for (id, own) in wrong {
                self.tell_outvoted(id, Diverged { zxid: Zxid(zxid), own, right });
            }
        }
    }

    fn tell_outvoted(&mut self, id: ServerId, note: Diverged) {
        if id == self.config.id {
            return self.stop_differing(note);
        }
        error!(server = id, zxid = %note.zxid, "told to stop: a quorum has another state");
        self.send(id, Frame::Outvoted(note));
        self.comparison.retain(|other| other != id);
    }

    /// Learning: the leader says that a quorum has another state.
    pub(super) fn outvoted(&mut self, leader: ServerId, note: Diverged) {
        if self.learns_from(leader) {
            self.stop_differing(note);
        }
    }

    /// Serves nobody from now on, and leaves a note that keeps it from starting again like this.
    fn stop_differing(&mut self, note: Diverged) {
        self.drop_clients();
        let root = self.config.data_dir.join("zoobreak");
        self.failed = Some(match note.write(&root) {
            Ok(()) => ServerError::diverged(&root, note),
            Err(error) => error.into(),
        });
    }

    fn learns_from(&self, leader: ServerId) -> bool {
        !self.leading() && self.leader() == Some(leader)
    }

    /// Nobody serves while it is not known whose state is right.
    fn set_doubt(&mut self, doubt: bool) {
        if self.doubt == doubt {
            return;
        }
        self.doubt = doubt;
        if doubt {
            error!(
                "servers differ, and no quorum has the same state: nobody is served until one has"
            );
            self.drop_clients();
        } else {
            info!("a quorum has the same state again");
            self.start_serving();
        }
    }
}

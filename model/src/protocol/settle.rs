//! What follows at once: a search need not try in what order a server does what it may do anyway.

use zab::ServerId;

use super::Flaw;
use super::disk::last;
use super::ghost::Event;
use super::leader::Way;
use super::link::{LinkId, Words};
use super::state::{Allowed, Learner, LearnerStage, Phase, Role, State};

impl State {
    /// The next message of a connection arrives. False when there is none.
    pub(crate) fn receive(&mut self, link: LinkId, to: ServerId) -> bool {
        let inbox = self.links.get_mut(&link).map(|found| &mut found.half_mut(link, to).inbox);
        let Some(words) = inbox.and_then(std::collections::VecDeque::pop_front) else {
            return false;
        };
        if let Err(what) = self.take(link, to, words) {
            self.observe(&Event::Nonsense { server: to, what });
            self.give_up(link, to);
        }
        self.settle(to);
        true
    }

    /// A server makes of a message what it can.
    pub(crate) fn take(&mut self, link: LinkId, to: ServerId, words: Words) -> Allowed {
        if to == link.leader { self.hear(to, link, words) } else { self.heed(to, words) }
    }

    /// `at` closes its end of a connection, with what that means to its role.
    pub(crate) fn give_up(&mut self, link: LinkId, at: ServerId) {
        self.close(link, at);
        let keeps = match &mut self.server_mut(at).role {
            Role::Looking { waiting } => {
                waiting.retain(|_, (known, _)| *known != link);
                true
            }
            Role::Following(follower) => follower.link != Some(link),
            Role::Leading(leader) => {
                let known = leader.learners.get(&link.learner).is_some_and(|l| l.link == link);
                !known || self.lose(at, link.learner)
            }
        };
        if !keeps {
            self.leave(at);
        }
    }

    /// Does everything that a server may do by itself.
    pub(crate) fn settle(&mut self, id: ServerId) {
        while self.ghost.broken.is_empty() && self.server(id).up && self.settle_one(id) {}
    }

    /// False when there is nothing left to do.
    fn settle_one(&mut self, id: ServerId) -> bool {
        let done = match &self.server(id).role {
            Role::Looking { .. } => None,
            Role::Following(_) => self.follower_step(id),
            Role::Leading(_) => self.leader_step(id),
        };
        let Some(done) = done else { return false };
        done.expect("a step that may be taken is allowed");
        true
    }

    fn follower_step(&mut self, id: ServerId) -> Option<Allowed> {
        let follower = self.follower(id).ok()?;
        let (acked, pinged) = (follower.acked, follower.pinged);
        let synced = follower.synced.first().copied();
        Some(if self.may_accept(id) {
            self.accept(id)
        } else if self.may_promise(id) {
            self.promise(id)
        } else if self.may_perform(id) {
            self.perform(id).map(drop)
        } else if self.may_adopt(id) {
            self.adopt(id)
        } else if self.may_ack_leader(id) {
            self.ack_leader(id)
        } else if let Some(zxid) = self.may_ack(id).filter(|zxid| *zxid > acked && self.counts(id))
        {
            self.ack(id, zxid)
        } else if let Some(entry) = self.next_committed(id) {
            self.deliver(id, &entry)
        } else if let Some(token) = synced {
            self.answer(id, token)
        } else {
            self.pong(id, pinged?)
        })
    }

    fn leader_step(&mut self, id: ServerId) -> Option<Allowed> {
        let leader = self.leader(id).ok()?;
        let (outbid, overtaken) = (leader.outbid, leader.overtaken);
        if outbid.is_some() || overtaken {
            return Some(self.abdicate(id, outbid));
        }
        if let Some(epoch) = self.may_open(id) {
            return Some(self.open(id, epoch));
        }
        if self.may_synchronise(id) {
            return Some(self.begin_synchronisation(id));
        }
        if self.may_adopt_own(id) {
            return Some(self.adopt_own(id));
        }
        if self.may_establish(id) {
            return Some(self.establish(id));
        }
        let learners: Vec<ServerId> = self.leader(id).ok()?.learners.keys().copied().collect();
        self.commit_step(id, &learners)
            .or_else(|| learners.iter().find_map(|to| self.learner_step(id, *to)))
            .or_else(|| self.sync_step(id, &learners))
    }

    fn abdicate(&mut self, id: ServerId, outbid: Option<u32>) -> Allowed {
        let own = self.server(id).written.accepted;
        if let Some(accepted) = outbid.filter(|accepted| *accepted > own) {
            self.yield_to(id, accepted)?;
        }
        self.leave(id);
        Ok(())
    }

    /// Delivers what may be, and says so.
    fn commit_step(&mut self, id: ServerId, learners: &[ServerId]) -> Option<Allowed> {
        let (count, delivered) = (self.committable(id), self.server(id).delivered);
        if count <= delivered {
            return None;
        }
        let zxid = self.server(id).history()[count - 1].zxid;
        for _ in delivered..count {
            self.deliver_next(id);
        }
        let leader = self.leader(id).ok()?;
        let welcomed = |to: &&ServerId| {
            leader.learners[*to].stage == LearnerStage::Welcomed && !self.observes(**to)
        };
        let welcomed: Vec<ServerId> = learners.iter().filter(welcomed).copied().collect();
        Some(welcomed.into_iter().try_for_each(|to| self.commit_to(id, to, zxid)))
    }

    fn learner_step(&mut self, id: ServerId, to: ServerId) -> Option<Allowed> {
        let leader = self.leader(id).ok()?;
        let (phase, learner) = (leader.phase, leader.learners.get(&to)?);
        let early = self.rules.has(Flaw::EarlyService);
        match learner.stage {
            LearnerStage::Joined if self.may_tell(id, to) => Some(self.tell_epoch(id, to)),
            LearnerStage::Promised { last: end, snapshot } if phase > Phase::Discovery => {
                let way = self.way(id, end, snapshot);
                Some(self.synchronise(id, to, way))
            }
            LearnerStage::Adopted if phase == Phase::Broadcast || early => {
                let end = match self.rules.flaw {
                    Some(Flaw::EagerCommit) => learner.sent,
                    Some(Flaw::EarlyService) => self.server(id).written.last(),
                    _ => {
                        let server = self.server(id);
                        learner.sent.min(last(&server.history()[..server.delivered]))
                    }
                };
                Some(self.welcome(id, to, end))
            }
            LearnerStage::Welcomed if self.observes(to) => self.inform_step(id, to),
            stage if stage >= LearnerStage::Synchronising && !self.observes(to) => {
                self.broadcast_step(id, to)
            }
            _ => None,
        }
    }

    /// An observer hears of an entry when it is committed.
    fn inform_step(&mut self, id: ServerId, to: ServerId) -> Option<Allowed> {
        let zxid = self.next_for(id, to)?.zxid;
        let early = self.rules.has(Flaw::EarlyInform);
        (early || zxid <= self.history_due(id, to)).then(|| self.inform(id, to, zxid))
    }

    fn broadcast_step(&mut self, id: ServerId, to: ServerId) -> Option<Allowed> {
        let zxid = self.next_for(id, to)?.zxid;
        match self.rules.flaw {
            Some(Flaw::LateBroadcast) => None,
            Some(Flaw::NarrowBroadcast) if !self.adopted(id, to) => {
                Some(self.learner_mut(id, to).map(|learner| learner.sent = zxid))
            }
            _ => Some(self.propose_to(id, to, zxid)),
        }
    }

    fn adopted(&self, id: ServerId, to: ServerId) -> bool {
        let learner = self.leader(id).ok().and_then(|leader| leader.learners.get(&to));
        learner.is_some_and(Learner::adopted)
    }

    /// The whole history to one learner.
    fn synchronise(&mut self, id: ServerId, to: ServerId, way: Way) -> Allowed {
        self.begin_catching(id, to, way)?;
        let due = self.history_due(id, to);
        while let Some(zxid) = self.next_for(id, to).map(|entry| entry.zxid).filter(|z| *z <= due) {
            self.propose_to(id, to, zxid)?;
        }
        self.new_leader(id, to)
    }

    fn sync_step(&mut self, id: ServerId, learners: &[ServerId]) -> Option<Allowed> {
        let leader = self.leader(id).ok()?;
        let (pinged, stale) = (leader.pinged, leader.syncs.clone());
        let ready = stale.iter().find(|(asker, token, _)| self.may_confirm(id, *asker, *token));
        if let Some((asker, token, _)) = ready {
            return Some(self.confirm(id, *asker, *token));
        }
        if !stale.iter().any(|(_, _, before)| *before == pinged) {
            return None;
        }
        let listen = |to: &&ServerId| leader.learners[*to].stage >= LearnerStage::Synchronising;
        let listeners: Vec<ServerId> = learners.iter().filter(listen).copied().collect();
        if listeners.is_empty() {
            return None;
        }
        Some(listeners.into_iter().try_for_each(|to| self.ping(id, to, pinged + 1)))
    }

    /// With [`Flaw::LateBroadcast`]: what is appended goes out, to all learners alike.
    pub(crate) fn broadcast_late(&mut self, id: ServerId) -> Allowed {
        let Some(entry) = self.server(id).history().last().cloned() else { return Ok(()) };
        let leader = self.leader_mut(id)?;
        let mut links = Vec::new();
        for learner in leader.learners.values_mut() {
            if learner.stage >= LearnerStage::Synchronising {
                learner.sent = entry.zxid;
                links.push(learner.link);
            }
        }
        links.into_iter().for_each(|link| self.send(id, link, Words::Propose(entry.clone())));
        Ok(())
    }
}

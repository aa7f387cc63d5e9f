//! What an established leader may do (the paper's phase 3), and `sync`.

use zab::{ServerId, Zxid};

use super::disk::{Write, count_to, follows};
use super::ghost::Event;
use super::link::{LinkId, Words};
use super::state::{Allowed, LearnerStage, Phase, Role, State};
use super::{Entry, Flaw};

impl State {
    /// The place that the next transaction gets.
    pub(crate) fn next_zxid(&self, id: ServerId) -> Option<Zxid> {
        let leader = self.leader(id).ok()?;
        let last = self.server(id).written.last();
        if leader.phase != Phase::Broadcast {
            return None;
        }
        if self.rules.has(Flaw::WrappingCounter) && last.epoch() >= leader.epoch {
            return Some(Zxid(last.0 + 1));
        }
        let counter = if last.epoch() == leader.epoch { last.counter() } else { 0 };
        Some(Zxid::new(leader.epoch, counter.checked_add(1)?))
    }

    /// A transaction gets its place.
    pub(crate) fn propose(&mut self, id: ServerId, entry: Entry) -> Allowed {
        let last = self.server(id).written.last();
        let fits = follows(last, entry.zxid) || self.rules.has(Flaw::WrappingCounter);
        if self.next_zxid(id) != Some(entry.zxid) || !fits {
            return Err(format!("n{id} must not propose {:?} now", entry.zxid));
        }
        self.write(id, Write::Append(entry.clone()));
        self.observe(&Event::Proposed { leader: id, entry });
        Ok(())
    }

    /// How many entries of its history a leader may deliver: all when a quorum has taken them over;
    /// of its own epoch, what is on the disks of a quorum.
    pub(crate) fn committable(&self, id: ServerId) -> usize {
        let (server, Ok(leader)) = (self.server(id), self.leader(id)) else { return 0 };
        if leader.phase != Phase::Broadcast {
            return 0;
        }
        let own = match self.rules.flaw {
            Some(Flaw::EarlySelf) => server.written.last(),
            _ => server.disk.durable.last(),
        };
        let voters = leader.learners.iter().filter(|(id, _)| self.counts(**id));
        let acked = voters.filter(|(_, learner)| learner.adopted()).map(|(_, l)| l.acked);
        let mut ends: Vec<Zxid> = acked.chain([own]).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let end = ends.get(self.rules.quorum() - 1).copied().unwrap_or_default();
        let durable = count_to(server.history(), end).unwrap_or(0);
        self.taken_over(id).max(server.delivered).max(durable)
    }

    /// How long the history was with which the leader was established.
    fn taken_over(&self, id: ServerId) -> usize {
        let Ok(leader) = self.leader(id) else { return 0 };
        let history = self.server(id).history();
        history.partition_point(|entry| entry.zxid.epoch() < leader.epoch)
    }

    /// The next entry is delivered, by a leader or a follower.
    pub(crate) fn deliver(&mut self, id: ServerId, entry: &Entry) -> Allowed {
        let server = self.server(id);
        let next = match &server.role {
            Role::Leading(_) if server.delivered < self.committable(id) => {
                server.history().get(server.delivered).cloned()
            }
            Role::Following(_) => self.next_committed(id),
            _ => None,
        };
        if next.as_ref() != Some(entry) {
            let zxid = entry.zxid;
            return Err(format!("n{id} delivers {zxid:?}, which it does not know to be committed"));
        }
        self.deliver_next(id);
        Ok(())
    }

    /// UPTODATE goes out.
    pub(crate) fn welcome(&mut self, id: ServerId, to: ServerId, committed: Zxid) -> Allowed {
        let known = count_to(self.server(id).history(), committed);
        let committable = known.is_some_and(|count| count <= self.committable(id));
        let eager = matches!(self.rules.flaw, Some(Flaw::EagerCommit | Flaw::EarlyService));
        let serves = self.leader(id)?.phase == Phase::Broadcast || eager;
        let learner = self.learner_mut(id, to)?;
        let adopted = learner.stage == LearnerStage::Adopted;
        if !serves || !adopted || !(committable || eager) {
            return Err(format!("n{id} sends n{to} UPTODATE too early, or with too much"));
        }
        learner.stage = LearnerStage::Welcomed;
        self.say_to(id, to, Words::UpToDate { committed })
    }

    /// COMMIT goes out.
    pub(crate) fn commit_to(&mut self, id: ServerId, to: ServerId, zxid: Zxid) -> Allowed {
        let known = count_to(self.server(id).history(), zxid);
        if known.is_none_or(|count| count > self.committable(id)) {
            return Err(format!("n{id} commits {zxid:?}, which is not on the disks of a quorum"));
        }
        self.say_to(id, to, Words::Commit { zxid })
    }

    /// INFORM goes out: to an observer, an entry that is committed.
    pub(crate) fn inform(&mut self, id: ServerId, to: ServerId, zxid: Zxid) -> Allowed {
        let next = self.next_for(id, to).filter(|entry| entry.zxid == zxid).cloned();
        let known = count_to(self.server(id).history(), zxid);
        let committed = known.is_some_and(|count| count <= self.committable(id));
        let entry = next.filter(|_| committed || self.rules.has(Flaw::EarlyInform));
        let Some(entry) = entry.filter(|_| self.observes(to)) else {
            return Err(format!("n{id} must not tell n{to} that {zxid:?} is committed"));
        };
        self.learner_mut(id, to)?.sent = zxid;
        self.say_to(id, to, Words::Inform(entry))
    }

    pub(crate) fn ping(&mut self, id: ServerId, to: ServerId, seq: u64) -> Allowed {
        let leader = self.leader_mut(id)?;
        if seq < leader.pinged {
            return Err(format!("n{id} sends PING {seq} after PING {}", leader.pinged));
        }
        leader.pinged = seq;
        self.say_to(id, to, Words::Ping { seq })
    }

    /// May the leader answer this sync: has a quorum answered a ping that it sent after the question?
    pub(crate) fn may_confirm(&self, id: ServerId, asker: ServerId, token: u64) -> bool {
        let Ok(leader) = self.leader(id) else { return false };
        let mut asked = leader.syncs.iter();
        let found = asked.find(|(from, asked, _)| (*from, *asked) == (asker, token));
        let Some((_, _, before)) = found else { return false };
        self.rules.has(Flaw::LocalSync)
            || self.enough(leader, true, |l| l.adopted() && l.ponged > *before)
    }

    /// A sync is answered, to the learner that asked or to a client of the leader's own.
    pub(crate) fn confirm(&mut self, id: ServerId, asker: ServerId, token: u64) -> Allowed {
        if !self.may_confirm(id, asker, token) {
            return Err(format!(
                "n{id} answers a sync before a quorum has confirmed that it leads"
            ));
        }
        let syncs = &mut self.leader_mut(id)?.syncs;
        syncs.retain(|(from, asked, _)| (*from, *asked) != (asker, token));
        if asker == id {
            self.observe(&Event::Answered { server: id, token });
            return Ok(());
        }
        self.say_to(id, asker, Words::Synced { token })
    }

    /// A leader, or one that may become one, hears a learner.
    pub(crate) fn hear(&mut self, id: ServerId, link: LinkId, words: Words) -> Allowed {
        let from = link.learner;
        if let Words::FollowerInfo { accepted } = words {
            self.join(id, link, accepted);
            return Ok(());
        }
        let stray = self.rules.has(Flaw::StrayAcks);
        let written = self.server(id).written.last();
        let leader = self.leader(id)?;
        let (epoch, pinged, before) = (leader.epoch, leader.pinged, leader.pinged);
        let nonsense = format!("n{id} cannot make sense of {words:?} from n{from} now");
        let learner = self.learner_mut(id, from)?;
        match (learner.stage, words) {
            (LearnerStage::Told, Words::AckEpoch { current, last, snapshot }) => {
                return self.promised(id, from, (current, last), snapshot);
            }
            (LearnerStage::Synchronising, Words::AckLeader { epoch: acked }) if acked == epoch => {
                learner.stage = LearnerStage::Adopted;
            }
            (LearnerStage::Adopted | LearnerStage::Welcomed, Words::Ack { zxid })
                if zxid <= written || stray =>
            {
                learner.acked = zxid;
            }
            (stage, Words::Pong { seq })
                if stage >= LearnerStage::Synchronising && seq <= pinged =>
            {
                learner.ponged = seq;
            }
            (LearnerStage::Adopted | LearnerStage::Welcomed, Words::Sync { token }) => {
                self.leader_mut(id)?.syncs.push((from, token, before));
            }
            _ => return Err(nonsense),
        }
        Ok(())
    }
}

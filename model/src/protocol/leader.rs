//! What a leader may do to be established: discovery and synchronisation.

use std::collections::BTreeMap;

use zab::{ServerId, Zxid};

use super::Flaw;
use super::disk::{Write, count_to, last};
use super::ghost::Event;
use super::link::{LinkId, Words};
use super::state::{Allowed, Leader, Learner, LearnerStage, Phase, Role, State};

/// How a learner is brought to a leader's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It has nothing that the leader has not.
    Diff,
    /// Its end is unknown, but of an epoch of which the leader knows an earlier entry.
    Truncate {
        after: Zxid,
    },
    Snapshot,
}

impl Learner {
    fn new(link: LinkId, accepted: u32) -> Learner {
        let (stage, sent, acked) = (LearnerStage::Joined, Zxid::ZERO, Zxid::ZERO);
        Learner { link, accepted, stage, sent, acked, ponged: 0 }
    }

    pub(crate) fn adopted(&self) -> bool {
        self.stage >= LearnerStage::Adopted
    }

    /// Has it promised this epoch, and nobody else the same one?
    fn promised(&self, epoch: u32) -> bool {
        self.accepted < epoch && self.stage > LearnerStage::Told
    }
}

impl State {
    /// An oracle names a server as leader (the paper's phase 0).
    pub(crate) fn lead(&mut self, id: ServerId) -> Allowed {
        let server = self.server_mut(id);
        let Role::Looking { waiting } = &mut server.role else {
            return Err(format!("n{id} does not look for a leader"));
        };
        let learner = |(id, (link, accepted))| (id, Learner::new(link, accepted));
        let learners = std::mem::take(waiting).into_iter().map(learner).collect();
        server.role = Role::Leading(Leader {
            epoch: 0,
            phase: Phase::Gathering,
            learners,
            outbid: None,
            overtaken: false,
            pinged: 0,
            syncs: Vec::new(),
        });
        Ok(())
    }

    /// FOLLOWERINFO came.
    pub(crate) fn join(&mut self, id: ServerId, link: LinkId, accepted: u32) {
        match &mut self.server_mut(id).role {
            Role::Looking { waiting } => {
                waiting.insert(link.learner, (link, accepted));
            }
            Role::Following(_) => self.close(link, id),
            Role::Leading(leader) => {
                let late = leader.phase == Phase::Discovery && accepted == leader.epoch;
                if leader.phase > Phase::Gathering && (accepted > leader.epoch || late) {
                    leader.outbid = leader.outbid.max(Some(accepted));
                }
                leader.syncs.retain(|(asker, _, _)| *asker != link.learner);
                let old = leader.learners.insert(link.learner, Learner::new(link, accepted));
                if let Some(old) = old.filter(|old| old.link != link) {
                    self.close(old.link, id);
                }
            }
        }
    }

    /// The epoch that a leader may open: newer than any that its quorum has promised.
    pub(crate) fn may_open(&self, id: ServerId) -> Option<u32> {
        let leader = self.leader(id).ok()?;
        let accepted = leader.learners.values().map(|learner| learner.accepted);
        let newest = accepted.fold(self.server(id).written.accepted, u32::max);
        let gathered = self.enough(leader, true, |_| true);
        (leader.phase == Phase::Gathering && gathered)
            .then_some(newest)
            .and_then(|e| e.checked_add(1))
    }

    pub(crate) fn open(&mut self, id: ServerId, epoch: u32) -> Allowed {
        if self.may_open(id).is_none_or(|least| epoch < least) {
            return Err(format!("n{id} opens epoch {epoch} without a quorum, or not a new one"));
        }
        let leader = self.leader_mut(id)?;
        (leader.epoch, leader.phase) = (epoch, Phase::Discovery);
        let current = self.server(id).written.current;
        self.write(id, Write::Epochs { accepted: epoch, current });
        Ok(())
    }

    /// Takes note of a promise given to another, so that a later epoch of its own is newer.
    pub(crate) fn yield_to(&mut self, id: ServerId, accepted: u32) -> Allowed {
        let outbid = self.leader(id)?.outbid;
        if outbid != Some(accepted) {
            return Err(format!("n{id} accepts epoch {accepted}, of which it has not heard"));
        }
        let current = self.server(id).written.current;
        self.write(id, Write::Epochs { accepted, current });
        Ok(())
    }

    pub(crate) fn may_tell(&self, id: ServerId, to: ServerId) -> bool {
        let Ok(leader) = self.leader(id) else { return false };
        // Who has promised this very epoch may follow, but must not help to open it.
        let newest = if leader.phase > Phase::Discovery { leader.epoch + 1 } else { leader.epoch };
        leader.epoch > 0
            && leader.learners.get(&to).is_some_and(|learner| {
                learner.stage == LearnerStage::Joined && learner.accepted < newest
            })
    }

    /// LEADERINFO goes out.
    pub(crate) fn tell_epoch(&mut self, id: ServerId, to: ServerId) -> Allowed {
        if !self.may_tell(id, to) {
            return Err(format!("n{id} must not tell n{to} its epoch now"));
        }
        let epoch = self.leader(id)?.epoch;
        self.learner_mut(id, to)?.stage = LearnerStage::Told;
        self.say_to(id, to, Words::LeaderInfo { epoch })
    }

    /// ACKEPOCH came.
    pub(crate) fn promised(
        &mut self,
        id: ServerId,
        from: ServerId,
        age: (u32, Zxid),
        snapshot: Zxid,
    ) -> Allowed {
        let own = self.server(id).written.age();
        let compares = !self.rules.has(Flaw::NoComparison) && !self.observes(from);
        self.learner_mut(id, from)?.stage = LearnerStage::Promised { last: age.1, snapshot };
        let leader = self.leader_mut(id)?;
        leader.overtaken |= compares && leader.phase == Phase::Discovery && age > own;
        Ok(())
    }

    pub(crate) fn may_synchronise(&self, id: ServerId) -> bool {
        let Ok(leader) = self.leader(id) else { return false };
        let own = self.server(id).disk.durable.accepted >= leader.epoch
            || self.rules.has(Flaw::EarlyPromise);
        leader.phase == Phase::Discovery
            && !leader.overtaken
            && self.enough(leader, own, |learner| learner.promised(leader.epoch))
    }

    /// A quorum has promised: this leader's history is the epoch's.
    pub(crate) fn begin_synchronisation(&mut self, id: ServerId) -> Allowed {
        if !self.may_synchronise(id) {
            return Err(format!(
                "n{id} has not the promises of a quorum, or hears of a newer history"
            ));
        }
        let unsynced = self.server(id).disk.pending.len();
        let leader = self.leader_mut(id)?;
        leader.phase = Phase::Synchronisation { unsynced };
        let epoch = leader.epoch;
        self.observe(&Event::Prospective { leader: id, epoch });
        Ok(())
    }

    /// Which way ZooKeeper would take.
    pub(crate) fn way(&self, id: ServerId, last: Zxid, snapshot: Zxid) -> Way {
        let history = self.server(id).history();
        if count_to(history, last).is_some() {
            return Way::Diff;
        }
        let known = history.partition_point(|entry| entry.zxid < last);
        match known.checked_sub(1).map(|place| history[place].zxid) {
            Some(after) if after.epoch() == last.epoch() && after >= snapshot => {
                Way::Truncate { after }
            }
            _ => Way::Snapshot,
        }
    }

    /// The history begins to go out. Any way that is sound is allowed: a snapshot always is.
    pub(crate) fn begin_catching(&mut self, id: ServerId, to: ServerId, way: Way) -> Allowed {
        let leader = self.leader(id)?;
        let synchronises = leader.phase > Phase::Discovery;
        let stage = leader.learners.get(&to).map(|learner| learner.stage);
        let Some(LearnerStage::Promised { last: end, snapshot }) = stage.filter(|_| synchronises)
        else {
            return Err(format!("n{id} must not send n{to} its history now"));
        };
        let sound = way == Way::Snapshot || way == self.way(id, end, snapshot);
        if !sound {
            return Err(format!("n{id} brings n{to} from {end:?} by {way:?}, which is no way"));
        }
        let server = self.server(id);
        let delivered = server.history()[..server.delivered].to_vec();
        let sent = match way {
            Way::Diff if self.rules.has(Flaw::LateDiff) => after(server.history(), end),
            Way::Diff => end,
            Way::Truncate { after } => after,
            Way::Snapshot => last(&delivered),
        };
        let learner = self.learner_mut(id, to)?;
        (learner.stage, learner.sent) = (LearnerStage::Catching, sent);
        match way {
            Way::Diff => Ok(()),
            Way::Truncate { after } => self.say_to(id, to, Words::Truncate { after }),
            Way::Snapshot => self.say_to(id, to, Words::Snapshot { history: delivered }),
        }
    }

    /// The entry that a learner is to be sent next, if it is to be sent any.
    pub(crate) fn next_for(&self, id: ServerId, to: ServerId) -> Option<&super::Entry> {
        let learner = self.leader(id).ok()?.learners.get(&to)?;
        let history = self.server(id).history();
        let listens = learner.stage >= LearnerStage::Catching;
        listens.then(|| history.get(count_to(history, learner.sent)?)).flatten()
    }

    /// An entry goes out to one learner: the one after what it has.
    pub(crate) fn propose_to(&mut self, id: ServerId, to: ServerId, zxid: Zxid) -> Allowed {
        let next = self.next_for(id, to).filter(|entry| entry.zxid == zxid).cloned();
        let Some(entry) = next else {
            return Err(format!("n{id} must not send n{to} {zxid:?} now"));
        };
        self.learner_mut(id, to)?.sent = zxid;
        self.say_to(id, to, Words::Propose(entry))
    }

    /// What a learner must have been sent before NEWLEADER: all; of an established leader, an observer
    /// need not know what is not yet committed.
    pub(crate) fn history_due(&self, id: ServerId, to: ServerId) -> Zxid {
        let server = self.server(id);
        let informed = server.serving() && self.observes(to);
        if informed { last(&server.history()[..server.delivered]) } else { server.written.last() }
    }

    /// NEWLEADER goes out: that was the history.
    pub(crate) fn new_leader(&mut self, id: ServerId, to: ServerId) -> Allowed {
        let due = self.history_due(id, to);
        let epoch = self.leader(id)?.epoch;
        let learner = self.learner_mut(id, to)?;
        if learner.stage != LearnerStage::Catching || learner.sent < due {
            return Err(format!("n{id} sends n{to} NEWLEADER before all of its history"));
        }
        learner.stage = LearnerStage::Synchronising;
        self.say_to(id, to, Words::NewLeader { epoch })
    }

    pub(crate) fn may_adopt_own(&self, id: ServerId) -> bool {
        self.leader(id).is_ok_and(|leader| {
            leader.phase == Phase::Synchronisation { unsynced: 0 }
                && self.server(id).written.current < leader.epoch
        })
    }

    /// A leader takes over its own history, as a follower does.
    pub(crate) fn adopt_own(&mut self, id: ServerId) -> Allowed {
        if !self.may_adopt_own(id) {
            return Err(format!("n{id} writes currentEpoch before the history is on its disk"));
        }
        let current = self.leader(id)?.epoch;
        let accepted = self.server(id).written.accepted;
        self.write(id, Write::Epochs { accepted, current });
        Ok(())
    }

    pub(crate) fn may_establish(&self, id: ServerId) -> bool {
        let Ok(leader) = self.leader(id) else { return false };
        let own = self.server(id).disk.durable.current >= leader.epoch;
        let enough = self.enough(leader, own, Learner::adopted);
        matches!(leader.phase, Phase::Synchronisation { .. }) && own && enough
    }

    /// A quorum has taken over the history: all of it is committed.
    pub(crate) fn establish(&mut self, id: ServerId) -> Allowed {
        if !self.may_establish(id) {
            return Err(format!(
                "n{id} serves as leader before a quorum has taken over its history"
            ));
        }
        let leader = self.leader_mut(id)?;
        leader.phase = Phase::Broadcast;
        let epoch = leader.epoch;
        self.observe(&Event::Established { leader: id, epoch });
        Ok(())
    }

    /// A learner is gone. False if those left are no quorum any more.
    pub(crate) fn lose(&mut self, id: ServerId, learner: ServerId) -> bool {
        let Ok(leader) = self.leader_mut(id) else { return true };
        leader.learners.remove(&learner);
        leader.syncs.retain(|(asker, _, _)| *asker != learner);
        let leader = self.leader(id).expect("it still leads");
        match leader.phase {
            Phase::Gathering => true,
            Phase::Discovery | Phase::Synchronisation { .. } => self.enough(leader, true, |_| true),
            Phase::Broadcast => self.enough(leader, true, Learner::adopted),
        }
    }

    pub(crate) fn learner_mut(&mut self, id: ServerId, learner: ServerId) -> Allowed<&mut Learner> {
        let learners: &mut BTreeMap<_, _> = &mut self.leader_mut(id)?.learners;
        learners.get_mut(&learner).ok_or_else(|| format!("n{learner} is no learner of n{id}"))
    }

    /// To a learner.
    pub(crate) fn say_to(&mut self, id: ServerId, to: ServerId, words: Words) -> Allowed {
        let link = self.learner_mut(id, to)?.link;
        self.send(id, link, words);
        Ok(())
    }
}

/// The entry behind the one at `end`; the last, if there is none.
fn after(history: &[super::Entry], end: Zxid) -> Zxid {
    history.iter().map(|entry| entry.zxid).find(|zxid| *zxid > end).unwrap_or(end)
}

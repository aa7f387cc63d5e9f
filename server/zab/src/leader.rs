//! Leading: discovery and synchronisation, and the learners they gather.

use std::collections::BTreeMap;

use crate::broadcast::Confirmation;
use crate::catchup::{self, CatchUp};
use crate::core::{Core, Leave};
use crate::takeover::Takeover;
use crate::{Input, Members, Message, Output, Role, ServerId, Timer, Transaction, Vote, Zxid};

/// The leader of `epoch`. Its broadcast is in `broadcast.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    /// 0 while gathering.
    pub(crate) epoch: u32,
    stage: Stage,
    pub(crate) learners: BTreeMap<ServerId, Learner>,
    pub(crate) confirmation: Confirmation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Waits for a quorum's accepted epochs.
    Gathering,
    /// Waits for a quorum's promise of the new epoch.
    Discovery,
    /// Waits for a quorum to take over its history, its own disk included.
    Synchronisation(Takeover),
    /// Established.
    Broadcast,
}

/// What the leader knows of a learner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Learner {
    stage: LearnerStage,
    accepted_epoch: u32,
    /// Half-ticks since its last word.
    silence: u32,
    /// The last entry of this epoch known to be durable there; zero until it is adopted.
    pub(crate) acked: Zxid,
    /// The newest confirmation it took part in.
    pub(crate) ponged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum LearnerStage {
    /// FOLLOWERINFO came.
    Joined,
    /// LEADERINFO is sent.
    Told,
    /// ACKEPOCH came.
    Promised { last: Zxid, snapshot: Zxid },
    /// History and NEWLEADER are sent; proposals follow.
    Synchronising,
    /// NEWLEADER is acknowledged.
    Adopted,
}

impl Learner {
    fn new(accepted_epoch: u32) -> Learner {
        let (stage, acked) = (LearnerStage::Joined, Zxid::ZERO);
        Learner { stage, accepted_epoch, silence: 0, acked, ponged: 0 }
    }

    /// Gets proposals and pings.
    pub(crate) fn follows_broadcast(&self) -> bool {
        matches!(self.stage, LearnerStage::Synchronising | LearnerStage::Adopted)
    }

    pub(crate) fn adopted(&self) -> bool {
        self.stage == LearnerStage::Adopted
    }
}

impl Leader {
    /// `waiting`: learners that came before the election was decided here.
    pub(crate) fn start<T: Clone + Transaction, S>(
        waiting: BTreeMap<ServerId, u32>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Leader {
        let learners = waiting.into_iter().map(|(id, accepted)| (id, Learner::new(accepted)));
        let mut leader = Leader {
            epoch: 0,
            stage: Stage::Gathering,
            learners: learners.collect(),
            confirmation: Confirmation::default(),
        };
        out.push(Output::Role(leader.role()));
        core.start_init_timer(out);
        core.start_beat_timer(out);
        leader.advance(core, out);
        leader
    }

    pub(crate) fn role(&self) -> Role {
        Role::Leading { epoch: self.epoch, serving: self.serving() }
    }

    pub(crate) fn serving(&self) -> bool {
        self.stage == Stage::Broadcast
    }

    /// No quorum has gathered yet: nothing is lost by leaving.
    pub(crate) fn gathering(&self) -> bool {
        self.stage == Stage::Gathering
    }

    pub(crate) fn handle<T: Clone + Transaction, S>(
        &mut self,
        input: Input<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        match input {
            Input::Timer(Timer::Init) if !self.serving() => return Err(Leave),
            Input::Timer(Timer::Beat) => self.beat(core, out)?,
            Input::Stored { ops } => self.stored(ops),
            Input::Received { from, message } => self.hear(from, message, core, out)?,
            Input::Connected { peer } => out.push(Output::Disconnect { peer }),
            Input::Disconnected { peer } => self.lose(peer, core)?,
            Input::Submit { txn } => self.submit(txn, core, out)?,
            Input::Sync { token } => self.ask(core.config.id, token, core, out),
            _ => {}
        }
        self.advance(core, out);
        Ok(())
    }

    fn stored(&mut self, ops: usize) {
        if let Stage::Synchronisation(takeover) = &mut self.stage {
            takeover.stored(ops);
        }
    }

    /// Pings who follows, gives up who is silent.
    fn beat<T, S>(&mut self, core: &Core<T>, out: &mut Vec<Output<T, S>>) -> Result<(), Leave> {
        let init_beats = core.config.timing.init_limit.saturating_mul(2);
        let mut silent = Vec::new();
        for (&id, learner) in &mut self.learners {
            learner.silence += 1;
            let limit = if learner.adopted() { core.sync_beats() } else { init_beats };
            if learner.silence > limit {
                silent.push(id);
            }
        }
        for id in silent {
            self.dismiss(id, core, out)?;
        }
        self.ping(out);
        core.start_beat_timer(out);
        Ok(())
    }

    fn hear<T: Clone + Transaction, S>(
        &mut self,
        from: ServerId,
        message: Message<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        if let Message::FollowerInfo { accepted_epoch } = message {
            return self.join(from, accepted_epoch, core, out);
        }
        let epoch = self.epoch;
        let Some(learner) = self.learners.get_mut(&from) else {
            out.push(Output::Disconnect { peer: from });
            return Ok(());
        };
        learner.silence = 0;
        match (learner.stage, message) {
            (LearnerStage::Told, Message::AckEpoch { current_epoch, last, snapshot }) => {
                learner.stage = LearnerStage::Promised { last, snapshot };
                self.compare(from, current_epoch, last, core)
            }
            (LearnerStage::Synchronising, Message::AckLeader { epoch: acked })
                if acked == epoch =>
            {
                learner.stage = LearnerStage::Adopted;
                self.welcome(from, core, out);
                Ok(())
            }
            (LearnerStage::Adopted, Message::Ack { zxid }) if zxid <= core.log.last() => {
                learner.acked = zxid;
                Ok(())
            }
            (_, Message::Pong { seq })
                if learner.follows_broadcast() && seq <= self.confirmation.asked() =>
            {
                learner.ponged = seq;
                Ok(())
            }
            (LearnerStage::Adopted, Message::Forward { txn }) => self.submit(txn, core, out),
            (LearnerStage::Adopted, Message::SyncRequest { token }) => {
                self.ask(from, token, core, out);
                Ok(())
            }
            _ => self.dismiss(from, core, out),
        }
    }

    /// A learner, new or come again.
    fn join<T, S>(
        &mut self,
        id: ServerId,
        accepted_epoch: u32,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        if !self.gathering() && self.outbid(accepted_epoch) {
            // Its next election as leader, if any, starts above this epoch.
            core.promise(accepted_epoch, out);
            return Err(Leave);
        }
        self.confirmation.forget(id);
        self.learners.insert(id, Learner::new(accepted_epoch));
        if !self.gathering() {
            self.tell(id, out);
        }
        self.check_quorum(core)
    }

    /// Could the learner not follow, or its promise have been given to another leader of the same
    /// epoch? Such a promise must not count towards a quorum of promises; after that quorum, it
    /// can do no harm, for no other leader has one for this epoch.
    fn outbid(&self, accepted_epoch: u32) -> bool {
        accepted_epoch > self.epoch
            || accepted_epoch == self.epoch && self.stage == Stage::Discovery
    }

    /// A leader whose history is older than a learner's could lose what was committed, as long as
    /// that learner may be needed for the quorum of promises.
    fn compare<T>(
        &self,
        learner: ServerId,
        epoch: u32,
        zxid: Zxid,
        core: &Core<T>,
    ) -> Result<(), Leave> {
        let own = core.history_as_vote();
        let newer = core.config.beats(Vote { epoch, zxid, ..own }, own);
        let needed = self.stage == Stage::Discovery && core.configurations.has_voter(learner);
        if needed && newer { Err(Leave) } else { Ok(()) }
    }

    /// Takes every step for which all is there.
    fn advance<T: Clone + Transaction, S>(
        &mut self,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) {
        if self.stage == Stage::Gathering && self.enough(core, |_| true, true) {
            self.open_epoch(core, out);
        }
        if self.stage == Stage::Discovery {
            let own = core.disk.epochs.accepted >= self.epoch;
            let promised =
                |learner: &Learner| matches!(learner.stage, LearnerStage::Promised { .. });
            if self.enough(core, promised, own) {
                self.stage = Stage::Synchronisation(Takeover::start(core));
            }
        }
        self.synchronise(core, out);
        if let Stage::Synchronisation(takeover) = &mut self.stage {
            let own = takeover.advance(self.epoch, core, out);
            if own && self.enough(core, Learner::adopted, own) {
                self.establish(core, out);
            }
        }
        if self.stage == Stage::Broadcast {
            self.commit(core, out);
            self.confirm(core, out);
        }
    }

    fn open_epoch<T, S>(&mut self, core: &mut Core<T>, out: &mut Vec<Output<T, S>>) {
        let accepted = self.learners.values().map(|learner| learner.accepted_epoch);
        let newest = accepted.fold(core.epochs.accepted, u32::max);
        // Out of epochs after 2^32 elections: there is nothing left to lead in.
        let Some(epoch) = newest.checked_add(1) else { return };
        self.epoch = epoch;
        self.stage = Stage::Discovery;
        out.push(Output::Role(self.role()));
        core.promise(epoch, out);
        let learners: Vec<_> = self.learners.keys().copied().collect();
        for id in learners {
            self.tell(id, out);
        }
    }

    fn tell<T, S>(&mut self, id: ServerId, out: &mut Vec<Output<T, S>>) {
        if let Some(learner) = self.learners.get_mut(&id) {
            learner.stage = LearnerStage::Told;
            out.push(Output::Send { to: id, message: Message::LeaderInfo { epoch: self.epoch } });
        }
    }

    /// Sends its history to every learner that waits for it.
    fn synchronise<T: Clone + Transaction, S>(
        &mut self,
        core: &Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) {
        if matches!(self.stage, Stage::Gathering | Stage::Discovery) {
            return;
        }
        for (&to, learner) in &mut self.learners {
            if let LearnerStage::Promised { last, snapshot } = learner.stage {
                send_history(to, last, snapshot, core, out);
                let configuration = core.configurations.in_force().clone();
                let message = Message::NewLeader { epoch: self.epoch, configuration };
                out.push(Output::Send { to, message });
                learner.stage = LearnerStage::Synchronising;
            }
        }
    }

    /// A quorum has taken over this history: all of it is committed.
    fn establish<T: Clone + Transaction, S>(
        &mut self,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) {
        self.stage = Stage::Broadcast;
        core.deliver(core.log.last(), out);
        out.push(Output::Role(self.role()));
        out.push(Output::CancelTimer(Timer::Init));
        for (&to, _) in self.learners.iter().filter(|(_, learner)| learner.adopted()) {
            let message = Message::UpToDate { committed: core.delivered };
            out.push(Output::Send { to, message });
        }
    }

    fn welcome<T, S>(&self, to: ServerId, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        if self.serving() {
            let message = Message::UpToDate { committed: core.delivered };
            out.push(Output::Send { to, message });
        }
    }

    /// Closes the connection with a learner that is silent or makes no sense.
    fn dismiss<T, S>(
        &mut self,
        id: ServerId,
        core: &Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        out.push(Output::Disconnect { peer: id });
        self.lose(id, core)
    }

    fn lose<T>(&mut self, id: ServerId, core: &Core<T>) -> Result<(), Leave> {
        self.learners.remove(&id);
        self.confirmation.forget(id);
        self.check_quorum(core)
    }

    /// Once a quorum has gathered, to lose it is to lead no more: those who left can only elect a
    /// leader with this server, or without it.
    fn check_quorum<T>(&self, core: &Core<T>) -> Result<(), Leave> {
        let kept = match self.stage {
            Stage::Gathering => true,
            Stage::Discovery | Stage::Synchronisation(_) => self.enough(core, |_| true, true),
            Stage::Broadcast => self.enough(core, Learner::adopted, true),
        };
        if kept { Ok(()) } else { Err(Leave) }
    }

    /// Are the learners that `count`, and this server if `own`, a quorum of all that decide?
    pub(crate) fn enough<T>(
        &self,
        core: &Core<T>,
        count: impl Fn(&Learner) -> bool,
        own: bool,
    ) -> bool {
        core.is_quorum(|id| self.counts(id, core, &count, own))
    }

    pub(crate) fn has_quorum_of<T>(&self, members: &Members, core: &Core<T>) -> bool {
        let synchronised = |id| self.counts(id, core, Learner::adopted, true);
        self.serving() && core.config.is_quorum(members, synchronised)
    }

    fn counts<T>(
        &self,
        id: ServerId,
        core: &Core<T>,
        count: impl Fn(&Learner) -> bool,
        own: bool,
    ) -> bool {
        if id == core.config.id { own } else { self.learners.get(&id).is_some_and(count) }
    }
}

fn send_history<T: Clone + Transaction, S>(
    to: ServerId,
    last: Zxid,
    snapshot: Zxid,
    core: &Core<T>,
    out: &mut Vec<Output<T, S>>,
) {
    let known = match catchup::choose(&core.log, last, snapshot) {
        CatchUp::Diff => last,
        CatchUp::Truncate { after } => {
            out.push(Output::Send { to, message: Message::Truncate { after } });
            after
        }
        CatchUp::Snapshot => {
            out.push(Output::SendSnapshot { to, zxid: core.delivered });
            core.delivered
        }
    };
    let entries = core.log.after(known).cloned();
    out.extend(entries.map(|entry| Output::Send { to, message: Message::Propose(entry) }));
}

//! Following: discovery, synchronisation and broadcast as a learner sees them.

use crate::core::{Core, Leave};
use crate::log::follows;
use crate::takeover::Takeover;
use crate::{
    Configuration, Entry, Input, Message, Mutant, Output, Role, ServerId, Timer, Transaction, Zxid,
};

/// A learner of `leader`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Follower<T, S> {
    pub(crate) leader: ServerId,
    /// 0 before it is known.
    epoch: u32,
    stage: Stage<T, S>,
    /// Half-ticks since the leader's last word.
    silence: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage<T, S> {
    Connecting,
    /// FOLLOWERINFO is sent.
    Discovering,
    /// The epoch is being accepted.
    Promising,
    /// ACKEPOCH is sent; the log is edited as ordered.
    Synchronising,
    /// A snapshot came. It is held until NEWLEADER, so that it is installed with all that follows:
    /// state without its log's tail would lack entries this server has acknowledged before.
    Installing {
        zxid: Zxid,
        state: S,
        log: Vec<Entry<T>>,
    },
    /// NEWLEADER came.
    Adopting(Takeover),
    /// NEWLEADER is acknowledged.
    Adopted,
    /// UPTODATE came.
    Serving,
}

impl<T: Clone + Transaction, S: Clone> Follower<T, S> {
    pub(crate) fn start(
        leader: ServerId,
        core: &Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Follower<T, S> {
        let follower = Follower { leader, epoch: 0, stage: Stage::Connecting, silence: 0 };
        out.push(Output::Role(follower.role(core)));
        core.start_init_timer(out);
        out.push(Output::Connect { to: leader });
        follower
    }

    pub(crate) fn role(&self, core: &Core<T>) -> Role {
        let Follower { leader, epoch, .. } = *self;
        let members = &core.configurations.in_force().members;
        match members.0.get(&core.config.id) {
            Some(member) if member.votes => {
                Role::Following { leader, epoch, serving: self.synchronised() }
            }
            member => {
                let serving = self.synchronised() && member.is_some();
                Role::Observing { leader, epoch, serving }
            }
        }
    }

    fn synchronised(&self) -> bool {
        matches!(self.stage, Stage::Serving)
    }

    pub(crate) fn handle(
        &mut self,
        input: Input<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        match input {
            Input::Connected { peer } => self.connected(peer, core, out),
            Input::Disconnected { peer } if peer == self.leader => return Err(Leave),
            Input::Timer(Timer::Init) if !self.synchronised() => return Err(Leave),
            Input::Timer(Timer::Beat) => return self.beat(core, out),
            Input::Stored { ops } => self.stored(ops, core, out),
            Input::Received { from, message } if from == self.leader => {
                self.silence = 0;
                return self.hear(message, core, out);
            }
            Input::Received { from, .. } => out.push(Output::Disconnect { peer: from }),
            Input::Submit { txn } if self.synchronised() => {
                self.send(Message::Forward { txn }, out);
            }
            Input::Sync { token } if self.synchronised() => self.sync(token, core, out),
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, peer: ServerId, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        if peer != self.leader {
            out.push(Output::Disconnect { peer });
        } else if matches!(self.stage, Stage::Connecting) {
            self.stage = Stage::Discovering;
            let accepted_epoch = core.epochs.accepted;
            self.send(Message::FollowerInfo { accepted_epoch }, out);
        }
    }

    fn beat(&mut self, core: &Core<T>, out: &mut Vec<Output<T, S>>) -> Result<(), Leave> {
        self.silence += 1;
        if self.silence > core.sync_beats() {
            return Err(Leave);
        }
        core.start_beat_timer(out);
        Ok(())
    }

    fn hear(
        &mut self,
        message: Message<T, S>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        match message {
            Message::LeaderInfo { epoch } => self.leader_info(epoch, core, out),
            Message::Truncate { after } if matches!(self.stage, Stage::Synchronising) => {
                core.truncate(after, out)
            }
            Message::Snapshot { zxid, state }
                if matches!(self.stage, Stage::Synchronising) && zxid.epoch() <= self.epoch =>
            {
                self.stage = Stage::Installing { zxid, state, log: Vec::new() };
                Ok(())
            }
            Message::Propose(entry) => self.propose(entry, core, out),
            Message::NewLeader { epoch, configuration } => {
                self.new_leader(epoch, configuration, core, out)
            }
            Message::UpToDate { committed } if matches!(self.stage, Stage::Adopted) => {
                self.up_to_date(committed, core, out)
            }
            Message::Commit { zxid } if self.synchronised() => self.commit(zxid, core, out),
            Message::Ping { seq } => {
                self.send(Message::Pong { seq }, out);
                Ok(())
            }
            Message::SyncReply { token } if self.synchronised() => {
                out.push(Output::SyncDone { token });
                Ok(())
            }
            _ => Err(Leave),
        }
    }

    fn leader_info(
        &mut self,
        epoch: u32,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        if !matches!(self.stage, Stage::Discovering) || epoch < core.epochs.accepted {
            return Err(Leave);
        }
        self.epoch = epoch;
        out.push(Output::Role(self.role(core)));
        core.promise(epoch, out);
        self.stage = Stage::Promising;
        self.acknowledge_epoch(core, out);
        Ok(())
    }

    fn propose(
        &mut self,
        entry: Entry<T>,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        let zxid = entry.zxid;
        if zxid.epoch() > self.epoch {
            return Err(Leave);
        }
        match &mut self.stage {
            Stage::Connecting | Stage::Discovering | Stage::Promising => return Err(Leave),
            Stage::Installing { zxid: base, log, .. } => {
                let previous = log.last().map_or(*base, |entry| entry.zxid);
                if !follows(previous, zxid) {
                    return Err(Leave);
                }
                log.push(entry);
            }
            _ if !follows(core.log.last(), zxid) => return Err(Leave),
            Stage::Adopted | Stage::Serving if core.config.mutant == Some(Mutant::X1) => {
                core.append(entry, out);
                self.send(Message::Ack { zxid }, out);
            }
            _ => core.append(entry, out),
        }
        Ok(())
    }

    fn new_leader(
        &mut self,
        epoch: u32,
        configuration: Configuration,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        if epoch != self.epoch {
            return Err(Leave);
        }
        match std::mem::replace(&mut self.stage, Stage::Synchronising) {
            Stage::Synchronising => {}
            Stage::Installing { zxid, state, log } => core.install(zxid, state, log, out),
            _ => return Err(Leave),
        }
        core.adopt_configuration(configuration, out);
        self.stage = Stage::Adopting(Takeover::start(core));
        self.acknowledge_leader(core, out);
        Ok(())
    }

    fn up_to_date(
        &mut self,
        committed: Zxid,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        self.commit(committed, core, out)?;
        self.stage = Stage::Serving;
        out.push(Output::Role(self.role(core)));
        out.push(Output::CancelTimer(Timer::Init));
        core.start_beat_timer(out);
        Ok(())
    }

    fn commit(
        &mut self,
        zxid: Zxid,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        if zxid < core.delivered || !core.log.knows(zxid) {
            return Err(Leave);
        }
        let role = self.role(core);
        core.deliver(zxid, out);
        if self.role(core) != role {
            out.push(Output::Role(self.role(core)));
        }
        // A leader that is no participant any more makes way for one that is.
        let members = &core.configurations.in_force().members;
        if members.has_voter(self.leader) { Ok(()) } else { Err(Leave) }
    }

    fn sync(&mut self, token: u64, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        if core.config.mutant == Some(Mutant::X17) {
            out.push(Output::SyncDone { token });
        } else {
            self.send(Message::SyncRequest { token }, out);
        }
    }

    fn stored(&mut self, ops: usize, core: &mut Core<T>, out: &mut Vec<Output<T, S>>) {
        match &mut self.stage {
            Stage::Promising => self.acknowledge_epoch(core, out),
            Stage::Adopting(takeover) => {
                takeover.stored(ops);
                self.acknowledge_leader(core, out);
            }
            Stage::Adopted | Stage::Serving => self.acknowledge(core, out),
            _ => {}
        }
    }

    fn acknowledge_epoch(&mut self, core: &mut Core<T>, out: &mut Vec<Output<T, S>>) {
        if core.disk.epochs.accepted < self.epoch {
            return;
        }
        self.stage = Stage::Synchronising;
        let (current_epoch, last) = (core.epochs.current, core.log.last());
        self.send(Message::AckEpoch { current_epoch, last, snapshot: core.snapshot }, out);
        if core.config.mutant == Some(Mutant::X5) {
            core.adopt(self.epoch, out);
        }
    }

    fn acknowledge_leader(&mut self, core: &mut Core<T>, out: &mut Vec<Output<T, S>>) {
        let Stage::Adopting(takeover) = &mut self.stage else { return };
        let early = core.config.mutant == Some(Mutant::X4);
        if early {
            core.adopt(self.epoch, out);
        }
        if early || takeover.advance(self.epoch, core, out) {
            self.stage = Stage::Adopted;
            self.send(Message::AckLeader { epoch: self.epoch }, out);
            self.acknowledge(core, out);
        }
    }

    /// Proposals of this epoch are acknowledged once durable; what came before them, NEWLEADER's
    /// acknowledgement has covered.
    fn acknowledge(&self, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        let zxid = core.disk.last;
        if zxid.epoch() == self.epoch {
            self.send(Message::Ack { zxid }, out);
        }
    }

    fn send(&self, message: Message<T, S>, out: &mut Vec<Output<T, S>>) {
        out.push(Output::Send { to: self.leader, message });
    }
}

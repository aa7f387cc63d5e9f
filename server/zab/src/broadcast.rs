//! Leading: the order of transactions, and the proof that it is still this leader that makes it.

use crate::core::{Core, Leave};
use crate::leader::{Leader, Learner};
use crate::{Entry, Members, Message, Mutant, Output, ServerId, Transaction, Zxid};

/// Rounds in which a quorum says that it still follows (Raft's ReadIndex: thesis, section 6.4).
/// One round is under way at a time; who asks meanwhile shares the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Confirmation {
    /// The number of the newest round.
    asked: u64,
    /// Who asked before it began, and from where.
    confirming: Vec<(ServerId, u64)>,
    /// Who asked since.
    queued: Vec<(ServerId, u64)>,
}

impl Confirmation {
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// The learner is gone, and its clients with it.
    pub(crate) fn forget(&mut self, id: ServerId) {
        self.confirming.retain(|(asker, _)| *asker != id);
        self.queued.retain(|(asker, _)| *asker != id);
    }
}

impl Leader {
    /// Gives a transaction its place. There is one reconfiguration under way at a time, and a
    /// leader that it has removed takes no more.
    pub(crate) fn submit<T: Clone + Transaction, S>(
        &mut self,
        txn: T,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        let second = txn.members().is_some() && core.configurations.next().is_some();
        if !self.serving() || second || !core.votes() {
            return Ok(());
        }
        let entry = Entry { zxid: self.next_zxid(core.log.last()).ok_or(Leave)?, txn };
        core.append(entry.clone(), out);
        let followers = self.learners.iter().filter(|(_, learner)| learner.follows_broadcast());
        for (&to, _) in followers {
            out.push(Output::Send { to, message: Message::Propose(entry.clone()) });
        }
        Ok(())
    }

    /// None when the epoch has no number left: the next leader starts a new one
    /// (ZOOKEEPER-1277).
    fn next_zxid(&self, last: Zxid) -> Option<Zxid> {
        let counter = if last.epoch() == self.epoch { last.counter() } else { 0 };
        Some(Zxid::new(self.epoch, counter.checked_add(1)?))
    }

    /// Commits what is on enough disks, in order. Only entries of this epoch are left to count:
    /// those before it were committed, and delivered, when a quorum took over the history.
    pub(crate) fn commit<T: Clone + Transaction, S>(
        &mut self,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) {
        loop {
            let zxid = self.committable(core);
            if zxid <= core.delivered {
                return;
            }
            for (&to, _) in self.learners.iter().filter(|(_, learner)| learner.adopted()) {
                out.push(Output::Send { to, message: Message::Commit { zxid } });
            }
            // This may put a configuration in force whose quorum has more on its disks.
            core.deliver(zxid, out);
        }
    }

    /// The configuration in force decides on everything up to a reconfiguration, which needs, with
    /// all that follows it, a quorum of the next one besides.
    fn committable<T>(&self, core: &Core<T>) -> Zxid {
        let in_force = &core.configurations.in_force().members;
        let now = self.durable_at_quorum(in_force, core);
        let Some(next) = core.configurations.next() else { return now };
        let before = core.log.floor(Zxid(next.version.0 - 1)).unwrap_or_default();
        let then = self.durable_at_quorum(&next.members, core).max(before);
        match core.config.mutant {
            Some(Mutant::X44) => then,
            Some(Mutant::X45) => now,
            _ => now.min(then),
        }
    }

    fn durable_at_quorum<T>(&self, members: &Members, core: &Core<T>) -> Zxid {
        let counts = |id: &ServerId| core.config.counts(members, *id);
        let learners = self.learners.iter().filter(|(id, _)| counts(id));
        let mut durable: Vec<_> = learners.map(|(_, learner)| learner.acked).collect();
        if counts(&core.config.id) {
            durable.push(match core.config.mutant {
                Some(Mutant::X3) => core.log.last(),
                _ => core.disk.last,
            });
        }
        durable.sort_unstable_by(|a, b| b.cmp(a));
        durable.get(core.config.quorum(members) - 1).copied().unwrap_or_default()
    }

    /// `sync`: everything committed by now has been delivered here already, so it remains to
    /// prove that no other leader has committed more.
    pub(crate) fn ask<T, S>(
        &mut self,
        asker: ServerId,
        token: u64,
        core: &Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) {
        if !self.serving() {
            return;
        }
        if core.config.mutant == Some(Mutant::X17) {
            return reply(asker, token, core, out);
        }
        self.confirmation.queued.push((asker, token));
        if self.confirmation.confirming.is_empty() {
            self.begin_round(out);
        }
    }

    fn begin_round<T, S>(&mut self, out: &mut Vec<Output<T, S>>) {
        self.confirmation.confirming = std::mem::take(&mut self.confirmation.queued);
        self.confirmation.asked += 1;
        self.ping(out);
    }

    /// Ends the round under way if a quorum has answered, and begins the next.
    pub(crate) fn confirm<T, S>(&mut self, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
        while !self.confirmation.confirming.is_empty() && self.confirmed(core) {
            for (asker, token) in std::mem::take(&mut self.confirmation.confirming) {
                reply(asker, token, core, out);
            }
            if !self.confirmation.queued.is_empty() {
                self.begin_round(out);
            }
        }
    }

    fn confirmed<T>(&self, core: &Core<T>) -> bool {
        let asked = self.confirmation.asked;
        self.enough(core, |learner: &Learner| learner.adopted() && learner.ponged >= asked, true)
    }

    pub(crate) fn ping<T, S>(&self, out: &mut Vec<Output<T, S>>) {
        let seq = self.confirmation.asked;
        for (&to, _) in self.learners.iter().filter(|(_, learner)| learner.follows_broadcast()) {
            out.push(Output::Send { to, message: Message::Ping { seq } });
        }
    }
}

fn reply<T, S>(asker: ServerId, token: u64, core: &Core<T>, out: &mut Vec<Output<T, S>>) {
    out.push(if asker == core.config.id {
        Output::SyncDone { token }
    } else {
        Output::Send { to: asker, message: Message::SyncReply { token } }
    });
}

#[cfg(test)]
mod tests {
    use crate::{
        Config, Configuration, Durable, Entry, Input, Members, Mutant, Output, Peer, Role, Store,
        Timing, Zxid,
    };

    /// A server alone, established in epoch 1, whose log the test may extend.
    fn leader() -> Peer<(), ()> {
        let timing =
            Timing { tick_ms: 2, init_limit: 1, sync_limit: 1, settle_ms: 1, resend_ms: 1 };
        let configuration = Configuration::initial(Members::of_voters([1]));
        let config = Config { id: 1, configuration, timing, log_kept: 0, mutant: None::<Mutant> };
        let mut out = Vec::new();
        let mut peer = Peer::restart(config, Durable::nothing(), &mut out);
        peer.handle(Input::Stored { ops: 1 }, &mut out);
        peer.handle(Input::Stored { ops: 1 }, &mut out);
        assert_eq!(peer.role(), Role::Leading { epoch: 1, serving: true });
        peer
    }

    #[test]
    fn an_epoch_without_numbers_left_ends() {
        let mut peer = leader();
        let mut out: Vec<Output<(), ()>> = Vec::new();
        let last = Zxid::new(1, u32::MAX - 1);
        peer.core_mut().append(Entry { zxid: last, txn: () }, &mut out);

        out.clear();
        peer.handle(Input::Submit { txn: () }, &mut out);
        let entry = Entry { zxid: Zxid::new(1, u32::MAX), txn: () };
        assert_eq!(out, [Output::Store(Store::Append(entry))]);

        out.clear();
        peer.handle(Input::Submit { txn: () }, &mut out);
        assert_eq!(out[0], Output::Role(Role::Looking));
        assert_eq!(peer.last_logged(), Zxid::new(1, u32::MAX));
        assert_eq!(peer.role(), Role::Leading { epoch: 2, serving: false });
    }
}

//! What a peer is in any role: its history, its promises, its vote.

use crate::disk::{Disk, Epochs, Write};
use crate::log::Log;
use crate::members::Configurations;
use crate::{
    Config, Configuration, Durable, Entry, Members, Message, Mutant, Output, ServerId, Stance,
    Store, Timer, Transaction, Vote, Zxid,
};

/// A role ended: search for a leader.
#[derive(Debug)]
pub(crate) struct Leave;

/// Invariant: start of the window ≤ `snapshot` ≤ `delivered` ≤ end of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Core<T> {
    pub(crate) config: Config,
    pub(crate) configurations: Configurations,
    /// Those it may speak to have changed since the driver was last told.
    pub(crate) new_contacts: bool,
    /// The election round (ZooKeeper's logical clock).
    pub(crate) round: u64,
    /// While looking, the present vote; then the vote that was decided on.
    pub(crate) vote: Vote,
    /// As ordered; [`Disk`] knows what of it is durable. So are `log` and `snapshot`.
    pub(crate) epochs: Epochs,
    pub(crate) log: Log<T>,
    pub(crate) disk: Disk,
    /// The application's last snapshot; the log cannot be truncated below.
    pub(crate) snapshot: Zxid,
    /// The last entry delivered. Entries are delivered when known to be committed, at once.
    pub(crate) delivered: Zxid,
    /// The newest configuration that the disk is to know as committed.
    settled: Zxid,
}

impl<T: Transaction> Core<T> {
    pub(crate) fn restart(config: Config, durable: Durable<T>) -> Core<T> {
        let mut configurations = Configurations::new(config.configuration.clone());
        note_all(&mut configurations, &durable.log);
        configurations.committed(durable.settled);
        let log = Log::new(durable.snapshot, durable.log);
        let epochs = Epochs { accepted: durable.accepted_epoch, current: durable.current_epoch };
        let vote = Vote { epoch: epochs.current, zxid: log.last(), leader: config.id };
        let (disk, snapshot) = (Disk::new(log.last(), epochs), durable.snapshot);
        Core {
            config,
            configurations,
            new_contacts: true,
            round: 0,
            vote,
            epochs,
            log,
            disk,
            snapshot,
            delivered: snapshot,
            settled: durable.settled,
        }
    }
}

/// Takes note of every reconfiguration in a log.
fn note_all<T: Transaction>(configurations: &mut Configurations, log: &[Entry<T>]) {
    for entry in log {
        if let Some(members) = entry.txn.members() {
            configurations.logged(entry.zxid, members.clone());
        }
    }
}

impl<T> Core<T> {
    /// This peer as a candidate. Who has no vote proposes nobody: any vote is better.
    pub(crate) fn candidacy(&self) -> Vote {
        if self.elects() { self.history_as_vote() } else { Vote::NOBODY }
    }

    /// Its history, in the form in which histories are compared.
    pub(crate) fn history_as_vote(&self) -> Vote {
        Vote { epoch: self.epochs.current, zxid: self.log.last(), leader: self.config.id }
    }

    pub(crate) fn notify<S>(&self, to: ServerId, stance: Stance, out: &mut Vec<Output<T, S>>) {
        let Core { round, vote, .. } = *self;
        let version = self.configurations.newest().version;
        let logged = self.configurations.logged_version();
        let message = Message::Notification { round, vote, stance, version, logged };
        out.push(Output::Send { to, message });
    }

    /// Does this server have a vote?
    pub(crate) fn elects(&self) -> bool {
        self.has_elector(self.config.id)
    }

    /// Does the vote of this one count?
    pub(crate) fn has_elector(&self, id: ServerId) -> bool {
        self.electing().any(|members| self.config.counts(members, id))
    }

    /// The configurations by whose votes a leader is found.
    pub(crate) fn electing(&self) -> impl Iterator<Item = &Members> {
        self.configurations.electing()
    }

    /// Are the servers that `count` enough to elect?
    pub(crate) fn is_majority(&self, count: impl Fn(ServerId) -> bool) -> bool {
        self.electing().all(|members| self.config.is_quorum(members, &count))
    }

    /// Another server knows a committed configuration: true if this is news.
    pub(crate) fn told<S>(
        &mut self,
        configuration: Configuration,
        out: &mut Vec<Output<T, S>>,
    ) -> bool {
        let is_news = self.configurations.told(configuration);
        if is_news {
            self.new_contacts = true;
            self.settle(self.configurations.in_force().version, out);
        }
        is_news
    }

    /// Is this server a participant?
    pub(crate) fn votes(&self) -> bool {
        self.configurations.in_force().members.has_voter(self.config.id)
    }

    /// Are the servers that `count` enough to decide?
    pub(crate) fn is_quorum(&self, count: impl Fn(ServerId) -> bool) -> bool {
        self.deciding().all(|members| self.config.is_quorum(members, &count))
    }

    /// The configurations of which quorums are needed.
    pub(crate) fn deciding(&self) -> impl Iterator<Item = &Members> {
        let (skipped, taken) = match self.config.mutant {
            Some(Mutant::X44) => (usize::from(self.configurations.next().is_some()), 2),
            Some(Mutant::X45) => (0, 1),
            _ => (0, 2),
        };
        self.configurations.deciding().skip(skipped).take(taken)
    }

    /// The leader has this configuration in force.
    pub(crate) fn adopt_configuration<S>(
        &mut self,
        configuration: Configuration,
        out: &mut Vec<Output<T, S>>,
    ) {
        let version = configuration.version;
        self.configurations.adopt(configuration);
        self.new_contacts = true;
        self.settle(version, out);
    }

    fn settle<S>(&mut self, version: Zxid, out: &mut Vec<Output<T, S>>) {
        if version > self.settled {
            self.settled = version;
            self.disk.order(Write::Settled);
            out.push(Output::Store(Store::Settled { version }));
        }
    }

    pub(crate) fn start_init_timer<S>(&self, out: &mut Vec<Output<T, S>>) {
        let timing = &self.config.timing;
        let ms = timing.tick_ms.saturating_mul(timing.init_limit.into());
        out.push(Output::SetTimer { timer: Timer::Init, ms });
    }

    pub(crate) fn start_beat_timer<S>(&self, out: &mut Vec<Output<T, S>>) {
        let ms = self.config.timing.tick_ms / 2;
        out.push(Output::SetTimer { timer: Timer::Beat, ms });
    }

    /// Half-ticks of silence after which a synchronised server is given up.
    pub(crate) fn sync_beats(&self) -> u32 {
        self.config.timing.sync_limit.saturating_mul(2)
    }

    /// Promises to follow nobody of an older epoch.
    pub(crate) fn promise<S>(&mut self, epoch: u32, out: &mut Vec<Output<T, S>>) {
        if self.config.mutant == Some(Mutant::X6) {
            self.epochs.accepted = epoch;
            self.disk.epochs.accepted = epoch;
            return;
        }
        self.save(Epochs { accepted: epoch, ..self.epochs }, out);
    }

    /// Its history is now that of `epoch`.
    pub(crate) fn adopt<S>(&mut self, epoch: u32, out: &mut Vec<Output<T, S>>) {
        self.save(Epochs { current: epoch, ..self.epochs }, out);
    }

    fn save<S>(&mut self, epochs: Epochs, out: &mut Vec<Output<T, S>>) {
        if epochs == self.epochs {
            return;
        }
        self.epochs = epochs;
        self.disk.order(Write::Epochs(epochs));
        let Epochs { accepted, current } = epochs;
        out.push(Output::Store(Store::Epochs { accepted, current }));
    }

    /// Drops every entry after `after`, delivered or not.
    pub(crate) fn truncate<S>(
        &mut self,
        after: Zxid,
        out: &mut Vec<Output<T, S>>,
    ) -> Result<(), Leave> {
        if self.config.mutant == Some(Mutant::X11) {
            return Ok(());
        }
        if after < self.snapshot || !self.log.knows(after) {
            return Err(Leave);
        }
        // What was delivered is taken back by starting from the snapshot again.
        if after < self.delivered && self.log.base() > self.snapshot {
            return Err(Leave);
        }
        self.log.truncate(after);
        self.configurations.truncated(after);
        self.new_contacts = true;
        self.disk.order(Write::Log(after));
        out.push(Output::Store(Store::Truncate { after }));
        self.undeliver(after, out);
        Ok(())
    }

    /// Only a broken protocol truncates what was delivered; then the application must follow.
    fn undeliver<S>(&mut self, after: Zxid, out: &mut Vec<Output<T, S>>) {
        if self.delivered > after {
            self.delivered = self.snapshot;
            out.push(Output::Reset { zxid: self.snapshot, state: None });
        }
    }

    /// The application's snapshot up to `upto` is durable.
    pub(crate) fn compact(&mut self, upto: Zxid) {
        // A snapshot that was overtaken by a reset is of no use here.
        if self.snapshot < upto && upto <= self.delivered {
            self.snapshot = upto;
            self.forget(upto);
        }
    }

    /// Nothing that is still to be delivered leaves memory.
    pub(crate) fn forget(&mut self, upto: Zxid) {
        self.log.compact(upto.min(self.delivered), self.config.log_kept);
    }
}

impl<T: Clone + Transaction> Core<T> {
    pub(crate) fn append<S>(&mut self, entry: Entry<T>, out: &mut Vec<Output<T, S>>) {
        if let Some(members) = entry.txn.members() {
            self.configurations.logged(entry.zxid, members.clone());
            self.new_contacts = true;
        }
        self.disk.order(Write::Log(entry.zxid));
        self.log.push(entry.clone());
        out.push(Output::Store(Store::Append(entry)));
    }

    /// Replaces history and state.
    pub(crate) fn install<S: Clone>(
        &mut self,
        zxid: Zxid,
        state: S,
        log: Vec<Entry<T>>,
        out: &mut Vec<Output<T, S>>,
    ) {
        self.configurations.truncated(Zxid::ZERO);
        note_all(&mut self.configurations, &log);
        self.new_contacts = true;
        self.log = Log::new(zxid, log.iter().cloned());
        self.disk.order(Write::Log(self.log.last()));
        self.snapshot = zxid;
        self.delivered = zxid;
        out.push(Output::Store(Store::Install { zxid, state: state.clone(), log }));
        out.push(Output::Reset { zxid, state: Some(state) });
    }

    /// Everything up to `upto` is committed, which is no less than before.
    pub(crate) fn deliver<S>(&mut self, upto: Zxid, out: &mut Vec<Output<T, S>>) {
        assert!(
            upto <= self.log.last(),
            "{upto:?} committed, the log ends at {:?}",
            self.log.last()
        );
        let before = out.len();
        let committed = self.log.after(self.delivered).take_while(|entry| entry.zxid <= upto);
        out.extend(committed.cloned().map(Output::Deliver));
        if self.config.mutant == Some(Mutant::X15) {
            out[before..].reverse();
        }
        self.delivered = upto;
        if let Some(version) = self.configurations.committed(upto).map(|one| one.version) {
            self.new_contacts = true;
            self.settle(version, out);
        }
    }
}

//! What a peer is in any role: its history, its promises, its vote.

use crate::disk::{Disk, Epochs, Write};
use crate::log::Log;
use crate::{
    Config, Durable, Entry, Message, Mutant, Output, ServerId, Stance, Store, Timer, Vote, Zxid,
};

/// A role ended: search for a leader.
#[derive(Debug)]
pub(crate) struct Leave;

/// Invariant: start of the window ≤ `snapshot` ≤ `delivered` ≤ end of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Core<T> {
    pub(crate) config: Config,
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
}

impl<T> Core<T> {
    pub(crate) fn restart(config: Config, durable: Durable<T>) -> Core<T> {
        let log = Log::new(durable.snapshot, durable.log);
        let epochs = Epochs { accepted: durable.accepted_epoch, current: durable.current_epoch };
        let vote = Vote { epoch: epochs.current, zxid: log.last(), leader: config.id };
        let (disk, snapshot) = (Disk::new(log.last(), epochs), durable.snapshot);
        Core { config, round: 0, vote, epochs, log, disk, snapshot, delivered: snapshot }
    }

    /// This peer as a candidate.
    pub(crate) fn candidacy(&self) -> Vote {
        Vote { epoch: self.epochs.current, zxid: self.log.last(), leader: self.config.id }
    }

    pub(crate) fn notify<S>(&self, to: ServerId, stance: Stance, out: &mut Vec<Output<T, S>>) {
        let message = Message::Notification { round: self.round, vote: self.vote, stance };
        out.push(Output::Send { to, message });
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
        self.log.truncate(after);
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
            self.log.compact(upto, self.config.log_kept);
        }
    }
}

impl<T: Clone> Core<T> {
    pub(crate) fn append<S>(&mut self, entry: Entry<T>, out: &mut Vec<Output<T, S>>) {
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
        self.log = Log::new(zxid, log.iter().cloned());
        self.disk.order(Write::Log(self.log.last()));
        self.snapshot = zxid;
        self.delivered = zxid;
        out.push(Output::Store(Store::Install { zxid, state: state.clone(), log }));
        out.push(Output::Reset { zxid, state: Some(state) });
    }

    /// Everything up to `upto` is committed.
    pub(crate) fn deliver<S>(&mut self, upto: Zxid, out: &mut Vec<Output<T, S>>) {
        assert!(
            upto <= self.log.last(),
            "{upto:?} committed, the log ends at {:?}",
            self.log.last()
        );
        let committed = self.log.after(self.delivered).take_while(|entry| entry.zxid <= upto);
        out.extend(committed.cloned().map(Output::Deliver));
        self.delivered = self.delivered.max(upto);
    }
}

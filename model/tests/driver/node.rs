//! A core with its disk, its timers and its application.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use zab::{
    Config, Configuration, Digest, Durable, Input, Members, Mutant, Output, Peer, Record, ServerId,
    Store, Timer, Timing, Zxid,
};

pub(crate) struct Node {
    config: Config,
    peer: Option<Peer<Digest, u64>>,
    durable: Durable<Digest>,
    pub(crate) pending: VecDeque<Store<Digest, u64>>,
    pub(crate) timers: BTreeSet<Timer>,
    /// The current connection with each peer.
    pub(crate) channels: BTreeMap<ServerId, u64>,
    /// Of the application: what it was given, in short, and up to where.
    pub(crate) state: u64,
    delivered: Zxid,
    /// The state in the snapshot on disk, and in one that is being written.
    base: u64,
    pub(crate) trace: Vec<Record>,
}

impl Node {
    pub(crate) fn new(id: ServerId, members: Members, mutant: Option<Mutant>) -> Node {
        let timing =
            Timing { tick_ms: 2, init_limit: 10, sync_limit: 5, settle_ms: 1, resend_ms: 1 };
        let configuration = Configuration::initial(members);
        Node {
            config: Config { id, configuration, timing, log_kept: 1, mutant },
            peer: None,
            durable: Durable::nothing(),
            pending: VecDeque::new(),
            timers: BTreeSet::new(),
            channels: BTreeMap::new(),
            state: 0,
            delivered: Zxid::ZERO,
            base: 0,
            trace: Vec::new(),
        }
    }

    pub(crate) fn up(&self) -> bool {
        self.peer.is_some()
    }

    pub(crate) fn serving(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.role().serving())
    }

    pub(crate) fn start(&mut self, at: u64) -> Vec<Output<Digest, u64>> {
        let (config, durable) = (self.config.clone(), self.durable.clone());
        (self.state, self.delivered) = (self.base, durable.snapshot);
        let mut out = Vec::new();
        self.peer = Some(Peer::restart(config.clone(), durable.clone(), &mut out));
        self.trace.push(Record::Start { at, config, durable, out: out.clone() });
        out
    }

    pub(crate) fn handle(
        &mut self,
        at: u64,
        input: Input<Digest, u64>,
        via: Option<u64>,
    ) -> Vec<Output<Digest, u64>> {
        let mut out = Vec::new();
        let Some(peer) = &mut self.peer else { return out };
        peer.handle(input.clone(), &mut out);
        self.trace.push(Record::Step { at, via, input, out: out.clone() });
        out
    }

    pub(crate) fn carry_out(&mut self, output: Output<Digest, u64>) {
        match output {
            Output::Store(store) => self.pending.push_back(store),
            Output::SetTimer { timer, .. } => {
                self.timers.insert(timer);
            }
            Output::CancelTimer(timer) => {
                self.timers.remove(&timer);
            }
            Output::Deliver(entry) => {
                let mut hasher = DefaultHasher::new();
                (self.state, &entry).hash(&mut hasher);
                (self.state, self.delivered) = (hasher.finish(), entry.zxid);
            }
            Output::Reset { zxid, state } => {
                (self.state, self.delivered) = (state.unwrap_or(self.base), zxid);
            }
            _ => {}
        }
    }

    /// The oldest `ops` writes are on disk.
    pub(crate) fn make_durable(&mut self, ops: usize) {
        for write in self.pending.drain(..ops).collect::<Vec<_>>() {
            let durable = &mut self.durable;
            match write {
                Store::Append(entry) => durable.log.push(entry),
                Store::Truncate { after } => durable.log.retain(|entry| entry.zxid <= after),
                Store::Install { zxid, state, log } => {
                    (durable.snapshot, durable.log, self.base) = (zxid, log, state);
                }
                Store::Epochs { accepted, current } => {
                    (durable.accepted_epoch, durable.current_epoch) = (accepted, current);
                }
                Store::Settled { version } => durable.settled = version,
            }
        }
    }

    /// Takes a snapshot of all that was delivered, if nothing is on its way to the disk.
    pub(crate) fn snapshot(&mut self) -> Option<Zxid> {
        if !self.up() || !self.pending.is_empty() || self.delivered <= self.durable.snapshot {
            return None;
        }
        let upto = self.delivered;
        self.durable.log.retain(|entry| entry.zxid > upto);
        (self.durable.snapshot, self.base) = (upto, self.state);
        Some(upto)
    }

    pub(crate) fn crash(&mut self, kept: usize) {
        self.make_durable(kept);
        self.pending.clear();
        self.timers.clear();
        self.channels.clear();
        self.peer = None;
    }
}

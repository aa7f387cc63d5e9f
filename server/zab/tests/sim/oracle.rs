//! What must hold whatever happens: the judge that sees every peer at once.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use std::sync::Arc;

use zab::{Configuration, Entry, Members, ServerId, Transaction, Zxid};

/// A client's write, or a reconfiguration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Txn {
    pub(crate) serial: u64,
    pub(crate) members: Option<Arc<Members>>,
}

impl Transaction for Txn {
    fn members(&self) -> Option<&Arc<Members>> {
        self.members.as_ref()
    }
}

/// The application's state: what was delivered to it, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct App {
    /// Entries delivered.
    pub(crate) len: usize,
    /// The last of them.
    pub(crate) zxid: Zxid,
    /// Of all of them, in order.
    digest: u64,
}

impl App {
    fn after(self, entry: &Entry<Txn>) -> App {
        let mut hasher = DefaultHasher::new();
        (self.digest, entry).hash(&mut hasher);
        App { len: self.len + 1, zxid: entry.zxid, digest: hasher.finish() }
    }
}

/// A broken promise, in words, and what kind it is.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// Names of the ZAB literature where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Two peers deliver different things at the same place (PrefixConsistency, TotalOrder).
    Divergence,
    /// Zxids that do not ascend, or leave a hole in an epoch (LocalPrimaryOrder).
    Order,
    /// Two established leaders in an epoch (Leadership).
    TwoLeaders,
    /// An established leader lacks what was committed before (LeaderLogCompleteness).
    Loss,
    /// Delivered or promised before a quorum had it on disk, or gone from a disk that had it
    /// (CommittedLogDurability).
    Undurable,
    /// `sync` returned before what was committed when it was asked.
    StaleSync,
    /// No progress in time after every fault was healed.
    Stuck,
}

/// All that was ever delivered, and who led.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// The initial configuration, and those delivered since.
    configurations: Vec<Configuration>,
    /// State after each delivery; the longest history that any peer delivered.
    history: Vec<App>,
    leaders: BTreeMap<u32, (ServerId, u32)>,
    syncs: BTreeMap<u64, usize>,
    /// The first one.
    pub(crate) violation: Option<Violation>,
}

impl Oracle {
    pub(crate) fn new(initial: Configuration) -> Oracle {
        Oracle {
            configurations: vec![initial],
            history: Vec::new(),
            leaders: BTreeMap::new(),
            syncs: BTreeMap::new(),
            violation: None,
        }
    }

    /// The configuration in force after everything up to `zxid`.
    pub(crate) fn configuration(&self, zxid: Zxid) -> &Configuration {
        let until = self.configurations.partition_point(|one| one.version <= zxid);
        &self.configurations[until - 1]
    }

    /// Entries committed so far.
    pub(crate) fn committed(&self) -> usize {
        self.history.len()
    }

    /// `id` delivered `entry` in the state `app`; the state after.
    pub(crate) fn delivered(&mut self, id: ServerId, app: App, entry: &Entry<Txn>) -> App {
        if !may_follow(app.zxid, entry.zxid) {
            let what = format!("{id} delivered {:?} after {:?}", entry.zxid, app.zxid);
            self.violated(Kind::Order, what);
        }
        let next = app.after(entry);
        if app.len == self.history.len() {
            self.history.push(next);
            let configuration = |members: &Arc<Members>| Configuration {
                version: entry.zxid,
                members: members.clone(),
            };
            self.configurations.extend(entry.txn.members().map(configuration));
        }
        self.compare(id, next);
        next
    }

    /// `id` was given the state `app` by a peer or its own snapshot.
    pub(crate) fn compare(&mut self, id: ServerId, app: App) {
        let Some(place) = app.len.checked_sub(1) else { return };
        if self.history.get(place) != Some(&app) {
            let expected = self.history.get(place).map(|app| app.zxid);
            let what = format!(
                "{id} is at {:?} after {} deliveries, another was at {expected:?}",
                app.zxid, app.len
            );
            self.violated(Kind::Divergence, what);
        }
    }

    /// `id` serves as the leader of `epoch`.
    pub(crate) fn established(&mut self, id: ServerId, incarnation: u32, epoch: u32, app: App) {
        let known = *self.leaders.entry(epoch).or_insert((id, incarnation));
        if known != (id, incarnation) {
            let what = format!("{} and {id} are established in epoch {epoch}", known.0);
            self.violated(Kind::TwoLeaders, what);
        }
        // What a later leader committed, one that learns late of its own quorum may lack.
        let lacks = self.history.get(app.len).map(|app| app.zxid);
        if let Some(lost) = lacks.filter(|zxid| zxid.epoch() < epoch) {
            let what = format!("leader {id} of epoch {epoch} lacks {lost:?}, which was committed");
            self.violated(Kind::Loss, what);
        }
    }

    /// Something that needs a quorum's disks is on so many of them.
    pub(crate) fn durable_at(
        &mut self,
        holders: &[ServerId],
        members: &Members,
        what: impl fmt::Display,
    ) {
        let voters: Vec<ServerId> = members.voters().collect();
        let disks = holders.iter().filter(|id| voters.contains(id)).count();
        if disks <= voters.len() / 2 {
            let what = format!("{what}, on disk at {disks} of the participants {voters:?}");
            self.violated(Kind::Undurable, what);
        }
    }

    /// How many of the committed entries a disk holds that answers `holds`.
    pub(crate) fn committed_on(&self, holds: impl Fn(Zxid) -> bool) -> usize {
        self.history.iter().filter(|app| holds(app.zxid)).count()
    }

    pub(crate) fn sync_asked(&mut self, token: u64) {
        self.syncs.insert(token, self.history.len());
    }

    pub(crate) fn sync_done(&mut self, id: ServerId, token: u64, app: App) {
        let floor = self.syncs.remove(&token).expect("a sync is answered once, if asked");
        if app.len < floor {
            let what = format!(
                "{id} answered a sync after {} deliveries, {floor} were committed before",
                app.len
            );
            self.violated(Kind::StaleSync, what);
        }
    }

    pub(crate) fn violated(&mut self, kind: Kind, what: String) {
        self.violation.get_or_insert(Violation { kind, what });
    }
}

fn may_follow(previous: Zxid, next: Zxid) -> bool {
    if next.epoch() == previous.epoch() {
        next.counter() == previous.counter() + 1
    } else {
        next.epoch() > previous.epoch() && next.counter() == 1
    }
}

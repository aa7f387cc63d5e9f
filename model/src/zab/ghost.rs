//! What no server knows: the history of the whole, on which the invariants look.

use std::collections::BTreeMap;

use zab::{Entry, ServerId, Zxid};

use super::{App, Txn};

/// Everything that happened and matters to an invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// How many transactions clients have submitted; the last one's name.
    pub(crate) submitted: Txn,
    /// What leaders proposed, in the order in which it happened.
    pub(crate) broadcasts: Vec<Broadcast>,
    /// Every entry that any server ever delivered, by zxid.
    pub(crate) committed: Vec<Entry<Txn>>,
    /// Established leaders, in the order in which they came to be.
    pub(crate) reigns: Vec<Reign>,
    /// Syncs under way: what was committed when each was asked.
    pub(crate) syncs: BTreeMap<u64, Vec<Zxid>>,
    /// Syncs answered too early: by whom, and what it lacked.
    pub(crate) stale: Vec<(ServerId, Zxid)>,
    /// A server that could not go on, and why.
    pub(crate) failed: Option<(ServerId, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Broadcast {
    pub(crate) entry: Entry<Txn>,
    /// What its leader had delivered by then.
    pub(crate) after: Vec<Zxid>,
}

/// An established leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reign {
    pub(crate) epoch: u32,
    pub(crate) leader: ServerId,
    /// Delivered when it was established.
    pub(crate) first: App,
    /// Delivered since.
    pub(crate) last: App,
}

impl Ghost {
    pub(crate) fn delivered(&mut self, entry: &Entry<Txn>) {
        if !self.committed.contains(entry) {
            self.committed.push(entry.clone());
            self.committed.sort_by_key(|entry| (entry.zxid, entry.txn));
        }
    }

    pub(crate) fn established(&mut self, leader: ServerId, epoch: u32, app: &App) {
        self.reigns.push(Reign { epoch, leader, first: app.clone(), last: app.clone() });
    }

    /// The leader of `epoch` has delivered `app` by now.
    pub(crate) fn reigning(&mut self, leader: ServerId, epoch: u32, app: &App) {
        let mut reigns = self.reigns.iter_mut().rev();
        if let Some(reign) = reigns.find(|reign| (reign.leader, reign.epoch) == (leader, epoch)) {
            reign.last.clone_from(app);
        }
    }

    pub(crate) fn sync_asked(&mut self, token: u64) {
        self.syncs.insert(token, self.committed.iter().map(|entry| entry.zxid).collect());
    }

    pub(crate) fn sync_done(&mut self, server: ServerId, token: u64, app: &App) {
        let due = self.syncs.remove(&token).unwrap_or_default();
        let lacks = |zxid: &Zxid| !app.iter().any(|entry| entry.zxid == *zxid);
        self.stale.extend(due.into_iter().find(lacks).map(|zxid| (server, zxid)));
    }
}

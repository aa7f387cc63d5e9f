//! A server's disk: what is durable, and what was written since.

use std::collections::VecDeque;

use zab::{Durable, Entry, Store, Zxid};

use super::{App, Txn};
use crate::care::{Cache, Care, Files};

/// The files of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Image {
    pub(crate) accepted: u32,
    pub(crate) current: u32,
    pub(crate) snapshot: Zxid,
    pub(crate) state: App,
    pub(crate) log: Vec<Entry<Txn>>,
}

impl Image {
    /// Every entry that these files hold, in order.
    pub(crate) fn history(&self) -> impl Iterator<Item = &Entry<Txn>> + Clone {
        self.state.iter().chain(&self.log)
    }

    /// What a restart reads.
    pub(crate) fn read(&self) -> Durable<Txn> {
        Durable {
            accepted_epoch: self.accepted,
            current_epoch: self.current,
            snapshot: self.snapshot,
            settled: Zxid::ZERO,
            log: self.log.clone(),
        }
    }
}

impl Files for Image {
    type Write = Store<Txn, App>;

    fn apply(&mut self, write: &Store<Txn, App>) {
        match write {
            Store::Append(entry) => self.log.push(entry.clone()),
            Store::Truncate { after } => self.log.retain(|entry| entry.zxid <= *after),
            Store::Install { zxid, state, log } => {
                (self.snapshot, self.state, self.log) = (*zxid, state.clone(), log.clone());
            }
            Store::Epochs { accepted, current } => {
                (self.accepted, self.current) = (*accepted, *current);
            }
            // Nothing here reconfigures.
            Store::Settled { .. } => {}
        }
    }

    fn names(&self, write: &Store<Txn, App>) -> bool {
        match write {
            Store::Append(_) => self.log.is_empty(),
            Store::Truncate { .. } => false,
            Store::Install { .. } | Store::Epochs { .. } | Store::Settled { .. } => true,
        }
    }

    fn is_of_log(write: &Store<Txn, App>) -> bool {
        matches!(write, Store::Append(_) | Store::Truncate { .. })
    }
}

/// Writes become durable in order; a crash keeps a prefix of those that are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) durable: Image,
    pub(crate) pending: VecDeque<Store<Txn, App>>,
    pub(crate) care: Care,
    /// What of `durable` a power cut may take, where care is not taken.
    pub(crate) cache: Cache<Image, Store<Txn, App>>,
}

impl Disk {
    /// The oldest pending write becomes durable. False when there is none.
    pub(crate) fn store(&mut self) -> bool {
        let Some(write) = self.pending.pop_front() else { return false };
        self.cache.note(self.care, &self.durable, &write);
        self.durable.apply(&write);
        true
    }

    /// How many units a crash may take.
    pub(crate) fn at_stake(&self) -> usize {
        self.cache.len() + self.pending.len()
    }

    /// The first `kept` of what is at stake survive. What a restart finds, it syncs.
    pub(crate) fn crash(&mut self, kept: usize) {
        let survivors = self.cache.survivors(kept);
        for _ in self.cache.len()..kept {
            self.store();
        }
        self.durable = survivors.unwrap_or_else(|| std::mem::take(&mut self.durable));
        self.pending.clear();
        self.cache = Cache::default();
    }

    /// What no power cut takes.
    pub(crate) fn safe(&self) -> &Image {
        self.cache.safe(&self.durable)
    }

    /// The files as the server believes them to be.
    pub(crate) fn written(&self) -> Image {
        let mut image = self.durable.clone();
        self.pending.iter().for_each(|write| image.apply(write));
        image
    }

    /// The application has saved its state, and synced it; the log up to there is dropped.
    pub(crate) fn snapshot(&mut self, state: App) {
        self.cache = Cache::default();
        let zxid = state.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        self.durable.log.retain(|entry| entry.zxid > zxid);
        (self.durable.snapshot, self.durable.state) = (zxid, state);
    }
}

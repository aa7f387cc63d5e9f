//! A server's files, and what is done to them.

use zab::{Durable, Entry, Store, Zxid};

use super::{App, Txn};
use crate::care::{self, Files};

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

pub(crate) type Disk = care::Disk<Image>;

impl Disk {
    /// The files as the server believes them to be.
    pub(crate) fn written(&self) -> Image {
        let mut image = self.durable.clone();
        self.pending.iter().for_each(|write| image.apply(write));
        image
    }

    /// The application has saved its state, and synced it; the log up to there is dropped.
    pub(crate) fn snapshot(&mut self, state: App) {
        self.sync();
        let zxid = state.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        self.durable.log.retain(|entry| entry.zxid > zxid);
        (self.durable.snapshot, self.durable.state) = (zxid, state);
    }
}

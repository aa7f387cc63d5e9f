//! A server's disk: what is durable, and what was written since.

use std::collections::VecDeque;

use zab::{Durable, Entry, Store, Zxid};

use super::{App, Txn};

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

    fn apply(&mut self, write: Store<Txn, App>) {
        match write {
            Store::Append(entry) => self.log.push(entry),
            Store::Truncate { after } => self.log.retain(|entry| entry.zxid <= after),
            Store::Install { zxid, state, log } => {
                (self.snapshot, self.state, self.log) = (zxid, state, log);
            }
            Store::Epochs { accepted, current } => {
                (self.accepted, self.current) = (accepted, current);
            }
            // Nothing here reconfigures.
            Store::Settled { .. } => {}
        }
    }
}

/// Writes become durable in order; a crash keeps a prefix of those that are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) durable: Image,
    pub(crate) pending: VecDeque<Store<Txn, App>>,
}

impl Disk {
    /// The oldest pending write becomes durable. False when there is none.
    pub(crate) fn store(&mut self) -> bool {
        let write = self.pending.pop_front();
        let any = write.is_some();
        write.into_iter().for_each(|write| self.durable.apply(write));
        any
    }

    /// The first `kept` pending writes survive.
    pub(crate) fn crash(&mut self, kept: usize) {
        for _ in 0..kept {
            self.store();
        }
        self.pending.clear();
    }

    /// The files as the server believes them to be.
    pub(crate) fn written(&self) -> Image {
        let mut image = self.durable.clone();
        self.pending.iter().for_each(|write| image.apply(write.clone()));
        image
    }

    /// The application has saved its state; the log up to there is dropped.
    pub(crate) fn snapshot(&mut self, state: App) {
        let zxid = state.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        self.durable.log.retain(|entry| entry.zxid > zxid);
        (self.durable.snapshot, self.durable.state) = (zxid, state);
    }
}

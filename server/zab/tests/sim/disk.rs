//! A disk whose writes take time and are lost from the end by a power cut.

use std::collections::VecDeque;

use zab::{Durable, Entry, Store, Zxid};

use super::oracle::{App, Txn};

#[derive(Debug, Default)]
pub(crate) struct Disk {
    accepted: u32,
    current: u32,
    settled: Zxid,
    pub(crate) snapshot: App,
    log: Vec<Entry<Txn>>,
    /// Ordered, not durable.
    queue: VecDeque<Store<Txn, App>>,
}

impl Disk {
    pub(crate) fn order(&mut self, write: Store<Txn, App>) {
        self.queue.push_back(write);
    }

    pub(crate) fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Makes the oldest `ops` writes durable.
    pub(crate) fn flush(&mut self, ops: usize) {
        for _ in 0..ops {
            let write = self.queue.pop_front().expect("no more are flushed than are pending");
            self.apply(write);
        }
    }

    /// Power is gone: what is not durable is lost.
    pub(crate) fn lose(&mut self) -> usize {
        std::mem::take(&mut self.queue).len()
    }

    /// What a restart reads.
    pub(crate) fn read(&self) -> Durable<Txn> {
        let snapshot = self.snapshot.zxid;
        let log = self.log.iter().filter(|entry| entry.zxid > snapshot).cloned().collect();
        let (accepted_epoch, current_epoch) = (self.accepted, self.current);
        Durable { accepted_epoch, current_epoch, snapshot, settled: self.settled, log }
    }

    pub(crate) fn next(&self) -> Option<&Store<Txn, App>> {
        self.queue.front()
    }

    /// The durable epochs, accepted and current.
    pub(crate) fn epochs(&self) -> (u32, u32) {
        (self.accepted, self.current)
    }

    /// Would this entry survive a power cut now?
    pub(crate) fn holds(&self, zxid: Zxid) -> bool {
        zxid <= self.snapshot.zxid || self.log.binary_search_by_key(&zxid, |e| e.zxid).is_ok()
    }

    fn apply(&mut self, write: Store<Txn, App>) {
        match write {
            Store::Append(entry) => self.log.push(entry),
            Store::Truncate { after } => self.log.retain(|entry| entry.zxid <= after),
            Store::Install { state, log, .. } => (self.snapshot, self.log) = (state, log),
            Store::Epochs { accepted, current } => {
                (self.accepted, self.current) = (accepted, current);
            }
            Store::Settled { version } => self.settled = version,
        }
    }
}

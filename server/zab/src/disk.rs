//! What of the writes ordered so far is durable.

use std::collections::VecDeque;

use crate::Zxid;

/// The two epochs a server keeps on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epochs {
    /// The newest epoch this server promised to follow (`acceptedEpoch`).
    pub accepted: u32,
    /// The newest epoch whose history this server took over (`currentEpoch`).
    pub current: u32,
}

/// Writes are durable in the order in which they were ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pending: VecDeque<Write>,
    /// Where the durable log ends.
    pub(crate) last: Zxid,
    /// The durable epochs.
    pub(crate) epochs: Epochs,
}

/// What a write makes true once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    /// The log ends here.
    Log(Zxid),
    Epochs(Epochs),
    /// Nothing that an acknowledgement waits for.
    Settled,
}

impl Disk {
    pub(crate) fn new(last: Zxid, epochs: Epochs) -> Disk {
        Disk { pending: VecDeque::new(), last, epochs }
    }

    pub(crate) fn order(&mut self, write: Write) {
        self.pending.push_back(write);
    }

    /// Writes ordered and not yet durable.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The oldest `ops` pending writes are durable.
    pub(crate) fn stored(&mut self, ops: usize) {
        assert!(ops <= self.pending.len(), "stored {ops} of {} writes", self.pending.len());
        for write in self.pending.drain(..ops) {
            match write {
                Write::Log(last) => self.last = last,
                Write::Epochs(epochs) => self.epochs = epochs,
                Write::Settled => {}
            }
        }
    }
}

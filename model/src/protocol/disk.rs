//! A server's files, and what is done to them.

use zab::Zxid;

use super::Entry;
use crate::care::{self, Files as Kept};

/// A write. Its steps are apart: written, then durable, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    Append(Entry),
    Truncate {
        after: Zxid,
    },
    /// A snapshot and the log after it, as one switch; here, the whole history.
    Install {
        history: Vec<Entry>,
    },
    Epochs {
        accepted: u32,
        current: u32,
    },
}

/// The files, as one reader would find them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Files {
    /// `acceptedEpoch`, the paper's f.p.
    pub(crate) accepted: u32,
    /// `currentEpoch`, the paper's f.a.
    pub(crate) current: u32,
    /// Every entry from the first on, snapshots included.
    pub(crate) history: Vec<Entry>,
}

impl Kept for Files {
    type Write = Write;

    fn apply(&mut self, write: &Write) {
        match write {
            Write::Append(entry) => self.history.push(entry.clone()),
            Write::Truncate { after } => {
                while self.last() > *after {
                    self.history.pop();
                }
            }
            Write::Install { history } => self.history.clone_from(history),
            Write::Epochs { accepted, current } => {
                (self.accepted, self.current) = (*accepted, *current);
            }
        }
    }

    fn names(&self, write: &Write) -> bool {
        match write {
            Write::Append(_) => self.history.is_empty(),
            Write::Truncate { .. } => false,
            Write::Install { .. } | Write::Epochs { .. } => true,
        }
    }

    fn is_of_log(write: &Write) -> bool {
        matches!(write, Write::Append(_) | Write::Truncate { .. })
    }
}

impl Files {
    pub(crate) fn last(&self) -> Zxid {
        last(&self.history)
    }

    /// How good a leader's history this is.
    pub(crate) fn age(&self) -> (u32, Zxid) {
        (self.current, self.last())
    }
}

pub(crate) type Disk = care::Disk<Files>;

/// Where a history ends.
pub(crate) fn last(history: &[Entry]) -> Zxid {
    history.last().map_or(Zxid::ZERO, |entry| entry.zxid)
}

/// The place of an entry, from 0.
pub(crate) fn place(history: &[Entry], zxid: Zxid) -> Option<usize> {
    let place = history.partition_point(|entry| entry.zxid < zxid);
    history.get(place).is_some_and(|entry| entry.zxid == zxid).then_some(place)
}

/// How many entries there are up to `zxid`, which is one of them, or zero.
pub(crate) fn count_to(history: &[Entry], zxid: Zxid) -> Option<usize> {
    if zxid == Zxid::ZERO { Some(0) } else { place(history, zxid).map(|place| place + 1) }
}

/// May `next` stand behind `previous`? Counters begin at 1 and leave nothing out.
pub(crate) fn follows(previous: Zxid, next: Zxid) -> bool {
    let counter = if previous.epoch() == next.epoch() { previous.counter() } else { 0 };
    next.epoch() >= previous.epoch() && counter.checked_add(1) == Some(next.counter())
}

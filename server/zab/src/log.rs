//! The log's newest part, in memory: what learners are brought up to date from.

use std::collections::VecDeque;

use crate::{Entry, Zxid};

/// A window of the log. Ordered by zxid; two logs that share a zxid share everything before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Log<T> {
    /// The last zxid before the window, whose entry is no longer held.
    base: Zxid,
    entries: VecDeque<Entry<T>>,
}

impl<T> Log<T> {
    pub(crate) fn new(base: Zxid, entries: impl IntoIterator<Item = Entry<T>>) -> Log<T> {
        Log { base, entries: entries.into_iter().collect() }
    }

    pub(crate) fn base(&self) -> Zxid {
        self.base
    }

    pub(crate) fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    /// Is `zxid` in the window, or the last one before it?
    pub(crate) fn knows(&self, zxid: Zxid) -> bool {
        self.floor(zxid) == Some(zxid)
    }

    /// The greatest known zxid up to `zxid`.
    pub(crate) fn floor(&self, zxid: Zxid) -> Option<Zxid> {
        match self.count_through(zxid) {
            0 => (self.base <= zxid).then_some(self.base),
            n => Some(self.entries[n - 1].zxid),
        }
    }

    /// The entries after `zxid`, in order.
    pub(crate) fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Entry<T>> {
        self.entries.range(self.count_through(zxid)..)
    }

    pub(crate) fn push(&mut self, entry: Entry<T>) {
        assert!(entry.zxid > self.last(), "{:?} appended after {:?}", entry.zxid, self.last());
        self.entries.push_back(entry);
    }

    /// Drops every entry after `zxid`.
    pub(crate) fn truncate(&mut self, zxid: Zxid) {
        self.entries.truncate(self.count_through(zxid));
    }

    /// Drops the entries up to `upto` from memory, except the last `kept` of them.
    pub(crate) fn compact(&mut self, upto: Zxid, kept: usize) {
        for _ in kept..self.count_through(upto) {
            let dropped = self.entries.pop_front().expect("no more are dropped than counted");
            self.base = dropped.zxid;
        }
    }

    fn count_through(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|entry| entry.zxid <= zxid)
    }
}

/// May `next` stand right after `previous`? Counters are without holes and start at 1.
pub(crate) fn follows(previous: Zxid, next: Zxid) -> bool {
    if next.epoch() == previous.epoch() {
        next.0 == previous.0.wrapping_add(1)
    } else {
        next.epoch() > previous.epoch() && next.counter() == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: (u32, u32), zxids: &[(u32, u32)]) -> Log<()> {
        let entry = |&(epoch, counter): &_| Entry { zxid: Zxid::new(epoch, counter), txn: () };
        Log::new(Zxid::new(base.0, base.1), zxids.iter().map(entry))
    }

    #[test]
    fn knows_its_window_and_the_zxid_before_it() {
        let log = log((1, 3), &[(1, 4), (2, 1)]);
        let known = |epoch, counter| log.knows(Zxid::new(epoch, counter));
        assert!(known(1, 3) && known(1, 4) && known(2, 1));
        assert!(!known(1, 2) && !known(1, 5) && !known(2, 2));
        assert_eq!(log.floor(Zxid::new(1, 9)), Some(Zxid::new(1, 4)));
        assert_eq!(log.floor(Zxid::new(1, 2)), None);
    }

    #[test]
    fn compaction_keeps_what_was_asked_for() {
        let mut compacted = log((0, 0), &[(1, 1), (1, 2), (1, 3), (1, 4)]);
        compacted.compact(Zxid::new(1, 3), 1);
        assert_eq!(compacted, log((1, 2), &[(1, 3), (1, 4)]));
        compacted.compact(Zxid::new(1, 3), 1);
        assert_eq!(compacted, log((1, 2), &[(1, 3), (1, 4)]));
    }

    #[test]
    fn counters_have_no_holes_and_never_wrap_into_the_epoch() {
        assert!(follows(Zxid::ZERO, Zxid::new(1, 1)));
        assert!(follows(Zxid::new(1, 1), Zxid::new(1, 2)));
        assert!(follows(Zxid::new(1, 7), Zxid::new(3, 1)));
        assert!(!follows(Zxid::new(1, 1), Zxid::new(1, 3)));
        assert!(!follows(Zxid::new(1, 1), Zxid::new(1, 1)));
        assert!(!follows(Zxid::new(2, 1), Zxid::new(1, 1)));
        assert!(!follows(Zxid::new(1, u32::MAX), Zxid::new(2, 0)));
    }
}

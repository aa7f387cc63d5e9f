//! What a power cut takes although the server was told that it is durable: a disk that was not asked to sync.
//!
//! A write lasts once its file is synced and, if it made or changed a name, the file's directory too. A server
//! that goes by the book hears of a write after both, and what a power cut takes between the two it would also take
//! before them: so the two are one step here. Where one is left out, a power cut may take any end of what was left.
//! ([`storage`](crate::storage) has every step of one server's disk apart.)

use std::collections::VecDeque;

/// What a server does for its writes to last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Care {
    /// It syncs files, and the directories of new names.
    #[default]
    Full,
    /// X2: it syncs nothing.
    NoSync,
    /// X38: it syncs files, and never a directory.
    NoNames,
}

/// The files of a server.
pub(crate) trait Files: Clone {
    type Write;

    fn apply(&mut self, write: &Self::Write);

    /// Does a write make or change a name? A log that was empty gets its file; epochs and snapshots are written
    /// beside the old ones and renamed.
    fn names(&self, write: &Self::Write) -> bool;

    /// Is a write one of the log's?
    fn is_of_log(write: &Self::Write) -> bool;
}

/// A server's disk: what is durable, and what was written since.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Disk<F: Files> {
    pub(crate) durable: F,
    /// Written in this order, and not yet durable.
    pub(crate) pending: VecDeque<F::Write>,
    pub(crate) care: Care,
    /// What of `durable` a power cut may take, where care is not taken.
    cache: Cache<F, F::Write>,
}

impl<F: Files> Disk<F> {
    /// With these files, all of them durable.
    pub(crate) fn with(durable: F) -> Disk<F> {
        Disk { durable, pending: VecDeque::new(), care: Care::Full, cache: Cache::default() }
    }
}

impl<F: Files + Default> Default for Disk<F> {
    fn default() -> Disk<F> {
        Disk::with(F::default())
    }
}

impl<F: Files + Default> Disk<F>
where
    F::Write: Clone,
{
    /// The oldest pending write becomes durable. False when there is none.
    pub(crate) fn store(&mut self) -> bool {
        let Some(write) = self.pending.pop_front() else { return false };
        self.cache.note(self.care, &self.durable, &write);
        self.durable.apply(&write);
        true
    }

    /// Whatever was reported as durable is.
    pub(crate) fn sync(&mut self) {
        self.cache = Cache::default();
    }

    /// What no power cut takes.
    pub(crate) fn safe(&self) -> &F {
        self.cache.safe(&self.durable)
    }

    /// How many units a crash may take.
    pub(crate) fn at_stake(&self) -> usize {
        self.cache.len() + self.pending.len()
    }

    /// The first `kept` of what is at stake survive: all of it when the process is killed, any number
    /// when the power goes. What a restart finds, it syncs.
    pub(crate) fn crash(&mut self, kept: usize) {
        let survivors = self.cache.survivors(kept);
        for _ in self.cache.len()..kept {
            self.store();
        }
        self.durable = survivors.unwrap_or_else(|| std::mem::take(&mut self.durable));
        self.pending.clear();
        self.sync();
    }

    /// Such a crash, in words.
    pub(crate) fn lost(&self, kept: usize) -> String {
        let (reported, pending) = (self.cache.len(), self.pending.len());
        match kept.checked_sub(reported) {
            Some(kept) if kept == pending => "is killed; all it wrote survives".to_owned(),
            Some(kept) => {
                format!("loses power, and {} of its last {pending} writes", pending - kept)
            }
            None => {
                let what = match self.care {
                    Care::NoNames => {
                        "new names, with the files behind them: no directory was synced"
                    }
                    _ => "writes that it took for durable: nothing was synced",
                };
                format!("loses power, and {} of its {reported} {what}", reported - kept)
            }
        }
    }
}

/// What was reported as durable and is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cache<F, W> {
    /// What every power cut leaves; none while that is all that was reported.
    safe: Option<Box<F>>,
    /// What it may take, in order; writes of one unit survive together.
    units: Vec<Vec<W>>,
}

impl<F, W> Default for Cache<F, W> {
    fn default() -> Cache<F, W> {
        Cache { safe: None, units: Vec::new() }
    }
}

impl<F, W> Cache<F, W> {
    /// How many units a power cut may take.
    fn len(&self) -> usize {
        self.units.len()
    }

    /// What no power cut takes, of files that are reported as `durable`.
    fn safe<'a>(&'a self, durable: &'a F) -> &'a F {
        self.safe.as_deref().unwrap_or(durable)
    }
}

impl<F: Files<Write = W>, W: Clone> Cache<F, W> {
    /// A write is about to be reported; `durable` is what was so far.
    fn note(&mut self, care: Care, durable: &F, write: &W) {
        match care {
            Care::Full => {}
            Care::NoSync => self.begin_unit(durable, write),
            Care::NoNames if durable.names(write) => self.begin_unit(durable, write),
            Care::NoNames => self.join(write),
        }
    }

    fn begin_unit(&mut self, durable: &F, write: &W) {
        self.safe.get_or_insert_with(|| Box::new(durable.clone()));
        self.units.push(vec![write.clone()]);
    }

    /// What is written to a file is found if its name is.
    fn join(&mut self, write: &W) {
        let of_log = |unit: &&mut Vec<W>| unit.iter().all(F::is_of_log);
        match self.units.iter_mut().rev().find(of_log) {
            Some(unit) => unit.push(write.clone()),
            None => self.safe.iter_mut().for_each(|safe| safe.apply(write)),
        }
    }

    /// The files when only the first `kept` units survive; `None` when all of them do.
    fn survivors(&self, kept: usize) -> Option<F> {
        let mut files = (kept < self.units.len()).then(|| self.safe.as_deref().cloned())??;
        self.units[..kept].iter().flatten().for_each(|write| files.apply(write));
        Some(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log, and the epoch.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Two(Vec<u8>, u8);

    #[derive(Clone, Debug)]
    enum Put {
        Log(u8),
        Epoch(u8),
    }

    impl Files for Two {
        type Write = Put;

        fn apply(&mut self, write: &Put) {
            match write {
                Put::Log(entry) => self.0.push(*entry),
                Put::Epoch(epoch) => self.1 = *epoch,
            }
        }

        fn names(&self, write: &Put) -> bool {
            matches!(write, Put::Epoch(_)) || self.0.is_empty()
        }

        fn is_of_log(write: &Put) -> bool {
            matches!(write, Put::Log(_))
        }
    }

    /// All that a power cut may leave of these writes.
    fn left(care: Care, before: Two, writes: &[Put]) -> Vec<Two> {
        let (mut files, mut cache) = (before, Cache::default());
        for write in writes {
            cache.note(care, &files, write);
            files.apply(write);
        }
        let left = (0..=cache.len()).map(|kept| cache.survivors(kept));
        left.map(|left| left.unwrap_or_else(|| files.clone())).collect()
    }

    const WRITES: [Put; 3] = [Put::Log(1), Put::Epoch(2), Put::Log(3)];

    #[test]
    fn where_care_is_taken_nothing_reported_is_lost() {
        assert_eq!(left(Care::Full, Two::default(), &WRITES), [Two(vec![1, 3], 2)]);
    }

    #[test]
    fn where_nothing_is_synced_any_end_is_lost() {
        let any = [Two(vec![], 0), Two(vec![1], 0), Two(vec![1], 2), Two(vec![1, 3], 2)];
        assert_eq!(left(Care::NoSync, Two::default(), &WRITES), any);
    }

    #[test]
    fn a_lost_name_takes_its_whole_file_and_a_known_one_loses_nothing() {
        let any = [Two(vec![], 0), Two(vec![1, 3], 0), Two(vec![1, 3], 2)];
        assert_eq!(left(Care::NoNames, Two::default(), &WRITES), any);
        let any = [Two(vec![9, 1, 3], 0), Two(vec![9, 1, 3], 2)];
        assert_eq!(left(Care::NoNames, Two(vec![9], 0), &WRITES), any);
    }
}

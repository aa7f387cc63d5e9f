//! The thread that owns the store: operations in order, appends made durable in groups. Snapshots
//! of the server's own are written by a second thread, one at a time, so that the log does not
//! wait for them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::Zxid;

use super::store::Unwritten;
use super::{StorageError, Store};

/// Which operations share one fdatasync.
#[derive(Clone, Copy, Debug)]
pub struct Grouping {
    /// So many at most.
    pub max: usize,
    /// Those that come within this time after the first; longer than nothing, each write is as
    /// much slower as the disk is relieved.
    pub delay: Duration,
}

/// What the thread says.
#[derive(Debug)]
pub enum Report {
    /// The oldest so many protocol operations are durable.
    Stored {
        /// How many.
        ops: usize,
        /// How long the log's write and fsync took, if there was anything to write.
        fsync: Option<Duration>,
    },
    /// A snapshot of the server's own is durable.
    Snapshot {
        /// The zxid of the state.
        zxid: Zxid,
        /// How long it took to write.
        took: Duration,
    },
    /// The disk refused; nothing more will be written.
    Failed(StorageError),
}

/// Handle of the thread. Dropping it lets the thread finish what it was given, and end. After a
/// failure, which is reported, nothing that it is given is done.
#[derive(Debug)]
pub struct Worker<T, S> {
    jobs: Sender<Job<T, S>>,
}

#[derive(Debug)]
enum Job<T, S> {
    Protocol(zab::Store<T, S>),
    Snapshot {
        zxid: Zxid,
        state: S,
        jobs: Sender<Job<T, S>>,
    },
    /// The snapshot after this zxid is written, or could not be.
    Written(Zxid),
    Load {
        zxid: Zxid,
        answer: Sender<S>,
    },
}

impl<T, S> Worker<T, S>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    S: Serialize + DeserializeOwned + Send + 'static,
{
    /// Starts the thread; `report` is called from it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        store: Store<T, S>,
        grouping: Grouping,
        report: impl FnMut(Report) + Send + 'static,
    ) -> std::io::Result<Worker<T, S>> {
        let (jobs, inbox) = channel();
        let thread = Thread { store, grouping, report, writing: None };
        thread::Builder::new().name("storage".to_owned()).spawn(move || thread.run(&inbox))?;
        Ok(Worker { jobs })
    }

    /// Carries out an operation of the protocol; reported, in order, by [`Report::Stored`].
    pub fn store(&self, op: zab::Store<T, S>) {
        self.hand_over(Job::Protocol(op));
    }

    /// Writes a snapshot of the server's own; reported by [`Report::Snapshot`].
    pub fn snapshot(&self, zxid: Zxid, state: S) {
        self.hand_over(Job::Snapshot { zxid, state, jobs: self.jobs.clone() });
    }

    /// Waits until everything handed over before is done, and reads the state in the snapshot after
    /// `zxid`. `None` after a failure.
    #[must_use]
    pub fn load(&self, zxid: Zxid) -> Option<S> {
        let (answer, state) = channel();
        self.hand_over(Job::Load { zxid, answer });
        state.recv().ok()
    }

    fn hand_over(&self, job: Job<T, S>) {
        let _gone_after_failure = self.jobs.send(job);
    }
}

struct Thread<T, S, R> {
    store: Store<T, S>,
    grouping: Grouping,
    report: R,
    writing: Option<Writing>,
}

/// A snapshot that another thread writes.
struct Writing {
    zxid: Zxid,
    since: Instant,
    thread: JoinHandle<Result<(), StorageError>>,
}

impl<T, S, R> Thread<T, S, R>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    S: Serialize + DeserializeOwned + Send + 'static,
    R: FnMut(Report),
{
    fn run(mut self, inbox: &Receiver<Job<T, S>>) {
        while let Ok(first) = inbox.recv() {
            let (since, Grouping { max, delay }) = (Instant::now(), self.grouping);
            let more = std::iter::from_fn(|| next(inbox, delay, since));
            let batch = std::iter::once(first).chain(more).take(max);
            if let Err(error) = self.batch(batch) {
                (self.report)(Report::Failed(error));
                return;
            }
        }
    }

    fn batch(&mut self, batch: impl Iterator<Item = Job<T, S>>) -> Result<(), StorageError> {
        let mut waiting = 0;
        for job in batch {
            match job {
                Job::Protocol(op) => {
                    self.perform(&op)?;
                    waiting += 1;
                }
                Job::Snapshot { zxid, state, jobs } => self.begin_snapshot(zxid, state, jobs)?,
                Job::Written(zxid) if self.writing.as_ref().is_some_and(|it| it.zxid == zxid) => {
                    self.end_snapshot()?;
                }
                Job::Written(_) => {}
                Job::Load { zxid, answer } => {
                    self.end_snapshot()?;
                    let _gone = answer.send(self.store.load(zxid)?);
                }
            }
        }
        let (start, is_dirty) = (Instant::now(), self.store.is_dirty());
        self.store.sync()?;
        if waiting > 0 {
            let fsync = is_dirty.then(|| start.elapsed());
            (self.report)(Report::Stored { ops: waiting, fsync });
        }
        Ok(())
    }

    fn perform(&mut self, op: &zab::Store<T, S>) -> Result<(), StorageError> {
        match op {
            zab::Store::Append(entry) => self.store.append(entry),
            // These two delete snapshots, perhaps the one that is being written.
            zab::Store::Truncate { after } => {
                self.end_snapshot()?;
                self.store.truncate(*after)
            }
            zab::Store::Install { zxid, state, log } => {
                self.end_snapshot()?;
                self.store.install(*zxid, state, log)
            }
            zab::Store::Epochs { accepted, current } => self.store.save_epochs(*accepted, *current),
            zab::Store::Settled { version } => self.store.save_settled(*version),
        }
    }

    fn begin_snapshot(
        &mut self,
        zxid: Zxid,
        state: S,
        jobs: Sender<Job<T, S>>,
    ) -> Result<(), StorageError> {
        self.end_snapshot()?;
        let unwritten = self.store.begin_snapshot(zxid, state)?;
        let thread = thread::Builder::new()
            .name("snapshot".to_owned())
            .spawn(move || write(unwritten, zxid, &jobs))
            .map_err(|error| StorageError::Thread { error })?;
        self.writing = Some(Writing { zxid, since: Instant::now(), thread });
        Ok(())
    }

    /// Waits for the snapshot being written, if there is one.
    fn end_snapshot(&mut self) -> Result<(), StorageError> {
        let Some(Writing { zxid, since, thread }) = self.writing.take() else { return Ok(()) };
        thread.join().expect("a panic ends the process")?;
        self.store.end_snapshot()?;
        (self.report)(Report::Snapshot { zxid, took: since.elapsed() });
        Ok(())
    }
}

fn write<T, S: Serialize>(
    unwritten: Unwritten<S>,
    zxid: Zxid,
    jobs: &Sender<Job<T, S>>,
) -> Result<(), StorageError> {
    let written = unwritten.write();
    // What only this copy of the state still holds is freed here, where nobody waits.
    drop(unwritten);
    let _gone_after_failure = jobs.send(Job::Written(zxid));
    written
}

/// What has come, or comes in time to share a sync with what came at `since`.
fn next<J>(inbox: &Receiver<J>, delay: Duration, since: Instant) -> Option<J> {
    match delay.checked_sub(since.elapsed()) {
        Some(left) if !left.is_zero() => inbox.recv_timeout(left).ok(),
        _ => inbox.try_recv().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::{Arc, Condvar, Mutex, PoisonError};
    use zab::Entry;

    const SOON: Duration = Duration::from_secs(20);

    const GROUPING: Grouping = Grouping { max: 1000, delay: Duration::ZERO };

    fn append(counter: u32) -> zab::Store<u64, Held> {
        zab::Store::Append(Entry { zxid: Zxid::new(1, counter), txn: 0 })
    }

    /// A state that cannot be written to its end until it is let go.
    #[derive(Clone, Debug, Default)]
    struct Held(Arc<(Mutex<bool>, Condvar)>);

    impl Held {
        fn let_go(&self) {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_all();
        }
    }

    impl Serialize for Held {
        fn serialize<R: Serializer>(&self, serializer: R) -> Result<R::Ok, R::Error> {
            let free = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (_free, waited) = self.0.1.wait_timeout_while(free, SOON, |free| !*free).unwrap();
            assert!(!waited.timed_out(), "nobody let the snapshot go");
            serializer.serialize_u8(7)
        }
    }

    impl<'de> Deserialize<'de> for Held {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Held, D::Error> {
            u8::deserialize(deserializer).map(|_| Held::default())
        }
    }

    fn start(dir: &std::path::Path) -> (Worker<u64, Held>, Receiver<Report>) {
        let (store, _) = Store::open(dir).unwrap();
        let (sender, reports) = channel();
        let worker =
            Worker::start(store, GROUPING, move |report| sender.send(report).unwrap()).unwrap();
        (worker, reports)
    }

    fn stored(reports: &Receiver<Report>, ops: usize) {
        let mut stored = 0;
        while stored < ops {
            match reports.recv_timeout(SOON).unwrap() {
                Report::Stored { ops, .. } => stored += ops,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn every_operation_is_reported_once_and_a_full_disk_is_reported_last() {
        let dir = tempfile::tempdir().unwrap();
        let (worker, reports) = start(dir.path());
        (1..=100).for_each(|counter| worker.store(append(counter)));
        stored(&reports, 100);
        std::fs::remove_dir_all(dir.path()).unwrap();
        worker.store(zab::Store::Epochs { accepted: 1, current: 1 });
        assert!(matches!(reports.recv_timeout(SOON).unwrap(), Report::Failed(_)));
    }

    #[test]
    fn the_log_goes_on_while_a_snapshot_is_written_and_a_crash_meanwhile_loses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (worker, reports) = start(dir.path());
        worker.store(append(1));
        stored(&reports, 1);
        let state = Held::default();
        worker.snapshot(Zxid::new(1, 1), state.clone());
        (2..=50).for_each(|counter| worker.store(append(counter)));
        stored(&reports, 49);

        // What the disk holds now is what a crash would leave.
        let copy = tempfile::tempdir().unwrap();
        crate::storage::store::copy_files(dir.path(), copy.path());
        let (_, recovered) = Store::<u64, Held>::open(copy.path()).unwrap();
        assert!(recovered.snapshot.is_none());
        assert_eq!(recovered.log.len(), 50);

        state.let_go();
        let written = reports.recv_timeout(SOON).unwrap();
        assert!(matches!(written, Report::Snapshot { zxid, .. } if zxid == Zxid::new(1, 1)));
        drop(worker);
        let (_, recovered) = Store::<u64, Held>::open(dir.path()).unwrap();
        assert_eq!((recovered.snapshot.unwrap().0, recovered.log.len()), (Zxid::new(1, 1), 49));
    }

    #[test]
    fn what_deletes_snapshots_waits_for_the_one_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let (worker, reports) = start(dir.path());
        worker.store(append(1));
        stored(&reports, 1);
        let state = Held::default();
        worker.snapshot(Zxid::new(1, 1), state.clone());
        let installed = Held::default();
        installed.let_go();
        let log = Vec::new();
        worker.store(zab::Store::Install { zxid: Zxid::new(3, 7), state: installed, log });
        state.let_go();
        assert!(matches!(reports.recv_timeout(SOON).unwrap(), Report::Snapshot { .. }));
        stored(&reports, 1);
        assert!(worker.load(Zxid::new(3, 7)).is_some());
        assert!(worker.load(Zxid::new(1, 1)).is_none(), "it went with its generation");
        assert!(matches!(reports.recv_timeout(SOON).unwrap(), Report::Failed(_)));
    }

    #[test]
    fn writes_that_come_in_time_share_a_sync_and_only_so_many() {
        let stored = |max, delay| {
            let dir = tempfile::tempdir().unwrap();
            let (sender, reports) = channel();
            let (store, _) = Store::open(dir.path()).unwrap();
            let report = move |report| sender.send(report).unwrap();
            let worker = Worker::start(store, Grouping { max, delay }, report).unwrap();
            (1..=4).for_each(|counter| worker.store(append(counter)));
            let mut groups = Vec::new();
            while groups.iter().sum::<usize>() < 4 {
                match reports.recv_timeout(SOON).unwrap() {
                    Report::Stored { ops, .. } => groups.push(ops),
                    other => panic!("{other:?}"),
                }
            }
            groups
        };
        assert_eq!(stored(1, Duration::ZERO), [1, 1, 1, 1]);
        // Longer than any pause between the four: the limit ends the waiting.
        assert_eq!(stored(4, SOON * 2), [4]);
        assert_eq!(stored(2, SOON * 2), [2, 2]);
    }
}

//! The thread that owns the store: operations in order, appends made durable in groups.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::Zxid;

use super::{StorageError, Store};

/// At most this many operations share one fdatasync (ZooKeeper's `maxBatchSize`).
const BATCH: usize = 1000;

/// What the thread is asked to do.
#[derive(Debug)]
pub enum Op<T> {
    /// An operation of the protocol; reported, in order, by [`Report::Stored`].
    Protocol(zab::Store<T, Arc<Vec<u8>>>),
    /// A snapshot of the server's own; reported by [`Report::Snapshot`].
    Snapshot {
        /// The zxid of the state.
        zxid: Zxid,
        /// The state.
        bytes: Arc<Vec<u8>>,
    },
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

/// Handle of the thread. Dropping it lets the thread finish what it was given, and end.
#[derive(Debug)]
pub struct Worker<T> {
    ops: Sender<Op<T>>,
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Worker<T> {
    /// Starts the thread; `report` is called from it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        store: Store<T>,
        report: impl FnMut(Report) + Send + 'static,
    ) -> std::io::Result<Worker<T>> {
        let (ops, inbox) = channel();
        thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || run(store, &inbox, report))?;
        Ok(Worker { ops })
    }

    /// Hands an operation over. After a failure it is dropped: the failure was reported.
    pub fn submit(&self, op: Op<T>) {
        let _gone_after_failure = self.ops.send(op);
    }
}

fn run<T: Serialize + DeserializeOwned>(
    mut store: Store<T>,
    inbox: &Receiver<Op<T>>,
    mut report: impl FnMut(Report),
) {
    while let Ok(first) = inbox.recv() {
        let batch = std::iter::once(first).chain(inbox.try_iter().take(BATCH - 1));
        if let Err(error) = write(&mut store, batch, &mut report) {
            report(Report::Failed(error));
            return;
        }
    }
}

fn write<T: Serialize + DeserializeOwned>(
    store: &mut Store<T>,
    batch: impl Iterator<Item = Op<T>>,
    report: &mut impl FnMut(Report),
) -> Result<(), StorageError> {
    let mut waiting = 0;
    for op in batch {
        match op {
            Op::Protocol(op) => {
                perform(store, &op)?;
                waiting += 1;
            }
            Op::Snapshot { zxid, bytes } => {
                let start = Instant::now();
                store.snapshot(zxid, &bytes)?;
                report(Report::Snapshot { zxid, took: start.elapsed() });
            }
        }
    }
    let (start, is_dirty) = (Instant::now(), store.is_dirty());
    store.sync()?;
    if waiting > 0 {
        let fsync = is_dirty.then(|| start.elapsed());
        report(Report::Stored { ops: waiting, fsync });
    }
    Ok(())
}

fn perform<T: Serialize + DeserializeOwned>(
    store: &mut Store<T>,
    op: &zab::Store<T, Arc<Vec<u8>>>,
) -> Result<(), StorageError> {
    match op {
        zab::Store::Append(entry) => store.append(entry),
        zab::Store::Truncate { after } => store.truncate(*after),
        zab::Store::Install { zxid, state, log } => store.install(*zxid, state, log),
        zab::Store::Epochs { accepted, current } => store.save_epochs(*accepted, *current),
        zab::Store::Settled { version } => store.save_settled(*version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zab::Entry;

    fn append(counter: u32) -> Op<u64> {
        let entry = Entry { zxid: Zxid::new(1, counter), txn: 0 };
        Op::Protocol(zab::Store::Append(entry))
    }

    #[test]
    fn every_operation_is_reported_once_and_a_full_disk_is_reported_last() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::<u64>::open(dir.path()).unwrap();
        let (sender, reports) = channel();
        let worker = Worker::start(store, move |report| sender.send(report).unwrap()).unwrap();
        (1..=100).for_each(|counter| worker.submit(append(counter)));
        let next = || reports.recv_timeout(Duration::from_secs(20)).unwrap();
        let mut stored = 0;
        while stored < 100 {
            match next() {
                Report::Stored { ops, .. } => stored += ops,
                other => panic!("{other:?}"),
            }
        }
        std::fs::remove_dir_all(dir.path()).unwrap();
        worker.submit(Op::Protocol(zab::Store::Epochs { accepted: 1, current: 1 }));
        assert!(matches!(next(), Report::Failed(_)));
    }
}

//! A thread that does one thing again and again until it is told to stop.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// The handle of the thread. Dropping it stops the thread and waits for its end.
#[derive(Debug)]
pub(crate) struct Worker<T> {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<T>>,
}

/// What the thread waits by.
#[derive(Debug)]
pub(crate) struct Stop(Receiver<()>);

impl<T: Send + 'static> Worker<T> {
    pub(crate) fn start(
        name: &str,
        work: impl FnOnce(&Stop) -> T + Send + 'static,
    ) -> io::Result<Worker<T>> {
        let (stop, stopped) = channel();
        let thread = Builder::new().name(name.into()).spawn(move || work(&Stop(stopped)))?;
        Ok(Worker { stop: Some(stop), thread: Some(thread) })
    }

    /// Tells it to stop, and waits for what it has to say. `None` if it panicked.
    pub(crate) fn finish(mut self) -> Option<T> {
        self.stop = None;
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.stop = None;
        // A panic has been printed by the thread.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Stop {
    /// Waits; true if the worker shall stop, in which case it does not wait to the end.
    pub(crate) fn comes_within(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }
}

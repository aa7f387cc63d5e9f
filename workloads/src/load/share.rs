//! One thread's share of a load's sessions.
//!
//! One thread for all would be the limit before the servers are: where fifty sessions have one
//! request each in flight, a program that only sends bytes back is half as fast for one thread of
//! clients as for two.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{Loaded, Sample, Window};
use super::{Load, LoadError};

/// When it starts, once all sessions of all shares are open. Its sender's end is the load's.
pub(super) type Start = watch::Receiver<Option<Instant>>;

/// What a share's thread ends with.
pub(super) type Samples = oneshot::Receiver<Result<Vec<Sample>, LoadError>>;

/// Tells that all its sessions are open, or why not.
pub(super) type Opened = mpsc::UnboundedSender<Result<(), LoadError>>;

/// Opens the sessions of `clients` on a thread of their own, tells `opened`, and lets them go at
/// the start.
pub(super) fn spawn(
    clients: Vec<usize>,
    load: &Load,
    opened: Opened,
    start: Start,
) -> Result<Samples, LoadError> {
    let (done, samples) = oneshot::channel();
    let load = load.clone();
    let work = move || {
        let all = async {
            tokio::select! {
                samples = run(clients, &load, opened, start.clone()) => samples,
                () = abandoned(start.clone()) => Ok(Vec::new()),
            }
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| LoadError::Thread(error.to_string()))?.block_on(all)
    };
    let guarded = move || {
        let panicked = |_| Err(LoadError::Thread("it panicked".to_owned()));
        // Nobody waits for it any more: the load has ended with another error.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked));
    };
    let thread = thread::Builder::new().name("load".to_owned()).spawn(guarded);
    thread.map_err(|error| LoadError::Thread(error.to_string()))?;
    Ok(samples)
}

async fn run(
    clients: Vec<usize>,
    load: &Load,
    opened: Opened,
    mut start: Start,
) -> Result<Vec<Sample>, LoadError> {
    let (sessions, told) = match open(clients, load).await {
        Ok(sessions) => (sessions, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let Ok(()) = opened.send(told) else { return Ok(Vec::new()) };
    let Ok(Some(at)) = start.wait_for(Option::is_some).await.map(|at| *at) else {
        return Ok(Vec::new());
    };
    let window = Window::new(at, &load.amount);
    let mut running = JoinSet::new();
    for session in sessions {
        running.spawn(session.drive(window));
    }
    all(running).await
}

async fn open(clients: Vec<usize>, load: &Load) -> Result<Vec<Loaded>, LoadError> {
    let mut opening = JoinSet::new();
    for client in clients {
        opening.spawn(Loaded::open(client, load.clone()));
    }
    all(opening).await
}

/// What each returns; the first error at once.
async fn all<T: 'static>(mut tasks: JoinSet<Result<T, LoadError>>) -> Result<Vec<T>, LoadError> {
    let mut done = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        done.push(ended.map_err(|panic| LoadError::Thread(panic.to_string()))??);
    }
    Ok(done)
}

/// Returns when nobody is interested in the load any more.
async fn abandoned(mut start: Start) {
    while start.changed().await.is_ok() {}
}

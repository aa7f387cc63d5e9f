//! The clients of a run, together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use history::Recorder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, ConfigError};
use crate::recorded::Shared;
use crate::register::{Stage, run_client};
use crate::tally::{Counter, Tally};

/// The clients of the register workload. They end when this is dropped; use
/// [`stop`](Clients::stop) to let them finish what they are doing.
#[derive(Debug)]
pub struct Clients {
    stage: watch::Sender<Stage>,
    tasks: JoinSet<()>,
    counter: Arc<Counter>,
}

/// The clients cannot start.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// No client could run this.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Not every client has a session.
    #[error(
        "clients {missing:?} had no session after {after:?}: \
         the history's connect events say what their servers answered"
    )]
    NoSession {
        /// Those without.
        missing: Vec<u64>,
        /// How long they had.
        after: Duration,
    },
}

/// A client ended by a panic: a bug of ours, which makes the history incomplete.
#[derive(Debug, thiserror::Error)]
#[error("a client panicked: {0}")]
pub struct ClientPanic(#[from] tokio::task::JoinError);

impl Clients {
    /// Starts the clients and waits until each has its session.
    ///
    /// # Errors
    /// When `config` is invalid, or a client has no session after `limit`; then all are stopped.
    pub async fn open(
        config: Arc<Config>,
        recorder: Recorder,
        limit: Duration,
    ) -> Result<Clients, OpenError> {
        config.validate()?;
        let shared = Shared { config, recorder, counter: Arc::default() };
        let (stage, stages) = watch::channel(Stage::Open);
        let (opened, openings) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for client in 0..shared.config.clients {
            tasks.spawn(run_client(shared.clone(), client, stages.clone(), opened.clone()));
        }
        drop(opened);
        let mut missing = (0..shared.config.clients).collect();
        // Out of time or out of clients: who is missing says it all.
        let _ = timeout(limit, all_opened(&mut missing, openings)).await;
        if missing.is_empty() {
            Ok(Clients { stage, tasks, counter: shared.counter })
        } else {
            Err(OpenError::NoSession { missing: missing.into_iter().collect(), after: limit })
        }
    }

    /// Starts the load.
    pub fn go(&self) {
        self.stage.send_replace(Stage::Load);
    }

    /// How many operations have ended so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.counter.tally()
    }

    /// The same, to be asked from elsewhere.
    pub fn tallies(&self) -> impl Fn() -> Tally + Send + 'static {
        let counter = Arc::clone(&self.counter);
        move || counter.tally()
    }

    /// Ends the load after the operations under way, which takes at most about two operation
    /// timeouts. Connections are closed, sessions are not: they expire in their time.
    ///
    /// # Errors
    /// When a client panicked.
    pub async fn stop(mut self) -> Result<Tally, ClientPanic> {
        self.stage.send_replace(Stage::Stop);
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(self.tally())
    }
}

/// Strikes off clients as they open. Returns when none is missing, or when the rest panicked.
async fn all_opened(missing: &mut BTreeSet<u64>, mut opened: mpsc::UnboundedReceiver<u64>) {
    while !missing.is_empty()
        && let Some(client) = opened.recv().await
    {
        missing.remove(&client);
    }
}

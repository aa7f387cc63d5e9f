//! The clients of a rehearsal: each does one thing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use history::Recorder;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use workloads::{Config, Hand};

use super::KEY;
use super::server::Missing;

/// How long an answer may take that the server has given.
const PATIENCE: Duration = Duration::from_secs(10);

/// Those that have yet something to do, and those that are at it or done, in turn.
pub(super) struct Hands {
    idle: Vec<Hand>,
    written: i64,
    busy: Vec<Option<JoinHandle<()>>>,
}

impl Hands {
    pub(super) fn new(config: &Arc<Config>, recorder: &Recorder) -> Hands {
        let hand = |process| Hand::new(Arc::clone(config), recorder.clone(), process);
        let idle = (0..config.clients).rev().map(hand).collect();
        Hands { idle, written: 0, busy: Vec::new() }
    }

    /// Each opens its session on the first server.
    pub(super) async fn open(&mut self) -> Result<()> {
        for hand in &mut self.idle {
            if !hand.connect(0).await {
                bail!("a client got no session: see the history");
            }
        }
        Ok(())
    }

    /// The next one writes on server `number`.
    pub(super) fn write(&mut self, runtime: &Runtime, number: u64) {
        self.written += 1;
        let (mut hand, value) = (self.next(), self.written);
        let write = async move {
            if hand.connect(number as usize - 1).await {
                hand.write(KEY, value).await;
            }
        };
        self.busy.push(Some(runtime.spawn(write)));
    }

    /// The next one syncs and reads on server `number`.
    pub(super) fn read(&mut self, runtime: &Runtime, number: u64) {
        let mut hand = self.next();
        let read = async move {
            if hand.connect(number as usize - 1).await {
                hand.read(KEY).await;
            }
        };
        self.busy.push(Some(runtime.spawn(read)));
    }

    /// Waits until the client of this turn has its answer, or knows that it gets none.
    pub(super) fn answered(&mut self, runtime: &Runtime, turn: usize) -> Result<(), Missing> {
        let Some(client) = self.busy[turn].take() else { return Ok(()) };
        let in_time = runtime.block_on(async { timeout(PATIENCE, client).await });
        let done = in_time.map_err(|_| Missing::Step(format!("client {turn} gets no answer")))?;
        Ok(done.context("a client")?)
    }

    /// Waits for all answers, each of which has its own deadline.
    pub(super) async fn finish(&mut self) {
        for client in self.busy.iter_mut().filter_map(Option::take) {
            // A client that panicked has said so.
            let _ = client.await;
        }
    }

    fn next(&mut self) -> Hand {
        self.idle.pop().expect("there is a client for each thing to do")
    }
}

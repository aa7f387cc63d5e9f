//! One client of a run.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::config::{Config, Workload};
use crate::generator::{Op, Register};
use crate::recorded::{RecordedClient, Shared};
use crate::schedule::Schedule;
use crate::znodes::{Step, Znodes};

/// What the clients are to do. Stages come in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Open the session and keep it alive.
    Open,
    /// Work.
    Load,
    /// End after the operation under way.
    Stop,
}

/// Runs client `process` until [`Stage::Stop`]; says on `opened` when it has its session.
pub(crate) async fn run_client(
    shared: Shared,
    process: u64,
    mut stage: watch::Receiver<Stage>,
    opened: mpsc::UnboundedSender<u64>,
) {
    let mut worker = Worker::new(shared, process);
    worker.until(&mut stage, Stage::Stop, Wanted::Connection).await;
    // Nobody listens any more when opening was given up; then the stage says stop.
    let _ = opened.send(process);
    worker.until(&mut stage, Stage::Load, Wanted::Nothing).await;
    worker.start();
    while worker.until(&mut stage, Stage::Stop, Wanted::Turn).await {
        worker.work().await;
    }
}

/// What a worker waits for, besides a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Connection,
    /// Its next operation to be due, and a connection to do it on.
    Turn,
}

struct Worker {
    client: RecordedClient,
    ops: Stream,
    schedule: Schedule,
    offset: Duration,
    n_servers: usize,
}

impl Worker {
    fn new(shared: Shared, process: u64) -> Worker {
        let config = &shared.config;
        let n_servers = config.servers.len();
        let server_idx = index(process, n_servers);
        let period = config.period();
        let turn = process as f64 / config.clients as f64;
        Worker {
            ops: Stream::new(config, process),
            schedule: Schedule::new(Instant::now(), period),
            offset: period.mul_f64(turn),
            n_servers,
            client: RecordedClient::new(shared, process, server_idx),
        }
    }

    /// Starts the schedule. The clients' first operations are spread over one period.
    fn start(&mut self) {
        self.schedule.restart(Instant::now() + self.offset);
    }

    /// Waits, connecting when there is no connection, and keeping the session alive. True when
    /// what is `wanted` is there, false when `stage` or a later one came first (or nobody is left
    /// to set it).
    async fn until(
        &mut self,
        stages: &mut watch::Receiver<Stage>,
        stage: Stage,
        wanted: Wanted,
    ) -> bool {
        let due = self.schedule.due();
        loop {
            let connected = self.client.is_connected();
            if wanted == Wanted::Connection && connected {
                return true;
            }
            tokio::select! {
                biased;
                _ = stages.wait_for(|now| *now >= stage) => return false,
                () = sleep_until(due), if wanted == Wanted::Turn && connected => return true,
                () = self.client.idle() => {}
            }
            self.client.connect_next().await;
        }
    }

    async fn work(&mut self) {
        self.schedule.done(Instant::now());
        match &mut self.ops {
            Stream::Register(ops) => {
                let op = ops.next().expect(ENDLESS);
                self.operate(op).await;
            }
            Stream::Znodes(steps) => {
                let step = steps.next().expect(ENDLESS);
                self.take_step(step).await;
            }
        }
    }

    async fn operate(&mut self, op: Op) {
        match op {
            Op::Read { key } => drop(self.client.read(&key).await),
            Op::LocalRead { key } => self.client.local_read(&key).await,
            Op::Write { key, value } => self.client.write(&key, value).await,
            Op::Cas { key, value } => self.client.cas(&key, value).await,
            Op::Move { to } => self.client.connect(index(to.into(), self.n_servers)).await,
        }
    }

    async fn take_step(&mut self, step: Step) {
        match step {
            Step::Ask { request } => drop(self.client.ask(&request).await),
            Step::Abandon => self.client.forget_session(),
            Step::DeleteOwn => self.client.delete_own().await,
            Step::Move { to } => self.client.connect(index(to.into(), self.n_servers)).await,
        }
    }
}

const ENDLESS: &str = "the stream is endless";

/// What it is to do.
enum Stream {
    Register(Register),
    Znodes(Znodes),
}

impl Stream {
    fn new(config: &Config, client: u64) -> Stream {
        let (seed, keys) = (config.seed, &config.keys);
        match config.workload {
            Workload::Register => Stream::Register(Register::new(seed, client, keys)),
            Workload::Znodes => Stream::Znodes(Znodes::new(seed, client, keys)),
        }
    }
}

fn index(number: u64, n: usize) -> usize {
    usize::try_from(number % n as u64).expect("below a usize")
}

//! Operations per second and their latencies, cell by cell, both targets in turn.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use history::Target;
use tokio::time::{Instant, sleep};
use workloads::{Amount, Bare, Load, Measured, Work, load};

use super::cell::{Cell, Shape};
use super::ensemble::{Ensemble, name};
use super::results::{BareResult, CellResult, Sample, Sides};
use super::site::Site;
use super::{PATIENCE, Plan, say, usage};

/// Before what is measured: pipelines fill.
const LEAD_IN: Duration = Duration::from_millis(500);
/// Between two loads: snapshots and collections of garbage that one has caused end.
const PAUSE: Duration = Duration::from_millis(300);
/// What fills the processors, and so makes the JVM compile what matters.
const WARM_UP: Shape = Shape { clients: 50, depth: 32 };

/// How the cells are measured, in words.
pub(super) fn how(plan: &Plan) -> String {
    format!(
        "three servers of each target on one machine's loopback, their defaults (tickTime 2000, \
         fsync on, ZooKeeper with -Xmx1000m), data on one disk; sessions spread over the servers; \
         each operation warmed up for {warm} s at {WARM_UP}; then {rounds} rounds of {time} s per \
         cell, the targets in turn; medians of the rounds, spread = (largest − smallest) / median; \
         every reply decoded and checked",
        warm = plan.warm_up.as_secs_f64(),
        rounds = plan.rounds,
        time = plan.time.as_secs_f64(),
    )
}

/// Measures all cells.
pub(super) async fn measure(plan: &Plan, site: &Site) -> Result<Vec<CellResult>> {
    let mut sides = Vec::new();
    for target in &plan.targets {
        sides.push(Side::start(*target, plan, site).await?);
    }
    for side in &mut sides {
        side.warm_up(plan).await?;
    }
    let rounds = Sides::of(&plan.targets);
    let mut results: Vec<CellResult> =
        plan.cells.iter().map(|cell| CellResult { cell: *cell, rounds: rounds.clone() }).collect();
    for round in 1..=plan.rounds {
        for result in &mut results {
            for side in &mut sides {
                let sample = side.sample(result.cell, plan.time).await?;
                say(&format!(
                    "round {round}/{}, {}: {} {:.0}/s",
                    plan.rounds,
                    result.cell,
                    name(side.target),
                    sample.per_second
                ));
                result.rounds.side(side.target).push(sample);
            }
        }
    }
    Ok(results)
}

/// Measures the cells of reads in which each session waits for every reply, of servers that keep
/// nothing.
pub(super) async fn measure_bare(plan: &Plan) -> Result<Vec<BareResult>> {
    let waits = |cell: &&Cell| cell.work == Work::GetData && cell.shape.depth == 1;
    let mut results = Vec::new();
    for cell in plan.cells.iter().filter(waits) {
        let Cell { work, data_len, shape: Shape { clients, depth } } = *cell;
        let bare = Bare::start(data_len).await.context("the bare servers")?;
        let amount = Amount::Time { lead_in: LEAD_IN, measured: plan.time };
        let (servers, root) = (bare.servers.clone(), keys(data_len));
        let wanted =
            Load { servers, clients, depth, work, root, data_len, amount, patience: PATIENCE };
        let mut result = BareResult { cell: *cell, per_second: Vec::new(), p99_ms: Vec::new() };
        for round in 1..=plan.rounds {
            let done = load(&wanted).await.with_context(|| format!("bare servers, {cell}"))?;
            say(&format!("round {round}/{}, {cell}: bare {:.0}/s", plan.rounds, done.per_second()));
            result.per_second.push(done.per_second());
            result.p99_ms.push(ms(&done, 0.99));
        }
        results.push(result);
    }
    Ok(results)
}

/// One target's servers.
struct Side {
    target: Target,
    ensemble: Ensemble,
    n_loads: usize,
}

impl Side {
    /// Starts the servers and creates the znodes that sets and reads are about.
    async fn start(target: Target, plan: &Plan, site: &Site) -> Result<Side> {
        say(&format!("{}: starting three servers", name(target)));
        let dir = site.directory(&format!("throughput-{}", name(target)))?;
        let ensemble = Ensemble::of_three(target, &dir).await?;
        let side = Side { target, ensemble, n_loads: 0 };
        let clients = plan.cells.iter().map(|cell| cell.shape.clients).max().unwrap_or(0);
        let clients = clients.max(WARM_UP.clients);
        let lens: BTreeSet<usize> = plan.cells.iter().map(|cell| cell.data_len).collect();
        for data_len in lens {
            let root = keys(data_len);
            let amount = Amount::Requests(vec![Work::KEYS; clients]);
            let shape = Shape { clients, depth: 1 };
            side.load(Cell { work: Work::Create, data_len, shape }, root, amount).await?;
        }
        Ok(side)
    }

    async fn warm_up(&mut self, plan: &Plan) -> Result<()> {
        let mut kinds: Vec<Cell> =
            plan.cells.iter().map(|cell| Cell { shape: WARM_UP, ..*cell }).collect();
        kinds.dedup();
        for cell in kinds.into_iter().filter(|_| !plan.warm_up.is_zero()) {
            let sample = self.sample(cell, plan.warm_up).await?;
            let per_second = sample.per_second;
            say(&format!("warm-up, {cell}: {} {per_second:.0}/s", name(self.target)));
        }
        Ok(())
    }

    async fn sample(&mut self, cell: Cell, measured: Duration) -> Result<Sample> {
        self.n_loads += 1;
        let root = match cell.work {
            Work::Create => format!("/created-{}", self.n_loads),
            _ => keys(cell.data_len),
        };
        let sample = self.measured(cell, root, measured).await?;
        self.ensemble.look_for_exits()?;
        sleep(PAUSE).await;
        Ok(sample)
    }

    async fn measured(&self, cell: Cell, root: String, measured: Duration) -> Result<Sample> {
        let pids = self.ensemble.pids();
        let amount = Amount::Time { lead_in: LEAD_IN, measured };
        let own = [std::process::id()];
        let (servers, load, start) =
            (usage::cpu_seconds(&pids)?, usage::cpu_seconds(&own)?, Instant::now());
        let done = self.load(cell, root.clone(), amount).await?;
        let elapsed = start.elapsed().as_secs_f64();
        let sample = Sample {
            per_second: done.per_second(),
            p50_ms: ms(&done, 0.5),
            p99_ms: ms(&done, 0.99),
            server_cpu_us: (usage::cpu_seconds(&pids)? - servers) * 1e6 / in_all(&done),
            load_cores: (usage::cpu_seconds(&own)? - load) / elapsed,
        };
        if cell.work == Work::Create {
            self.delete(cell, root, done.by_client).await?;
        }
        Ok(sample)
    }

    /// What one cell creates must not burden the next: the faster server would have more of it.
    async fn delete(&self, cell: Cell, root: String, created: Vec<u64>) -> Result<()> {
        let shape = Shape { depth: WARM_UP.depth, ..cell.shape };
        let cell = Cell { work: Work::Delete, shape, ..cell };
        self.load(cell, root, Amount::Requests(created)).await.map(drop)
    }

    async fn load(&self, cell: Cell, root: String, amount: Amount) -> Result<Measured> {
        let Cell { work, data_len, shape: Shape { clients, depth } } = cell;
        let servers = self.ensemble.servers();
        let wanted =
            Load { servers, clients, depth, work, root, data_len, amount, patience: PATIENCE };
        load(&wanted).await.with_context(|| format!("{}, {cell}", name(self.target)))
    }
}

fn keys(data_len: usize) -> String {
    format!("/keys-{data_len}")
}

/// The latency that this share of the operations did not exceed, in milliseconds.
fn ms(done: &Measured, share: f64) -> f64 {
    f64::from(done.quantile_us(share)) / 1e3
}

fn in_all(done: &Measured) -> f64 {
    done.by_client.iter().sum::<u64>() as f64
}

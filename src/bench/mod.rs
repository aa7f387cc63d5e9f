//! What our server achieves, and Apache ZooKeeper on the same machine and disk: operations per
//! second, memory, the time to recover from a killed leader, and the time to start with much data.
//!
//! The servers run on plain loopback, not in a lab: the lab's switch forwards each packet in user
//! space, which costs as much as the faster server. The targets take turns, so that whatever else the
//! machine does falls on both.

mod cell;
mod ensemble;
mod failover;
mod memory;
mod results;
mod site;
mod start_up;
mod table;
mod throughput;
mod usage;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use history::Target;
use nix::sys::utsname::uname;
use tokio::signal::unix::{SignalKind, signal};

pub use cell::{Cell, Shape, default_cells, expand};
pub use results::{BareResult, CellResult, Figure, Machine, Results, Sample, Sides};
pub use table::{markdown, text};

use crate::run::ensemble::{available, zookeeper_version};
use site::Site;

/// No server needs so long for anything that is measured here.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom, in the order of their turns. Ours is always among them.
    pub targets: Vec<Target>,
    /// What of it.
    pub parts: Vec<Part>,
    /// Operations, sizes and loads.
    pub cells: Vec<Cell>,
    /// How often each cell is measured.
    pub rounds: usize,
    /// How long each time.
    pub time: Duration,
    /// How long each operation is warmed up.
    pub warm_up: Duration,
    /// How often a leader is killed, and a server started.
    pub trials: usize,
    /// Znodes that a server starts with.
    pub znodes: u64,
    /// The servers' data goes into a directory of its own in this one.
    pub dir: PathBuf,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Operations per second and latencies.
    Throughput,
    /// Resident memory after a fixed load.
    Memory,
    /// The time without writes after the leader is killed.
    Failover,
    /// The time from start to the first answer with much data.
    #[value(name = "startup")]
    StartUp,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 4] = [Part::Throughput, Part::Memory, Part::Failover, Part::StartUp];
}

/// Measures. Call it on a program's first and only thread: it contains the program, as
/// [`crate::run::run`] does.
///
/// # Errors
/// When a target is not there or does not start, a request is not answered as it should be, or the
/// machine forbids what is needed.
pub fn run(plan: &Plan) -> Result<Results> {
    plan.targets.iter().try_for_each(|target| available(*target))?;
    let site = Site::enter(&plan.dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the runtime")?.block_on(async {
        tokio::select! {
            results = measure(plan, &site) => results,
            error = interrupted() => Err(error),
        }
    })
}

async fn measure(plan: &Plan, site: &Site) -> Result<Results> {
    let mut results = Results {
        machine: machine(plan, site)?,
        how: throughput::how(plan),
        cells: Vec::new(),
        bare: Vec::new(),
        figures: Vec::new(),
    };
    for part in &plan.parts {
        match part {
            Part::Throughput => {
                results.cells = throughput::measure(plan, site).await?;
                results.bare = throughput::measure_bare(plan).await?;
            }
            Part::Memory => results.figures.extend(memory::measure(plan, site).await?),
            Part::Failover => results.figures.push(failover::measure(plan, site).await?),
            Part::StartUp => results.figures.push(start_up::measure(plan, site).await?),
        }
    }
    Ok(results)
}

fn machine(plan: &Plan, site: &Site) -> Result<Machine> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(Machine {
        processor: processor.map(|(_, name)| name.trim().to_owned()),
        cores: available_parallelism().context("processors")?.get(),
        kernel: uname().context("uname")?.release().to_string_lossy().into_owned(),
        fdatasync_ms: site.sync_ms()?,
        zookeeper: plan.targets.contains(&Target::Zookeeper).then(zookeeper_version).flatten(),
        optimized: !cfg!(debug_assertions),
    })
}

/// The contained process is pid 1, which ignores both signals without a handler.
async fn interrupted() -> anyhow::Error {
    let wait = async || -> Result<()> {
        let mut int = signal(SignalKind::interrupt()).context("SIGINT")?;
        let mut term = signal(SignalKind::terminate()).context("SIGTERM")?;
        tokio::select! {
            _ = int.recv() => bail!("interrupted"),
            _ = term.recv() => bail!("asked to end"),
        }
    };
    wait().await.expect_err("it only ends with an error")
}

/// Tells how far it is, on standard error. One that is closed ends the talking, not the work.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

//! `zoobreak bench server`: what our server achieves, and Apache ZooKeeper beside it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use checker::Exit;
use clap::Args;
use clap::builder::ValueParser;
use history::Target;

use crate::bench::{self, Cell, Part, Plan, default_cells, expand, markdown, text};
use crate::cli::Failure;
use crate::cli::output::to_stdout;
use crate::plan::TargetName;

/// Throughput, memory, failover and start-up of our servers, and of Apache ZooKeeper in turn
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Server {
    /// `zookeeper`: measure Apache ZooKeeper too, and compare
    #[arg(long, value_name = "NAME", default_value = "zoobreak")]
    target: TargetName,
    /// Measure this alone
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Which operations: KIND[:BYTES][:CLIENTSxDEPTH], with commas; KIND is create, setData, getData, mixed
    #[arg(long, value_name = "CELLS", value_delimiter = ',', value_parser = ValueParser::new(expand))]
    cells: Vec<Vec<Cell>>,
    /// How often each operation is measured
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// How long each time
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = long_enough)]
    seconds: Duration,
    /// How long each kind of operation is warmed up
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    warm_up: Duration,
    /// How often a leader is killed, and a server started
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    trials: u64,
    /// Znodes that a server is started with
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    znodes: u64,
    /// Where the servers keep their data meanwhile: the disk to measure
    #[arg(long, value_name = "DIR", default_value = "results")]
    dir: PathBuf,
    /// Write everything measured to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print Markdown
    #[arg(long)]
    markdown: bool,
}

const AFTER_HELP: &str = "\
Starts three servers of each target on this machine, with fsync on. Every reply is checked: one that is
not as expected ends the benchmark. The targets take turns, so that what else this machine does falls on
both; compare within one run, never between two. Build with --release.

Exit codes:
   0  measured
   3  not measured: a target is missing or does not start, or answered wrongly
  64  wrong usage

Examples:
  zoobreak bench server --target zookeeper
  zoobreak bench server --only throughput --cells create:50x32,getData:100:10x1 --seconds 1";

impl Server {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        if self.json.as_ref().is_some_and(|path| path.is_dir()) {
            return Err(Failure::Usage("--json: a directory; name a file".to_owned()));
        }
        let results = bench::run(&self.plan())?;
        if let Some(path) = &self.json {
            let bytes = serde_json::to_vec_pretty(&results).context("results as JSON")?;
            fs::write(path, bytes).with_context(|| path.display().to_string())?;
        }
        let shown = if self.markdown { markdown(&results) } else { text(&results) };
        to_stdout(|out| out.write_all(shown.as_bytes()))?;
        Ok(Exit::Valid)
    }

    fn plan(&self) -> Plan {
        let cells: Vec<Cell> = self.cells.concat();
        Plan {
            targets: match self.target.target() {
                Target::Zoobreak => vec![Target::Zoobreak],
                Target::Zookeeper => vec![Target::Zoobreak, Target::Zookeeper],
            },
            parts: if self.only.is_empty() { Part::ALL.to_vec() } else { self.only.clone() },
            cells: if cells.is_empty() { default_cells() } else { cells },
            rounds: self.rounds as usize,
            time: self.seconds,
            warm_up: self.warm_up,
            trials: self.trials as usize,
            znodes: self.znodes,
            dir: self.dir.clone(),
        }
    }
}

/// A tenth of a second to an hour.
fn long_enough(text: &str) -> Result<Duration, String> {
    let long_enough = |time: &Duration| *time >= Duration::from_millis(100);
    let time = seconds(text).ok().filter(long_enough);
    time.ok_or_else(|| "expected 0.1 to 3600 seconds".to_owned())
}

/// Up to an hour.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
    number.map(Duration::from_secs_f64).ok_or_else(|| "expected 0 to 3600 seconds".to_owned())
}

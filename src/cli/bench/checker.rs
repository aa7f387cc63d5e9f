//! `zoobreak bench checker`: what checking costs.

#[cfg(test)]
mod explained;
mod generate;
mod measure;
mod stored;

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use checker::Exit;
use clap::Args;

use crate::cli::Failure;
use crate::cli::output::to_stdout;
use generate::Shape;
use measure::{Cost, measure};
use serde::de::DeserializeOwned;
use stored::{Stored, StoredCost};

/// Processor seconds and peak memory of checking generated register histories
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Checker {
    /// Leave out longer histories
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    operations_max: usize,
    /// Use the search alone, without the polynomial engines
    #[arg(long)]
    search_only: bool,
    /// Seed of the histories
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where long histories are written, and deleted again
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    scratch: PathBuf,
    /// Measure one shape in this process, and print JSON
    #[arg(long, hide = true)]
    shape: Option<String>,
    /// The same for a history in a file
    #[arg(long, hide = true)]
    stored: Option<String>,
}

const AFTER_HELP: &str = "\
Histories of compare-and-set registers that behaved, and the same with one stale read planted. Each
is checked in a process of its own, within 20 s and 1 GiB. Build with --release before you compare.
Values are distinct, or one of five, or (cas) distinct and mostly of compare-and-sets, of which most
fail. The column Porcupine is what Porcupine (Go, at 55508eb) took for histories of these shapes on a
machine of two cores: compare orders of magnitude, not digits.

Examples:
  zoobreak bench checker
  zoobreak bench checker --operations-max 1000000";

/// Clients, operations, keys, and Porcupine's time and memory for distinct values, no unknown
/// outcome and no stale read.
const PORCUPINE: [(usize, usize, usize, &str); 11] = [
    (5, 1_000, 1, "1.1 ms 8 MB"),
    (5, 10_000, 1, "37 ms 46 MB"),
    (5, 100_000, 1, "2.2 s 2.0 GB"),
    (5, 1_000_000, 1, "out of 6 GB"),
    (10, 10_000, 1, "124 ms 136 MB"),
    (10, 100_000, 1, "out of 6 GB"),
    (30, 1_000, 1, "over 20 s"),
    (100, 1_000, 1, "over 20 s"),
    (10, 1_000, 100, "1.2 ms 8 MB"),
    (10, 100_000, 100, "117 ms 91 MB"),
    (10, 1_000_000, 100, "2.7 s 1.3 GB"),
];

impl Checker {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match (&self.shape, &self.stored) {
            (Some(shape), _) => self.measure_here(shape)?,
            (None, Some(stored)) => self.measure_stored_here(stored)?,
            (None, None) => {
                self.table()?;
                self.stored_table()?;
            }
        }
        Ok(Exit::Valid)
    }

    fn measure_here(&self, shape: &str) -> anyhow::Result<()> {
        let shape = serde_json::from_str(shape).context("--shape")?;
        let cost = measure(shape, self.search_only)?;
        let line = serde_json::to_string(&cost)?;
        to_stdout(|out| writeln!(out, "{line}")).context("standard output")
    }

    fn measure_stored_here(&self, stored: &str) -> anyhow::Result<()> {
        let stored = serde_json::from_str(stored).context("--stored")?;
        let cost = stored::measure(stored, &self.scratch)?;
        let line = serde_json::to_string(&cost)?;
        to_stdout(|out| writeln!(out, "{line}")).context("standard output")
    }

    fn stored_table(&self) -> anyhow::Result<()> {
        to_stdout(|out| writeln!(out, "\n{STORED_HEAD}")).context("standard output")?;
        let lengths = [10_000, 100_000, 1_000_000, 10_000_000];
        for operations in lengths.into_iter().filter(|n| *n <= self.operations_max) {
            for (clients, keys, unknown) in [(10, 10, 0), (10, 10, 10), (100, 1, 10)] {
                let stored = Stored { clients, operations, keys, unknown, seed: self.seed };
                let shape = serde_json::to_string(&stored)?;
                let scratch = self.scratch.to_string_lossy();
                let cost = apart(&["--stored", &shape, "--scratch", &scratch])?;
                to_stdout(|out| stored_row(out, stored, &cost)).context("standard output")?;
            }
        }
        Ok(())
    }

    fn table(&self) -> anyhow::Result<()> {
        to_stdout(|out| writeln!(out, "{HEAD}")).context("standard output")?;
        let fits = |shape: &Shape| shape.operations <= self.operations_max && shape.makes_sense();
        for shape in shapes(self.seed).filter(fits) {
            let cost = self.measure_apart(shape)?;
            to_stdout(|out| row(out, shape, &cost)).context("standard output")?;
        }
        Ok(())
    }

    /// In a process of its own, so that no measurement pays for another's memory.
    fn measure_apart(&self, shape: Shape) -> anyhow::Result<Cost> {
        let shape = serde_json::to_string(&shape)?;
        let search_only = self.search_only.then_some("--search-only");
        let arguments: Vec<&str> = ["--shape", &shape].into_iter().chain(search_only).collect();
        apart(&arguments)
    }
}

fn apart<T: DeserializeOwned>(arguments: &[&str]) -> anyhow::Result<T> {
    let mut command = Command::new(env::current_exe().context("our own program")?);
    let output = command.args(["bench", "checker"]).args(arguments).output();
    let output = output.context("our own program")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("measuring {arguments:?} ended with {}: {}", output.status, said.trim());
    }
    serde_json::from_slice(&output.stdout).context("the measurement's answer")
}

/// From short to long; one register, then a hundred.
fn shapes(seed: u64) -> impl Iterator<Item = Shape> {
    let plain = Shape {
        clients: 5,
        operations: 1_000,
        keys: 1,
        distinct: true,
        cas_heavy: false,
        unknown: 0,
        stale: false,
        seed,
    };
    let lengths = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    let sizes = [(5, 1), (10, 1), (30, 1), (100, 1), (10, 100)];
    let kinds = [(true, 0, false), (true, 0, true), (true, 10, false), (true, 10, true)];
    let few = [(false, 0, false), (false, 10, false)];
    let cas_heavy = [(true, 10, false)];
    let plain_kinds = move |clients| {
        let few = few.into_iter().filter(move |_| clients <= 10);
        kinds.into_iter().chain(few).map(|kind| (false, kind))
    };
    let kinds =
        move |clients| plain_kinds(clients).chain(cas_heavy.into_iter().map(|kind| (true, kind)));
    lengths.into_iter().flat_map(move |operations| {
        sizes.into_iter().flat_map(move |(clients, keys)| {
            kinds(clients).map(move |(cas_heavy, (distinct, unknown, stale))| Shape {
                clients,
                operations,
                keys,
                distinct,
                cas_heavy,
                unknown,
                stale,
                ..plain
            })
        })
    })
}

const HEAD: &str = "\
clients operations keys values   unknown stale  verdict  by              cpu      peak  Porcupine";

fn row(out: &mut dyn Write, shape: Shape, cost: &Cost) -> io::Result<()> {
    let Shape { clients, operations, keys, unknown, stale, .. } = shape;
    let values = match shape {
        Shape { cas_heavy: true, .. } => "cas",
        Shape { distinct: true, .. } => "distinct",
        Shape { .. } => "five",
    };
    let by = match (cost.searched, cost.explained_by) {
        (0, 0) => "zones".to_owned(),
        (0, n) => format!("zones, {n} calls"),
        (n, _) if keys > 1 => format!("search ({n} keys)"),
        _ => "search".to_owned(),
    };
    writeln!(
        out,
        "{clients:7} {operations:10} {keys:4} {values:8} {unknown:>5} ‰ {stale:5}  {verdict:8} \
         {by:15} {cpu:>8} {peak:>6} MB  {porcupine}",
        stale = if stale { "yes" } else { "no" },
        verdict = cost.verdict,
        cpu = seconds(cost.seconds),
        peak = cost.bytes >> 20,
        porcupine = porcupine(shape).unwrap_or("-"),
    )
}

const STORED_HEAD: &str = "\
clients operations znodes unknown  file        bare reading   events taken apart   check       cpu  ns/operation  peak";

fn stored_row(out: &mut dyn Write, stored: Stored, cost: &StoredCost) -> io::Result<()> {
    let Stored { clients, operations, keys, unknown, .. } = stored;
    #[expect(clippy::cast_precision_loss, reason = "for the eye")]
    let each = cost.check * 1e9 / operations as f64;
    writeln!(
        out,
        "{clients:7} {operations:10} {keys:6} {unknown:5} ‰  {file:>5} MB  {bare:>14} {events:>21} {check:>7} \
         {ratio:>4.1}× {cpu:>9} {each:>8.0}  {peak:>7} MB  {verdict}",
        file = cost.bytes / 1_000_000,
        bare = seconds(cost.bare),
        events = seconds(cost.events),
        check = seconds(cost.check),
        ratio = cost.check / cost.events,
        cpu = seconds(cost.cpu),
        peak = cost.peak >> 20,
        verdict = cost.verdict,
    )
}

/// "0.16 ms", "1.70 s".
fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.2} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn porcupine(shape: Shape) -> Option<&'static str> {
    let measured = shape.distinct && !shape.cas_heavy && shape.unknown == 0 && !shape.stale;
    let this = |peer: &&(usize, usize, usize, &str)| {
        (peer.0, peer.1, peer.2) == (shape.clients, shape.operations, shape.keys)
    };
    PORCUPINE.iter().find(this).filter(|_| measured).map(|peer| peer.3)
}

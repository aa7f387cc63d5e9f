//! `zoobreak model`: search the protocol models, and replay what a search found.

mod trace;

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::model::catalogue::{self, Bounds, MODELS, Named};
use ::model::{Budget, Chapter, Counterexample, End, Outcome, Progress, Replay};
use anyhow::Context;
use checker::Exit;
use clap::{Args, Subcommand};

use super::Failure;
use super::output::to_stdout;
use crate::rehearsal;

/// Between two lines of progress.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Search the protocol models exhaustively; the server's own core is one
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = AFTER_HELP)]
pub(super) struct Model {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the models, with their bounds and mutants
    List,
    /// Search a model for a state that breaks an invariant
    Check(Check),
    /// Look around in a model with a browser
    Explore(Explore),
    Trace(trace::Trace),
    /// Do again what a stored counterexample says
    Replay {
        /// A file that `check` wrote
        file: PathBuf,
        /// With real servers, whose messages, writes and crashes come in its order; then judge what
        /// clients saw
        #[arg(long)]
        processes: bool,
        /// Where runs of processes are stored
        #[arg(long, value_name = "DIR", default_value = "results", requires = "processes")]
        results: PathBuf,
    },
}

const AFTER_HELP: &str = "\
Exit codes:
   0  held: every state within the bounds was looked at, and every invariant held
   1  broken: an invariant was broken, and the story of it printed and stored
   2  stopped: the budget was spent first
   3  zoobreak could not do its work
  64  wrong usage: a flag, a name, a file

Examples:
  zoobreak model list
  zoobreak model check crash
  zoobreak model check recovery --mutant X8
  zoobreak model check zab-recovery --mutant ZOOKEEPER-4643
  zoobreak model check zab-recovery --servers 5 --crashes 3 --elections 4 --random 1
  zoobreak model explore zab-stale
  zoobreak model trace results/latest
  zoobreak model replay counterexample-recovery-X8.json
  zoobreak model replay counterexample-recovery-X8.json --processes";

#[derive(Debug, Args)]
struct Check {
    /// Which model: see `zoobreak model list`
    name: String,
    /// Plant a defect, such as X9
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Look for a state that breaks this invariant, and pass by those that break others
    #[arg(long, value_name = "NAME")]
    invariant: Option<String>,
    #[command(flatten)]
    bounds: Changed,
    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    time: u64,
    /// Stop after so many distinct states
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    states: usize,
    /// Stop when the search has so much memory
    #[arg(long, value_name = "MIB", default_value_t = 8192)]
    memory: u64,
    /// Threads; with one, the counterexample is a shortest one
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Walk at random from this seed on, instead of looking at every state: for what is too large
    #[arg(long, value_name = "SEED")]
    random: Option<u64>,
    /// Where a counterexample is stored [default: counterexample-NAME[-MUTANT].json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Explore {
    /// Which model: see `zoobreak model list`
    name: String,
    /// Plant a defect, such as X9
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    #[command(flatten)]
    bounds: Changed,
    /// Where to serve it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

/// Bounds other than the model's own.
#[derive(Debug, Args)]
struct Changed {
    /// Servers (of Paxos: acceptors)
    #[arg(long, value_name = "N")]
    servers: Option<usize>,
    /// Transactions that clients submit (of Paxos: proposers)
    #[arg(long, value_name = "N")]
    txns: Option<usize>,
    /// Crashes: kills and power cuts
    #[arg(long, value_name = "N")]
    crashes: Option<usize>,
    /// Connections that break
    #[arg(long, value_name = "N")]
    cuts: Option<usize>,
    /// Discoveries that take too long
    #[arg(long, value_name = "N")]
    timeouts: Option<usize>,
    /// Syncs (of Paxos: readers)
    #[arg(long, value_name = "N")]
    syncs: Option<usize>,
    /// Elections (of Paxos: ballots of each client)
    #[arg(long, value_name = "N")]
    elections: Option<usize>,
    /// How many of the servers are observers
    #[arg(long, value_name = "N")]
    observers: Option<usize>,
}

impl Changed {
    fn over(&self, own: Bounds) -> Bounds {
        Bounds {
            servers: self.servers.unwrap_or(own.servers),
            txns: self.txns.unwrap_or(own.txns),
            crashes: self.crashes.unwrap_or(own.crashes),
            cuts: self.cuts.unwrap_or(own.cuts),
            timeouts: self.timeouts.unwrap_or(own.timeouts),
            syncs: self.syncs.unwrap_or(own.syncs),
            elections: self.elections.unwrap_or(own.elections),
            observers: self.observers.unwrap_or(own.observers),
        }
    }
}

impl Model {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match &self.what {
            What::List => list(),
            What::Check(check) => check.run(),
            What::Explore(explore) => explore.run(),
            What::Trace(trace) => trace.run(),
            What::Replay { file, processes: false, .. } => replay(file),
            What::Replay { file, processes: true, results } => {
                let (argv, stored) = (std::env::args().collect(), stored(file)?);
                rehearsal::playable(&stored).map_err(|what| usage(file, &what))?;
                Ok(rehearsal::rehearse(&stored, results, argv)?)
            }
        }
    }
}

fn list() -> Result<Exit, Failure> {
    to_stdout(|out| {
        MODELS.iter().try_for_each(|model| {
            writeln!(out, "{:14} {}", model.name, model.about)?;
            writeln!(out, "{:14} {}", "", model.bounds)?;
            writeln!(out, "{:14} mutants: {}", "", model.mutants().join(", "))
        })
    })?;
    Ok(Exit::Valid)
}

impl Check {
    fn run(&self) -> Result<Exit, Failure> {
        let model = catalogue::find(&self.name).ok_or_else(|| unknown(&self.name))?;
        let bounds = self.bounds.over(model.bounds);
        let time = Duration::from_secs(self.time);
        let (states, threads, random) = (self.states, self.threads, self.random);
        let budget = Budget { time, states, memory: self.memory << 20, threads, random };
        let mut report = reporter();
        let (only, mutant) = (self.invariant.as_deref(), self.mutant.as_deref());
        let outcome = model.check_for(only, bounds, mutant, budget, &mut report);
        let outcome = outcome.map_err(Failure::Usage)?;
        to_stdout(|out| summary(out, model, bounds, &outcome))?;
        match outcome.end {
            End::Held => Ok(Exit::Valid),
            End::Stopped => Ok(Exit::Unknown),
            End::Broken(chapter) => self.keep(model, bounds, chapter),
        }
    }

    fn keep(&self, model: &Named, bounds: Bounds, chapter: Chapter) -> Result<Exit, Failure> {
        let path = self.out.clone().unwrap_or_else(|| self.default_path());
        let stored = Counterexample {
            version: 1,
            model: model.name.to_owned(),
            mutant: self.mutant.clone(),
            bounds,
            chapter,
        };
        let text = serde_json::to_string_pretty(&stored).map_err(anyhow::Error::new)?;
        fs::write(&path, text + "\n").with_context(|| path.display().to_string())?;
        let path = path.display();
        to_stdout(|out| writeln!(out, "stored in {path}; zoobreak model replay {path}"))?;
        Ok(Exit::Invalid)
    }

    fn default_path(&self) -> PathBuf {
        let mutant = self.mutant.as_ref().map_or(String::new(), |name| format!("-{name}"));
        PathBuf::from(format!("counterexample-{}{mutant}.json", self.name))
    }
}

impl Explore {
    /// Serves until the process is ended.
    fn run(&self) -> Result<Exit, Failure> {
        let model = catalogue::find(&self.name).ok_or_else(|| unknown(&self.name))?;
        let bounds = self.bounds.over(model.bounds);
        let free = TcpListener::bind(self.listen);
        free.map(drop).map_err(|error| Failure::Usage(format!("{}: {error}", self.listen)))?;
        to_stdout(|out| writeln!(out, "open http://{}", self.listen))?;
        model.explore(bounds, self.mutant.as_deref(), self.listen).map_err(Failure::Usage)?;
        Ok(Exit::Valid)
    }
}

fn unknown(name: &str) -> Failure {
    let known: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
    Failure::Usage(format!("no model {name}; there are {}", known.join(", ")))
}

/// Writes a line to standard error now and then.
fn reporter() -> impl FnMut(&Progress) {
    let mut last = Instant::now();
    move |progress| {
        if last.elapsed() >= REPORT_EVERY {
            last = Instant::now();
            eprintln!("{}", measures(progress));
        }
    }
}

fn measures(progress: &Progress) -> String {
    let Progress { states, steps, depth, elapsed } = progress;
    let (seconds, rate) = (elapsed.as_secs_f64(), progress.rate());
    format!("{states} states, {steps} steps, depth {depth}, {seconds:.1} s, {rate:.0} states/s")
}

fn summary(
    out: &mut dyn Write,
    model: &Named,
    within: Bounds,
    outcome: &Outcome,
) -> io::Result<()> {
    match &outcome.end {
        End::Held => {
            let n = outcome.invariants.len();
            writeln!(out, "{}: held: all {n} invariants, in every state", model.name)?;
        }
        End::Stopped => {
            writeln!(out, "{}: stopped: the budget was spent before the end", model.name)?;
        }
        End::Broken(chapter) => {
            writeln!(out, "{}: broken: {}", model.name, chapter.invariant)?;
            story(out, chapter)?;
        }
    }
    writeln!(out, "within     {within}")?;
    writeln!(out, "searched   {}", measures(&outcome.progress))?;
    writeln!(out, "covered    {}", covered(&outcome.covered))?;
    writeln!(out, "invariants {}", outcome.invariants.join(", "))
}

fn story(out: &mut dyn Write, chapter: &Chapter) -> io::Result<()> {
    for (idx, step) in chapter.story.iter().enumerate() {
        writeln!(out, "  {:2}. {step}", idx + 1)?;
    }
    writeln!(out, "  so: {}", chapter.why)
}

fn covered(counts: &[(&str, u64)]) -> String {
    let done = counts.iter().filter(|(_, count)| *count > 0);
    let done: Vec<String> = done.map(|(name, count)| format!("{name} {count}")).collect();
    done.join(", ")
}

fn stored(file: &Path) -> Result<Counterexample, Failure> {
    let text = fs::read_to_string(file).map_err(|error| usage(file, &error.to_string()))?;
    serde_json::from_str(&text)
        .map_err(|error| usage(file, &format!("is no counterexample: {error}")))
}

fn usage(file: &Path, what: &str) -> Failure {
    Failure::Usage(format!("{}: {what}", file.display()))
}

fn replay(file: &Path) -> Result<Exit, Failure> {
    let stored = stored(file)?;
    let usage = |what: String| usage(file, &what);
    match catalogue::replay_stored(&stored).map_err(usage)? {
        Replay::Same(chapter) => {
            to_stdout(|out| {
                writeln!(out, "{}: broken: {}", stored.model, chapter.invariant)?;
                story(out, &chapter)
            })?;
            Ok(Exit::Invalid)
        }
        Replay::Held => {
            let invariant = &stored.chapter.invariant;
            to_stdout(|out| {
                writeln!(out, "{}: {invariant} holds after the last step", stored.model)
            })?;
            Ok(Exit::Valid)
        }
        Replay::Refused { step } => {
            let what = stored.chapter.story.get(step - 1).map_or("", String::as_str);
            to_stdout(|out| {
                writeln!(out, "{}: step {step} cannot happen any more: {what}", stored.model)
            })?;
            Ok(Exit::Unknown)
        }
    }
}

//! `zoobreak model trace`: were the steps of a run steps of the protocol?

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ::model::trace::{self, Coverage, Judgement, Rejection, Traces, Verdict};
use anyhow::{Context, bail};
use checker::Exit;
use clap::Args;
use flate2::read::GzDecoder;
use history::RunDir;

use crate::cli::Failure;
use crate::cli::output::to_stdout;

/// Judge the recorded steps of a run: by the core, and by the protocol as published
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Trace {
    /// A run's directory, such as results/latest
    run: PathBuf,
    /// Print which actions of a server followed which
    #[arg(long)]
    pairs: bool,
}

const AFTER_HELP: &str = "\
Each server of a run records the steps of its protocol core in nodes/nK/trace.jsonl, and what is older
in trace.1.jsonl.gz and so on (a server of your own does with `trace=true` in its zoo.cfg). They are replayed through the core, and walked through
a model of ZAB that is written from its paper: every step must be allowed, every invariant hold.

Exit codes:
   0  every step is one of the protocol
   1  a step is not; the first one is printed
   2  servers were added or removed, which the model does not know; what came before is in order
   3  there are no traces, or they cannot be read
  64  wrong usage

Example:
  zoobreak model trace results/latest";

impl Trace {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let (traces, cut) = read_all(&self.run)?;
        let judged = trace::judge(&traces, wipes(&self.run)?);
        let seconds = begun.elapsed().as_secs_f64();
        to_stdout(|out| {
            tell(out, &traces, &judged, seconds)?;
            if self.pairs {
                pairs(out, &judged.coverage)?;
            }
            match cut {
                0 => Ok(()),
                n => writeln!(out, "cut short  {n} lines, the last of a server's life each"),
            }
        })?;
        Ok(match (&judged.replay, &judged.protocol) {
            (None, Verdict::Conforms) => Exit::Valid,
            (None, Verdict::Unknown(_)) => Exit::Unknown,
            _ => Exit::Invalid,
        })
    }
}

/// Did the run empty disks? Directories of servers alone, without a run's manifest, were not.
fn wipes(run: &Path) -> anyhow::Result<bool> {
    if !run.join("manifest.json").exists() {
        return Ok(false);
    }
    let manifest = RunDir::open(run).and_then(|dir| dir.manifest())?;
    Ok(manifest.settings.faults.iter().any(|kind| kind.starts_with("wipe")))
}

/// The traces, and how many of their lines a kill cut short.
fn read_all(run: &Path) -> anyhow::Result<(Traces, usize)> {
    let nodes = run.join("nodes");
    let listed = fs::read_dir(&nodes).with_context(|| nodes.display().to_string())?;
    let (mut traces, mut cut) = (Traces::new(), 0);
    for entry in listed {
        let home = entry.with_context(|| nodes.display().to_string())?.path();
        let Some(id) = id_of(&home) else { continue };
        let files = found(&home)?;
        if files.is_empty() {
            bail!("{}: there is no trace of n{id}; only our own servers write one", home.display());
        }
        let read = trace::read(BufReader::new(chained(&files)?));
        let read = read.with_context(|| format!("{}: trace*.jsonl*", home.display()))?;
        traces.insert(id, read.records);
        cut += read.cut;
    }
    if traces.is_empty() {
        bail!("{}: no servers", nodes.display());
    }
    Ok((traces, cut))
}

/// Beside a server's data, as of a run, or in it.
fn found(home: &Path) -> anyhow::Result<Vec<PathBuf>> {
    for directory in [home.to_owned(), home.join("data")] {
        let files = files(&directory).with_context(|| directory.display().to_string())?;
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Ok(Vec::new())
}

/// The files of a trace in order: those that are closed by number, compressed or not yet, then the one that grew.
fn files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let Some((number, compressed)) = place(name) else { continue };
        // While both are there, the compressed one is a copy.
        if !(compressed && found.contains_key(&number)) {
            found.insert(number, path);
        }
    }
    Ok(found.into_values().collect())
}

/// `trace.3.jsonl.gz` is the third, and compressed.
fn place(name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix("trace.")?;
    let (rest, compressed) = rest.strip_suffix(".gz").map_or((rest, false), |rest| (rest, true));
    match rest.strip_suffix("jsonl")? {
        "" => Some((u64::MAX, compressed)),
        number => Some((number.strip_suffix('.')?.parse().ok()?, compressed)),
    }
}

fn chained(files: &[PathBuf]) -> anyhow::Result<Box<dyn Read>> {
    let mut all: Box<dyn Read> = Box::new(io::empty());
    for path in files {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let compressed = path.extension().is_some_and(|extension| extension == "gz");
        all = match compressed {
            true => Box::new(all.chain(GzDecoder::new(file))),
            false => Box::new(all.chain(file)),
        };
    }
    Ok(all)
}

/// The number of the server whose directory this is: `n3`.
fn id_of(home: &Path) -> Option<u64> {
    home.file_name()?.to_str()?.strip_prefix('n')?.parse().ok()
}

fn tell(out: &mut dyn Write, traces: &Traces, judged: &Judgement, seconds: f64) -> io::Result<()> {
    let begun = traces.values().filter_map(|trace| Some(trace.first()?.at())).min();
    let told = |rejection| told(rejection, begun.unwrap_or(0));
    let conforms = || "every step is one of it".to_owned();
    let core = judged.replay.as_ref().map_or_else(conforms, |it| format!("rejected: {}", told(it)));
    let protocol = match &judged.protocol {
        Verdict::Conforms => conforms(),
        Verdict::Rejected(rejection) => format!("rejected: {}", told(rejection)),
        Verdict::Unknown(rejection) => {
            format!("not judged from here on, for it is not modelled: {}", told(rejection))
        }
    };
    writeln!(out, "core       {core}\nprotocol   {protocol}")?;
    let (steps, servers) = (judged.steps, traces.len());
    writeln!(out, "judged     {steps} steps of {servers} servers in {seconds:.1} s")?;
    let coverage = &judged.coverage;
    let counts = coverage.actions.iter().map(|(name, count)| format!("{name} {count}"));
    writeln!(out, "exercised  {}", counts.collect::<Vec<_>>().join(", "))?;
    writeln!(out, "pairs      {} of actions that followed each other", coverage.pairs.len())?;
    match coverage.missing().as_slice() {
        [] => Ok(()),
        missing => writeln!(out, "never      {}", missing.join(", ")),
    }
}

fn pairs(out: &mut dyn Write, coverage: &Coverage) -> io::Result<()> {
    coverage.actions.keys().try_for_each(|first| {
        let next = coverage.pairs.iter().filter(|(one, _)| one == first).map(|(_, next)| *next);
        writeln!(out, "  {first:14} then {}", next.collect::<Vec<_>>().join(", "))
    })
}

fn told(rejection: &Rejection, begun: u64) -> String {
    let Rejection { server, line, at, what } = rejection;
    let seconds = at.saturating_sub(begun) as f64 / 1e6;
    format!("{what}\n           at {seconds:.3} s: line {line} of the trace of n{server}")
}

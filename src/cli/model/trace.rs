//! `zoobreak model trace`: were the steps of a run steps of the protocol?

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use ::model::trace::{self, Coverage, Judgement, Traces, Verdict};
use checker::{Exit, Outcome};
use clap::Args;

use crate::cli::Failure;
use crate::cli::output::to_stdout;
use crate::traces;

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
        let (traces, cut) = traces::read(&self.run)?;
        let judged = trace::judge(&traces, traces::wipes(&self.run)?);
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
        Ok(match traces::outcome(&judged) {
            Outcome::Valid => Exit::Valid,
            Outcome::Unknown => Exit::Unknown,
            Outcome::Invalid => Exit::Invalid,
        })
    }
}

fn tell(out: &mut dyn Write, traces: &Traces, judged: &Judgement, seconds: f64) -> io::Result<()> {
    let told = |rejection| traces::said(traces, rejection);
    let conforms = || "every step is one of it".to_owned();
    let core = judged.replay.as_ref().map_or_else(conforms, |it| format!("rejected: {}", told(it)));
    let protocol = match &judged.protocol {
        Verdict::Conforms => conforms(),
        Verdict::Rejected(rejection) => format!("rejected: {}", told(rejection)),
        Verdict::Unknown(rejection) => traces::unmodelled(traces, rejection),
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
    let followed_by = traces::followed_by(coverage);
    coverage.actions.keys().try_for_each(|first| {
        let next = followed_by.get(*first).map_or_else(String::new, |next| next.join(", "));
        writeln!(out, "  {first:14} then {next}")
    })
}

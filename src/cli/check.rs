//! `zoobreak check`: judge a stored run or a bare history again.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use checker::{CONSISTENCIES, Consistency, Exit, FileError, Limits, SPECS, Spec, Verdict};
use clap::Args;
use history::foreign::{Format, Options};
use history::{Manifest, RunDir};

use super::budget::{self, Budget};
use super::near::{self, Near};
use super::output::to_stdout;
use super::reading::Shown;
use super::{EXIT_CODES, Failure};
use crate::report::{Bare, Drawn};
use crate::{logs, report, traces};

/// Judge a stored run again, from its directory alone
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct Check {
    /// A run directory, such as results/latest, or a history (.jsonl, or with --spec of any form)
    #[arg(value_name = "RUN|HISTORY")]
    path: PathBuf,
    /// Check a history from anywhere (Jepsen's EDN, jepsen.util log lines, JSON lines, Porcupine's
    /// text) against a specification
    #[arg(long, value_name = "NAME", value_parser = spec_named)]
    spec: Option<Spec>,
    /// What the specification's operations are promised to be: linearizable, sequential or zookeeper
    #[arg(
        long,
        value_name = "NAME",
        default_value = "linearizable",
        requires = "spec",
        hide_default_value = true
    )]
    consistency: Consistency,
    /// Judge linearizability alone, of one of zoobreak's own histories of registers, while it is read:
    /// for histories that are too long to hold
    #[arg(long, conflicts_with = "spec")]
    stream: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    budget: Budget,
    /// Of a history, write verdict.json and report.html into this directory, as a run has them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// How a history from elsewhere is written.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// The file's form: edn, log, json or kv; told from its content otherwise
    #[arg(long, value_name = "FORM")]
    from: Option<Format>,
    /// Values are pairs of key and value, as Jepsen's `independent` writes them
    #[arg(long)]
    keyed: bool,
}

impl Form {
    pub(super) fn options(&self) -> Options {
        Options { format: self.from, keyed: self.keyed }
    }
}

/// Logs of servers are held in about as many bytes as their files have: they are read if they have at
/// most this part of the memory.
const LOGS_SHARE: usize = 4;
/// Events are drawn all if their file has at most this part of the memory: they hold several times as much.
const DRAWN_SHARE: usize = 8;

fn spec_named(name: &str) -> Result<Spec, String> {
    Spec::named(name).ok_or_else(|| {
        let names: Vec<_> = SPECS.iter().map(|spec| spec.name).collect();
        format!("no specification; known are {}", names.join(", "))
    })
}

fn after_help() -> String {
    let specs: Vec<_> =
        SPECS.iter().map(|spec| format!("  {:13} {}", spec.name, spec.operations)).collect();
    let specs = specs.join("\n");
    let promises: Vec<_> =
        CONSISTENCIES.iter().map(|(name, _, what)| format!("  {name:13} {what}")).collect();
    let promises = promises.join("\n");
    format!(
        "Of a run directory, verdict.json and report.html are written again.

Specifications:
{specs}

Promises of consistency, of which the latter two look at all objects at once:
{promises}

{EXIT_CODES}

Examples:
  zoobreak check results/latest
  zoobreak check results/latest-invalid
  zoobreak check history.jsonl
  zoobreak check history.jsonl --stream
  zoobreak check history.edn --spec cas-register --keyed --out results/history
  zoobreak check history.jsonl --spec znodes --consistency zookeeper"
    )
}

impl Check {
    /// The verdict's exit code.
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let path = &self.path;
        let meta = fs::metadata(path).map_err(|error| no_such(path, &error))?;
        let file = if meta.is_dir() { path.join("history.jsonl") } else { path.clone() };
        if meta.is_dir() && self.spec.is_none() && !self.stream {
            return self.run_directory();
        }
        let verdict = self.bare(&file)?;
        print(&verdict)?;
        if let Some(directory) = &self.out {
            self.write_results(directory, &file, &verdict)?;
        }
        Ok(verdict.exit())
    }

    fn run_directory(&self) -> Result<Exit, Failure> {
        let path = &self.path;
        if !path.join("manifest.json").exists() {
            return Err(Failure::Usage(format!(
                "{} is no run: it has no manifest.json; give a directory such as results/latest",
                path.display()
            )));
        }
        if self.out.is_some() {
            return Err(Failure::Usage(format!(
                "--out is for histories: the results of the run {} are in its own directory",
                path.display()
            )));
        }
        let run = RunDir::open(path).map_err(anyhow::Error::new)?;
        Ok(judge_within(&run, self.budget.of_own())?.exit())
    }

    /// A history without its run is judged by what it says alone.
    fn bare(&self, file: &Path) -> anyhow::Result<Verdict> {
        let mut shown = Shown::of(file);
        let progress = &mut |at, n| shown.at(at, n);
        match (self.spec, self.stream) {
            (Some(spec), _) => self.against(spec, file, progress),
            (None, true) => Ok(checker::check_own(file, self.budget.of_own(), progress)?),
            (None, false) => Ok(checker::check_history(file, self.budget.of_own())?),
        }
    }

    fn against(
        &self,
        spec: Spec,
        file: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> anyhow::Result<Verdict> {
        let limits = self.budget.of_spec();
        let spec = spec.under(self.consistency);
        checker::check_file(file, self.form.options(), spec, limits, progress).map_err(|error| {
            match error {
                FileError::Read(error) => anyhow::Error::new(error),
                FileError::Senseless(error) => {
                    anyhow::Error::new(error).context(file.display().to_string())
                }
            }
        })
    }

    /// As much of the history as matters is read again, to be drawn.
    fn write_results(&self, out: &Path, file: &Path, verdict: &Verdict) -> anyhow::Result<()> {
        let near = Near::of(verdict);
        let drawn = match self.spec {
            Some(_) => Drawn::Deeds(near.deeds(file, self.form.options())?),
            None => Drawn::Events(near.events(file)?),
        };
        let argv: Vec<String> = std::env::args().collect();
        let spec = self.spec.map(|spec| spec.name);
        let history = Bare { file, spec, argv: &argv, drawn };
        fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        let json = out.join("verdict.json");
        write_verdict(&json, verdict).with_context(|| json.display().to_string())?;
        let page = report::write_history_html(out, &history, verdict)?;
        to_stdout(|to| writeln!(to, "report  {}", page.display())).context("standard output")
    }
}

fn write_verdict(file: &Path, verdict: &Verdict) -> anyhow::Result<()> {
    Ok(fs::write(file, serde_json::to_string_pretty(verdict)? + "\n")?)
}

/// Judges a run from its directory alone, in at most half of the memory that is free: writes `verdict.json`
/// and `report.html`, and prints one screen of text, which appears even where those cannot be written.
///
/// # Errors
/// When the manifest or the history cannot be read, or a result cannot be written.
pub fn judge(run: &RunDir) -> anyhow::Result<Verdict> {
    judge_within(run, budget::of_run())
}

fn judge_within(run: &RunDir, limits: Limits) -> anyhow::Result<Verdict> {
    let manifest = run.manifest()?;
    let logs = logs::read(run, &manifest.settings, limits.bytes / LOGS_SHARE);
    let judged = checker::check_run(run, logs, limits)?;
    let verdict = Verdict { steps: traces::steps(run.path()), ..judged };
    let written = write_results(run, &manifest, &verdict, limits);
    let screen = report::screen(&manifest, &verdict, run.path());
    to_stdout(|out| writeln!(out, "{}", screen.trim_end())).context("standard output")?;
    written.map(|()| verdict)
}

fn write_results(
    run: &RunDir,
    manifest: &Manifest,
    verdict: &Verdict,
    limits: Limits,
) -> anyhow::Result<()> {
    run.write_json("verdict.json", verdict)?;
    let history = run.history();
    let length = fs::metadata(&history).with_context(|| history.display().to_string())?.len();
    let long = length > (limits.bytes / DRAWN_SHARE) as u64;
    let drawn = match long {
        true => Near::of(verdict).events(&history),
        false => near::events(&history),
    }?;
    report::write_html(run, manifest, &drawn, long, verdict)?;
    Ok(())
}

fn print(verdict: &Verdict) -> io::Result<()> {
    to_stdout(|out| {
        writeln!(out, "{}", verdict.sentence)?;
        verdict.checks.iter().try_for_each(|check| write_check(out, check))
    })
}

fn write_check(out: &mut dyn Write, check: &checker::Check) -> io::Result<()> {
    let checker::Check { id, name, outcome, examined, .. } = check;
    writeln!(out, "  {:8} {id:20} {examined:7} examined  {name}", outcome.to_string())?;
    let Some(witness) = &check.witness else { return Ok(()) };
    let told = [("", Some(&witness.sentence)), ("expected: ", witness.expected.as_ref())];
    for (what, said) in told {
        if let Some(said) = said {
            writeln!(out, "           {what}{said}")?;
        }
    }
    Ok(())
}

fn no_such(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Usage(match error.kind() {
        ErrorKind::NotFound => format!("{path}: there is no such run or history"),
        _ => format!("{path}: {error}"),
    })
}

//! `zoobreak check`: judge a stored run or a bare history again.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use checker::{Exit, FileError, Limits, SPECS, Spec, Verdict};
use clap::Args;
use history::foreign::{Format, Options};
use history::{Event, Manifest, RunDir};

use super::output::to_stdout;
use super::reading::Shown;
use super::{EXIT_CODES, Failure};
use crate::{logs, report};

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
    /// Judge linearizability alone, of one of zoobreak's own histories of registers, while it is read:
    /// for histories that are too long to hold
    #[arg(long, conflicts_with = "spec")]
    stream: bool,
    #[command(flatten)]
    form: Form,
    /// Seconds the check may take; then the verdict is unknown
    #[arg(long, value_name = "SECONDS", default_value_t = 20, requires = "spec")]
    budget_time: u64,
    /// MiB of memory the search may hold; then the verdict is unknown
    #[arg(long, value_name = "MIB", default_value_t = 1024, requires = "spec")]
    budget_memory: usize,
    /// Write the verdict here too, as JSON in the form of a run's verdict.json
    #[arg(long, value_name = "FILE", requires = "spec")]
    verdict: Option<PathBuf>,
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
    format!(
        "Of a run directory, verdict.json and report.html are written again.

Specifications:
{specs}

{EXIT_CODES}

Examples:
  zoobreak check results/latest
  zoobreak check results/latest-invalid
  zoobreak check history.jsonl
  zoobreak check history.jsonl --stream
  zoobreak check history.edn --spec cas-register --keyed"
    )
}

impl Check {
    /// The verdict's exit code.
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let path = &self.path;
        let meta = fs::metadata(path).map_err(|error| no_such(path, &error))?;
        let file = if meta.is_dir() { path.join("history.jsonl") } else { path.clone() };
        if let Some(spec) = self.spec {
            return self.against(spec, &file);
        }
        if self.stream {
            let mut shown = Shown::of(&file);
            let verdict =
                checker::check_own(&file, Limits::default(), &mut |at, n| shown.at(at, n));
            let verdict = verdict.map_err(anyhow::Error::new)?;
            print(&verdict)?;
            return Ok(verdict.exit());
        }
        if !meta.is_dir() {
            return check_history(path);
        }
        if !path.join("manifest.json").exists() {
            return Err(Failure::Usage(format!(
                "{} is no run: it has no manifest.json; give a directory such as results/latest",
                path.display()
            )));
        }
        Ok(judge_stored(path)?.exit())
    }

    fn against(&self, spec: Spec, path: &Path) -> Result<Exit, Failure> {
        let limits = Limits {
            time: Duration::from_secs(self.budget_time),
            bytes: self.budget_memory.saturating_mul(1 << 20),
        };
        let options = self.form.options();
        let mut shown = Shown::of(path);
        let verdict =
            checker::check_file(path, options, spec, limits, &mut |at, n| shown.at(at, n));
        drop(shown);
        let verdict = verdict.map_err(|error| match error {
            FileError::Read(error) => anyhow::Error::new(error),
            FileError::Senseless(error) => {
                anyhow::Error::new(error).context(path.display().to_string())
            }
        })?;
        print(&verdict)?;
        if let Some(file) = &self.verdict {
            write_verdict(file, &verdict).with_context(|| file.display().to_string())?;
        }
        Ok(verdict.exit())
    }
}

fn write_verdict(file: &Path, verdict: &Verdict) -> anyhow::Result<()> {
    Ok(fs::write(file, serde_json::to_string_pretty(verdict)? + "\n")?)
}

fn judge_stored(path: &Path) -> anyhow::Result<Verdict> {
    judge(&RunDir::open(path)?)
}

/// Judges a run from its directory alone: writes `verdict.json` and `report.html`, and prints one
/// screen of text, which appears even where those cannot be written.
///
/// # Errors
/// When the manifest or the history cannot be read, or a result cannot be written.
pub fn judge(run: &RunDir) -> anyhow::Result<Verdict> {
    let manifest = run.manifest()?;
    let verdict = checker::check_run(run, logs::read(run, &manifest.settings))?;
    let written = write_results(run, &manifest, &verdict);
    let screen = report::screen(&manifest, &verdict, run.path());
    to_stdout(|out| writeln!(out, "{}", screen.trim_end())).context("standard output")?;
    written.map(|()| verdict)
}

fn write_results(run: &RunDir, manifest: &Manifest, verdict: &Verdict) -> anyhow::Result<()> {
    run.write_json("verdict.json", verdict)?;
    report::write_html(run, manifest, &events(&run.history())?, verdict)?;
    Ok(())
}

/// A history without its run is judged by what it says alone.
fn check_history(path: &Path) -> Result<Exit, Failure> {
    let verdict = checker::check_history(path).map_err(anyhow::Error::new)?;
    print(&verdict)?;
    Ok(verdict.exit())
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

/// The events of a history that the checker has read, up to a last line that was cut.
fn events(path: &Path) -> anyhow::Result<Vec<Event>> {
    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut events = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| path.display().to_string())?;
        match serde_json::from_str(&line) {
            Ok(event) => events.push(event),
            Err(error) if error.is_eof() => break,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    Ok(events)
}

fn no_such(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Usage(match error.kind() {
        ErrorKind::NotFound => format!("{path}: there is no such run or history"),
        _ => format!("{path}: {error}"),
    })
}

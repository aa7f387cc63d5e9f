//! `zoobreak bench checker`: what checking costs, beside Porcupine where that is at hand.

mod elsewhere;
#[cfg(test)]
mod explained;
mod generate;
mod measure;
mod porcupine;
mod shapes;
mod sides;
mod stored;
mod table;
mod text;
mod witness;

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Context;
use checker::Exit;
use clap::Args;

use crate::cli::Failure;
use crate::cli::output::to_stdout;
use generate::Shape;
use measure::Subject;
use porcupine::Porcupine;
use sides::{Both, Sides};
use stored::Stored;
use table::{Form, Table};

/// Processor seconds and peak memory of checking register histories
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
    /// Ask Porcupine too: a program made of src/cli/bench/checker/porcupine.go
    #[arg(long, value_name = "PROGRAM")]
    porcupine: Option<PathBuf>,
    /// Check these too: each a history of one compare-and-set register, such as Jepsen's of etcd
    #[arg(long, value_name = "FILE", num_args = 1..)]
    files: Vec<PathBuf>,
    /// Print Markdown, for a page
    #[arg(long)]
    markdown: bool,
    /// Where histories are written, and deleted again
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    scratch: PathBuf,
    /// Measure this in this process, and print JSON
    #[arg(long, value_name = "SUBJECT", hide = true)]
    measure: Option<String>,
}

const AFTER_HELP: &str = "\
Histories of compare-and-set registers that behaved, and the same with one stale read planted. Each
is checked in a process of its own, within 20 s and 1 GiB; with --porcupine, Porcupine is given the
same history right after, within 20 s and 4 GiB. Who does not decide a history is not asked about
longer ones of its kind. Times are of processors, all threads and the kernel included, without
reading the history. Memory is the most that the process held while it checked, the history
included; in brackets, how much more than before. Build with --release before you compare.

Values are distinct, or one of five, or (cas) distinct and mostly of compare-and-sets, of which most
fail. The last table is of zoobreak's own histories, with versions, from a file (check --stream).

Examples:
  zoobreak bench checker
  zoobreak bench checker --operations-max 10000000 --porcupine ./porcupine --markdown";

impl Checker {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match &self.measure {
            Some(subject) => self.measure_here(subject)?,
            None => self.tables()?,
        }
        Ok(Exit::Valid)
    }

    fn measure_here(&self, subject: &str) -> anyhow::Result<()> {
        let subject: Subject = serde_json::from_str(subject).context("--measure")?;
        say(&subject.measure(self.search_only, &self.scratch)?)
    }

    fn tables(&self) -> anyhow::Result<()> {
        let porcupine = self.porcupine.as_deref().map(Porcupine::at).transpose()?;
        if porcupine.is_none() {
            eprintln!("{}", porcupine::absent());
        }
        let sides = Sides { porcupine, scratch: &self.scratch, search_only: self.search_only };
        self.generated(&sides)?;
        if !self.files.is_empty() {
            self.elsewhere(&sides)?;
        }
        self.stored(&sides)
    }

    fn form(&self) -> Form {
        if self.markdown { Form::Markdown } else { Form::Text }
    }

    fn generated(&self, sides: &Sides) -> anyhow::Result<()> {
        let table = Table::generated(self.form());
        say(&table.head())?;
        let fits = |shape: &Shape| shape.operations <= self.operations_max && shape.makes_sense();
        let (mut we_gave_up, mut they_gave_up) = (HashSet::new(), HashSet::new());
        let mut explained = Vec::new();
        for shape in shapes::all(self.seed).filter(fits) {
            let kind = Shape { operations: 0, ..shape };
            if we_gave_up.contains(&kind) {
                continue;
            }
            let both = sides.check(&Subject::Shape(shape), !they_gave_up.contains(&kind))?;
            if !both.ours.decided() {
                we_gave_up.insert(kind);
            }
            if both.theirs.as_ref().is_some_and(|theirs| !theirs.decided()) {
                they_gave_up.insert(kind);
            }
            if both.ours.verdict == "invalid" {
                explained.push(both.ours.explained);
            }
            say(&table.generated_row(shape, &both))?;
        }
        say(&table::explained(&explained))
    }

    fn elsewhere(&self, sides: &Sides) -> anyhow::Result<()> {
        let table = Table::elsewhere(self.form());
        let subjects = self.files.iter().map(|file| Subject::File(file.clone()));
        let all: Vec<Both> =
            subjects.map(|file| sides.check(&file, true)).collect::<Result<_, _>>()?;
        say(&format!("\n{}", table.head()))?;
        say(&table.elsewhere_row(&all))
    }

    fn stored(&self, sides: &Sides) -> anyhow::Result<()> {
        let table = Table::stored(self.form());
        say(&format!("\n{}", table.head()))?;
        let lengths = [10_000, 100_000, 1_000_000, 10_000_000];
        for operations in lengths.into_iter().filter(|n| *n <= self.operations_max) {
            for (clients, keys, unknown) in [(10, 10, 0), (10, 10, 10), (100, 1, 10)] {
                let stored = Stored { clients, operations, keys, unknown, seed: self.seed };
                let cost = sides.apart(&Subject::Stored(stored), &[])?;
                say(&table.stored_row(stored, &cost))?;
            }
        }
        Ok(())
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    to_stdout(|out| writeln!(out, "{line}")).context("standard output")
}

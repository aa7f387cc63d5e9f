//! `zoobreak bench model`: what searching costs, and where each planted defect shows.

use std::fs;
use std::process::Command;

use ::model::catalogue::{self, Bounds, MODELS};
use ::model::shown::{BESIDE_TLC, SHOWN};
use ::model::{Budget, End};
use anyhow::{Context, Result, bail};
use checker::Exit;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::cli::output::to_stdout;

/// States per second and bytes per state of every model, and how soon each planted defect is found
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ModelBench {
    /// Measure the searches alone in whose command this word is
    #[arg(long, value_name = "WORD", default_value = "")]
    only: String,
    /// Do this one search, and print what it cost as JSON
    #[arg(long, hide = true, value_name = "N")]
    one: Option<usize>,
}

const AFTER_HELP: &str = "\
Each search is a process of its own, with one thread, so that its memory can be told from that of the others.
Prints Markdown: the tables of docs/models.md. Build with --release.";

/// One search.
struct Search {
    model: &'static str,
    bounds: Bounds,
    mutant: Option<&'static str>,
    invariant: Option<&'static str>,
    /// What stands beside it: TLC's figures, or the defect's number.
    note: String,
}

/// What it cost, and what came of it.
#[derive(Serialize, Deserialize)]
struct Cost {
    /// The invariant that broke, or that all hold; nothing when the budget was spent.
    result: Option<String>,
    states: u64,
    depth: usize,
    seconds: f64,
    /// Its memory at most, without what the program has before it searches.
    bytes: u64,
}

const OF_MODELS: &str = "| model | within | states | depth | s | states/s | bytes a state |
|--|--|--|--|--|--|--|";
const BESIDE: &str =
    "| model | within | states | depth | s | states/s | bytes a state | TLC's | its states | its s |
|--|--|--|--|--|--|--|--|--|--|";
const OF_DEFECTS: &str =
    "| defect | number | `zoobreak model check` | breaks | states | depth | s |
|--|--|--|--|--|--|--|";

impl ModelBench {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match self.one {
            Some(idx) => one(idx)?,
            None => self.tables()?,
        }
        Ok(Exit::Valid)
    }

    fn tables(&self) -> Result<()> {
        let searches = searches();
        let (models, others) = searches.split_at(MODELS.len());
        let (beside, defects) = others.split_at(BESIDE_TLC.len());
        self.table(OF_MODELS, 0, models, Search::row)?;
        self.table(BESIDE, models.len(), beside, Search::row)?;
        self.table(OF_DEFECTS, models.len() + beside.len(), defects, Search::row_of_defect)
    }

    /// The row of each search, the first of which is number `first`, as soon as it is done.
    fn table(
        &self,
        head: &str,
        first: usize,
        searches: &[Search],
        row: fn(&Search, &Cost) -> String,
    ) -> Result<()> {
        say(head)?;
        for (idx, search) in searches.iter().enumerate() {
            if search.command().contains(&self.only) {
                say(&row(search, &cost_of(first + idx)?))?;
            }
        }
        say("")
    }
}

fn say(line: &str) -> Result<()> {
    to_stdout(|out| writeln!(out, "{line}")).context("standard output")
}

fn one(idx: usize) -> Result<()> {
    let searches = searches();
    let search = searches.get(idx).with_context(|| format!("there is no search {idx}"))?;
    say(&serde_json::to_string(&search.run()?)?)
}

/// Does a search in a process of its own.
fn cost_of(idx: usize) -> Result<Cost> {
    let mut command = Command::new(std::env::current_exe().context("the program's own path")?);
    let said = command.args(["bench", "model", "--one", &idx.to_string()]).output()?;
    if !said.status.success() {
        bail!("a search failed: {}", String::from_utf8_lossy(&said.stderr));
    }
    serde_json::from_slice(&said.stdout).context("what a search said")
}

/// The models as they are, those beside TLC's, and those with defects.
fn searches() -> Vec<Search> {
    let models = MODELS.iter().map(|model| Search::new(model.name, model.bounds));
    let beside = BESIDE_TLC.iter().map(|one| Search {
        note: format!(" {} | {} | {} |", one.tlc, grouped(one.states), one.seconds),
        ..Search::new(one.model, (one.within)(own(one.model)))
    });
    let defects = SHOWN.iter().map(|one| Search {
        mutant: Some(one.mutant),
        invariant: one.invariant,
        note: one.number.unwrap_or_default().to_owned(),
        ..Search::new(one.model, (one.within)(own(one.model)))
    });
    models.chain(beside).chain(defects).collect()
}

fn own(model: &str) -> Bounds {
    catalogue::find(model).expect("the lists name models of the catalogue").bounds
}

impl Search {
    fn new(model: &'static str, bounds: Bounds) -> Search {
        Search { model, bounds, mutant: None, invariant: None, note: String::new() }
    }

    fn run(&self) -> Result<Cost> {
        let model = catalogue::find(self.model).context("a model of the catalogue")?;
        let before = status("VmRSS:")?;
        let (invariant, bounds, mutant) = (self.invariant, self.bounds, self.mutant);
        let outcome = model.check_for(invariant, bounds, mutant, Budget::default(), &mut |_| {});
        let outcome = outcome.map_err(anyhow::Error::msg)?;
        let result = match outcome.end {
            End::Held => Some("all hold".to_owned()),
            End::Stopped => None,
            End::Broken(chapter) => Some(chapter.invariant),
        };
        Ok(Cost {
            result,
            states: outcome.progress.states as u64,
            depth: outcome.progress.depth,
            seconds: outcome.progress.elapsed.as_secs_f64(),
            bytes: status("VmHWM:")?.saturating_sub(before),
        })
    }

    fn row(&self, cost: &Cost) -> String {
        let Cost { result, states, depth, seconds, bytes } = cost;
        let rate = (*states as f64 / seconds.max(1e-3)) as u64;
        let more = if result.is_some() { "" } else { " and more" };
        format!(
            "| `{}` | {} | {}{more} | {depth} | {seconds:.1} | {} | {} |{}",
            self.model,
            self.bounds,
            grouped(*states),
            grouped(rate),
            grouped(bytes / (*states).max(1)),
            self.note
        )
    }

    fn row_of_defect(&self, cost: &Cost) -> String {
        let Cost { result, states, depth, seconds, .. } = cost;
        let found = result.as_deref().unwrap_or("not found");
        let (mutant, states) = (self.mutant.unwrap_or_default(), grouped(*states));
        let (number, command) = (&self.note, self.command());
        format!(
            "| {mutant} | {number} | `{command}` | {found} | {states} | {depth} | {seconds:.1} |"
        )
    }

    /// What to type after `zoobreak model check`.
    fn command(&self) -> String {
        let (own, now) = (own(self.model), self.bounds);
        let flags = [
            self.mutant.map(|mutant| format!("--mutant {mutant}")),
            self.invariant.map(|invariant| format!("--invariant {invariant}")),
            changed("servers", own.servers, now.servers),
            changed("txns", own.txns, now.txns),
            changed("crashes", own.crashes, now.crashes),
            changed("cuts", own.cuts, now.cuts),
            changed("syncs", own.syncs, now.syncs),
            changed("elections", own.elections, now.elections),
            changed("observers", own.observers, now.observers),
        ];
        let words = std::iter::once(self.model.to_owned()).chain(flags.into_iter().flatten());
        words.collect::<Vec<_>>().join(" ")
    }
}

fn changed(name: &str, own: usize, now: usize) -> Option<String> {
    (own != now).then(|| format!("--{name} {now}"))
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let place = |idx: usize| idx > 0 && (digits.len() - idx).is_multiple_of(3);
    let comma = |idx| if place(idx) { "," } else { "" };
    digits.char_indices().map(|(idx, digit)| format!("{}{digit}", comma(idx))).collect()
}

/// A figure of this process in `/proc/self/status`, in bytes.
fn status(key: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_suffix(" kB"));
    let kib: u64 = found.with_context(|| format!("no {key} there"))?.trim().parse()?;
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_in_groups_of_three() {
        let all = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_page_has_every_search() {
        let page = include_str!("../../../docs/models.md");
        for search in searches() {
            let cell = match search.mutant {
                Some(_) => format!("| `{}` | ", search.command()),
                None => format!("| `{}` | {} | ", search.model, search.bounds),
            };
            assert!(page.contains(&cell), "{cell} is missing: zoobreak bench model");
        }
        assert!(!page.contains("not found"), "a defect that no search finds");
    }
}

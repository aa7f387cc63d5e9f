//! `zoobreak test`: one run, from plan to verdict.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use checker::Exit;
use clap::Args;
use nemesis::Kind;
use server::Mutant;

use super::{EXIT_CODES, Failure, dry_run};
use crate::plan::{Plan, PlanError};
use crate::run;

/// Boot an ensemble, drive it, break it, and judge what it did
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(super) struct Test {
    /// A plan file: TOML, with these flags as keys; flags win
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    typed: Plan,
    /// Start nothing; print settings, faults and each client's first N operations [default N: 20]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "20")]
    dry_run: Option<usize>,
}

fn after_help() -> String {
    let kinds: Vec<&str> = Kind::all().map(|kind| kind.name()).collect();
    let mutants = Mutant::ALL.map(|mutant| format!("  {:4} {}", mutant.name(), mutant.what()));
    format!(
        "Kinds of fault (a kind without colon draws from its members, the leader most often):
  {kinds}

Mutants:
{mutants}

{EXIT_CODES}

Examples:
  zoobreak test --nodes 3 --time 1m --faults kill,partition:leader
  zoobreak test --plan plan.toml --seed 7
  zoobreak test --seed 7 --dry-run=100      the same for the same seed, always
  zoobreak test --target zookeeper",
        kinds = kinds.join(" "),
        mutants = mutants.join("\n"),
    )
}

impl Test {
    /// The verdict's exit code, or that of a dry run.
    pub(super) fn run(self, argv: &[OsString]) -> Result<Exit, Failure> {
        let plan = self.plan()?;
        let settings = plan.resolve(draw_seed())?;
        if let Some(n_ops) = self.dry_run {
            dry_run::print(&settings, n_ops)?;
            return Ok(Exit::Valid);
        }
        let argv = argv.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        Ok(run::run(settings, &plan.results(), argv)?)
    }

    fn plan(&self) -> Result<Plan, PlanError> {
        let file = self.plan.as_deref().map(Plan::from_file).transpose()?;
        Ok(self.typed.clone().over(file.unwrap_or_default()))
    }
}

/// A seed short enough to be typed again, from the randomness that the standard library gives its
/// hash maps.
fn draw_seed() -> u64 {
    RandomState::new().hash_one(()) % 1_000_000_000
}

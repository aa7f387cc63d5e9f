//! The command line: one file per subcommand.

mod bench;
mod budget;
mod check;
mod doctor;
mod dry_run;
mod history;
mod model;
mod near;
mod output;
pub mod progress;
mod reading;
mod server;
mod test;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::ExitCode;

use checker::Exit;
use clap::{Parser, Subcommand};

pub use check::judge;

use crate::plan::PlanError;

/// Verify and break coordination services: a real ensemble, real faults, a verdict from the
/// recorded history.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(Box<test::Test>),
    Check(check::Check),
    History(history::History),
    Bench(bench::Bench),
    Server(server::Server),
    Doctor(doctor::Doctor),
    Model(model::Model),
}

const EXAMPLES: &str = "\
Examples:
  zoobreak test                      five servers, ten clients, 30 s of kills, pauses, partitions
  zoobreak test --mutant X9 --faults partition:halves
                                     with a planted defect: must be found invalid
  zoobreak check results/latest      judge a stored run again
  zoobreak doctor                    what this machine can and cannot do";

/// The end of the help of commands that judge: [`Exit`] in words.
const EXIT_CODES: &str = "\
Exit codes:
   0  valid: every guarantee held, and the run was sound
   1  invalid: a guarantee was broken
   2  unknown: a check could not decide
   3  not sound: the run or the history proves nothing, or zoobreak could not do its work
  64  wrong usage: a flag, a plan, a path";

/// Why a command could not do its work.
#[derive(Debug)]
enum Failure {
    /// The user can mend it: a flag, a plan, a path.
    Usage(String),
    /// Something else failed: the machine, a file's content, ourselves.
    Harness(anyhow::Error),
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) => Exit::Usage,
            Failure::Harness(_) => Exit::Unsound,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(message) => f.write_str(message),
            Failure::Harness(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Failure {
        Failure::Usage(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Harness(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Harness(error.into())
    }
}

/// Runs the command that the program's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let exit = match Cli::try_parse_from(&argv) {
        Ok(cli) => run(cli.command, &argv),
        Err(answer) => explain(&answer),
    };
    ExitCode::from(exit as u8)
}

fn run(command: Command, argv: &[OsString]) -> Exit {
    let done = match command {
        Command::Test(test) => test.run(argv),
        Command::Check(check) => check.run(),
        Command::History(history) => history.run(),
        Command::Bench(bench) => bench.run(),
        Command::Server(server) => server.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Model(model) => model.run(),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("zoobreak: {failure}");
        failure.exit()
    })
}

/// Prints help or version (exit 0), or what is wrong with the arguments (exit 64).
fn explain(answer: &clap::Error) -> Exit {
    // Nothing is left to be told where even this fails: the reader has gone.
    let _ = answer.print();
    if answer.use_stderr() { Exit::Usage } else { Exit::Valid }
}

#[cfg(test)]
mod tests;

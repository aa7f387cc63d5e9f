//! `zoobreak server`: one ensemble member, in the foreground or not, and a look at its files.

mod background;
mod inspect;
mod probe;

use std::path::{Path, PathBuf};

use checker::Exit;
use clap::{Args, Subcommand};
use server::{ConfigError, ServerError};

use self::background::{Start, Status, Stop};
use self::inspect::Inspect;
use super::Failure;
use crate::plan::MutantName;

/// Run one ensemble member in the foreground, or start, stop and look at one
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
#[command(subcommand_negates_reqs = true)]
pub(super) struct Server {
    /// A ZooKeeper configuration file (tickTime, dataDir, clientPort, server.N, …)
    #[arg(value_name = "ZOO_CFG", required = true)]
    config: Option<PathBuf>,
    /// Plant a defect, such as X9: for tests of tests only
    #[arg(long, value_name = "NAME")]
    mutant: Option<MutantName>,
    /// Belong to no terminal: how `start` starts it
    #[arg(long, hide = true)]
    detached: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Start(Start),
    Stop(Stop),
    /// Stop it, and start it again
    Restart(Start),
    Status(Status),
    Inspect(Inspect),
}

const AFTER_HELP: &str = "\
Without a command: runs in the foreground, logs to standard error, and serves until it is killed. What
it has acknowledged is on disk.

Exit codes:
   3  it cannot serve: a port in use, a disk that fails
  64  wrong usage: a flag, the configuration

Example zoo.cfg, one of three, with the text 1 in /var/lib/zoobreak/myid:
  tickTime=2000
  initLimit=10
  syncLimit=5
  dataDir=/var/lib/zoobreak
  clientPort=2181
  server.1=10.0.0.1:2888:3888
  server.2=10.0.0.2:2888:3888
  server.3=10.0.0.3:2888:3888";

impl Server {
    /// Serves until it is killed, or fails; or does what the command says.
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match (&self.command, &self.config) {
            (Some(Command::Start(start)), _) => start.run(),
            (Some(Command::Stop(stop)), _) => stop.run(),
            (Some(Command::Restart(start)), _) => start.restart(),
            (Some(Command::Status(status)), _) => status.run(),
            (Some(Command::Inspect(inspect)), _) => inspect.run(),
            (None, Some(config)) => self.serve(config),
            (None, None) => Err(Failure::Usage("a zoo.cfg is missing".to_owned())),
        }
    }

    fn serve(&self, config: &Path) -> Result<Exit, Failure> {
        if self.detached {
            nix::unistd::setsid().map_err(std::io::Error::from)?;
        }
        let mutant = self.mutant.map(MutantName::mutant);
        match server::run_from_file(config, mutant) {
            Ok(()) => Ok(Exit::Valid),
            Err(error @ (ServerError::Config(_) | ServerError::Mutant { .. })) => {
                Err(Failure::Usage(error.to_string()))
            }
            Err(error) => Err(Failure::Harness(error.into())),
        }
    }
}

/// Reads a `zoo.cfg` as the server would.
fn read(config: &Path) -> Result<server::Config, Failure> {
    server::Config::read(config).map_err(|error: ConfigError| Failure::Usage(error.to_string()))
}

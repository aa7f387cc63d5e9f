//! `zoobreak server`: one ensemble member in the foreground, and a look at the files of one.

use std::io;
use std::path::{Path, PathBuf};

use checker::Exit;
use clap::{Args, Subcommand};
use server::{Health, InspectError, ServerError};

use super::Failure;
use super::output::to_stdout;
use crate::plan::MutantName;

/// Run one ensemble member in the foreground
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
    #[command(subcommand)]
    look: Option<Look>,
}

#[derive(Debug, Subcommand)]
enum Look {
    Inspect(Inspect),
}

/// Print and check the log and snapshots of a stopped server, and say what a start would do
#[derive(Debug, Args)]
#[command(after_help = AFTER_INSPECT_HELP)]
struct Inspect {
    /// The dataDir of its configuration
    #[arg(value_name = "DATA_DIR")]
    data_dir: PathBuf,
}

const AFTER_HELP: &str = "\
`zoobreak server inspect DATA_DIR` looks at the files of a server that is stopped.

Logs to standard error, and serves until it is killed: what it has acknowledged is on disk.

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

const AFTER_INSPECT_HELP: &str = "\
Reads only. Every log entry is a line: zxid, place and size in the file, session, what it does.

Exit codes:
   0  fine: everything is readable and belongs together
   3  damaged: the lines beginning with `damaged:` say what, and \"A start would\" what follows
  64  wrong usage: no server has kept its data there

Example:
  zoobreak server inspect /var/lib/zoobreak | less";

impl Server {
    /// Serves until it is killed, or fails; or inspects.
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match (&self.look, &self.config) {
            (Some(Look::Inspect(inspect)), _) => inspect.run(),
            (None, Some(config)) => self.serve(config),
            (None, None) => Err(Failure::Usage("a zoo.cfg is missing".to_owned())),
        }
    }

    fn serve(&self, config: &Path) -> Result<Exit, Failure> {
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

impl Inspect {
    fn run(&self) -> Result<Exit, Failure> {
        let mut health = None;
        let done = to_stdout(|out| match server::inspect(&self.data_dir, out) {
            Ok(found) => {
                health = Some(Ok(found));
                Ok(())
            }
            Err(InspectError::Write(error)) => Err(error),
            Err(error @ InspectError::NoStore(_)) => {
                health = Some(Err(error));
                Ok(())
            }
        });
        done.map_err(|error: io::Error| Failure::from(error))?;
        match health {
            Some(Err(error)) => Err(Failure::Usage(error.to_string())),
            Some(Ok(Health::Damaged)) => Ok(Exit::Unsound),
            // None: the reader of a long listing has left.
            Some(Ok(Health::Fine)) | None => Ok(Exit::Valid),
        }
    }
}

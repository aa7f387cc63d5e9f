//! `zoobreak server`: one ensemble member in the foreground.

use std::path::PathBuf;

use checker::Exit;
use clap::Args;
use server::ServerError;

use super::Failure;
use crate::plan::MutantName;

/// Run one ensemble member in the foreground
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Server {
    /// A ZooKeeper configuration file (tickTime, dataDir, clientPort, server.N, …)
    #[arg(value_name = "ZOO_CFG")]
    config: PathBuf,
    /// Plant a defect, such as X9: for tests of tests only
    #[arg(long, value_name = "NAME")]
    mutant: Option<MutantName>,
}

const AFTER_HELP: &str = "\
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

impl Server {
    /// Serves until it is killed, or fails.
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let mutant = self.mutant.map(MutantName::mutant);
        match server::run_from_file(&self.config, mutant) {
            Ok(()) => Ok(Exit::Valid),
            Err(error @ (ServerError::Config(_) | ServerError::Mutant { .. })) => {
                Err(Failure::Usage(error.to_string()))
            }
            Err(error) => Err(Failure::Harness(error.into())),
        }
    }
}

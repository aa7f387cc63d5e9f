//! `zoobreak server inspect`: a look at the files of a server that is stopped.

use std::io;
use std::path::PathBuf;

use checker::Exit;
use clap::Args;
use server::{Health, InspectError};

use crate::cli::Failure;
use crate::cli::output::to_stdout;

/// Print and check the log and snapshots of a stopped server, and say what a start would do
#[derive(Debug, Args)]
#[command(after_help = AFTER_INSPECT_HELP)]
pub(super) struct Inspect {
    /// The dataDir of its configuration
    #[arg(value_name = "DATA_DIR")]
    data_dir: PathBuf,
}

const AFTER_INSPECT_HELP: &str = "\
Reads only. Every log entry is a line: zxid, place and size in the file, session, what it does.

Exit codes:
   0  fine: everything is readable and belongs together
   3  damaged: the lines beginning with `damaged:` say what, and \"A start would\" what follows
  64  wrong usage: no server has kept its data there

Example:
  zoobreak server inspect /var/lib/zoobreak | less";

impl Inspect {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
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

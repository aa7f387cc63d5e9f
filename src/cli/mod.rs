//! The command line: one file per subcommand.

use std::process::ExitCode;

/// Runs the command.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(64)
}

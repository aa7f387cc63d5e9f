//! Why a plan is refused.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a plan is refused. Always the user's to mend: `zoobreak` exits with 64.
#[derive(Debug)]
pub enum PlanError {
    /// The plan file cannot be read.
    Unreadable {
        /// The plan file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Something in the plan file is wrong.
    Wrong {
        /// The plan file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// The values are allowed one by one, but not together.
    Conflict(String),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Unreadable { path, error } => {
                write!(f, "{}: cannot read the plan: {error}", path.display())
            }
            PlanError::Wrong { path, line, message } => {
                write!(f, "{}:{line}: {message}", path.display())
            }
            PlanError::Conflict(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PlanError::Unreadable { error, .. } => Some(error),
            PlanError::Wrong { .. } | PlanError::Conflict(_) => None,
        }
    }
}

//! History in, verdict out. No sockets, no processes: a verdict is a function of a run directory.

mod verdict;

pub use verdict::{Check, Exit, Fact, Outcome, Soundness, Verdict, Witness};

//! History in, verdict out. No sockets, no processes: a verdict is a function of a run directory.

mod budget;
mod check;
pub mod engine;
mod excerpt;
mod foreign;
mod guarantees;
mod mix;
mod sentence;
mod smallest;
mod soundness;
mod stops;
mod stream;
mod truth;
mod verdict;
mod words;

pub use budget::{Budget, Exhausted, Limits};
pub use check::{Error, check, check_history, check_run, check_within};
pub use foreign::{CONSISTENCIES, Consistency, SPECS, Senseless, Spec, check_foreign};
pub use stream::{FileError, check_file, check_own};
pub use verdict::{Check, Exit, Fact, Outcome, Soundness, Steps, Verdict, Witness};

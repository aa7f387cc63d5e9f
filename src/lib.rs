//! zoobreak boots a real ensemble, drives it with concurrent clients, breaks it on purpose, and
//! decides from the recorded history whether it kept its promises.

pub mod bench;
pub mod cli;
mod logs;
pub mod plan;
pub mod rehearsal;
pub mod report;
pub mod run;
mod traces;

pub use cli::main;

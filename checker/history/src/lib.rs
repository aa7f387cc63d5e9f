//! What happened: events, their file format, the recorder, the reader, the run directory and its
//! manifest. Nothing here judges; `checker` does.
//!
//! A history is a file of JSON lines, one [`Event`] each, in the order in which the harness saw
//! them. Field names are Jepsen's, so that its tools can read an export.

mod event;
pub mod foreign;
mod history;
mod line;
mod log;
mod manifest;
mod operation;
mod reader;
mod recorder;
mod run_dir;
pub mod stream;
pub mod znode;

pub use event::{
    DigestEvent, Event, FaultEvent, FaultStep, Hex, Kind, Outcome, Phase, Process, RoleEvent, Stat,
    f,
};
pub use history::{At, History};
pub use log::{LogEntry, ServerLog};
pub use manifest::{Heal, Machine, Manifest, Settings, Target};
pub use operation::{Action, Operation, Status};
pub use reader::{LINE_BYTES_MAX, Problem, ReadError, read, read_from, read_lines};
pub use recorder::{Draft, Recorder};
pub use run_dir::{RunDir, RunDirError};

/// Version of the run directory's format. A reader refuses newer ones.
pub const FORMAT: u32 = 1;

//! An ensemble member: the sockets, disk and clock around [`zab`] and [`tree`].
//!
//! One task, the engine, owns the protocol core, the tree and the sessions. Everything else is a
//! thin shell that turns sockets, disk and clock into its events:
//!
//! ```text
//! clients ──requests──▶ ┌────────┐ ──frames──▶ links to the other servers
//!         ◀──replies─── │ engine │ ◀─frames───
//!            timers ──▶ └────────┘ ──writes──▶ storage thread ──durable──▶ engine
//! ```

mod auth;
mod clients;
mod comparison;
mod config;
mod desk;
mod engine;
mod files;
mod gate;
mod inspect;
mod joiner;
mod links;
mod logged;
mod membership;
mod metrics;
mod mutant;
mod pid_file;
mod proposal;
mod recheck;
mod reconfig;
mod run;
#[cfg(test)]
mod samples;
mod seldom;
mod sessions;
pub mod storage;
mod summary;
mod timers;
mod tls;
mod trace;

pub use clients::BreakerSettings;
pub use config::{
    ClientCertificates, Config, ConfigError, Ignored, PemFile, QuorumTls, SecurePort, ServerAddress,
};
pub use inspect::{Health, InspectError, inspect};
pub use logged::{Logged, LoggedEntry, logged};
pub use mutant::Mutant;
pub use pid_file::running;
pub use run::{ServerError, run_from_file};

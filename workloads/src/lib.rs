//! What clients do: generators, clients, recipes.
//!
//! A workload drives an ensemble of ZooKeeper servers, whoever wrote them, and records what
//! happened. It judges nothing, and it never retries an operation behind the test's back: each
//! attempt that may have had an effect is in the history.
//!
//! A client is one process of the history and keeps its number for the whole run, so that its
//! session can be followed from server to server. Jepsen retires a process after an `info`; here
//! such an operation stays open for ever, and the process' next ones may be concurrent with it.
//!
//! The order of a run: [`setup`] makes the znodes, [`Clients::open`] opens the sessions,
//! [`Clients::go`] starts the load, [`Clients::stop`] ends it, [`final_reads`] reads every server.
//! [`watch_roles`] and [`watch_digests`] observe the servers meanwhile. [`load()`] and [`Retrying`]
//! stand apart: they measure, and record nothing.

mod asking;
mod client;
mod clients;
mod config;
mod connection;
mod digests;
mod draws;
mod final_reads;
mod generator;
mod hand;
mod load;
mod outcome;
mod probe;
mod recorded;
mod register;
mod retrying;
mod roles;
mod schedule;
mod setup;
mod socket;
mod tally;
mod tree;
mod watching;
mod znodes;

pub use client::{Client, ConnectError, Endpoint, Resume};
pub use clients::{ClientPanic, Clients, OpenError};
pub use config::{Config, ConfigError, Server, Workload};
pub use digests::{DigestWatcher, final_digests, watch_digests};
pub use draws::VALUES_PER_CLIENT;
pub use final_reads::{Unread, final_reads};
pub use generator::{Op, Register};
pub use hand::Hand;
pub use load::{Amount, Bare, Load, LoadError, Measured, Work, load};
pub use outcome::{Answer, Effect, NoReply, Refusal, Reply, outcome};
pub use probe::{Observation, Role, parse_srvr, probe};
pub use retrying::{GaveUp, Retrying};
pub use roles::{RoleView, RoleWatcher, watch_roles};
pub use setup::{SetupError, setup};
pub use tally::Tally;
pub use znodes::{LAST_SEEN, Step, Znodes};

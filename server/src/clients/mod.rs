//! Clients' connections: the protocol of sockets, and the order of replies.

mod connection;
mod queue;
mod registry;
mod stats;

pub use ::breaker::BreakerSettings;
pub(crate) use ::breaker::State as BreakerState;
pub(crate) use connection::{ClientEvent, ConnId, Front, Outbox, accept_clients};
pub(crate) use queue::{Queue, Step};
pub(crate) use registry::{Latencies, Registry};
pub(crate) use stats::{Counters, Stats};

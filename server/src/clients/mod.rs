//! Clients' connections: the protocol of sockets, and the order of replies.

mod connection;
mod queue;

pub(crate) use connection::{ClientEvent, ConnId, Outbox, accept_clients};
pub(crate) use queue::{Queue, Step};

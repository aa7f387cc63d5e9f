//! Protocol models under stateright, searched exhaustively within bounds. No disk, and no sockets
//! but the explorer's.
//!
//! [`zab`] is the server's own core: a state holds `Peer`s, and an action is what a network, a
//! disk, a clock or a client may do next. [`protocol`] is ZAB as published, without the core. [`catalogue`] lists what can be
//! searched, [`search`] searches, and a [`Counterexample`] is a story that can be replayed.

pub mod breaker;
mod care;
pub mod catalogue;

mod counterexample;
mod link;
pub mod paxos;
pub mod protocol;
pub mod search;
pub mod sessions;
pub mod shown;
pub mod storage;
pub mod trace;
pub mod zab;

pub use counterexample::{Chapter, Counterexample, Replay};
pub use search::{Budget, End, Outcome, Progress};

//! ZooKeeper's atomic broadcast: election, discovery, synchronisation, broadcast.
//! No sockets, no disk, no clock, no randomness.
//!
//! A [`Peer`] is a value. A driver feeds it one [`Input`] at a time and carries out the
//! [`Output`]s in the order given:
//!
//! ```text
//! let mut peer = Peer::restart(config, durable, &mut out);     // boot and crash recovery alike
//! loop {
//!     carry_out(out.drain(..));
//!     peer.handle(next_input(), &mut out);
//! }
//! ```
//!
//! What the driver owes the peer:
//! - Writes become durable in the order of [`Output::Store`]; a crash keeps a prefix of them.
//!   What [`Peer::restart`] is given is durable already.
//! - Between two servers there is one leader-learner connection at a time, first in, first out.
//!   When a new one replaces an old one, [`Input::Disconnected`] comes between the two, unless
//!   this peer ordered the old one closed.
//! - A connection that cannot be made is given up in bounded time.

mod broadcast;
mod catchup;
mod command;
mod core;
mod disk;
mod election;
mod follower;
mod leader;
mod log;
mod members;
mod mutant;
mod peer;
mod record;
mod takeover;
mod types;

pub use command::Command;
pub use disk::Epochs;
pub use members::{Configuration, Member, Members, Transaction};
pub use mutant::Mutant;
pub use peer::Peer;
pub use record::{Digest, Mapping, Record};
pub use types::*;

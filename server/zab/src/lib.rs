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

mod types;

pub use types::*;

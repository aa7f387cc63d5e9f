//! Orders to a driver that holds everything back: one order of events out of all that can happen.

use serde::{Deserialize, Serialize};

use crate::record::Digest;
use crate::{Message, ServerId, Timer};

/// Lets one thing happen. What is not there yet is waited for.
///
/// A driver that obeys these passes nothing to its peer by itself but what clients ask, does no
/// write, and lets no timer run down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// This vote arrives.
    Vote {
        /// The sender.
        from: ServerId,
        /// What it says.
        message: Message<Digest, u64>,
    },
    /// The next message of the channel with this server arrives.
    Frame {
        /// The sender.
        from: ServerId,
    },
    /// Nothing, but wait until so many messages of this server are here, and held back.
    Frames {
        /// The sender.
        from: ServerId,
        /// How many.
        count: usize,
    },
    /// The channel with this server stands.
    Up {
        /// The other end.
        peer: ServerId,
    },
    /// The channel with this server turns out to be gone, or cannot be made. What it brought and is held
    /// back is lost.
    Down {
        /// The other end.
        peer: ServerId,
    },
    /// From now on, what is sent to this server is lost.
    Cut {
        /// The other end.
        peer: ServerId,
    },
    /// The oldest write is done, durably.
    Write,
    /// The peer hears of the oldest write that is done.
    Stored,
    /// A timer goes off.
    Timer(Timer),
    /// Everything takes its course from now on.
    Open,
}

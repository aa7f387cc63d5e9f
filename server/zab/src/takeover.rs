//! Taking over a history in a new epoch.

use crate::Output;
use crate::core::Core;

/// First all of the history is durable, then the epoch; only then may it be acknowledged.
/// (ZOOKEEPER-4643, -4646 and -3023 are what happens in other orders.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Takeover {
    /// This many writes ordered before are not yet durable.
    History { ops: usize },
    /// `currentEpoch` is being written.
    Epoch,
    /// Both are durable.
    Done,
}

impl Takeover {
    pub(crate) fn start<T>(core: &Core<T>) -> Takeover {
        Takeover::History { ops: core.disk.pending() }
    }

    /// `ops` more writes are durable.
    pub(crate) fn stored(&mut self, ops: usize) {
        if let Takeover::History { ops: left } = self {
            *left = left.saturating_sub(ops);
        }
    }

    /// Goes as far as the disk allows; true when done.
    pub(crate) fn advance<T, S>(
        &mut self,
        epoch: u32,
        core: &mut Core<T>,
        out: &mut Vec<Output<T, S>>,
    ) -> bool {
        if *self == (Takeover::History { ops: 0 }) {
            core.adopt(epoch, out);
            *self = Takeover::Epoch;
        }
        if *self == Takeover::Epoch && core.disk.epochs.current >= epoch {
            *self = Takeover::Done;
        }
        *self == Takeover::Done
    }
}

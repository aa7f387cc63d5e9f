//! A link on which packets are not simply passed on.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Policy;
use super::memory::Memory;
use super::quality::{Passage, Quality, Shaper, Tally};
use crate::fault::FaultId;

/// What holds for one link: the policy, and the faults that make it bad.
#[derive(Debug, Default)]
pub(super) struct Special {
    pub(super) policy: Policy,
    memory: Memory,
    shapers: BTreeMap<FaultId, Shaper>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Dropped by the policy.
    Cut,
    /// Dropped by a bad link.
    Lost,
    /// Delivered, now or later, once or twice.
    Arrives { at: Option<Instant>, twice: bool },
}

impl Special {
    pub(super) fn shape(&mut self, fault: FaultId, quality: Quality, seed: u64, now: Instant) {
        self.shapers.insert(fault, Shaper::new(quality, seed, now));
    }

    pub(super) fn unshape(&mut self, fault: FaultId) -> Option<Tally> {
        self.shapers.remove(&fault).map(|shaper| shaper.tally)
    }

    pub(super) fn shapers(&self) -> impl Iterator<Item = FaultId> {
        self.shapers.keys().copied()
    }

    pub(super) fn is_plain(&self) -> bool {
        self.policy == Policy::Forward && self.shapers.is_empty()
    }

    /// What was lost, or may have been; nothing is remembered after this.
    pub(super) fn take_memory(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.memory).into_frames()
    }

    /// Lost packets are remembered, as are those that a firewall behind the switch may drop.
    pub(super) fn treat(&mut self, frame: &[u8], now: Instant) -> Fate {
        let fate = match self.policy {
            Policy::Cut => Fate::Cut,
            Policy::Forward | Policy::Hold => self.travel(frame, now),
        };
        if self.policy != Policy::Forward || fate == Fate::Lost {
            self.memory.note(frame);
        }
        fate
    }

    /// Through one bad stretch after the other.
    fn travel(&mut self, frame: &[u8], now: Instant) -> Fate {
        let (mut at, mut twice) = (now, false);
        for shaper in self.shapers.values_mut() {
            let Some(Passage { at: next, twice: more }) = shaper.pass(at, frame.len()) else {
                return Fate::Lost;
            };
            (at, twice) = (next, twice | more);
        }
        Fate::Arrives { at: (at > now).then_some(at), twice }
    }
}

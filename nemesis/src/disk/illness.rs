//! What a disk suffers from, and who felt it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fault::{Ailment, FaultId};

/// Everything that is wrong with a disk.
#[derive(Debug, Default)]
pub(super) struct Illnesses(BTreeMap<FaultId, Illness>);

#[derive(Debug)]
struct Illness {
    ailment: Ailment,
    /// As in [`crate::Fault::Disk`].
    size: u64,
    /// Requests that felt it.
    n_felt: u64,
}

impl Illnesses {
    pub(super) fn infect(&mut self, id: FaultId, ailment: Ailment, size: u64) {
        self.0.insert(id, Illness { ailment, size, n_felt: 0 });
    }

    /// How many requests felt it.
    pub(super) fn cure(&mut self, id: FaultId) -> u64 {
        self.0.remove(&id).map_or(0, |illness| illness.n_felt)
    }

    pub(super) fn has(&self, id: FaultId) -> bool {
        self.0.contains_key(&id)
    }

    /// Bytes that are left on a full disk.
    pub(super) fn room(&self) -> Option<u64> {
        self.0.values().rfind(|illness| illness.ailment == Ailment::Full).map(|full| full.size)
    }

    /// True if one of these ails it; each of them has felt it then.
    pub(super) fn suffers(&mut self, ailment: Ailment) -> bool {
        let mut any = false;
        for ill in self.0.values_mut().filter(|ill| ill.ailment == ailment) {
            ill.n_felt += 1;
            any = true;
        }
        any
    }

    /// How long a request takes of which one of these makes a long one.
    pub(super) fn delay(&mut self, ailment: Ailment) -> Duration {
        if !self.suffers(ailment) {
            return Duration::ZERO;
        }
        let slow = self.0.values().filter(|ill| ill.ailment == ailment);
        Duration::from_millis(slow.map(|ill| ill.size).max().unwrap_or(0))
    }
}

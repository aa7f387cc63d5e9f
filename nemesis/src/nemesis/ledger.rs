//! Which faults there are, from the moment that one is chosen until it is healed.
//!
//! Faults are injected and healed by threads of their own, so what one is about to do must be known to the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Active;
use crate::fault::{Fault, FaultId, Grudge};
use crate::host::NodeId;

#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<FaultId, Entry>>);

#[derive(Debug)]
struct Entry {
    claim: Claim,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Chosen, and not begun.
    Reserved,
    /// Being injected or healed.
    Busy,
    InForce(Active),
}

/// What other faults must know about the servers of one.
#[derive(Debug)]
enum Claim {
    /// They are down, or may go down at any moment.
    Down(Vec<NodeId>),
    /// They are up, and their processes must stay the same.
    Held(Vec<NodeId>),
    Nothing,
}

impl Ledger {
    /// False if there is such a fault already.
    pub(super) fn reserve(&self, id: FaultId, fault: &Fault) -> bool {
        let mut entries = self.entries();
        let is_new = !entries.contains_key(&id);
        if is_new {
            entries.insert(id, Entry { claim: Claim::of(fault), state: State::Reserved });
        }
        is_new
    }

    /// False if it is being injected, or in force, or being healed.
    pub(super) fn begin(&self, id: FaultId, fault: &Fault) -> bool {
        self.reserve(id, fault);
        let mut entries = self.entries();
        match entries.get_mut(&id) {
            Some(entry) if matches!(entry.state, State::Reserved) => {
                entry.state = State::Busy;
                true
            }
            _ => false,
        }
    }

    /// It is in force.
    pub(super) fn put(&self, id: FaultId, active: Active) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.state = State::InForce(active);
        }
    }

    /// Takes one that is in force, to work on it. Others still know of it.
    pub(super) fn take(&self, id: FaultId) -> Option<Active> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&id)?;
        match std::mem::replace(&mut entry.state, State::Busy) {
            State::InForce(active) => Some(active),
            other => {
                entry.state = other;
                None
            }
        }
    }

    /// Forgets it, unless it is in force.
    pub(super) fn close(&self, id: FaultId) {
        let mut entries = self.entries();
        if entries.get(&id).is_some_and(|entry| !matches!(entry.state, State::InForce(_))) {
            entries.remove(&id);
        }
    }

    pub(super) fn clear(&self) {
        self.entries().clear();
    }

    pub(super) fn ids(&self) -> Vec<FaultId> {
        self.entries().keys().copied().collect()
    }

    pub(super) fn is_busy(&self, id: FaultId) -> bool {
        self.entries().get(&id).is_some_and(|entry| matches!(entry.state, State::Busy))
    }

    /// Servers that are, or may soon be, down.
    pub(super) fn down(&self) -> BTreeSet<NodeId> {
        let entries = self.entries();
        let down = entries.values().flat_map(|entry| match &entry.claim {
            Claim::Down(nodes) => nodes.as_slice(),
            _ => &[],
        });
        down.copied().collect()
    }

    /// Servers whose processes must stay the same.
    pub(super) fn held(&self) -> BTreeSet<NodeId> {
        let entries = self.entries();
        let held = entries.values().flat_map(|entry| match &entry.claim {
            Claim::Held(nodes) => nodes.as_slice(),
            _ => &[],
        });
        held.copied().collect()
    }

    /// Is somebody just taking this server down, or starting it again?
    pub(super) fn is_worked_on(&self, node: NodeId) -> bool {
        let entries = self.entries();
        let mut busy = entries.values().filter(|entry| matches!(entry.state, State::Busy));
        busy.any(|entry| matches!(&entry.claim, Claim::Down(nodes) if nodes.contains(&node)))
    }

    /// The links cut by all partitions in force.
    pub(super) fn grudges(&self) -> Grudge {
        let entries = self.entries();
        let grudges = entries.values().filter_map(|entry| match &entry.state {
            State::InForce(Active::Partition { rift, .. }) => Some(&rift.grudge),
            _ => None,
        });
        grudges.flatten().copied().collect()
    }

    /// Notes that a server ended, with the fault that is why. False if none is.
    pub(super) fn excuse(&self, node: NodeId, status: &str) -> bool {
        let mut entries = self.entries();
        let mut active = entries.values_mut().filter_map(|entry| match &mut entry.state {
            State::InForce(active) => Some(active),
            _ => None,
        });
        let ended = active.find_map(|active| active.excuse(node));
        ended.map(|ended| ended.insert(node, status.to_owned())).is_some()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<FaultId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    fn of(fault: &Fault) -> Claim {
        match fault {
            Fault::Kill { nodes }
            | Fault::Pause { nodes }
            | Fault::Restart { nodes }
            | Fault::Rolling { order: nodes, .. }
            | Fault::Slow { nodes, .. }
            | Fault::Memory { nodes, .. }
            | Fault::CrashLoop { nodes, .. }
            | Fault::Wipe { nodes }
            | Fault::PowerCut { nodes, .. }
            | Fault::Damage { nodes, .. } => Claim::Down(nodes.clone()),
            Fault::Disk { nodes, ailment, .. } if ailment.refuses() => Claim::Down(nodes.clone()),
            Fault::Clock { nodes, .. } => Claim::Held(nodes.clone()),
            Fault::Disk { .. } | Fault::Partition { .. } | Fault::Link { .. } => Claim::Nothing,
        }
    }
}

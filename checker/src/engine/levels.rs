//! Calls that must come in a given order of groups: is that order possible in real time?

use super::Shortcut;

/// Groups of calls, each to be placed wholly after the one before. If no call of a later group
/// ended before one of an earlier group began, an order exists: real time is an interval order,
/// and any longer cycle contains such a pair.
#[derive(Default)]
pub(super) struct Levels {
    /// The call of closed groups that started last.
    latest: Option<(u64, usize)>,
    /// The same for the group that is open.
    group: Option<(u64, usize)>,
    conflict: Option<(usize, usize)>,
}

impl Levels {
    /// Begins a new group.
    pub(super) fn next(&mut self) {
        self.latest = self.latest.max(self.group.take());
    }

    /// Adds a call to the group: its position, when it began, and when it ended.
    pub(super) fn add(&mut self, call: usize, start: u64, end: Option<u64>) {
        if let (Some((latest, earlier)), Some(end)) = (self.latest, end)
            && end < latest
        {
            self.conflict.get_or_insert((call, earlier));
        }
        self.group = self.group.max(Some((start, call)));
    }

    /// The first call found that came too early for its group, as a shortcut's answer.
    pub(super) fn conflict(&self, why: &'static str) -> Option<Shortcut> {
        self.conflict.map(|(early, late)| Shortcut::broken([early, late], why))
    }
}

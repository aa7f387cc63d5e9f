//! What must hold of everything that happens, one promise per file.
//!
//! Each looks at one event, with the state after it and the history before it, so that a trace of
//! any length is judged in time linear in it. The names are those of the ZAB literature: Junqueira,
//! Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems" (DSN 2011); the TLA+
//! specifications of Apache ZooKeeper; and Ouyang et al., "Leveraging TLA+ Specifications to Improve
//! the Reliability of the ZooKeeper Coordination Service" (Remix).

mod agreement;
mod committed_log_durability;
mod committed_log_monotonicity;
mod global_primary_order;
mod integrity;
mod leader_log_completeness;
mod leadership1;
mod leadership2;
mod local_primary_order;
mod message_legality;
mod observers_follow;
mod prefix_consistency;
mod primary_integrity;
mod process_consistency;
mod sync_freshness;
#[cfg(test)]
mod tests;
mod total_order;
mod voters_decide;

use zab::{ServerId, Zxid};

use super::Entry;
use super::ghost::Event;
use super::state::State;

/// What an event breaks, in words.
type Breaks = fn(&State, &Event) -> Option<String>;

/// Every promise, by name.
pub(crate) const INVARIANTS: [(&str, Breaks); 17] = [
    ("Leadership1", leadership1::breaks),
    ("Leadership2", leadership2::breaks),
    ("PrefixConsistency", prefix_consistency::breaks),
    ("Integrity", integrity::breaks),
    ("Agreement", agreement::breaks),
    ("TotalOrder", total_order::breaks),
    ("LocalPrimaryOrder", local_primary_order::breaks),
    ("GlobalPrimaryOrder", global_primary_order::breaks),
    ("PrimaryIntegrity", primary_integrity::breaks),
    ("CommittedLogMonotonicity", committed_log_monotonicity::breaks),
    ("ProcessConsistency", process_consistency::breaks),
    ("LeaderLogCompleteness", leader_log_completeness::breaks),
    ("CommittedLogDurability", committed_log_durability::breaks),
    ("MessageLegality", message_legality::breaks),
    ("SyncFreshness", sync_freshness::breaks),
    ("VotersDecide", voters_decide::breaks),
    ("ObserversFollow", observers_follow::breaks),
];

/// Every invariant that an event breaks, and how.
pub(crate) fn broken(state: &State, event: &Event) -> Vec<(&'static str, String)> {
    let all = INVARIANTS.iter();
    all.filter_map(|(name, breaks)| Some((*name, breaks(state, event)?))).collect()
}

/// The server and the entry of a delivery, and the entry's place.
fn delivery<'a>(state: &'a State, event: &Event) -> Option<(ServerId, &'a Entry, usize)> {
    let Event::Delivered { server, place } = *event else { return None };
    Some((server, state.server(server).history().get(place)?, place))
}

/// How many entries are committed of epochs before this one.
fn before(committed: &[Entry], epoch: u32) -> usize {
    committed.partition_point(|entry| entry.zxid < Zxid::new(epoch, 0))
}

/// `1:1=1 1:2=2`, or `nothing`.
pub(crate) fn list<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> String {
    let words: Vec<String> = entries.into_iter().map(name).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}

/// `1:2=b`: its zxid, and its transaction: a letter in a search, where there are few.
pub(crate) fn name(entry: &Entry) -> String {
    match u8::try_from(entry.txn) {
        Ok(txn @ 1..=26) => format!("{:?}={}", entry.zxid, char::from(b'`' + txn)),
        _ => format!("{:?}={:x}", entry.zxid, entry.txn),
    }
}

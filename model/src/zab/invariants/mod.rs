//! What must hold in every state, one promise per file.
//!
//! The names are those of the ZAB literature: Junqueira, Reed, Serafini, "Zab: High-performance
//! broadcast for primary-backup systems" (DSN 2011); the TLA+ specifications of Apache ZooKeeper
//! (`zookeeper-specifications`); and Ouyang et al., "Leveraging TLA+ Specifications to Improve the
//! Reliability of the ZooKeeper Coordination Service" (Remix), which found ZooKeeper's losses of data.

mod assertions;
mod committed_log_durability;
mod committed_log_monotonicity;
mod elected_leader_completeness;
mod global_primary_order;
mod integrity;
mod leader_log_completeness;
mod leadership;
mod local_primary_order;
mod observers_follow;
mod prefix_consistency;
mod primary_integrity;
mod process_consistency;
mod sync_freshness;
#[cfg(test)]
mod tests;
mod total_order;

use stateright::Property;
use zab::{Entry, Zxid};

use super::world::World;
use super::{App, Txn, Zab};

/// A promise.
pub(crate) trait Invariant {
    const NAME: &'static str;
    /// What is broken, in words; none when it holds.
    fn broken(world: &World) -> Option<String>;
}

macro_rules! invariants {
    ($($module:ident::$invariant:ident),* $(,)?) => {
        /// Looked at in every model of the core.
        const OF_BROADCAST: &[(&str, fn(&World) -> Option<String>)] =
            &[$(($module::$invariant::NAME, $module::$invariant::broken)),*];

        fn of_broadcast() -> Vec<Property<Zab>> {
            vec![$(property::<$module::$invariant>()),*]
        }
    };
}

invariants!(
    assertions::Assertions,
    leadership::Leadership,
    prefix_consistency::PrefixConsistency,
    integrity::Integrity,
    total_order::TotalOrder,
    local_primary_order::LocalPrimaryOrder,
    global_primary_order::GlobalPrimaryOrder,
    primary_integrity::PrimaryIntegrity,
    committed_log_monotonicity::CommittedLogMonotonicity,
    committed_log_durability::CommittedLogDurability,
    process_consistency::ProcessConsistency,
    leader_log_completeness::LeaderLogCompleteness,
    sync_freshness::SyncFreshness,
    observers_follow::ObserversFollow,
);

use elected_leader_completeness::ElectedLeaderCompleteness;

/// What a search looks at: of an election alone, only who was elected.
pub(crate) fn properties(votes_only: bool) -> Vec<Property<Zab>> {
    if votes_only {
        vec![property::<assertions::Assertions>(), property::<ElectedLeaderCompleteness>()]
    } else {
        of_broadcast()
    }
}

/// What is wrong in a state that breaks the invariant of this name.
pub(crate) fn why(name: &str, world: &World) -> String {
    let elected =
        (ElectedLeaderCompleteness::NAME, ElectedLeaderCompleteness::broken as fn(&_) -> _);
    let mut all = OF_BROADCAST.iter().copied().chain([elected]);
    let broken = all.find(|(known, _)| *known == name).and_then(|(_, broken)| broken(world));
    broken.unwrap_or_else(|| format!("{name} holds"))
}

fn property<I: Invariant>() -> Property<Zab> {
    Property::always(I::NAME, |model: &Zab, world| model.watch.judge(I::broken(world).is_none()))
}

/// What servers that are up have delivered.
fn deliveries(world: &World) -> impl Iterator<Item = (u64, &App)> + Clone {
    let up = world.servers.iter().filter(|server| server.peer.is_some());
    up.map(|server| (server.id, &server.app))
}

fn place(app: &[Entry<Txn>], zxid: Zxid) -> Option<usize> {
    app.iter().position(|entry| entry.zxid == zxid)
}

/// Of those who vote.
fn majority(world: &World) -> usize {
    world.voters().count() / 2 + 1
}

/// `1:1 1:2`, or `nothing`.
pub(crate) fn list<'a>(entries: impl IntoIterator<Item = &'a Entry<Txn>>) -> String {
    let words: Vec<String> = entries.into_iter().map(name).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}

/// `1:2=b`: its zxid, and its transaction as a letter.
pub(crate) fn name(entry: &Entry<Txn>) -> String {
    format!("{:?}={}", entry.zxid, char::from(b'`'.saturating_add(entry.txn)))
}

//! C22: at the same zxid, all servers have the same state.

use std::collections::{BTreeMap, BTreeSet};

use history::{At, DigestEvent, History};

use super::{Finding, Guarantee, Judge};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{seconds, without_operations};

pub(super) const REPLICAS: Guarantee = Guarantee {
    id: "C22",
    name: "replicas agree",
    promise: "Servers that have applied the same last transaction have the same fingerprint.",
    source: "ZooKeeper Internals, \"Atomic Broadcast\": total order; ZooKeeper Administrator's Guide, \
             `zookeeper.digest.enabled` and the command `hash` (ZOOKEEPER-3114)",
    more_than_zookeeper: true,
    applies,
    check: Judge::History(check),
};

fn applies(history: &History) -> bool {
    !history.digests.is_empty()
}

/// Examined are the zxids for which there is something to compare.
fn check(history: &History, _: &mut Budget) -> Finding {
    let mut by_zxid: BTreeMap<u64, Vec<&At<DigestEvent>>> = BTreeMap::new();
    for seen in &history.digests {
        by_zxid.entry(seen.what.zxid.0).or_default().push(seen);
    }
    let comparable = || by_zxid.values().filter(|seen| is_comparable(seen));
    Finding::new(comparable().count(), comparable().find_map(|seen| difference(seen)))
}

fn is_comparable(seen: &[&At<DigestEvent>]) -> bool {
    let servers: BTreeSet<_> = seen.iter().map(|at| &at.node).collect();
    servers.len() > 1 || difference(seen).is_some()
}

/// `seen`: fingerprints at one zxid.
fn difference(seen: &[&At<DigestEvent>]) -> Option<Witness> {
    let first = seen.first()?;
    seen.iter().find_map(|at| match at.what.quorum {
        Some(quorum) if quorum != at.what.digest => {
            Some(explain(at, &format!("a quorum's was {quorum}"), at.time))
        }
        _ if at.what.digest != first.what.digest => {
            let what = format!("{}'s was {}", name(first), first.what.digest);
            Some(explain(at, &what, first.time))
        }
        _ => None,
    })
}

fn explain(at: &At<DigestEvent>, other: &str, since: u64) -> Witness {
    let DigestEvent { zxid, digest, .. } = at.what;
    let sentence = format!(
        "{}'s fingerprint at zxid {zxid} was {digest}, seen at {}; {other}",
        name(at),
        seconds(at.time)
    );
    without_operations(sentence, (since, at.time))
}

fn name(at: &At<DigestEvent>) -> &str {
    at.node.as_deref().unwrap_or("a server")
}

//! C18: a session is one client's.

use std::collections::BTreeMap;

use history::{Hex, History, Operation};

use super::{Finding, Guarantee, Judge, always};
use crate::budget::Budget;
use crate::words::{clause, noun, witness};

pub(super) const IDENTITY: Guarantee = Guarantee {
    id: "C18",
    name: "session identity",
    promise: "No two clients are ever given the same session.",
    source: "ZooKeeper Programmer's Guide, \"ZooKeeper Sessions\": \"a globally unique session id\"",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::History(check),
};

/// Examined are the sessions.
fn check(history: &History, _: &mut Budget) -> Finding {
    let mut owners: BTreeMap<Hex, &Operation> = BTreeMap::new();
    let mut broken = None;
    for op in &history.operations {
        let Some(session) = op.session else { continue };
        let first = *owners.entry(session).or_insert(op);
        if first.process != op.process {
            let sentence =
                format!("{} in session {session}, which is that of {}", clause(op), noun(first));
            broken = broken.or_else(|| Some(witness(sentence, &[first, op])));
        }
    }
    Finding::new(owners.len(), broken)
}

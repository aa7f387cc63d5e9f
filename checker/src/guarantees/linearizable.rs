//! Linearizability of each znode, by search, blind to zxids.

use std::collections::BTreeMap;
use std::sync::Arc;

use history::{Action, History, Operation, Status};
use spec::Register;
use spec::versioned::{Op, Ret};

use super::{Finding, Found, Guarantee, Judge, registers};
use crate::budget::Budget;
use crate::engine::{Call, Decision, decide};
use crate::smallest;

pub(crate) const ALL: Guarantee = Guarantee {
    id: "linearizable",
    name: "linearizability",
    promise: "Reads after sync, writes and compare-and-sets of a znode take effect in one order \
              that agrees with real time.",
    source: "Herlihy and Wing, \"Linearizability\" (1990); for reads it rests on sync confirming \
             leadership with a quorum, which Apache ZooKeeper's does not (ZooKeeper Internals; \
             ZOOKEEPER-1675)",
    more_than_zookeeper: true,
    applies: registers,
    check: Judge::History(|history, budget| check(history, budget, true)),
};

pub(crate) const WRITES: Guarantee = Guarantee {
    id: "linearizable-writes",
    name: "linearizable writes",
    promise: "Writes and compare-and-sets of a znode take effect in one order that agrees with \
              real time.",
    source: "ZooKeeper Internals, \"Consistency Guarantees\": write operations are linearizable; \
             Lev-Ari et al., \"Modular Composition of Coordination Services\" (2016): OSC(U)",
    more_than_zookeeper: false,
    applies: registers,
    check: Judge::History(|history, budget| check(history, budget, false)),
};

fn check(history: &History, budget: &mut Budget, reads: bool) -> Finding {
    let mut examined = 0;
    let mut undecided = None;
    for (key, operations) in by_key(history, reads) {
        if let Some(op) = operations.iter().find(|op| op.is_ok() && op.stat.is_none()) {
            let reason = format!("event {} is an ok without stat: no version", op.invoke);
            undecided.get_or_insert(reason);
            continue;
        }
        let calls = calls(&operations);
        examined += calls.len();
        match decide(Register::default(), &calls, budget) {
            Decision::Linearizable => {}
            Decision::Broken { call, states } => {
                let witness = smallest::witness(&operations, &calls, call, &states, budget);
                return Finding::new(examined, Some(witness));
            }
            Decision::GaveUp { placed, of, exhausted } => {
                let reason = format!("gave up at operation {placed} of {of} on {key}, {exhausted}");
                undecided.get_or_insert(reason);
            }
        }
    }
    let found = undecided.map_or(Found::Held, Found::Undecided);
    Finding { examined: examined as u64, found }
}

/// Each znode's operations that have, or may have, an effect or an answer to explain.
fn by_key(history: &History, reads: bool) -> BTreeMap<Arc<str>, Vec<&Operation>> {
    let mut by_key: BTreeMap<Arc<str>, Vec<&Operation>> = BTreeMap::new();
    let says_something = |op: &&Operation| match op.action {
        Action::Read { .. } => reads && op.is_ok(),
        Action::Write { .. } | Action::Cas { .. } => {
            op.status != Status::Fail || op.is_bad_version()
        }
        Action::Connect { .. } | Action::LocalRead { .. } | Action::Znode(_) => false,
    };
    for op in history.operations.iter().filter(says_something) {
        let key = op.action.key().expect("connections are left out");
        by_key.entry(key.clone()).or_default().push(op);
    }
    by_key
}

/// The operations as calls of the specification, position by position.
fn calls(operations: &[&Operation]) -> Vec<Call<Register>> {
    let seen = versions_seen(operations);
    let mut unseen = None;
    operations
        .iter()
        .map(|op| Call {
            op: asked(op, &seen, &mut unseen),
            ret: answer(op, &seen),
            start: op.invoke,
            end: op.answered(),
        })
        .collect()
}

/// The version at which reads show each value that was written once: it says where a write of
/// unknown outcome took effect.
fn versions_seen(operations: &[&Operation]) -> BTreeMap<i64, Option<i32>> {
    let mut seen: BTreeMap<i64, Option<i32>> = BTreeMap::new();
    for op in operations.iter().filter(|op| op.action.is_read()) {
        if let (Some(value), Some(stat)) = (op.read, op.stat) {
            seen.entry(value).or_insert(Some(stat.version));
        }
    }
    let mut written = BTreeMap::new();
    for value in operations.iter().filter_map(|op| op.action.written()) {
        *written.entry(value).or_insert(0) += 1;
    }
    for (value, version) in &mut seen {
        *version = version.filter(|_| written.get(value) == Some(&1));
    }
    seen
}

/// Writes of unknown outcome whose value nobody saw are alike; giving them one value lets the
/// engine know it.
fn asked(op: &Operation, seen: &BTreeMap<i64, Option<i32>>, unseen: &mut Option<i64>) -> Op {
    let mut written = |value: i64| {
        let alike = op.status == Status::Unknown && !seen.contains_key(&value);
        if alike { *unseen.get_or_insert(value) } else { value }
    };
    match op.action {
        Action::Write { value, .. } => Op::Write(written(value)),
        Action::Cas { expected, value, .. } => Op::Cas { expected, value: written(value) },
        Action::Connect { .. }
        | Action::Read { .. }
        | Action::LocalRead { .. }
        | Action::Znode(_) => Op::Read,
    }
}

fn answer(op: &Operation, seen: &BTreeMap<i64, Option<i32>>) -> Option<Ret> {
    let stated = op.stat.map(|stat| stat.version);
    match op.status {
        Status::Fail => Some(Ret::BadVersion),
        Status::Unknown => {
            let version = seen.get(&op.action.written()?).copied().flatten()?;
            Some(Ret::Written { version })
        }
        Status::Ok if op.action.is_read() => Some(Ret::Value { value: op.read, version: stated? }),
        Status::Ok => Some(Ret::Written { version: stated? }),
    }
}

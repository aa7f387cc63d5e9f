//! C13: the numbers of sequential znodes.

use std::collections::BTreeMap;

use history::znode::{Ask, Told};
use history::{History, Operation, Status};

use super::super::{Finding, Guarantee, Judge};
use super::applies;
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(in super::super) const SEQUENCE: Guarantee = Guarantee {
    id: "C13",
    name: "sequence numbers",
    promise: "The number of a sequential znode is how many children its parent was given before: \
              unique, and larger with each zxid.",
    source: "ZooKeeper Programmer's Guide, \"Sequence Nodes -- Unique Naming\": a counter \
             maintained by the parent, monotonically increasing",
    more_than_zookeeper: false,
    applies,
    check: Judge::History(check),
};

/// A child that was acknowledged.
struct Birth<'a> {
    zxid: u64,
    op: &'a Operation,
    /// Of a sequential znode; `None` where its name has no number.
    number: Option<Option<u64>>,
}

fn check(history: &History, _: &mut Budget) -> Finding {
    let mut families: BTreeMap<&str, Vec<Birth<'_>>> = BTreeMap::new();
    for op in history.operations.iter().filter(|op| op.is_ok()) {
        for (parent, birth) in births(op) {
            families.entry(parent).or_default().push(birth);
        }
    }
    let (mut examined, mut broken) = (0, None);
    for (parent, mut births) in families {
        births.sort_by_key(|birth| birth.zxid);
        examined += births.iter().filter(|birth| birth.number.is_some()).count();
        broken = broken.or_else(|| wrong_number(&births, &open(history, parent)));
    }
    Finding::new(examined, broken)
}

fn births(op: &Operation) -> Vec<(&str, Birth<'_>)> {
    let (Some(ask), Some(told), Some(zxid)) = (op.action.ask(), op.told.as_deref(), op.zxid) else {
        return Vec::new();
    };
    let birth = |(ask, told): (&Ask, &Told)| {
        let (Ask::Create { path, sequential, .. }, Told::Created { path: made, .. }) = (ask, told)
        else {
            return None;
        };
        let number = sequential.then(|| made.strip_prefix(path.as_str())?.parse().ok());
        Some((zxid.0, number))
    };
    let parts = ask.parts().iter().zip(told.parts());
    parts
        .filter_map(|(ask, told)| {
            let (zxid, number) = birth((ask, told))?;
            Some((ask.path()?.rsplit_once('/')?.0, Birth { zxid, op, number }))
        })
        .collect()
}

/// Creates below this parent that may have happened.
fn open<'a>(history: &'a History, parent: &str) -> Vec<&'a Operation> {
    let unknown = history.operations.iter().filter(|op| op.status == Status::Unknown);
    let below = |ask: &Ask| matches!(ask, Ask::Create { path, .. } if path.rsplit_once('/').is_some_and(|(p, _)| p == parent));
    unknown.filter(|op| op.action.ask().is_some_and(|ask| ask.parts().iter().any(below))).collect()
}

/// `births`: of one parent, by zxid. Each number lies between the children known to have come
/// before, and those with all that may have.
fn wrong_number(births: &[Birth<'_>], open: &[&Operation]) -> Option<Witness> {
    let mut last: Option<(&Birth<'_>, u64)> = None;
    for (before, birth) in births.iter().enumerate() {
        let Some(number) = birth.number else { continue };
        let Some(number) = number else {
            let sentence = format!("{} and got a name without a number", clause(birth.op));
            return Some(witness(sentence, &[birth.op]));
        };
        if let Some((former, least)) = last.filter(|(_, least)| number <= *least) {
            let sentence = format!(
                "{} and got number {number} at zxid {:#x}, after {} had got {least} at zxid {:#x}",
                clause(birth.op),
                birth.zxid,
                noun(former.op),
                former.zxid
            );
            return Some(witness(sentence, &[former.op, birth.op]));
        }
        let maybe = open.iter().filter(|op| !birth.op.precedes(op)).count();
        if !(before..=before + maybe).contains(&usize::try_from(number).unwrap_or(usize::MAX)) {
            let sentence = format!(
                "{} and got number {number}, though its parent had been given {before} children \
                 that were acknowledged, and {maybe} more perhaps",
                clause(birth.op)
            );
            return Some(witness(sentence, &[birth.op]));
        }
        last = Some((birth, number));
    }
    None
}

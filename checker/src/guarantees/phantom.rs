//! C7: nothing is read that nobody wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use history::{History, Operation, Status};

use super::{Finding, Guarantee, Judge, registers};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(super) const PHANTOM: Guarantee = Guarantee {
    id: "C7",
    name: "no phantoms",
    promise: "Every value read was written before by someone who was not refused, at one zxid.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": atomicity, \
             \"updates either succeed or fail\"",
    more_than_zookeeper: false,
    applies: registers,
    check: Judge::History(check),
};

/// Who invoked a write of a value to a znode; reads of the value so far showed it at `mzxid`.
struct Origin<'a> {
    writes: Vec<&'a Operation>,
    shown: Option<(u64, &'a Operation)>,
}

fn check(history: &History, _: &mut Budget) -> Finding {
    let mut origins = origins(history);
    let reads = history.operations.iter().filter(|op| op.is_ok() && op.action.is_read());
    let mut examined = 0;
    let mut broken = None;
    for read in reads {
        examined += 1;
        broken = broken.or_else(|| phantom(read, &mut origins));
    }
    Finding::new(examined, broken)
}

type Origins<'a> = BTreeMap<(Arc<str>, i64), Origin<'a>>;

fn origins(history: &History) -> Origins<'_> {
    let mut origins = Origins::new();
    for op in &history.operations {
        if let (Some(key), Some(value)) = (op.action.key(), op.action.written()) {
            let origin = origins.entry((key.clone(), value));
            let origin = origin.or_insert_with(|| Origin { writes: Vec::new(), shown: None });
            origin.writes.push(op);
            if let (Some(stat), true) = (op.stat, op.is_ok()) {
                origin.shown = Some((stat.mzxid.0, op));
            }
        }
    }
    origins
}

fn phantom<'a>(read: &'a Operation, origins: &mut Origins<'a>) -> Option<Witness> {
    let Some(value) = read.read else { return emptied(read) };
    let key = read.action.key()?.clone();
    let Some(origin) = origins.get_mut(&(key, value)) else {
        return Some(witness(format!("{}, which nobody wrote", clause(read)), &[read]));
    };
    unwritten(read, &origin.writes).or_else(|| twice(read, origin))
}

/// Data that is not empty never becomes empty again: nobody writes nothing.
fn emptied(read: &Operation) -> Option<Witness> {
    let version = read.stat.map_or(0, |stat| stat.version);
    let sentence = || format!("{}, though nobody emptied it", clause(read));
    (version > 0).then(|| witness(sentence(), &[read]))
}

/// Was every write of the value refused, or invoked only later?
fn unwritten(read: &Operation, writes: &[&Operation]) -> Option<Witness> {
    let refused = |write: &&Operation| write.status == Status::Fail;
    let later = |write: &&Operation| read.precedes(write);
    let write = *writes.first()?;
    let why = if writes.iter().all(refused) {
        format!("though {} was refused", noun(write))
    } else if writes.iter().all(|write| refused(write) || later(write)) {
        format!("before {} was invoked", noun(write))
    } else {
        return None;
    };
    Some(witness(format!("{}, {why}", clause(read)), &[write, read]))
}

/// Is the value, which was written once, shown at two zxids?
fn twice<'a>(read: &'a Operation, origin: &mut Origin<'a>) -> Option<Witness> {
    let mzxid = read.stat?.mzxid.0;
    if origin.writes.len() > 1 {
        return None;
    }
    let &mut (known, by) = origin.shown.get_or_insert((mzxid, read));
    let sentence = || {
        format!(
            "{} as written at zxid {mzxid:#x}, but {} has it at zxid {known:#x}; it was written once",
            clause(read),
            noun(by)
        )
    };
    (known != mzxid).then(|| witness(sentence(), &[by, read]))
}

//! C8: what was acknowledged or seen is never lost.

use history::{History, Operation};

use super::{Finding, Guarantee, Judge, View, registers, views};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, duration, noun, witness};

pub(super) const DURABILITY: Guarantee = Guarantee {
    id: "C8",
    name: "durability",
    promise: "A write that was acknowledged, or seen by a read, is never rolled back: every server \
              still has it, or a newer one, at the end.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": reliability, \"once an \
             update has been applied, it will persist from that time forward\"",
    more_than_zookeeper: false,
    applies: registers,
    check: Judge::History(check),
};

/// Examined are the acknowledged writes of znodes that were read at the end.
fn check(history: &History, _: &mut Budget) -> Finding {
    let last: Vec<&Operation> = history.final_reads().collect();
    let mut examined = 0;
    let mut broken = None;
    for (key, mut views) in views(history) {
        let at_end = last.iter().copied().filter(|op| op.action.key() == Some(&key));
        let at_end: Vec<_> = at_end.filter_map(View::of).collect();
        if !at_end.is_empty() {
            examined += views.iter().filter(|view| view.op.action.is_write()).count();
        }
        broken = broken.or_else(|| lost_at_end(&at_end, &views));
        broken = broken.or_else(|| rolled_back(&mut views));
        broken = broken.or_else(|| vanished(history, &key, &views));
    }
    Finding::new(examined, broken)
}

/// A final read must show the newest data that anyone had been shown before it.
fn lost_at_end(at_end: &[View<'_>], views: &[View<'_>]) -> Option<Witness> {
    let first = at_end.iter().map(|read| read.op.invoke).min()?;
    let before = |view: &&View<'_>| view.op.answered().is_some_and(|answered| answered < first);
    let newest = views.iter().filter(before).max_by_key(|view| view.mzxid())?;
    let lacking = at_end.iter().find(|read| read.mzxid() < newest.mzxid())?;
    Some(explain(newest, lacking))
}

/// The version counts the writes: if data with a larger mzxid has no larger version, then a write
/// that somebody was shown has been undone.
fn rolled_back(views: &mut [View<'_>]) -> Option<Witness> {
    views.sort_by_key(|view| (view.mzxid(), view.op.action.is_read(), view.op.invoke));
    let pair = views.windows(2).find(|pair| {
        pair[0].mzxid() < pair[1].mzxid() && pair[0].stat.version >= pair[1].stat.version
    })?;
    Some(explain(&pair[0], &pair[1]))
}

/// Nobody deletes a znode of the register workload: who does not find it at a later zxid than one that
/// had it, has lost it.
fn vanished(history: &History, key: &str, views: &[View<'_>]) -> Option<Witness> {
    let is_of = |op: &&Operation| op.action.path() == Some(key);
    let missing = history.operations.iter().filter(is_of).find_map(|op| {
        let zxid = op.zxid.filter(|_| op.error.as_deref() == Some("NoNode"))?.0;
        let before = views.iter().filter(|view| view.zxid <= zxid);
        Some((op, zxid, before.max_by_key(|view| (view.mzxid(), view.op.invoke))?))
    });
    let (op, zxid, had) = missing?;
    let sentence = format!(
        "client {} was told at zxid {zxid:#x} that there is no {key}: {} at zxid {:#x} is lost",
        op.process,
        noun(had.op),
        had.mzxid(),
    );
    let witness = witness(sentence, &[had.op, op]);
    Some(witness.contrast("the znode, which nobody deletes".into(), "no such znode".into()))
}

fn explain(lost: &View<'_>, by: &View<'_>) -> Witness {
    let at = |op: &Operation| op.end.unwrap_or(op.start);
    let ago = match at(by.op).checked_sub(at(lost.op)) {
        Some(nanos) => format!("{} earlier", duration(nanos)),
        None => format!("{} later", duration(at(lost.op) - at(by.op))),
    };
    let how = if lost.op.action.is_write() { "acknowledged" } else { "answered" };
    let sentence = format!(
        "{} at zxid {:#x}: {} at zxid {:#x}, {how} {ago}, is lost",
        clause(by.op),
        by.mzxid(),
        noun(lost.op),
        lost.mzxid(),
    );
    witness(sentence, &[lost.op, by.op]).contrast(
        format!("version {} or later builds on zxid {:#x}", lost.stat.version, lost.mzxid()),
        format!("version {} at zxid {:#x}", by.stat.version, by.mzxid()),
    )
}

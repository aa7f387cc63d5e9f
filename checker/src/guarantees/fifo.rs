//! C4: a session's writes take effect in the order in which it sent them.

use std::collections::BTreeMap;

use history::znode::Told;
use history::{Hex, History, Operation, Status};

use super::{Finding, Guarantee, Judge, always};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(super) const FIFO: Guarantee = Guarantee {
    id: "C4",
    name: "writes as sent",
    promise: "A session's writes take effect in the order in which it sent them: one that is still on \
              its way on an older connection never comes after one from a newer connection.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": sequential consistency, \
             \"updates from a client will be applied in the order that they were sent\"; \
             `Code.SESSIONMOVED`",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::History(check),
};

/// A write whose place in the order is known.
#[derive(Clone, Copy)]
struct Placed<'a> {
    zxid: u64,
    op: &'a Operation,
    /// The reply that showed its place, if its own was lost.
    shown_by: Option<&'a Operation>,
}

/// Examined are the writes that follow another one in their session.
fn check(history: &History, _: &mut Budget) -> Finding {
    let mut examined = 0;
    let mut broken = None;
    for writes in sessions(history).values() {
        examined += writes.len().saturating_sub(1);
        let mut latest = writes[0];
        for write in &writes[1..] {
            if write.zxid < latest.zxid {
                broken = broken.or_else(|| Some(explain(&latest, write)));
            } else {
                latest = *write;
            }
        }
    }
    Finding::new(examined, broken).or_no_occasion("no session wrote twice")
}

/// Each session's writes, in the order in which they were sent.
fn sessions(history: &History) -> BTreeMap<Hex, Vec<Placed<'_>>> {
    let shown = shown(history);
    let mut sessions: BTreeMap<Hex, Vec<Placed<'_>>> = BTreeMap::new();
    for op in history.operations.iter().filter(|op| op.action.is_write()) {
        let placed = op.session.zip(place(op, &shown));
        if let Some((session, placed)) = placed {
            sessions.entry(session).or_default().push(placed);
        }
    }
    sessions
}

fn place<'a>(op: &'a Operation, shown: &Shown<'a>) -> Option<Placed<'a>> {
    if op.is_answered_write() {
        return op.zxid.map(|zxid| Placed { zxid: zxid.0, op, shown_by: None });
    }
    let lost = op.status == Status::Unknown;
    if let Some(zxid) = op.zxid.filter(|_| lost) {
        return Some(Placed { zxid: zxid.0, op, shown_by: None });
    }
    let (zxid, by) =
        op.values().into_iter().filter(|_| lost).find_map(|value| shown.get(&value))?;
    Some(Placed { zxid: *zxid, op, shown_by: Some(by) })
}

/// The zxid at which each value was written, by the first reply that shows it.
type Shown<'a> = BTreeMap<i64, (u64, &'a Operation)>;

fn shown(history: &History) -> Shown<'_> {
    let mut shown = Shown::new();
    for op in history.operations.iter().filter(|op| op.is_ok()) {
        let seen = match op.told.as_deref() {
            Some(Told::Data { value: Some(value), stat }) => Some((*value, stat.mzxid.0)),
            _ => op.read.zip(op.stat).map(|(value, stat)| (value, stat.mzxid.0)),
        };
        if let Some((value, zxid)) = seen {
            shown.entry(value).or_insert((zxid, op));
        }
    }
    shown
}

fn explain(earlier: &Placed<'_>, later: &Placed<'_>) -> Witness {
    let by = earlier.shown_by.map_or_else(String::new, |by| format!(", as {} shows", noun(by)));
    let sentence = format!(
        "{} at zxid {:#x}, though {}, which the same session had sent before, took effect after it, at \
         zxid {:#x}{by}",
        clause(later.op),
        later.zxid,
        noun(earlier.op),
        earlier.zxid,
    );
    let operations: Vec<_> = [Some(earlier.op), earlier.shown_by, later.shown_by, Some(later.op)]
        .into_iter()
        .flatten()
        .collect();
    witness(sentence, &operations).contrast(
        format!("a zxid larger than {:#x}, or none", earlier.zxid),
        format!("zxid {:#x}", later.zxid),
    )
}

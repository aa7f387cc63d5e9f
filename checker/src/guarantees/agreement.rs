//! C6: all servers show one history of each znode.

use history::History;

use super::{Finding, Guarantee, Judge, View, registers, views};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, noun, witness};

pub(super) const AGREEMENT: Guarantee = Guarantee {
    id: "C6",
    name: "servers agree",
    promise: "Over all servers, reads of a znode at larger zxids show the same data or newer, and \
              reads at equal zxids show the same.",
    source: "ZooKeeper Internals, \"Atomic Broadcast\": total order; Junqueira, Reed, Serafini, \
             \"Zab: High-performance broadcast for primary-backup systems\" (2011)",
    more_than_zookeeper: false,
    applies: registers,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let mut examined = 0;
    let mut broken = None;
    for views in views(history).values() {
        let mut reads: Vec<_> = views.iter().filter(|view| view.op.action.is_read()).collect();
        reads.sort_by_key(|read| (read.zxid, read.op.invoke));
        examined += reads.len();
        broken = broken.or_else(|| disagreement(&reads));
    }
    Finding::new(examined, broken)
}

/// `reads`: of one znode, by zxid. Compares each with the newest data shown so far.
fn disagreement(reads: &[&View<'_>]) -> Option<Witness> {
    let (first, rest) = reads.split_first()?;
    let mut newest = *first;
    for read in rest {
        if read.mzxid() < newest.mzxid() {
            return Some(explain(newest, read, "older data than"));
        }
        if read.mzxid() == newest.mzxid() && shown(read) != shown(newest) {
            return Some(explain(newest, read, "other data than"));
        }
        if read.mzxid() > newest.mzxid() && read.zxid == newest.zxid {
            return Some(explain(newest, read, "other data than"));
        }
        newest = read;
    }
    None
}

fn shown(view: &View<'_>) -> (Option<i64>, i32) {
    (view.value(), view.stat.version)
}

fn explain(first: &View<'_>, second: &View<'_>, what: &str) -> Witness {
    let at = first.op.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
    let sentence = format!(
        "{} in a reply with zxid {:#x}: {what} {}{at} in a reply with zxid {:#x}",
        clause(second.op),
        second.zxid,
        noun(first.op),
        first.zxid
    );
    witness(sentence, &[first.op, second.op])
}

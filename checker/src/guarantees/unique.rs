//! C1: one zxid, one write.

use history::History;

use super::{Finding, Guarantee, Judge, always, write_zxids};
use crate::budget::Budget;
use crate::words::{clause, noun, witness};

pub(super) const UNIQUE: Guarantee = Guarantee {
    id: "C1",
    name: "unique zxids",
    promise: "Two writes never share a zxid, not even refused ones.",
    source: "ZooKeeper Programmer's Guide, \"Time in ZooKeeper\": each change has a unique zxid",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let mut writes = write_zxids(history);
    writes.sort_by_key(|&(zxid, op)| (zxid, op.invoke));
    let shared = writes.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| {
        let ((zxid, first), (_, second)) = (pair[0], pair[1]);
        let sentence =
            format!("{} with zxid {zxid:#x}, which {} had too", clause(second), noun(first));
        witness(sentence, &[first, second])
    });
    Finding::new(writes.len(), shared)
}

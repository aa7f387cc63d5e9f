//! C5: a read shows the state at its zxid.

use history::History;

use super::{Finding, Guarantee, Judge, View, registers, views};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, integer, noun, witness};

pub(super) const STATE: Guarantee = Guarantee {
    id: "C5",
    name: "reads show their state",
    promise: "A reply with zxid z shows the last acknowledged write up to z, or a newer one up to \
              z; never an older one, and never other data than was written.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": sequential consistency; \
             \"Time in ZooKeeper\": zxid order is the order of changes",
    more_than_zookeeper: false,
    applies: registers,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let mut examined = 0;
    let mut broken = None;
    for views in views(history).values() {
        let (mut writes, reads): (Vec<View<'_>>, Vec<View<'_>>) =
            views.iter().copied().partition(|view| view.op.action.is_write());
        writes.sort_by_key(|view| view.zxid);
        examined += reads.len();
        broken = broken.or_else(|| reads.iter().find_map(|read| contradiction(read, &writes)));
    }
    Finding::new(examined, broken)
}

/// `writes`: the acknowledged ones of this znode, by zxid.
fn contradiction(read: &View<'_>, writes: &[View<'_>]) -> Option<Witness> {
    if read.mzxid() > read.zxid {
        return Some(from_the_future(read));
    }
    let until = |zxid: u64| writes.partition_point(|write| write.zxid <= zxid);
    let newest = writes[..until(read.zxid)].last()?;
    let of_same = writes[..until(read.mzxid())].last();
    if newest.zxid > read.mzxid() {
        return Some(missed(read, newest));
    }
    of_same.filter(|write| differs(read, write)).map(|write| other_data(read, write))
}

fn differs(read: &View<'_>, write: &View<'_>) -> bool {
    if write.zxid == read.mzxid() {
        (read.value(), read.stat.version) != (write.value(), write.stat.version)
    } else {
        read.stat.version <= write.stat.version
    }
}

fn from_the_future(read: &View<'_>) -> Witness {
    let (mzxid, zxid) = (read.mzxid(), read.zxid);
    let sentence = format!(
        "{}, written at zxid {mzxid:#x}, in a reply that claims to show the state at {zxid:#x}",
        clause(read.op)
    );
    witness(sentence, &[read.op])
}

fn missed(read: &View<'_>, write: &View<'_>) -> Witness {
    let sentence = format!(
        "{} in a reply with zxid {:#x}, which lacks {} at zxid {:#x}",
        clause(read.op),
        read.zxid,
        noun(write.op),
        write.zxid
    );
    contrast(witness(sentence, &[write.op, read.op]), read, write)
}

fn other_data(read: &View<'_>, write: &View<'_>) -> Witness {
    let sentence = format!(
        "{}, written at zxid {:#x}, which contradicts {} at zxid {:#x}",
        clause(read.op),
        read.mzxid(),
        noun(write.op),
        write.zxid
    );
    contrast(witness(sentence, &[write.op, read.op]), read, write)
}

fn contrast(witness: Witness, read: &View<'_>, write: &View<'_>) -> Witness {
    let show =
        |view: &View<'_>| format!("{} at version {}", integer(view.value()), view.stat.version);
    witness.contrast(format!("{}, or newer", show(write)), show(read))
}

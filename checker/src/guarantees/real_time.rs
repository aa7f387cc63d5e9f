//! C3: writes happen in the order of real time.

use history::{History, Operation};

use super::{Finding, Guarantee, Judge, always, write_zxids};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, duration, noun, witness};

pub(super) const REAL_TIME: Guarantee = Guarantee {
    id: "C3",
    name: "order of writes",
    promise: "A write invoked after another was answered has a larger zxid.",
    source: "ZooKeeper Internals, \"Guarantees, Properties, and Definitions\": total and causal \
             order; Lev-Ari et al., \"Modular Composition of Coordination Services\" (2016): \
             updates are linearizable",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::History(check),
};

/// Sweeps the writes from the largest zxid down, remembering which was answered first: it must not
/// have been answered before a write of a smaller zxid was invoked.
fn check(history: &History, _: &mut Budget) -> Finding {
    let mut writes = write_zxids(history);
    writes.sort_by_key(|&(zxid, op)| (std::cmp::Reverse(zxid), op.invoke));
    let mut first: Option<(u64, &Operation)> = None;
    let mut broken = None;
    for &(zxid, op) in &writes {
        match first {
            Some((larger, earlier)) if larger > zxid && earlier.precedes(op) => {
                broken = Some(explain((larger, earlier), (zxid, op)));
                break;
            }
            Some((_, earlier)) if earlier.answered() <= op.answered() => {}
            _ => first = Some((zxid, op)),
        }
    }
    Finding::new(writes.len(), broken)
}

fn explain((larger, earlier): (u64, &Operation), (zxid, later): (u64, &Operation)) -> Witness {
    let ago = duration(later.start.saturating_sub(earlier.end.unwrap_or(0)));
    let sentence = format!(
        "{} with zxid {zxid:#x}, though {} with zxid {larger:#x} had been answered {ago} before \
         it was invoked",
        clause(later),
        noun(earlier),
    );
    witness(sentence, &[earlier, later])
        .contrast(format!("a zxid larger than {larger:#x}"), format!("zxid {zxid:#x}"))
}

//! C9: a read after sync is up to date.

use history::{Action, History, Operation};

use super::{Finding, Guarantee, Judge, registers, write_zxids};
use crate::budget::Budget;
use crate::verdict::Witness;
use crate::words::{clause, duration, noun, witness};

pub(super) const SYNC: Guarantee = Guarantee {
    id: "C9",
    name: "sync",
    promise: "A read after sync sees every write that had been acknowledged before the sync began.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": call sync before the read \
             for the latest value; ZooKeeper Internals: sync is not a quorum operation in Apache \
             ZooKeeper, so there it is reported only",
    more_than_zookeeper: true,
    applies: registers,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let newest = Newest::of(write_zxids(history));
    let reads = history.operations.iter().filter_map(synced);
    let mut examined = 0;
    let mut broken = None;
    for (zxid, read) in reads {
        examined += 1;
        let stale = || newest.before(read).filter(|(newest, _)| zxid < *newest);
        broken = broken.or_else(|| stale().map(|write| explain(write, (zxid, read))));
    }
    Finding::new(examined, broken)
}

fn synced(op: &Operation) -> Option<(u64, &Operation)> {
    let synced = op.is_ok() && matches!(op.action, Action::Read { .. });
    synced.then_some((op.zxid?.0, op))
}

/// Of the writes in order of their answers: the one with the largest zxid so far.
struct Newest<'a>(Vec<(u64, (u64, &'a Operation))>);

impl<'a> Newest<'a> {
    fn of(mut writes: Vec<(u64, &'a Operation)>) -> Self {
        writes.sort_by_key(|(_, op)| op.answered());
        let mut newest: Option<(u64, &Operation)> = None;
        let so_far = writes.into_iter().filter_map(|write| {
            newest = newest.filter(|newest| newest.0 >= write.0).or(Some(write));
            Some((write.1.answered()?, newest?))
        });
        Newest(so_far.collect())
    }

    /// The newest write answered before `op` was invoked.
    fn before(&self, op: &Operation) -> Option<(u64, &'a Operation)> {
        let until = self.0.partition_point(|(answered, _)| *answered < op.invoke);
        self.0[..until].last().map(|(_, newest)| *newest)
    }
}

fn explain((newest, write): (u64, &Operation), (zxid, read): (u64, &Operation)) -> Witness {
    let ago = duration(read.start.saturating_sub(write.end.unwrap_or(0)));
    let key = write.action.key().map_or("", |key| &**key);
    let sentence = format!(
        "{} after sync in a reply with zxid {zxid:#x}, though {} to {key} at zxid {newest:#x} had \
         been answered {ago} before the sync began",
        clause(read),
        noun(write),
    );
    witness(sentence, &[write, read])
        .contrast(format!("zxid {newest:#x} or later"), format!("zxid {zxid:#x}"))
}

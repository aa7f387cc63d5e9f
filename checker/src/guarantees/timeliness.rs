//! C10: a connected client is not left behind for long.

use history::{History, Operation, Settings};

use super::{Finding, Guarantee, Judge, always, write_zxids};
use crate::stops::Stops;
use crate::verdict::Witness;
use crate::words::{clause, duration, noun, witness};

pub(super) const TIMELINESS: Guarantee = Guarantee {
    id: "C10",
    name: "timeliness",
    promise: "A read shows every write that was acknowledged longer ago than a server may go without \
              its leader: syncLimit and two ticks, a second of grace, and however long the server \
              asked was stopped.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": timeliness, \"the client's view \
             of the system is guaranteed to be up-to-date within a certain time bound\"; ZooKeeper \
             Administrator's Guide, `syncLimit`",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::Run(check),
};

/// For what a busy machine takes.
const GRACE: u64 = 1_000_000_000;

/// How far a running server may be behind, nanoseconds.
pub(super) fn bound(settings: &Settings) -> u64 {
    (u64::from(settings.sync_limit) + 2) * settings.tick_ms * 1_000_000 + GRACE
}

/// Examined are the reads before which some write had been acknowledged for so long.
fn check(history: &History, settings: &Settings) -> Finding {
    let newest = newest(history);
    let stops = Stops::of(history);
    let bound = bound(settings);
    let mut examined = 0;
    let mut broken = None;
    for (zxid, read) in history.operations.iter().filter_map(shown) {
        let since = stops.ran_since(read.node.as_deref(), read.start, bound);
        let until = newest.partition_point(|(at, ..)| *at < since);
        let Some(&(_, newest, write)) = newest[..until].last() else { continue };
        examined += 1;
        if zxid < newest {
            broken = broken.or_else(|| Some(explain((newest, write), (zxid, read), bound)));
        }
    }
    Finding::new(examined, broken)
        .or_no_occasion("no read came long enough after a write was acknowledged")
}

fn shown(op: &Operation) -> Option<(u64, &Operation)> {
    let read = op.is_ok() && op.action.is_read() && op.action.path().is_some();
    read.then_some((op.zxid?.0, op))
}

/// In order of their answers: when, the largest zxid answered so far, and its write.
fn newest(history: &History) -> Vec<(u64, u64, &Operation)> {
    let mut writes = write_zxids(history);
    writes.sort_by_key(|(_, op)| op.end);
    let mut newest: Option<(u64, &Operation)> = None;
    let so_far = writes.into_iter().filter_map(|write| {
        newest = newest.filter(|newest| newest.0 >= write.0).or(Some(write));
        let (zxid, op) = newest?;
        Some((write.1.end?, zxid, op))
    });
    so_far.collect()
}

fn explain(
    (newest, write): (u64, &Operation),
    (zxid, read): (u64, &Operation),
    bound: u64,
) -> Witness {
    let ago = duration(read.start.saturating_sub(write.end.unwrap_or(0)));
    let sentence = format!(
        "{} in a reply with zxid {zxid:#x}, though {} at zxid {newest:#x} had been answered {ago} \
         before it asked: no server may be that far behind for more than {}",
        clause(read),
        noun(write),
        duration(bound),
    );
    witness(sentence, &[write, read])
        .contrast(format!("zxid {newest:#x} or later"), format!("zxid {zxid:#x}"))
}

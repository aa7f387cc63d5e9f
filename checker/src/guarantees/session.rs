//! C2: a session never goes back in time.

use std::collections::BTreeMap;

use history::{Hex, History, Operation};

use super::{Finding, Guarantee, Judge, always};
use crate::budget::Budget;
use crate::words::{clause, duration, noun, witness};

pub(super) const SESSION: Guarantee = Guarantee {
    id: "C2",
    name: "session order",
    promise: "The zxids in a session's replies never decrease, whichever server it is connected to.",
    source: "ZooKeeper Programmer's Guide, \"Consistency Guarantees\": single system image, \
             \"a client will never see an older view of the system\"",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::History(check),
};

fn check(history: &History, _: &mut Budget) -> Finding {
    let sessions = replies(history);
    let examined = sessions.values().map(Vec::len).sum();
    let mut backwards = sessions.values().filter_map(|replies| {
        replies.windows(2).find(|pair| pair[1].0 < pair[0].0).map(|pair| (pair[0], pair[1]))
    });
    Finding::new(examined, backwards.next().map(|(before, after)| explain(before, after)))
}

/// Each session's replies with their zxids, in order of arrival.
fn replies(history: &History) -> BTreeMap<Hex, Vec<(u64, &Operation)>> {
    let mut sessions: BTreeMap<Hex, Vec<(u64, &Operation)>> = BTreeMap::new();
    for op in &history.operations {
        if let (Some(session), Some(zxid), Some(_)) = (op.session, op.zxid, op.answered()) {
            sessions.entry(session).or_default().push((zxid.0, op));
        }
    }
    sessions.values_mut().for_each(|replies| replies.sort_by_key(|(_, op)| op.complete));
    sessions
}

fn explain(
    (seen, before): (u64, &Operation),
    (shown, after): (u64, &Operation),
) -> crate::verdict::Witness {
    let ago = duration(after.end.unwrap_or(0).saturating_sub(before.end.unwrap_or(0)));
    let sentence = format!(
        "{} and was shown zxid {shown:#x}, {ago} after the same session had been shown {seen:#x} \
         by {}{}",
        clause(after),
        noun(before),
        before.node.as_ref().map_or_else(String::new, |node| format!(" on {node}")),
    );
    witness(sentence, &[before, after])
        .contrast(format!("zxid {seen:#x} or later"), format!("zxid {shown:#x}"))
}

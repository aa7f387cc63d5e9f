//! C24: the servers' logs bear out what clients were told.

use std::collections::BTreeMap;

use history::{History, LogEntry, Operation, ServerLog, Settings};

use super::{Finding, Guarantee, Judge, always, write_zxids};
use crate::verdict::Witness;
use crate::words::{clause, without_operations, witness};

pub(super) const LOGS: Guarantee = Guarantee {
    id: "C24",
    name: "logs",
    promise: "After the run a majority of the servers has each acknowledged write in its log (or in the \
              snapshot that the log follows). No log is damaged but for a torn end; and of ours none \
              lacks an entry, or has another than the others.",
    source: "ZooKeeper Internals, \"Atomic Broadcast\": a proposal is acknowledged when it is in the \
             logs of a quorum, and all servers deliver the same in the same order; Apache ZooKeeper \
             keeps files of a past that it has dropped, so there only the first two are looked at",
    more_than_zookeeper: false,
    applies: always,
    check: Judge::Run(check),
};

/// Examined are the acknowledged writes.
fn check(history: &History, settings: &Settings) -> Finding {
    let logs = &history.logs;
    if logs.iter().all(|log| log.entries.is_empty()) {
        return Finding::new(0, None).or_no_occasion("the run has kept no logs that can be read");
    }
    let writes = write_zxids(history);
    let broken = damaged(history)
        .or_else(|| writes.iter().find_map(|(zxid, op)| lost(logs, settings.nodes, *zxid, op)))
        .or_else(|| {
            let ours = settings.target.promises_more_than_zookeeper();
            settled(history).filter(|_| ours).and_then(|until| different(logs, until))
        });
    Finding::new(writes.len(), broken)
}

/// A disk that a fault has damaged is not the server's doing.
fn damaged(history: &History) -> Option<Witness> {
    let spoilt = |log: &&ServerLog| {
        let mut faults = history.faults.iter().map(|at| &at.what);
        faults.any(|fault| fault.kind.starts_with("disk") && fault.nodes.contains(&log.node))
    };
    let log = history.logs.iter().filter(|log| !spoilt(log)).find(|log| !log.damage.is_empty())?;
    let sentence = format!("the log of {} is damaged: {}", log.node, log.damage.join("; "));
    Some(without_operations(sentence, (0, 0)))
}

/// Is the write in the logs of too few?
fn lost(logs: &[ServerLog], nodes: usize, zxid: u64, op: &Operation) -> Option<Witness> {
    let (have, lack): (Vec<_>, Vec<_>) = logs.iter().partition(|log| log.may_have(zxid));
    // A server without files here may have it, for all that is known.
    if have.len() + nodes.saturating_sub(logs.len()) > nodes / 2 {
        return None;
    }
    let names: Vec<&str> = lack.iter().map(|log| log.node.as_str()).collect();
    let sentence = format!(
        "{}, acknowledged at zxid {zxid:#x}, which is in the logs of {} of {nodes} servers after the \
         run: {} lack it",
        clause(op),
        have.len(),
        names.join(", "),
    );
    Some(witness(sentence, &[op]))
}

/// The last state that every server was seen to have.
fn settled(history: &History) -> Option<u64> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for op in history.final_reads() {
        if let (Some(node), Some(zxid)) = (op.node.as_deref(), op.zxid) {
            let of_node = last.entry(node).or_default();
            *of_node = zxid.0.max(*of_node);
        }
    }
    let all = history.logs.iter().map(|log| last.get(log.node.as_str()).copied());
    all.collect::<Option<Vec<u64>>>()?.into_iter().min()
}

/// The first place up to `until` at which a log has another entry than the others, or none.
fn different(logs: &[ServerLog], until: u64) -> Option<Witness> {
    let mut order: BTreeMap<u64, (&LogEntry, &str)> = BTreeMap::new();
    for log in logs {
        for entry in log.entries.iter().take_while(|entry| entry.zxid <= until) {
            let (first, other) = *order.entry(entry.zxid).or_insert((entry, &log.node));
            if first.digest != entry.digest {
                let zxid = entry.zxid;
                let what = format!("{} and {other} have different entries at {zxid:#x}", log.node);
                return Some(without_operations(what, (0, 0)));
            }
        }
    }
    order.into_iter().find_map(|(zxid, (_, other))| {
        let lacks = logs.iter().find(|log| !log.may_have(zxid))?;
        let what = format!("the log of {} lacks {zxid:#x}, which that of {other} has", lacks.node);
        Some(without_operations(what, (0, 0)))
    })
}

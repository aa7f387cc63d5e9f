//! The servers' logs as the order of truth: what became of requests without an answer.

use history::{Hex, History, LogEntry, Operation, ServerLog, Status};

/// The error of a write that never happened.
const NEVER: &str = "in no server's log";

/// Of how many writes the logs told what became of them: that they have a place, or that they never
/// happened.
pub(crate) fn told(history: &History) -> (u64, u64) {
    let count = |told: fn(&Operation) -> bool| {
        history.operations.iter().filter(|op| told(op)).count() as u64
    };
    let placed = count(|op| is_lost_write(op) && op.zxid.is_some());
    (placed, count(|op| op.error.as_deref() == Some(NEVER)))
}

/// The history with what the logs tell of writes of unknown outcome: one that is in no log never
/// happened; one that is has its zxid from there, and happened then or never.
///
/// A write is looked for by its value, which no other writes. That it is in no log says something
/// only if one log reaches from before its request to the last state that anybody was shown.
pub(crate) fn resolved(mut history: History) -> History {
    let Some(log) = whole(&history) else { return history };
    let written = written(&history.logs);
    let seen = seen(&history);
    let first = log.entries.first().map_or(0, |entry| entry.zxid);
    for op in history.operations.iter_mut().filter(|op| is_lost_write(op)) {
        let values = op.values();
        match values.iter().find_map(|value| written.get(value)) {
            Some(zxid) => op.zxid = Some(Hex(*zxid)),
            None if !values.is_empty() && first <= shown_before(&seen, op.invoke) => {
                op.status = Status::Fail;
                op.error = Some(NEVER.into());
            }
            None => {}
        }
    }
    history
}

/// The log that reaches back the furthest, of those that reach the last state that was shown.
fn whole(history: &History) -> Option<&ServerLog> {
    let last = history.operations.iter().filter_map(|op| op.zxid.filter(|_| op.is_ok())).max()?;
    let last = |log: &&ServerLog| log.entries.last().is_some_and(|entry| entry.zxid >= last.0);
    let logs = history.logs.iter().filter(last).filter(|log| log.damage.is_empty());
    logs.min_by_key(|log| log.entries.first().map(|entry| entry.zxid))
}

fn is_lost_write(op: &Operation) -> bool {
    op.status == Status::Unknown && op.action.is_write()
}

/// The zxid at which each value is in a log.
fn written(logs: &[ServerLog]) -> std::collections::BTreeMap<i64, u64> {
    let entries = logs.iter().flat_map(|log| &log.entries);
    let places = |entry: &LogEntry| {
        let zxid = entry.zxid;
        entry.values.clone().into_iter().map(move |value| (value, zxid))
    };
    entries.flat_map(places).collect()
}

/// In order of completions: its index, and the largest zxid shown so far.
fn seen(history: &History) -> Vec<(u64, u64)> {
    let answered = |op: &Operation| Some((op.answered()?, op.zxid?.0));
    let mut seen: Vec<_> = history.operations.iter().filter_map(answered).collect();
    seen.sort_unstable();
    let mut largest = 0;
    for (_, zxid) in &mut seen {
        largest = largest.max(*zxid);
        *zxid = largest;
    }
    seen
}

fn shown_before(seen: &[(u64, u64)], index: u64) -> u64 {
    let until = seen.partition_point(|(answered, _)| *answered < index);
    seen[..until].last().map_or(0, |(_, zxid)| *zxid)
}

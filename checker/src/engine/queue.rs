//! Queues whose values are distinct.
//!
//! T. Henzinger, A. Sezgin, V. Vafeiadis, "Aspect-oriented linearizability proofs" (2013): such a
//! history has an order unless a value is dequeued that was never enqueued, or twice, or before it
//! was enqueued; or two values leave in the wrong order; or the queue was found empty while it
//! certainly was not. O(n log n).
//!
//! A dequeue of unknown outcome may have taken any value. If the history holds without them, it
//! holds; if not, the search decides.

use std::collections::HashMap;

use spec::Queue;
use spec::queue::{Op, Ret};

use super::{Call, Shortcut};

/// A value's way through the queue.
#[derive(Clone, Copy)]
struct Passage {
    enqueue: usize,
    dequeue: Option<usize>,
    /// When its enqueue began and ended, and its dequeue; never is the largest number.
    enqueued: (u64, u64),
    dequeued: (u64, u64),
}

/// None if a value is enqueued twice, or what was left out may matter.
pub(super) fn decide(calls: &[Call<Queue>]) -> Option<Shortcut> {
    let mut enqueues = HashMap::new();
    let mut dequeues = HashMap::new();
    let mut empty = Vec::new();
    let mut left_out = false;
    let mut twice = None;
    for (position, call) in calls.iter().enumerate() {
        match (call.op, call.ret) {
            (Op::Enqueue(value), None | Some(Ret::Enqueued)) => {
                if enqueues.insert(value, position).is_some() {
                    return None;
                }
            }
            (Op::Dequeue, Some(Ret::Dequeued(value))) => {
                let other = dequeues.insert(value, position);
                twice = twice.or(other.map(|other| [other, position]));
            }
            (Op::Dequeue, Some(Ret::Empty)) => empty.push(position),
            (Op::Dequeue, None) => left_out = true,
            _ => return None,
        }
    }
    if let Some(both) = twice {
        return Some(Shortcut::broken(both, "both dequeued the same value"));
    }
    let found = match passages(calls, &enqueues, &dequeues) {
        Ok(passages) => wrong_order(&passages).or_else(|| not_empty(calls, &passages, &empty)),
        // No dequeue that is left out could mend this.
        Err(broken) => return Some(broken),
    };
    match found {
        Some(_) if left_out => None,
        Some(broken) => Some(broken),
        None => Some(Shortcut::Linearizable),
    }
}

/// The values that were in the queue, in order of the beginning of their enqueue.
fn passages(
    calls: &[Call<Queue>],
    enqueues: &HashMap<i64, usize>,
    dequeues: &HashMap<i64, usize>,
) -> Result<Vec<Passage>, Shortcut> {
    let times = |position: usize| (calls[position].start, calls[position].end.unwrap_or(u64::MAX));
    let stray = dequeues.iter().filter(|(value, _)| !enqueues.contains_key(value));
    if let Some(dequeue) = stray.map(|(_, &dequeue)| dequeue).min() {
        return Err(Shortcut::broken([dequeue], "dequeued a value that nobody enqueued"));
    }
    let mut passages = Vec::new();
    for (value, &enqueue) in enqueues {
        let dequeue = dequeues.get(value).copied();
        // Nobody saw it, so it need not have happened.
        if dequeue.is_none() && calls[enqueue].ret.is_none() {
            continue;
        }
        let dequeued = dequeue.map_or((u64::MAX, u64::MAX), times);
        passages.push(Passage { enqueue, dequeue, enqueued: times(enqueue), dequeued });
    }
    passages.sort_unstable_by_key(|passage| passage.enqueued);
    let early = passages.iter().find(|passage| passage.dequeued.1 < passage.enqueued.0);
    match early {
        None => Ok(passages),
        Some(passage) => {
            let both: Vec<_> = [passage.enqueue].into_iter().chain(passage.dequeue).collect();
            Err(Shortcut::broken(both, "dequeued before it was enqueued"))
        }
    }
}

/// A value that left before one enqueued earlier began to leave.
fn wrong_order(passages: &[Passage]) -> Option<Shortcut> {
    let mut by_end: Vec<&Passage> = passages.iter().collect();
    by_end.sort_unstable_by_key(|passage| passage.enqueued.1);
    let mut earlier = by_end.into_iter().peekable();
    let mut last_to_leave: Option<&Passage> = None;
    for later in passages {
        while let Some(one) = earlier.next_if(|one| one.enqueued.1 < later.enqueued.0) {
            let is_later = last_to_leave.is_none_or(|last| one.dequeued.0 > last.dequeued.0);
            last_to_leave = if is_later { Some(one) } else { last_to_leave };
        }
        if let Some(first) = last_to_leave
            && later.dequeued.1 < first.dequeued.0
        {
            let calls = [Some(first.enqueue), Some(later.enqueue), first.dequeue, later.dequeue];
            let calls: Vec<_> = calls.into_iter().flatten().collect();
            return Some(Shortcut::broken(calls, "a value enqueued earlier had not left"));
        }
    }
    None
}

/// A dequeue that found nothing, although values were there from before it until after it, one
/// taking over from the other.
fn not_empty(calls: &[Call<Queue>], passages: &[Passage], empty: &[usize]) -> Option<Shortcut> {
    let held = held(passages);
    empty.iter().find_map(|&position| {
        let (start, end) = (calls[position].start, calls[position].end?);
        let before = held.partition_point(|(from, _, _)| *from < start).checked_sub(1)?;
        let (_, to, enqueue) = held[before];
        let why = "found the queue empty while a value was in it";
        (end < to).then(|| Shortcut::broken([enqueue, position], why))
    })
}

/// When the queue certainly was not empty: disjoint, in order, each with an enqueue in it.
fn held(passages: &[Passage]) -> Vec<(u64, u64, usize)> {
    let mut held: Vec<(u64, u64, usize)> = passages
        .iter()
        .map(|passage| (passage.enqueued.1, passage.dequeued.0, passage.enqueue))
        .filter(|(from, to, _)| from < to)
        .collect();
    held.sort_unstable();
    held.dedup_by(|next, before| {
        let meets = next.0 < before.1;
        before.1 = if meets { before.1.max(next.1) } else { before.1 };
        meets
    });
    held
}

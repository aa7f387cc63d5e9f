//! Excerpts for any specification: a stretch of time, from a call that says what the object was
//! then to the end of the last call shown.

use spec::{Entry, Lock, kv, lock};

use super::{Excerpt, Excerpted, Whole};
use crate::engine::Call;

impl Excerpted for Entry {
    type Part = Entry;

    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        window(whole, kept, |call| match (&call.op, &call.ret) {
            (kv::Op::Get, Some(kv::Ret::Text(text))) | (kv::Op::Put(text), Some(_)) => {
                Some(Entry { text: text.clone() })
            }
            _ => None,
        })
    }
}

impl Excerpted for Lock {
    type Part = Lock;

    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        window(whole, kept, |call| match (call.op, call.ret) {
            (lock::Op::Acquire { client }, Some(lock::Ret::Acquired { token: Some(token) })) => {
                Some(Lock { holder: Some(client), token })
            }
            _ => None,
        })
    }
}

/// Of the stretch, only reads are left out. What is still open at its end may have happened in it or
/// not; what began later cannot have.
fn window<S: Excerpted>(
    whole: &Whole<'_, S>,
    kept: &[usize],
    reveals: impl Fn(&Call<S>) -> Option<S>,
) -> Excerpt<S> {
    let first = kept.iter().map(|&n| whole.calls[n].start).min().unwrap_or(0);
    let last = kept.iter().filter_map(|&n| whole.calls[n].end).max().unwrap_or(0);
    let anchor = anchor(whole.calls, first, reveals);
    let from = anchor.as_ref().map_or(0, |(anchor, _)| whole.calls[*anchor].start);
    let mut excerpt = Excerpt::from(anchor.map_or_else(S::default, |(_, state)| state));
    for (position, call) in whole.calls.iter().enumerate() {
        let shown = kept.binary_search(&position).is_ok() || changes(call);
        let before = call.end.is_some_and(|end| end <= from) || call.start == from && from > 0;
        if shown && !before && call.start < last {
            let open = call.end.is_some_and(|end| end > last);
            let ret = call.ret.clone().filter(|_| !open);
            excerpt.push(position, Call { ret, end: call.end.filter(|_| !open), ..call.clone() });
        }
    }
    excerpt
}

/// The last call before `first` after which the state is known: it reveals it, and nothing else
/// that changes it was under way. Calls without an answer may still come after it.
fn anchor<S: Excerpted>(
    calls: &[Call<S>],
    first: u64,
    reveals: impl Fn(&Call<S>) -> Option<S>,
) -> Option<(usize, S)> {
    let mut busy_until = 0;
    let mut found = None;
    for (position, call) in calls.iter().enumerate().take_while(|(_, call)| call.start < first) {
        let Some(end) = call.end else { continue };
        // A call that began in the meantime takes the last one's place.
        let overlaps = |position: &usize| calls[*position].end.is_some_and(|end| call.start < end);
        if changes(call) && found.as_ref().is_some_and(|(position, _)| overlaps(position)) {
            found = None;
        }
        if busy_until < call.start && end < first {
            found = reveals(call).map(|state| (position, state)).or(found);
        }
        if changes(call) {
            busy_until = busy_until.max(end);
        }
    }
    found
}

fn changes<S: Excerpted>(call: &Call<S>) -> bool {
    call.ret.as_ref().is_none_or(|ret| !S::is_read_only(&call.op, ret))
}

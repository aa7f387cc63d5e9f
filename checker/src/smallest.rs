//! The smallest part of a history that shows why a znode is not linearizable, in words.

use history::Operation;
use spec::Register;

use crate::budget::Budget;
use crate::engine::Call;
use crate::excerpt::smallest;
use crate::verdict::Witness;
use crate::words::{self, clause, duration, integer, noun};

/// Operations shown when no smaller part suffices.
const TAIL: usize = 5;

/// Explains why `calls[culprit]` has no place; `states` are those that the znode may have been in.
/// `calls` are the `operations` of one znode, position by position.
pub(crate) fn witness(
    operations: &[&Operation],
    calls: &[Call<Register>],
    culprit: usize,
    states: &[Register],
    budget: &mut Budget,
) -> Witness {
    let place = |n: &usize| operations[*n];
    let (shown, sentence, order) = match smallest(calls, &[culprit], budget) {
        Some(found) => {
            let shown: Vec<_> = found.positions.iter().map(place).collect();
            let sentence = sentence(&shown);
            (shown, sentence, found.order.iter().map(|n| operations[*n].invoke).collect())
        }
        None => (tail(operations, culprit), no_way(operations[culprit], states), Vec::new()),
    };
    let blamed = *shown.last().expect("an excerpt has operations");
    let witness = words::witness(sentence, &shown);
    Witness { order, ..witness }.contrast(expected(states), got(blamed))
}

/// The last operations up to the one that has no place.
fn tail<'a>(operations: &[&'a Operation], culprit: usize) -> Vec<&'a Operation> {
    let blamed = operations[culprit];
    let before = |op: &&&Operation| op.answered() < blamed.answered() && op.answered().is_some();
    let mut tail: Vec<_> = operations.iter().filter(before).copied().collect();
    tail.sort_by_key(|op| op.answered());
    let mut tail = tail.split_off(tail.len().saturating_sub(TAIL - 1));
    tail.push(blamed);
    tail
}

fn no_way(blamed: &Operation, states: &[Register]) -> String {
    format!(
        "{}, but before it the znode held {}, and nothing in flight leads from there to it",
        clause(blamed),
        held(states)
    )
}

fn sentence(shown: &[&Operation]) -> String {
    match shown {
        [one] => format!("{}, which no order of writes allows", clause(one)),
        [rival, blamed] => pair(rival, blamed),
        [others @ .., blamed] => {
            let others: Vec<_> = others.iter().map(|op| clause(op)).collect();
            format!("{}, which has no place beside these: {}", clause(blamed), others.join("; "))
        }
        [] => unreachable!("an excerpt has operations"),
    }
}

fn pair(rival: &Operation, blamed: &Operation) -> String {
    let version = |op: &Operation| op.stat.map(|stat| stat.version);
    if rival.precedes(blamed) {
        let ago = duration(blamed.start.saturating_sub(rival.end.unwrap_or(0)));
        let how = if rival.action.is_write() { "acknowledged" } else { "answered" };
        return format!("{}, after {} had been {how} {ago} earlier", clause(blamed), noun(rival));
    }
    if blamed.precedes(rival) {
        let ahead = duration(rival.start.saturating_sub(blamed.end.unwrap_or(0)));
        return format!("{}, {ahead} before {} was invoked", clause(blamed), noun(rival));
    }
    match (version(rival), version(blamed)) {
        (Some(one), Some(other)) if one == other => {
            format!("{}, but the same version was {}", clause(blamed), noun(rival))
        }
        _ => format!("{}, which contradicts that {}", clause(blamed), clause(rival)),
    }
}

fn expected(states: &[Register]) -> String {
    format!("{}, or newer", held(states))
}

/// The oldest state that the znode may have been in.
fn held(states: &[Register]) -> String {
    let oldest = states.iter().min_by_key(|state| state.version).copied().unwrap_or_default();
    format!("{} at version {}", integer(oldest.value), oldest.version)
}

fn got(blamed: &Operation) -> String {
    match blamed.stat {
        Some(stat) => {
            let value = blamed.action.written().or(blamed.read);
            format!("{} at version {}", integer(value), stat.version)
        }
        None => clause(blamed),
    }
}

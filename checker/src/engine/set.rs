//! Sets whose elements are added once and never removed, and read as a whole.
//!
//! The sets read must contain one another. That gives the order of the reads, and of each addition
//! among them; what remains is to compare it with real time. Linear but for sorting.

use std::collections::{BTreeSet, HashMap};

use spec::Set;
use spec::set::{Op, Ret};

use super::levels::Levels;
use super::{Call, Shortcut};

/// None if an element is added twice, or there is more than additions and reads.
pub(super) fn decide(calls: &[Call<Set>]) -> Option<Shortcut> {
    let mut added = HashMap::new();
    let mut reads: Vec<(&BTreeSet<i64>, usize)> = Vec::new();
    for (position, call) in calls.iter().enumerate() {
        match (&call.op, &call.ret) {
            (Op::Add(element), None | Some(Ret::Done)) => {
                if added.insert(*element, position).is_some() {
                    return None;
                }
            }
            (Op::Read, Some(Ret::Elements(elements))) => reads.push((elements, position)),
            (_, None) if call.op == Op::Read => {}
            _ => return None,
        }
    }
    reads.sort_by_key(|(elements, _)| elements.len());
    Some(order(calls, &reads, added).unwrap_or_else(|broken| broken))
}

fn order(
    calls: &[Call<Set>],
    reads: &[(&BTreeSet<i64>, usize)],
    mut added: HashMap<i64, usize>,
) -> Result<Shortcut, Shortcut> {
    let mut levels = Levels::default();
    let add = |levels: &mut Levels, position: usize| {
        levels.add(position, calls[position].start, calls[position].end);
    };
    let empty = BTreeSet::new();
    let mut before = (&empty, None);
    for &(elements, read) in reads {
        if elements != before.0 {
            levels.next();
            if !before.0.is_subset(elements) {
                let both: Vec<_> = before.1.into_iter().chain([read]).collect();
                return Err(Shortcut::broken(both, "neither set read contains the other"));
            }
            for element in elements.iter().filter(|element| !before.0.contains(element)) {
                let addition = added.remove(element);
                let why = "an element read was never added";
                add(&mut levels, addition.ok_or_else(|| Shortcut::broken([read], why))?);
            }
            levels.next();
        }
        add(&mut levels, read);
        before = (elements, Some(read));
    }
    levels.next();
    let mut unseen: Vec<_> = added.into_values().collect();
    unseen.sort_unstable();
    unseen.into_iter().filter(|&addition| calls[addition].ret.is_some()).for_each(|addition| {
        add(&mut levels, addition);
    });
    let why = "ended before the other began, but what was read puts it after";
    levels.conflict(why).map_or(Ok(Shortcut::Linearizable), Err)
}

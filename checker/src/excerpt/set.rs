//! Excerpts of sets.

use spec::Set;
use spec::set::{Op, Ret};

use super::{Excerpt, Excerpted, Whole};
use crate::engine::Call;

impl Excerpted for Set {
    type Part = Set;

    fn changes(call: &Call<Self>) -> Option<i64> {
        match call.op {
            Op::Add(element) | Op::Remove(element) => Some(element),
            Op::Contains(_) | Op::Read => None,
        }
    }

    fn observes(call: &Call<Self>) -> Option<i64> {
        match call.op {
            Op::Contains(element) => Some(element),
            _ => None,
        }
    }

    /// A set says of each element what it would say if there were no others.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        let owned = whole.owned(kept);
        whole.project(kept.iter().copied(), |call| match (call.op, &call.ret) {
            (Op::Read, Some(Ret::Elements(all))) => {
                let some = all.iter().copied().filter(|element| owned.has(*element)).collect();
                Some((Op::Read, Some(Ret::Elements(some))))
            }
            (Op::Add(element) | Op::Remove(element) | Op::Contains(element), ret) => {
                owned.has(element).then(|| (call.op, ret.clone()))
            }
            (Op::Read, ret) => Some((Op::Read, ret.clone())),
        })
    }
}

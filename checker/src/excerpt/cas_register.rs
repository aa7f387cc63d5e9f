//! Excerpts of registers with compare-and-set by value.

use spec::CasRegister;
use spec::plain::{Op, Ret};

use super::{Excerpt, Excerpted, Whole};
use crate::engine::Call;

impl Excerpted for CasRegister {
    type Part = CasRegister;

    fn changes(call: &Call<Self>) -> Option<i64> {
        match call.op {
            Op::Write(value) | Op::Cas { value, .. } => {
                (call.ret != Some(Ret::Differs)).then_some(value)
            }
            Op::Read => None,
        }
    }

    fn observes(call: &Call<Self>) -> Option<i64> {
        match (call.op, call.ret) {
            (Op::Read, Some(Ret::Value(value))) => value,
            (Op::Cas { expected, .. }, _) => Some(expected),
            _ => None,
        }
    }

    /// Whoever finds a value of which every writer is shown finds the last write shown: one that is
    /// left out in between would have replaced it. Who finds another value says nothing about these,
    /// and who did not find one may have met any write.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        let owned = whole.owned(kept);
        whole.project(kept.iter().copied(), |call| match (call.op, call.ret) {
            (Op::Read, Some(Ret::Value(Some(value)))) if !owned.has(value) => None,
            (Op::Cas { .. }, Some(Ret::Differs)) if !owned.all() => None,
            (Op::Cas { expected, value }, ret) if !owned.has(expected) => {
                Some((Op::Write(value), ret))
            }
            (op, ret) => Some((op, ret)),
        })
    }
}

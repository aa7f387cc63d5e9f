//! Excerpts of queues.

use spec::Queue;
use spec::queue::{Op, Ret};

use super::{Excerpt, Excerpted, Whole};
use crate::engine::Call;

impl Excerpted for Queue {
    type Part = Queue;

    fn changes(call: &Call<Self>) -> Option<i64> {
        match (call.op, call.ret) {
            (Op::Enqueue(value), _) | (Op::Dequeue, Some(Ret::Dequeued(value))) => Some(value),
            (Op::Dequeue, _) => None,
        }
    }

    fn observes(call: &Call<Self>) -> Option<i64> {
        Self::changes(call)
    }

    /// Some values of a queue are a queue, if all that is done with them is shown. What a dequeue
    /// without an answer took is not known, so none of these can be left out.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        let owned = whole.owned(kept);
        let lost = |n: &usize| whole.calls[*n].op == Op::Dequeue && whole.calls[*n].ret.is_none();
        let mut shown: Vec<usize> = (0..whole.calls.len()).filter(lost).collect();
        shown.extend(kept);
        shown.sort_unstable();
        shown.dedup();
        whole.project(shown, |call| {
            let says = Self::changes(call).is_none_or(|value| owned.has(value));
            says.then_some((call.op, call.ret))
        })
    }
}

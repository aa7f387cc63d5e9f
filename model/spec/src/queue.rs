//! A queue.

use std::collections::VecDeque;

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// A first-in-first-out queue that starts empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    /// What it holds, the oldest first.
    pub values: VecDeque<i64>,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Put a value at the end.
    Enqueue(i64),
    /// Take the oldest value, if there is one.
    Dequeue,
}

/// What it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// It was put at the end.
    Enqueued,
    /// It was the oldest.
    Dequeued(i64),
    /// There was none.
    Empty,
}

impl SequentialSpec for Queue {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match op {
            Op::Enqueue(value) => {
                self.values.push_back(*value);
                Ret::Enqueued
            }
            Op::Dequeue => self.values.pop_front().map_or(Ret::Empty, Ret::Dequeued),
        }
    }
}

impl Searchable for Queue {
    fn is_read_only(_: &Op, ret: &Ret) -> bool {
        *ret == Ret::Empty
    }

    fn held(&self) -> usize {
        self.values.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves_first() {
        assert!(Queue::default().is_valid_history([
            (Op::Dequeue, Ret::Empty),
            (Op::Enqueue(1), Ret::Enqueued),
            (Op::Enqueue(2), Ret::Enqueued),
            (Op::Dequeue, Ret::Dequeued(1)),
            (Op::Dequeue, Ret::Dequeued(2)),
            (Op::Dequeue, Ret::Empty),
        ]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let full = Queue { values: VecDeque::from([1, 2]) };
        for ret in [Ret::Dequeued(2), Ret::Empty, Ret::Enqueued] {
            assert!(!full.clone().is_valid_history([(Op::Dequeue, ret)]), "{ret:?}");
        }
    }
}

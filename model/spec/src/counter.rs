//! A counter.

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// A counter that starts at 0: Jepsen's `counter` workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counter {
    /// What it shows.
    pub value: i64,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Add this, which may be negative.
    Add(i64),
    /// Read it.
    Read,
}

/// What it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// It was added.
    Added,
    /// Of a read.
    Value(i64),
}

impl SequentialSpec for Counter {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match *op {
            Op::Read => Ret::Value(self.value),
            Op::Add(by) => {
                self.value = self.value.wrapping_add(by);
                Ret::Added
            }
        }
    }
}

impl Searchable for Counter {
    fn is_read_only(_: &Op, ret: &Ret) -> bool {
        matches!(ret, Ret::Value(_))
    }

    fn is_query(op: &Op) -> bool {
        *op == Op::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_the_sum() {
        assert!(Counter::default().is_valid_history([
            (Op::Read, Ret::Value(0)),
            (Op::Add(3), Ret::Added),
            (Op::Add(-1), Ret::Added),
            (Op::Read, Ret::Value(2)),
        ]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        for case in [(Op::Read, Ret::Value(1)), (Op::Read, Ret::Added), (Op::Add(1), Ret::Value(1))]
        {
            assert!(!Counter::default().is_valid_history([case]), "{case:?}");
        }
    }
}

//! A plain register with compare-and-set by value.

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// A register without versions that starts unset: Jepsen's `cas-register`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CasRegister {
    /// What it holds.
    pub value: Option<i64>,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Read it.
    Read,
    /// Write it.
    Write(i64),
    /// Write `value` if it holds `expected`.
    Cas {
        /// The value expected.
        expected: i64,
        /// The value written.
        value: i64,
    },
}

/// What it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// Of a read.
    Value(Option<i64>),
    /// It was written.
    Written,
    /// It holds another value than expected.
    Differs,
}

impl SequentialSpec for CasRegister {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match *op {
            Op::Read => return Ret::Value(self.value),
            Op::Cas { expected, .. } if self.value != Some(expected) => return Ret::Differs,
            Op::Cas { value, .. } | Op::Write(value) => self.value = Some(value),
        }
        Ret::Written
    }
}

impl Searchable for CasRegister {
    fn is_read_only(_: &Op, ret: &Ret) -> bool {
        matches!(ret, Ret::Value(_) | Ret::Differs)
    }

    fn is_query(op: &Op) -> bool {
        *op == Op::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_written_last() {
        let cas = Op::Cas { expected: 1, value: 2 };
        assert!(CasRegister::default().is_valid_history([
            (Op::Read, Ret::Value(None)),
            (cas, Ret::Differs),
            (Op::Write(1), Ret::Written),
            (cas, Ret::Written),
            (Op::Read, Ret::Value(Some(2))),
        ]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let cases = [
            (Op::Read, Ret::Value(Some(1))),
            (Op::Cas { expected: 1, value: 2 }, Ret::Written),
            (Op::Write(1), Ret::Differs),
        ];
        for case in cases {
            assert!(!CasRegister::default().is_valid_history([case]), "{case:?}");
        }
    }
}

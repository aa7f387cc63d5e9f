//! A znode's data as a register with a version.

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// A znode's data and version. "The version number of a znode increases with each change of its
/// data; an update or delete may name the version it expects, and fails when that is not the
/// actual one" (ZooKeeper Programmer's Guide, "ZooKeeper Stat Structure" and "znodes").
///
/// The default is a znode just created with empty data: no value, version 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Register {
    /// The integer it holds; absent while its data is empty.
    pub value: Option<i64>,
    /// Changes of its data since creation.
    pub version: i32,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `getData`.
    Read,
    /// `setData` whatever the version.
    Write(i64),
    /// `setData` at an expected version.
    Cas {
        /// The version expected.
        expected: i32,
        /// The integer written.
        value: i64,
    },
}

/// What it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// Of a read.
    Value {
        /// The integer, or none when the data is empty.
        value: Option<i64>,
        /// Its version.
        version: i32,
    },
    /// Of a write: it was done.
    Written {
        /// The version it made.
        version: i32,
    },
    /// Of a write at an expected version: the version differs, nothing was done.
    BadVersion,
}

impl SequentialSpec for Register {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match *op {
            Op::Read => Ret::Value { value: self.value, version: self.version },
            Op::Cas { expected, .. } if expected != self.version => Ret::BadVersion,
            Op::Write(value) | Op::Cas { value, .. } => self.write(value),
        }
    }
}

impl Register {
    fn write(&mut self, value: i64) -> Ret {
        self.value = Some(value);
        self.version = self.version.wrapping_add(1);
        Ret::Written { version: self.version }
    }
}

impl Searchable for Register {
    fn is_read_only(_: &Op, ret: &Ret) -> bool {
        matches!(ret, Ret::Value { .. } | Ret::BadVersion)
    }

    fn is_query(op: &Op) -> bool {
        *op == Op::Read
    }

    /// Versions only grow, so an answer with an older one comes too late.
    fn is_past(&self, op: &Op, ret: Option<&Ret>) -> bool {
        match (op, ret) {
            (Op::Read, Some(&Ret::Value { value, version })) => {
                version < self.version || (version == self.version && value != self.value)
            }
            (Op::Write(_) | Op::Cas { .. }, Some(Ret::Written { version })) => {
                *version <= self.version
            }
            (Op::Cas { expected, .. }, None) => *expected < self.version,
            (Op::Cas { .. }, Some(Ret::BadVersion)) | (Op::Write(_), None) => false,
            (Op::Read, None) | (_, Some(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_znode_is_empty_at_version_0() {
        let read = Ret::Value { value: None, version: 0 };
        assert!(Register::default().is_valid_history([(Op::Read, read)]));
    }

    #[test]
    fn each_write_makes_the_next_version() {
        assert!(Register::default().is_valid_history([
            (Op::Write(7), Ret::Written { version: 1 }),
            (Op::Cas { expected: 1, value: 8 }, Ret::Written { version: 2 }),
            (Op::Cas { expected: 1, value: 9 }, Ret::BadVersion),
            (Op::Read, Ret::Value { value: Some(8), version: 2 }),
        ]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let cases = [
            (Op::Read, Ret::Value { value: Some(7), version: 0 }),
            (Op::Read, Ret::Value { value: None, version: 1 }),
            (Op::Write(7), Ret::Written { version: 2 }),
            (Op::Cas { expected: 0, value: 7 }, Ret::BadVersion),
            (Op::Cas { expected: 1, value: 7 }, Ret::Written { version: 1 }),
        ];
        for case in cases {
            assert!(!Register::default().is_valid_history([case]), "{case:?}");
        }
    }

    /// Walks on from each state with every operation: what is past never becomes possible.
    #[test]
    fn what_is_past_stays_impossible() {
        let ops = [Op::Read, Op::Write(1), Op::Write(2), Op::Cas { expected: 1, value: 3 }];
        let answers = (0..4).flat_map(|version| {
            [None, Some(1), Some(2)]
                .map(|value| Ret::Value { value, version })
                .into_iter()
                .chain([Ret::Written { version }, Ret::BadVersion])
        });
        for ret in answers {
            for op in ops {
                for start in 0..3 {
                    let state = Register { value: Some(1), version: start };
                    if state.is_past(&op, Some(&ret)) {
                        assert!(!reachable(state, &ops, 3, &op, &ret), "{state:?} {op:?} {ret:?}");
                    }
                }
            }
        }
    }

    fn reachable(state: Register, ops: &[Op], depth: u32, op: &Op, ret: &Ret) -> bool {
        if state.clone().is_valid_step(op, ret) {
            return true;
        }
        depth > 0
            && ops.iter().any(|next| {
                let mut after = state;
                after.invoke(next);
                reachable(after, ops, depth - 1, op, ret)
            })
    }
}

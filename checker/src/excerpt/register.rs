//! Excerpts of registers with versions.

use spec::versioned::{Op, Ret};
use spec::{Register, Searchable};
use stateright::semantics::SequentialSpec;

use super::{Excerpt, Excerpted, Whole};
use crate::engine::{Call, Decidable};

impl Excerpted for Register {
    type Part = Shared;

    fn changes(call: &Call<Self>) -> Option<i64> {
        match call.op {
            Op::Write(value) | Op::Cas { value, .. } => {
                (call.ret != Some(Ret::BadVersion)).then_some(value)
            }
            Op::Read => None,
        }
    }

    fn observes(call: &Call<Self>) -> Option<i64> {
        match call.ret {
            Some(Ret::Value { value, .. }) => value,
            _ => None,
        }
    }

    /// Versions tell when others have written; a write whose version is not known is as good as left
    /// out.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Shared> {
        let known = |n: &usize| whole.calls[*n].ret.is_some();
        let kept: Vec<usize> = kept.iter().copied().filter(known).collect();
        let owned = whole.owned(&kept);
        whole.project(kept, |call| {
            let owned = Self::observes(call).is_none_or(|value| owned.has(value));
            call.ret.map(|ret| (Shown { op: call.op, owned }, Some(ret)))
        })
    }
}

/// What is known of a register while others, whose operations are left out, may write to it at
/// any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shared {
    version: i32,
    value: Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Known {
    Value(Option<i64>),
    /// Others wrote last.
    Others,
}

/// An operation, and for a read: is its value written by an operation shown (or by nobody), so
/// that others cannot have written it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) op: Op,
    pub(crate) owned: bool,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared { version: 0, value: Known::Value(None) }
    }
}

impl SequentialSpec for Shared {
    type Op = Shown;
    type Ret = Ret;

    /// One of the answers possible: others write nothing.
    fn invoke(&mut self, shown: &Shown) -> Ret {
        match shown.op {
            Op::Read => {
                let value = match self.value {
                    Known::Value(value) => value,
                    Known::Others => None,
                };
                Ret::Value { value, version: self.version }
            }
            Op::Cas { expected, .. } if expected != self.version => Ret::BadVersion,
            Op::Write(value) | Op::Cas { value, .. } => {
                *self = Shared { version: self.version + 1, value: Known::Value(Some(value)) };
                Ret::Written { version: self.version }
            }
        }
    }

    fn is_valid_step(&mut self, shown: &Shown, ret: &Ret) -> bool {
        match (shown.op, *ret) {
            (Op::Read, Ret::Value { value, version }) => self.read(value, version, shown.owned),
            (Op::Write(value), Ret::Written { version }) => self.write(value, version),
            (Op::Cas { expected, value }, Ret::Written { version }) => {
                expected.checked_add(1) == Some(version) && self.write(value, version)
            }
            (Op::Cas { expected, .. }, Ret::BadVersion) => {
                self.leave(expected);
                true
            }
            _ => false,
        }
    }
}

impl Shared {
    /// What is read is there, or others have written it meanwhile.
    fn read(&mut self, value: Option<i64>, version: i32, owned: bool) -> bool {
        if version == self.version && self.value != Known::Others {
            return self.value == Known::Value(value);
        }
        let by_others = version >= self.version && !owned;
        *self = Shared { version, value: Known::Value(value) };
        by_others
    }

    fn write(&mut self, value: i64, version: i32) -> bool {
        let possible = version > self.version;
        *self = Shared { version, value: Known::Value(Some(value)) };
        possible
    }

    /// Others write if need be, so that the version is not the one expected.
    fn leave(&mut self, expected: i32) {
        if self.version == expected {
            *self = Shared { version: expected.saturating_add(1), value: Known::Others };
        }
    }
}

impl Searchable for Shared {
    fn is_read_only(_: &Shown, ret: &Ret) -> bool {
        matches!(ret, Ret::Value { .. } | Ret::BadVersion)
    }

    fn is_past(&self, shown: &Shown, ret: Option<&Ret>) -> bool {
        match (shown.op, ret) {
            (_, None | Some(Ret::BadVersion)) => false,
            (_, Some(Ret::Written { version })) => *version <= self.version,
            (_, Some(Ret::Value { version, .. })) if *version > self.version => false,
            (_, Some(ret)) => !self.clone().is_valid_step(shown, ret),
        }
    }
}

impl Decidable for Shared {}

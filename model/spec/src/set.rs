//! A set.

use std::collections::BTreeSet;

use stateright::semantics::SequentialSpec;

use crate::Searchable;

/// A set that starts empty: Jepsen's `set` workload, with removal and membership.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    /// What it holds.
    pub elements: BTreeSet<i64>,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Add an element; it may be there already.
    Add(i64),
    /// Remove an element; it may be missing already.
    Remove(i64),
    /// Is the element there?
    Contains(i64),
    /// Read all elements.
    Read,
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// It was added or removed.
    Done,
    /// Of a question for one element.
    Found(bool),
    /// Of a read.
    Elements(BTreeSet<i64>),
}

impl SequentialSpec for Set {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match op {
            Op::Add(element) => {
                self.elements.insert(*element);
            }
            Op::Remove(element) => {
                self.elements.remove(element);
            }
            Op::Contains(element) => return Ret::Found(self.elements.contains(element)),
            Op::Read => return Ret::Elements(self.elements.clone()),
        }
        Ret::Done
    }
}

impl Searchable for Set {
    fn is_read_only(_: &Op, ret: &Ret) -> bool {
        !matches!(ret, Ret::Done)
    }

    fn is_query(op: &Op) -> bool {
        matches!(op, Op::Contains(_) | Op::Read)
    }

    fn held(&self) -> usize {
        // Nodes of a B-tree are half full at least.
        2 * self.elements.len() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_added_and_not_removed() {
        assert!(Set::default().is_valid_history([
            (Op::Add(1), Ret::Done),
            (Op::Add(2), Ret::Done),
            (Op::Add(2), Ret::Done),
            (Op::Remove(1), Ret::Done),
            (Op::Contains(1), Ret::Found(false)),
            (Op::Contains(2), Ret::Found(true)),
            (Op::Read, Ret::Elements(BTreeSet::from([2]))),
        ]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let cases = [
            (Op::Contains(1), Ret::Found(true)),
            (Op::Read, Ret::Elements(BTreeSet::from([1]))),
            (Op::Read, Ret::Done),
            (Op::Add(1), Ret::Found(true)),
        ];
        for case in cases {
            assert!(!Set::default().is_valid_history([case.clone()]), "{case:?}");
        }
    }
}

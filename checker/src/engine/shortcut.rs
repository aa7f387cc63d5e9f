//! Answers in polynomial time, where a specification has them.

use spec::{CasRegister, Counter, Entry, Lock, Queue, Register, Searchable, Set, Znodes};

use super::{Call, counter, queue, set, zones};

/// What a shortcut found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// There is an order.
    Linearizable,
    /// There is none: these calls, by position, contradict each other.
    Broken {
        /// The calls, the one blamed last.
        calls: Vec<usize>,
        /// What is wrong with them.
        why: &'static str,
    },
}

impl Shortcut {
    pub(super) fn broken(calls: impl Into<Vec<usize>>, why: &'static str) -> Shortcut {
        Shortcut::Broken { calls: calls.into(), why }
    }
}

/// A specification, and its shortcut for histories that start from the default state.
pub trait Decidable: Searchable + Default {
    /// What the shortcut is called.
    const SHORTCUT: &'static str = "search";

    /// Decides the calls if they have the shape for it; none leaves them to the search.
    #[must_use]
    fn shortcut(calls: &[Call<Self>]) -> Option<Shortcut> {
        let _ = calls;
        None
    }
}

impl Decidable for CasRegister {
    const SHORTCUT: &'static str = "zones";

    fn shortcut(calls: &[Call<Self>]) -> Option<Shortcut> {
        zones::decide(calls)
    }
}

impl Decidable for Counter {
    const SHORTCUT: &'static str = "matching";

    fn shortcut(calls: &[Call<Self>]) -> Option<Shortcut> {
        counter::decide(calls)
    }
}

impl Decidable for Set {
    const SHORTCUT: &'static str = "levels";

    fn shortcut(calls: &[Call<Self>]) -> Option<Shortcut> {
        set::decide(calls)
    }
}

impl Decidable for Queue {
    const SHORTCUT: &'static str = "aspects";

    fn shortcut(calls: &[Call<Self>]) -> Option<Shortcut> {
        queue::decide(calls)
    }
}

impl Decidable for Register {}
impl Decidable for Entry {}
impl Decidable for Lock {}
impl Decidable for Znodes {}

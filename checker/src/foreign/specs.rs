//! The specifications that a history from elsewhere can be checked against, by name.

use history::foreign::Deed;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Set, Znodes};

use super::consistency::Consistency;
use super::object::examine;
use super::read::{Plain, Reader, Registers};
use super::whole::examine_whole;
use super::znodes::Trees;
use super::{Finding, Senseless};
use crate::budget::Budget;
use crate::engine::RealTime;
use crate::excerpt::Excerpted;

/// A specification by name, and what is promised.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// As it is asked for.
    pub name: &'static str,
    /// The operations it knows, for people.
    pub operations: &'static str,
    /// Linearizable, where nothing else is said.
    pub consistency: Consistency,
    /// What one object is called.
    pub(super) object: &'static str,
    pub(super) examine: ExamineOne,
    pub(super) examine_whole: ExamineAll,
}

/// Examines the deeds on one object.
type ExamineOne = fn(&[&Deed], &mut Budget) -> Result<Finding, Senseless>;

/// Examines all objects together.
type ExamineAll = fn(&[Vec<&Deed>], RealTime, &mut Budget) -> Result<Vec<Finding>, Senseless>;

/// All of them.
pub const SPECS: [Spec; 8] = [
    Spec::of::<CasRegister, Registers<true>>(
        "cas-register",
        "read, write, cas [expected new]",
        "register",
    ),
    Spec::of::<CasRegister, Registers<false>>("register", "read, write", "register"),
    Spec::of::<Counter, Plain>("counter", "add, read", "counter"),
    Spec::of::<Set, Plain>("set", "add, remove, contains, read (all elements)", "set"),
    Spec::of::<Queue, Plain>("queue", "enqueue, dequeue (nil when empty)", "queue"),
    Spec::of::<Entry, Plain>("kv", "get, put, append", "key"),
    Spec::of::<Lock, Plain>("lock", "acquire (a fencing token, or nil), release", "lock"),
    Spec::of::<Znodes, Trees>(
        "znodes",
        "create, delete, set, get, exists, children, check, multi, close: {path data version …}",
        "tree of znodes",
    ),
];

impl Spec {
    const fn of<S: Excerpted<Part = S>, R: Reader<S>>(
        name: &'static str,
        operations: &'static str,
        object: &'static str,
    ) -> Spec {
        Spec {
            name,
            operations,
            consistency: Consistency::Linearizable,
            object,
            examine: examine::<S, R>,
            examine_whole: examine_whole::<S, R>,
        }
    }

    /// The specification of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Spec> {
        SPECS.into_iter().find(|spec| spec.name == name)
    }

    /// The same, where no more than this is promised.
    #[must_use]
    pub fn under(self, consistency: Consistency) -> Spec {
        Spec { consistency, ..self }
    }
}

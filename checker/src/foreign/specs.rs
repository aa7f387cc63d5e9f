//! The specifications that a history from elsewhere can be checked against, by name.

use history::foreign::Deed;
use spec::{CasRegister, Counter, Entry, Lock, Queue, Set, Znodes};

use super::object::examine;
use super::read::{Plain, Registers};
use super::znodes::Trees;
use super::{Finding, Senseless};
use crate::budget::Budget;

/// A specification by name.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// As it is asked for.
    pub name: &'static str,
    /// The operations it knows, for people.
    pub operations: &'static str,
    /// What one object is called.
    pub(super) object: &'static str,
    pub(super) examine: fn(&[&Deed], &mut Budget) -> Result<Finding, Senseless>,
}

/// All of them.
pub const SPECS: [Spec; 8] = [
    Spec {
        name: "cas-register",
        operations: "read, write, cas [expected new]",
        object: "register",
        examine: |deeds, budget| {
            examine::<CasRegister, _>(&mut Registers::default(), deeds, budget)
        },
    },
    Spec {
        name: "register",
        operations: "read, write",
        object: "register",
        examine: |deeds, budget| {
            examine::<CasRegister, _>(&mut Registers::without_cas(), deeds, budget)
        },
    },
    Spec {
        name: "counter",
        operations: "add, read",
        object: "counter",
        examine: |deeds, budget| examine::<Counter, _>(&mut Plain::default(), deeds, budget),
    },
    Spec {
        name: "set",
        operations: "add, remove, contains, read (all elements)",
        object: "set",
        examine: |deeds, budget| examine::<Set, _>(&mut Plain::default(), deeds, budget),
    },
    Spec {
        name: "queue",
        operations: "enqueue, dequeue (nil when empty)",
        object: "queue",
        examine: |deeds, budget| examine::<Queue, _>(&mut Plain::default(), deeds, budget),
    },
    Spec {
        name: "kv",
        operations: "get, put, append",
        object: "key",
        examine: |deeds, budget| examine::<Entry, _>(&mut Plain::default(), deeds, budget),
    },
    Spec {
        name: "lock",
        operations: "acquire (a fencing token, or nil), release",
        object: "lock",
        examine: |deeds, budget| examine::<Lock, _>(&mut Plain::default(), deeds, budget),
    },
    Spec {
        name: "znodes",
        operations: "create, delete, set, get, exists, children, check, multi, close: {path data version …}",
        object: "tree of znodes",
        examine: |deeds, budget| examine::<Znodes, _>(&mut Trees, deeds, budget),
    },
];

impl Spec {
    /// The specification of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Spec> {
        SPECS.into_iter().find(|spec| spec.name == name)
    }
}

//! What may be promised of the order of operations.

use std::str::FromStr;

use crate::engine::RealTime;

/// A promise of consistency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// One order of each object's operations that agrees with real time.
    #[default]
    Linearizable,
    /// One order of all operations that keeps each client's own.
    Sequential,
    /// ZooKeeper's: one order of all operations that keeps each client's own, in which changes agree
    /// with real time.
    Zookeeper,
}

/// Their names, with what they promise.
pub const CONSISTENCIES: [(&str, Consistency, &str); 3] = [
    (
        "linearizable",
        Consistency::Linearizable,
        "Operations on each object take effect in one order that agrees with real time.",
    ),
    (
        "sequential",
        Consistency::Sequential,
        "All operations fit into one order that keeps each client's own; real time is ignored.",
    ),
    (
        "zookeeper",
        Consistency::Zookeeper,
        "As sequential, and changes agree with real time: reads may be stale.",
    ),
];

impl FromStr for Consistency {
    type Err = String;

    fn from_str(name: &str) -> Result<Consistency, String> {
        let known = CONSISTENCIES.into_iter().find(|(known, ..)| *known == name);
        known.map(|(_, consistency, _)| consistency).ok_or_else(|| {
            let names: Vec<_> = CONSISTENCIES.iter().map(|(name, ..)| *name).collect();
            format!("no promise of consistency; known are {}", names.join(", "))
        })
    }
}

impl Consistency {
    /// What holds between clients; none where objects are judged one by one.
    pub(super) fn between_clients(self) -> Option<RealTime> {
        match self {
            Consistency::Linearizable => None,
            Consistency::Sequential => Some(RealTime::Ignored),
            Consistency::Zookeeper => Some(RealTime::OfUpdates),
        }
    }

    pub(super) fn id(self) -> &'static str {
        match self {
            Consistency::Linearizable => "linearizable",
            Consistency::Sequential => "sequential",
            Consistency::Zookeeper => "OSC(U)",
        }
    }

    pub(super) fn name(self, object: &str) -> String {
        match self {
            Consistency::Linearizable => format!("linearizability of each {object}"),
            Consistency::Sequential => "sequential consistency".to_owned(),
            Consistency::Zookeeper => "linearizable changes, reads in session order".to_owned(),
        }
    }

    pub(super) fn promise(self, object: &str) -> String {
        let text =
            CONSISTENCIES.iter().find(|(_, known, _)| *known == self).map(|(.., text)| *text);
        text.unwrap_or_default().replace("object", object)
    }

    pub(super) fn source(self) -> &'static str {
        match self {
            Consistency::Linearizable => "Herlihy and Wing, \"Linearizability\" (1990)",
            Consistency::Sequential => {
                "Lamport, \"How to make a multiprocessor computer that correctly executes \
                 multiprocess programs\" (1979)"
            }
            Consistency::Zookeeper => {
                "Lev-Ari et al., \"Modular Composition of Coordination Services\" (2016): OSC(U); \
                 ZooKeeper Internals, \"Consistency Guarantees\""
            }
        }
    }
}

//! The models that can be searched, by name.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::json;
use zab::{Mutant, ServerId};

use crate::breaker::{self, CircuitBreaker};
use crate::care::Care;
use crate::counterexample::{Chapter, Counterexample, Replay, replay};
use crate::paxos::{self, Paxos};
use crate::protocol::{self, Protocol};
use crate::search::{Budget, Outcome, Progress, Story, explore, narrow, search};
use crate::sessions::{self, Sessions};
use crate::storage::{self, Storage};
use crate::zab::{Base, Part, Prepared, Zab, rehearse as zab_rehearse};

/// How much may happen in a model. Each counts events; what a model does not know, it ignores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bounds {
    /// Servers; of Paxos, acceptors.
    pub servers: usize,
    /// Transactions that clients submit; of Paxos, proposers; of the breaker, requests under way.
    pub txns: usize,
    /// Crashes: kills and power cuts.
    pub crashes: usize,
    /// Connections that break.
    pub cuts: usize,
    /// Discoveries that take too long.
    pub timeouts: usize,
    /// Syncs; of Paxos, readers; of sessions, reads; of storage, snapshots.
    pub syncs: usize,
    /// Elections in which somebody decides; of Paxos, ballots of each proposer; of storage, promises.
    pub elections: usize,
    /// How many of the servers are observers: the first ones.
    #[serde(default)]
    pub observers: usize,
}

impl Bounds {
    /// Three servers, to which nothing happens.
    pub const THREE: Bounds = Bounds {
        servers: 3,
        txns: 0,
        crashes: 0,
        cuts: 0,
        timeouts: 0,
        syncs: 0,
        elections: 0,
        observers: 0,
    };

    /// Those that only follow.
    pub(crate) fn observing(&self) -> RangeInclusive<ServerId> {
        1..=self.observers as ServerId
    }
}

/// What may happen, without what may not: `servers 3, txns 1`.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { servers, txns, crashes, cuts, timeouts, syncs, elections, observers } = self;
        write!(f, "servers {servers}")?;
        let counts = [
            ("observers", observers),
            ("txns", txns),
            ("crashes", crashes),
            ("cuts", cuts),
            ("timeouts", timeouts),
            ("syncs", syncs),
            ("elections", elections),
        ];
        let mut some = counts.iter().filter(|(_, count)| **count > 0);
        some.try_for_each(|(name, count)| write!(f, ", {name} {count}"))
    }
}

/// A model in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// What happens in it unless told otherwise; few enough to be searched whole in minutes.
    pub bounds: Bounds,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zab(Prepared),
    Protocol(protocol::Prepared),
    Sessions,
    Paxos,
    Storage,
    Breaker,
}

impl Kind {
    /// Preparations that take one server away need a majority of the voters without it.
    fn voters_min(self) -> usize {
        match self {
            Kind::Zab(Prepared::Boot | Prepared::Broadcast)
            | Kind::Protocol(protocol::Prepared::Boot | protocol::Prepared::Broadcast) => 2,
            Kind::Zab(_) | Kind::Protocol(_) => 3,
            Kind::Sessions | Kind::Paxos | Kind::Storage | Kind::Breaker => 0,
        }
    }
}

/// Every model.
pub const MODELS: [Named; 23] = [
    Named {
        name: "boot",
        about: "the core, from empty disks: election, discovery, synchronisation",
        bounds: Bounds { txns: 1, cuts: 1, elections: 2, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Boot),
    },
    Named {
        name: "broadcast",
        about: "the core, from an established leader: transactions and syncs",
        bounds: Bounds { txns: 2, syncs: 1, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Broadcast),
    },
    Named {
        name: "crash",
        about: "the core, from an established leader: a crash or power cut, and the next leader",
        bounds: Bounds { txns: 2, crashes: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Broadcast),
    },
    Named {
        name: "observer",
        about: "the core, with an observer and two that vote: a transaction, a crash, and the next leader",
        bounds: Bounds { observers: 1, txns: 1, crashes: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Broadcast),
    },
    Named {
        name: "recovery",
        about: "the core, from different logs after a restart of all: who leads, who is truncated",
        bounds: Bounds { crashes: 1, elections: 2, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Recovery),
    },
    Named {
        name: "forks",
        about: "the core, from logs that fork, of different epochs, after a restart of all",
        bounds: Bounds { crashes: 1, elections: 2, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Forks),
    },
    Named {
        name: "join",
        about: "the core, with a new server that joins a leader at work",
        bounds: Bounds { txns: 1, crashes: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Join),
    },
    Named {
        name: "snapshot",
        about: "the core, with a server that can only catch up by a snapshot",
        bounds: Bounds { txns: 1, crashes: 1, elections: 2, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Snapshot),
    },
    Named {
        name: "stale-leader",
        about: "the core, with a deposed leader that has not noticed: transactions, syncs, return",
        bounds: Bounds { txns: 1, syncs: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::StaleLeader),
    },
    Named {
        name: "votes",
        about: "election alone, vote by vote, from different logs",
        bounds: Bounds { elections: 3, ..Bounds::THREE },
        kind: Kind::Zab(Prepared::Votes),
    },
    Named {
        name: "zab-boot",
        about: "ZAB as published, from empty disks: discovery, synchronisation",
        bounds: Bounds { txns: 1, cuts: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::Boot),
    },
    Named {
        name: "zab-broadcast",
        about: "ZAB as published, from an established leader: transactions, syncs, a crash",
        bounds: Bounds { txns: 1, syncs: 1, crashes: 1, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::Broadcast),
    },
    Named {
        name: "zab-brink",
        about: "ZAB as published, with an epoch that has no number left",
        bounds: Bounds { txns: 1, crashes: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::Brink),
    },
    Named {
        name: "zab-join",
        about: "ZAB as published, with a server that joins a leader at work",
        bounds: Bounds { txns: 2, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::Join),
    },
    Named {
        name: "zab-observer",
        about: "ZAB as published, with an observer and two that vote: a transaction, a crash, and the next leader",
        bounds: Bounds { observers: 1, txns: 1, crashes: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::Broadcast),
    },
    Named {
        name: "zab-recovery",
        about: "ZAB as published, from different logs after a restart of all, with a crash",
        bounds: Bounds { crashes: 1, elections: 2, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::Recovery),
    },
    Named {
        name: "zab-stale",
        about: "ZAB as published, with a deposed leader that has not noticed",
        bounds: Bounds { txns: 1, syncs: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Protocol(protocol::Prepared::StaleLeader),
    },
    Named {
        name: "sessions",
        about: "a client's session: heard from, moved, expired, across changes of the leader",
        bounds: Bounds { txns: 2, cuts: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Sessions,
    },
    Named {
        name: "sessions-read",
        about: "as before, with reads: what a client has seen goes with it",
        bounds: Bounds { txns: 1, syncs: 2, cuts: 1, ..Bounds::THREE },
        kind: Kind::Sessions,
    },
    Named {
        name: "storage",
        about: "one server's disk, system call by system call: log, snapshot, epoch; kills and power cuts",
        bounds: Bounds { servers: 1, txns: 2, crashes: 1, syncs: 1, elections: 1, ..Bounds::THREE },
        kind: Kind::Storage,
    },
    Named {
        name: "breaker",
        about: "the server's own circuit breaker: late answers, none, and clients that are gone",
        bounds: Bounds { servers: 1, txns: 3, ..Bounds::THREE },
        kind: Kind::Breaker,
    },
    Named {
        name: "paxos",
        about: "single-decree Paxos: agreement, validity, a linearizable register",
        bounds: Bounds { txns: 2, elections: 1, ..Bounds::THREE },
        kind: Kind::Paxos,
    },
    Named {
        name: "paxos-read",
        about: "single-decree Paxos with a reader, whose reads are linearizable too",
        bounds: Bounds { txns: 1, elections: 1, syncs: 1, ..Bounds::THREE },
        kind: Kind::Paxos,
    },
];

/// The model of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Named> {
    MODELS.iter().find(|model| model.name == name)
}

impl Named {
    /// The defects that can be planted.
    #[must_use]
    pub fn mutants(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Zab(prepared) => {
                let all = [
                    "X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9", "X11", "X15", "X17",
                    "X38", "X43",
                ];
                all.into_iter()
                    .filter(|name| !matches!(*name, "X9" | "X43") || prepared.elects_afresh())
                    .collect()
            }
            Kind::Protocol(_) => protocol::Flaw::ALL.iter().map(|flaw| flaw.name()).collect(),
            Kind::Storage => storage::Flaw::ALL.iter().map(|flaw| flaw.name()).collect(),
            Kind::Breaker => breaker::Flaw::ALL.iter().map(|flaw| flaw.name()).collect(),
            Kind::Sessions => sessions::Flaw::ALL.iter().map(|flaw| flaw.name()).collect(),
            Kind::Paxos => paxos::Flaw::ALL.iter().map(|flaw| flaw.name()).collect(),
        }
    }

    /// Searches all that `bounds` allow, within `budget`.
    ///
    /// # Errors
    /// In words, when the mutant is unknown or the bounds make no sense.
    pub fn check(
        &self,
        bounds: Bounds,
        mutant: Option<&str>,
        budget: Budget,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, String> {
        self.check_for(None, bounds, mutant, budget, report)
    }

    /// As [`Named::check`], but looks for a state that breaks `invariant`, if one is named, and passes by
    /// those that break others.
    ///
    /// # Errors
    /// As [`Named::check`], and when the invariant is unknown.
    pub fn check_for(
        &self,
        invariant: Option<&str>,
        bounds: Bounds,
        mutant: Option<&str>,
        budget: Budget,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, String> {
        match self.build(bounds, mutant)? {
            Built::Zab(model) => narrowed(model, invariant, budget, report),
            Built::Protocol(model) => narrowed(model, invariant, budget, report),
            Built::Storage(model) => narrowed(model, invariant, budget, report),
            Built::Breaker(model) => narrowed(model, invariant, budget, report),
            Built::Sessions(model) => narrowed(model, invariant, budget, report),
            Built::Paxos(model) => narrowed(model, invariant, budget, report),
        }
    }

    /// Serves stateright's explorer of the model on `address`, for a browser.
    ///
    /// # Errors
    /// As [`Named::check`]; otherwise it does not return.
    pub fn explore(
        &self,
        bounds: Bounds,
        mutant: Option<&str>,
        address: SocketAddr,
    ) -> Result<(), String> {
        match self.build(bounds, mutant)? {
            Built::Zab(model) => explore(model, address),
            Built::Protocol(model) => explore(model, address),
            Built::Storage(model) => explore(model, address),
            Built::Breaker(model) => explore(model, address),
            Built::Sessions(model) => explore(model, address),
            Built::Paxos(model) => explore(model, address),
        }
        Ok(())
    }

    fn build(&self, bounds: Bounds, mutant: Option<&str>) -> Result<Built, String> {
        sensible(self.kind, bounds)?;
        if let Some(name) = mutant.filter(|name| !self.mutants().contains(name)) {
            let known = self.mutants().join(", ");
            return Err(format!("{} has no mutant {name}; it has {known}", self.name));
        }
        Ok(match self.kind {
            Kind::Zab(prepared) => {
                let model = Zab::new(prepared, bounds, mutant.and_then(planted));
                Built::Zab(model.with(mutant.map_or(Care::Full, care)))
            }
            Kind::Protocol(prepared) => {
                let flaw = mutant.and_then(protocol::Flaw::named);
                Built::Protocol(Protocol::new(prepared, bounds, flaw))
            }
            Kind::Storage => {
                Built::Storage(Storage::new(bounds, mutant.and_then(storage::Flaw::named)))
            }
            Kind::Breaker => {
                let flaw = mutant.and_then(breaker::Flaw::named);
                Built::Breaker(CircuitBreaker::new(bounds, flaw))
            }
            Kind::Sessions => {
                Built::Sessions(Sessions::new(bounds, mutant.and_then(sessions::Flaw::named)))
            }
            Kind::Paxos => Built::Paxos(Paxos::new(bounds, mutant.and_then(paxos::Flaw::named))),
        })
    }
}

/// Does again what a stored counterexample says.
///
/// # Errors
/// In words, when it is of another version or names what is unknown.
pub fn replay_stored(stored: &Counterexample) -> Result<Replay, String> {
    if stored.version != 1 {
        return Err(format!("version {} of counterexamples is unknown", stored.version));
    }
    let model = find(&stored.model).ok_or_else(|| format!("no model {}", stored.model))?;
    match model.build(stored.bounds, stored.mutant.as_deref())? {
        Built::Zab(model) => replay(&model, &stored.chapter),
        Built::Protocol(model) => replay(&model, &stored.chapter),
        Built::Storage(model) => replay(&model, &stored.chapter),
        Built::Breaker(model) => replay(&model, &stored.chapter),
        Built::Sessions(model) => replay(&model, &stored.chapter),
        Built::Paxos(model) => replay(&model, &stored.chapter),
    }
}

/// What it takes that real servers go the way of a stored counterexample. All have `base` at first.
///
/// # Errors
/// In words, when it is not one of the server's core, or has steps that processes cannot be made to take.
pub fn rehearse(stored: &Counterexample, base: &Base) -> Result<Vec<Part>, String> {
    let model = find(&stored.model).ok_or_else(|| format!("no model {}", stored.model))?;
    if stored.bounds.observers > 0 {
        return Err("servers are played as participants only: it has observers".to_owned());
    }
    let Chapter { actions, story, .. } = &stored.chapter;
    match model.build(stored.bounds, stored.mutant.as_deref())? {
        Built::Zab(model) => zab_rehearse(&model, actions, story, base),
        _ => Err(format!("{} is no model of the server's own core", stored.model)),
    }
}

enum Built {
    Zab(Zab),
    Protocol(Protocol),
    Sessions(Sessions),
    Paxos(Paxos),
    Storage(Storage),
    Breaker(CircuitBreaker),
}

fn narrowed<M: Story>(
    model: M,
    invariant: Option<&str>,
    budget: Budget,
    report: &mut dyn FnMut(&Progress),
) -> Result<Outcome, String> {
    invariant.map_or(Ok(()), |invariant| narrow(&model, invariant))?;
    Ok(search(model, budget, report))
}

fn planted(name: &str) -> Option<Mutant> {
    serde_json::from_value(json!(name)).ok()
}

/// Defects of a server's disk are not the core's.
fn care(name: &str) -> Care {
    match name {
        "X2" => Care::NoSync,
        "X38" => Care::NoNames,
        _ => Care::Full,
    }
}

/// Preparations need a majority without the last server; states hold a few transactions only.
fn sensible(kind: Kind, bounds: Bounds) -> Result<(), String> {
    let least = if matches!(kind, Kind::Paxos | Kind::Storage | Kind::Breaker) { 1 } else { 3 };
    if !(least..=7).contains(&bounds.servers) {
        return Err(format!("{} servers: this model has {least} to 7", bounds.servers));
    }
    if bounds.txns > 20 {
        return Err(format!("{} transactions: no search ends beyond 20", bounds.txns));
    }
    let most = bounds.servers.saturating_sub(kind.voters_min());
    if bounds.observers > most {
        let (servers, observers) = (bounds.servers, bounds.observers);
        return Err(format!(
            "{observers} observers: of {servers} servers, this model can have {most}"
        ));
    }
    Ok(())
}

//! Where each planted defect shows, and which searches are measured.

use crate::catalogue::Bounds;

/// A planted defect, and a search that finds it.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Its name in the model.
    pub mutant: &'static str,
    /// The same defect in the catalogue of those planted in servers, such as `X39`.
    pub number: Option<&'static str>,
    /// The model.
    pub model: &'static str,
    /// The bounds, of the model's own.
    pub within: fn(Bounds) -> Bounds,
    /// The only invariant that is looked at.
    pub invariant: Option<&'static str>,
}

/// Every defect that a model has, and where it is found.
pub const SHOWN: [Shown; 59] = [
    core("X1", "crash"),
    Shown { invariant: LOST, ..core("X2", "crash") },
    core("X3", "crash"),
    core("X4", "recovery"),
    Shown { invariant: Some("LeaderLogCompleteness"), ..core("X5", "recovery") },
    core("X6", "join"),
    Shown { invariant: Some("CommittedLogMonotonicity"), ..core("X7", "forks") },
    core("X8", "recovery"),
    core("X9", "boot"),
    core("X11", "stale-leader"),
    core("X15", "recovery"),
    core("X17", "stale-leader"),
    Shown { within: one_power_cut, invariant: LOST, ..core("X38", "boot") },
    Shown { within: one_observes, ..core("X43", "boot") },
    of("early-ack", Some("X1"), "zab-broadcast"),
    of("early-self", Some("X3"), "zab-broadcast"),
    of("no-sync", Some("X2"), "zab-broadcast"),
    Shown {
        within: one_power_cut,
        invariant: LOST,
        ..of("no-directory-sync", Some("X38"), "zab-boot")
    },
    of("ZOOKEEPER-4646", Some("X4"), "zab-recovery"),
    of("ZOOKEEPER-4643", Some("X5"), "zab-recovery"),
    Shown { invariant: Some("Leadership2"), ..of("early-promise", Some("X6"), "zab-recovery") },
    Shown {
        invariant: Some("CommittedLogDurability"),
        ..of("half-quorum", Some("X9"), "zab-recovery")
    },
    of("no-comparison", Some("X10"), "zab-recovery"),
    of("no-truncation", Some("X11"), "zab-stale"),
    Shown {
        within: |own| Bounds { crashes: 1, syncs: 0, ..own },
        ..of("kept-snapshot", Some("X12"), "zab-stale")
    },
    Shown {
        invariant: Some("CommittedLogDurability"),
        ..of("late-diff", Some("X13"), "zab-recovery")
    },
    of("stray-acks", Some("X16"), "zab-stale"),
    of("ZOOKEEPER-1675", Some("X17"), "zab-stale"),
    of("ZOOKEEPER-1277", Some("X33"), "zab-brink"),
    of("narrow-broadcast", Some("X39"), "zab-join"),
    of("early-service", Some("X40"), "zab-broadcast"),
    of("counted-observers", Some("X43"), "zab-observer"),
    Shown {
        within: one_of_four_observes,
        invariant: Some("CommittedLogDurability"),
        ..of("ZOOKEEPER-2959", None, "zab-recovery")
    },
    Shown { invariant: Some("ObserversFollow"), ..of("early-inform", None, "zab-observer") },
    of("ZOOKEEPER-2845", None, "zab-stale"),
    of("ZOOKEEPER-3911", None, "zab-recovery"),
    of("ZOOKEEPER-4685", None, "zab-join"),
    of("ZOOKEEPER-4712", None, "zab-boot"),
    of("late-broadcast", None, "zab-join"),
    of("eager-commit", None, "zab-join"),
    of("unseen-allowed", Some("X18"), "sessions-read"),
    of("no-owner", Some("X19"), "sessions"),
    of("old-deadlines", Some("X21"), "sessions"),
    of("silent-followers", Some("X21"), "sessions"),
    of("write-after-close", Some("X23"), "sessions"),
    Shown { invariant: REPORTED, ..of("no-sync", Some("X2"), "storage") },
    Shown { invariant: REPORTED, ..of("no-directory-sync", Some("X38"), "storage") },
    Shown { invariant: Some("OnlyWhatWasWritten"), ..of("unchecked-log", Some("X36"), "storage") },
    Shown { invariant: Some("StateIsHistory"), ..of("late-tail", Some("X28"), "storage") },
    Shown {
        within: |own| Bounds { crashes: 2, ..own },
        invariant: REPORTED,
        ..of("trusted-names", None, "storage")
    },
    of("stays-open", None, "breaker"),
    of("lost-probes", None, "breaker"),
    of("any-probes", None, "breaker"),
    of("counts-refused", None, "breaker"),
    of("answers-only", None, "breaker"),
    of("no-adoption", None, "paxos"),
    of("half-quorum", None, "paxos"),
    Shown { within: |own| Bounds { servers: 4, ..own }, ..of("thin-quorum", None, "paxos") },
    Shown { within: |own| Bounds { crashes: 1, ..own }, ..of("forgetful", None, "paxos") },
];

/// What a server reported as durable is gone.
const REPORTED: Option<&str> = Some("ReportedSurvives");
/// A leader lacks what was committed.
const LOST: Option<&str> = Some("LeaderLogCompleteness");

fn one_power_cut(own: Bounds) -> Bounds {
    Bounds { crashes: 1, cuts: 0, elections: 2, ..own }
}

fn one_observes(own: Bounds) -> Bounds {
    Bounds { observers: 1, ..own }
}

fn one_of_four_observes(own: Bounds) -> Bounds {
    Bounds { servers: 4, observers: 1, crashes: 0, elections: 1, ..own }
}

const fn core(mutant: &'static str, model: &'static str) -> Shown {
    of(mutant, Some(mutant), model)
}

const fn of(mutant: &'static str, number: Option<&'static str>, model: &'static str) -> Shown {
    Shown { mutant, number, model, within: |own| own, invariant: None }
}

/// A search of ours, and what TLC needed for as much of the same protocol.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// The model.
    pub model: &'static str,
    /// The bounds, of the model's own.
    pub within: fn(Bounds) -> Bounds,
    /// Servers, transactions, timeouts and restarts of the specification `Zab.tla`.
    pub tlc: &'static str,
    /// Its distinct states.
    pub states: u64,
    /// How long it took.
    pub seconds: u64,
}

/// What TLC's finished runs have in common with our models (Disalg-ICS-NJU/zookeeper-tla-spec, TLC 1.7.0 on
/// six cores of 3 GHz). A timeout there is a connection that breaks here, a restart a crash.
pub const BESIDE_TLC: [Beside; 4] = [
    beside("zab-boot", one_cut, ONE_TIMEOUT),
    beside("zab-boot", one_crash, ONE_RESTART),
    beside("boot", one_cut, ONE_TIMEOUT),
    beside("boot", one_crash, ONE_RESTART),
];

const ONE_TIMEOUT: (&str, u64, u64) = ("(3,2,1,0)", 610_035, 28);
const ONE_RESTART: (&str, u64, u64) = ("(3,2,0,1)", 1_902_139, 156);

const fn beside(
    model: &'static str,
    within: fn(Bounds) -> Bounds,
    (tlc, states, seconds): (&'static str, u64, u64),
) -> Beside {
    Beside { model, within, tlc, states, seconds }
}

fn one_cut(own: Bounds) -> Bounds {
    Bounds { txns: 2, cuts: 1, crashes: 0, elections: 2, ..own }
}

fn one_crash(own: Bounds) -> Bounds {
    Bounds { txns: 2, cuts: 0, crashes: 1, elections: 2, ..own }
}

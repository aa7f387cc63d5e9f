//! ZAB as published holds its promises in every state within the bounds; each flaw is found.

use model::catalogue::{self, Bounds, Named};
use model::{Budget, End, Outcome};

const HELD: [&str; 7] = [
    "zab-boot",
    "zab-brink",
    "zab-broadcast",
    "zab-join",
    "zab-observer",
    "zab-recovery",
    "zab-stale",
];

/// A flaw, a model that shows it, the invariant it breaks, and the most steps it takes.
const CAUGHT: [(&str, &str, &str, usize); 25] = [
    ("ZOOKEEPER-1277", "zab-brink", "MessageLegality", 2),
    ("ZOOKEEPER-1675", "zab-stale", "SyncFreshness", 6),
    ("ZOOKEEPER-2845", "zab-stale", "ProcessConsistency", 10),
    ("ZOOKEEPER-3911", "zab-recovery", "CommittedLogDurability", 10),
    ("ZOOKEEPER-4643", "zab-recovery", "CommittedLogDurability", 20),
    ("ZOOKEEPER-4646", "zab-recovery", "CommittedLogDurability", 10),
    ("ZOOKEEPER-4685", "zab-join", "MessageLegality", 9),
    ("ZOOKEEPER-4712", "zab-boot", "ProcessConsistency", 27),
    ("narrow-broadcast", "zab-join", "MessageLegality", 14),
    ("late-broadcast", "zab-join", "MessageLegality", 11),
    ("eager-commit", "zab-join", "CommittedLogDurability", 13),
    ("early-ack", "zab-broadcast", "CommittedLogDurability", 4),
    ("early-self", "zab-broadcast", "CommittedLogDurability", 4),
    ("no-sync", "zab-broadcast", "CommittedLogDurability", 5),
    ("no-directory-sync", "zab-boot", "CommittedLogDurability", 18),
    ("early-promise", "zab-recovery", "VotersDecide", 5),
    ("half-quorum", "zab-recovery", "VotersDecide", 3),
    ("half-quorum", "zab-stale", "LeaderLogCompleteness", 1),
    ("no-comparison", "zab-recovery", "CommittedLogDurability", 7),
    ("no-truncation", "zab-stale", "ProcessConsistency", 11),
    ("late-diff", "zab-recovery", "MessageLegality", 7),
    ("stray-acks", "zab-stale", "PrimaryIntegrity", 5),
    ("early-service", "zab-broadcast", "CommittedLogDurability", 11),
    ("counted-observers", "zab-observer", "VotersDecide", 11),
    ("early-inform", "zab-observer", "CommittedLogDurability", 2),
];

#[test]
fn the_protocol_keeps_its_promises_in_every_state() {
    for name in HELD {
        let model = named(name);
        let small = Bounds { txns: model.bounds.txns.min(1), ..model.bounds };
        let outcome = check(model, small, None);
        assert_eq!(outcome.end, End::Held, "{name}");
        assert!(outcome.progress.states > 100, "{name}: {:?}", outcome.progress);
    }
}

#[test]
fn every_flaw_is_found() {
    for flaw in named("zab-boot").mutants() {
        let caught = CAUGHT.iter().any(|(caught, ..)| *caught == flaw);
        let apart = ["kept-snapshot", "ZOOKEEPER-2959"].contains(&flaw);
        assert!(caught || apart, "{flaw} is not looked for");
    }
    for (flaw, name, invariant, steps) in CAUGHT {
        let model = named(name);
        match check(model, model.bounds, Some(flaw)).end {
            End::Broken(chapter) => {
                assert_eq!(chapter.invariant, invariant, "{flaw} in {name}: {chapter:#?}");
                assert!(chapter.story.len() <= steps, "{flaw} in {name}: {chapter:#?}");
            }
            end => panic!("{flaw} in {name}: {end:?}"),
        }
    }
}

#[test]
fn a_snapshot_that_truncation_leaves_brings_back_what_was_cut() {
    let model = named("zab-stale");
    let bounds = Bounds { crashes: 1, syncs: 0, ..model.bounds };
    assert!(matches!(check(model, bounds, Some("kept-snapshot")).end, End::Broken(_)));
}

/// A quorum of three, with one of them and an observer: the other knows of an entry that they lack.
#[test]
fn an_observer_in_the_quorum_of_an_epoch_loses_what_was_committed() {
    let model = named("zab-recovery");
    let bounds = Bounds { servers: 4, observers: 1, crashes: 0, elections: 1, ..model.bounds };
    assert_eq!(check(model, bounds, None).end, End::Held);
    let (only, flaw) = (Some("CommittedLogDurability"), Some("ZOOKEEPER-2959"));
    let outcome = model.check_for(only, bounds, flaw, Budget::default(), &mut |_| {});
    assert!(matches!(outcome.expect("the bounds make sense").end, End::Broken(_)));
}

#[test]
fn too_many_observers_are_refused() {
    for (name, observers) in [("zab-observer", 2), ("observer", 2), ("zab-join", 1)] {
        let model = named(name);
        let bounds = Bounds { observers, ..model.bounds };
        let refused = model.check(bounds, None, Budget::default(), &mut |_| {});
        assert!(refused.expect_err("too few vote").contains("observers"), "{name}");
    }
}

fn named(name: &str) -> &'static Named {
    catalogue::find(name).expect("it is in the catalogue")
}

fn check(model: &Named, bounds: Bounds, flaw: Option<&str>) -> Outcome {
    model.check(bounds, flaw, Budget::default(), &mut |_| {}).expect("the bounds make sense")
}

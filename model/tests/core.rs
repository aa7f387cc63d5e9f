//! The server's core holds its promises in every state within the bounds, and each planted defect
//! is found; a counterexample is stored, told and replayed.

use std::time::Duration;

use model::catalogue::{self, Bounds};
use model::{Budget, Chapter, Counterexample, End, Outcome, Replay};

/// Models with bounds small enough for an unoptimised build.
const SMALL: [(&str, Bounds); 10] = [
    ("boot", Bounds { txns: 1, elections: 2, ..Bounds::THREE }),
    ("broadcast", Bounds { txns: 1, syncs: 1, ..Bounds::THREE }),
    ("crash", Bounds { txns: 1, crashes: 1, elections: 1, ..Bounds::THREE }),
    ("observer", Bounds { observers: 1, txns: 1, crashes: 1, elections: 1, ..Bounds::THREE }),
    ("recovery", Bounds { elections: 2, ..Bounds::THREE }),
    ("forks", Bounds { elections: 2, ..Bounds::THREE }),
    ("join", Bounds { txns: 1, crashes: 1, elections: 1, ..Bounds::THREE }),
    ("snapshot", Bounds { txns: 1, elections: 2, ..Bounds::THREE }),
    ("stale-leader", Bounds { syncs: 1, elections: 1, ..Bounds::THREE }),
    ("votes", Bounds { elections: 2, ..Bounds::THREE }),
];

/// A mutant, a model that shows it, the invariant it breaks, and the most steps it takes.
const CAUGHT: [(&str, &str, &str, usize); 16] = [
    ("X1", "broadcast", "CommittedLogDurability", 4),
    ("X1", "crash", "CommittedLogDurability", 4),
    ("X2", "crash", "CommittedLogDurability", 5),
    ("X38", "boot", "CommittedLogDurability", 16),
    ("X4", "recovery", "CommittedLogDurability", 10),
    ("X6", "join", "Assertions", 7),
    ("X7", "forks", "PrimaryIntegrity", 12),
    ("X8", "votes", "ElectedLeaderCompleteness", 2),
    ("X8", "recovery", "CommittedLogDurability", 8),
    ("X9", "votes", "ElectedLeaderCompleteness", 1),
    ("X9", "boot", "CommittedLogDurability", 5),
    ("X11", "stale-leader", "ProcessConsistency", 13),
    ("X11", "recovery", "ProcessConsistency", 17),
    ("X15", "recovery", "LocalPrimaryOrder", 12),
    ("X17", "stale-leader", "SyncFreshness", 6),
    ("X17", "broadcast", "SyncFreshness", 6),
];

#[test]
fn the_core_keeps_its_promises_in_every_state() {
    for (name, bounds) in SMALL {
        let outcome = check(name, Some(bounds), None, Budget::default());
        assert_eq!(outcome.end, End::Held, "{name}");
        assert!(outcome.progress.states > 100, "{name}: {:?}", outcome.progress);
    }
}

#[test]
fn every_mutant_is_found() {
    for (mutant, name, invariant, steps) in CAUGHT {
        let chapter = broken(name, mutant);
        assert_eq!(chapter.invariant, invariant, "{mutant} in {name}: {chapter:#?}");
        assert_eq!(chapter.story.len(), chapter.actions.len());
        assert!(chapter.story.len() <= steps, "{mutant} in {name}: {chapter:#?}");
    }
}

#[test]
fn a_disk_that_no_server_starts_from_is_a_counterexample() {
    let chapter = broken("join", "X6");
    let why = "n1 stops: it does not start from its disk: accepted epoch 0 is older than the \
               history's, 1";
    assert_eq!(chapter.why, why);
}

/// X7 loses a committed entry, if one goes on.
#[test]
fn an_epoch_that_is_not_compared_loses_what_was_committed() {
    let model = catalogue::find("forks").expect("it is in the catalogue");
    let (only, mutant) = (Some("CommittedLogDurability"), Some("X7"));
    let outcome = model.check_for(only, model.bounds, mutant, Budget::default(), &mut |_| {});
    let end = outcome.expect("the bounds make sense").end;
    assert!(matches!(end, End::Broken(_)), "{end:?}");
}

#[test]
fn a_counterexample_is_replayed_from_its_file() {
    let chapter = broken("stale-leader", "X17");
    let stored = Counterexample {
        version: 1,
        model: "stale-leader".to_owned(),
        mutant: Some("X17".to_owned()),
        bounds: catalogue::find("stale-leader").expect("it is in the catalogue").bounds,
        chapter: chapter.clone(),
    };
    let text = serde_json::to_string(&stored).expect("plain values");
    let read: Counterexample = serde_json::from_str(&text).expect("as written");
    assert_eq!(read, stored);
    assert_eq!(catalogue::replay_stored(&read), Ok(Replay::Same(chapter)));

    let sound = Counterexample { mutant: None, ..stored.clone() };
    assert_eq!(catalogue::replay_stored(&sound), Ok(Replay::Held));
    let mut altered = stored.clone();
    let last = altered.chapter.actions.last().cloned().expect("it has steps");
    altered.chapter.actions.insert(0, last);
    altered.chapter.actions[0] = serde_json::json!({ "start": 1 });
    assert_eq!(catalogue::replay_stored(&altered), Ok(Replay::Refused { step: 1 }));
    let unknown = Counterexample { mutant: Some("X99".to_owned()), ..stored };
    assert!(catalogue::replay_stored(&unknown).is_err());
}

#[test]
fn a_spent_budget_is_not_a_held_promise() {
    let states = Budget { states: 50, ..Budget::default() };
    assert_eq!(check("broadcast", None, None, states).end, End::Stopped);
    let memory = Budget { memory: 1, ..Budget::default() };
    assert_eq!(check("broadcast", None, None, memory).end, End::Stopped);
    let time = Budget { time: Duration::ZERO, ..Budget::default() };
    assert_eq!(check("broadcast", None, None, time).end, End::Stopped);
}

#[test]
fn paxos_holds_and_its_flaws_are_found() {
    let small = Bounds { txns: 2, elections: 1, ..Bounds::THREE };
    let outcome = check("paxos", Some(small), None, Budget::default());
    assert_eq!(outcome.end, End::Held);
    for (flaw, bounds) in [
        ("no-adoption", small),
        ("half-quorum", small),
        ("thin-quorum", Bounds { servers: 4, ..small }),
        ("forgetful", Bounds { crashes: 1, ..small }),
    ] {
        let outcome = check("paxos", Some(bounds), Some(flaw), Budget::default());
        assert!(matches!(outcome.end, End::Broken(_)), "{flaw}: {outcome:?}");
    }
}

fn check(name: &str, bounds: Option<Bounds>, mutant: Option<&str>, budget: Budget) -> Outcome {
    let model = catalogue::find(name).expect("it is in the catalogue");
    let bounds = bounds.unwrap_or(model.bounds);
    model.check(bounds, mutant, budget, &mut |_| {}).expect("the bounds make sense")
}

#[test]
fn an_observer_that_counts_is_found() {
    let model = catalogue::find("boot").expect("it is in the catalogue");
    let bounds = Bounds { observers: 1, ..model.bounds };
    let outcome = check("boot", Some(bounds), Some("X43"), Budget::default());
    let End::Broken(chapter) = outcome.end else { panic!("{outcome:?}") };
    assert_eq!(chapter.invariant, "CommittedLogDurability", "{chapter:#?}");
}

fn broken(name: &str, mutant: &str) -> Chapter {
    match check(name, None, Some(mutant), Budget::default()).end {
        End::Broken(chapter) => chapter,
        end => panic!("{mutant} in {name}: {end:?}"),
    }
}

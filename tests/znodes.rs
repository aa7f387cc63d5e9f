//! The znodes workload from end to end: sessions, ephemerals, sequences, multis and watches under faults.

mod support;

use support::harness::{json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

/// What such a run is judged by.
const GUARANTEES: [&str; 22] = [
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C10", "C11", "C12", "C13", "C14", "C15", "C16",
    "C17", "C18", "C19", "C20", "C21", "C22", "C23", "C24",
];

#[test]
fn a_tree_is_judged_in_all_that_was_done_to_it() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("a_tree_is_judged_in_all_that_was_done_to_it", &why);
    }
    let results = scratch();
    let results = text(results.path()).to_owned();
    let argv =
        ["test", "--workload", "znodes", "--time", "10", "--seed", "3", "--results", &results];
    let said = zoobreak(&argv, seconds(90));
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(results.as_ref());
    let verdict = json(&run, "verdict.json");
    let checks = verdict["checks"].as_array().expect("a list of checks");
    let ids: Vec<&str> = checks.iter().filter_map(|check| check["id"].as_str()).collect();
    assert_eq!(ids, GUARANTEES);
    assert!(checks.iter().all(|check| check["examined"].as_u64() > Some(0)), "{checks:?}");
    let again = zoobreak(&["check", text(&run)], seconds(60));
    assert_eq!(again.code, 0, "{}", again.all());
}

/// It sends the event of a client's own watch behind the reply to the write that sets it off.
#[test]
fn late_watch_events_are_found() {
    finds("late_watch_events_are_found", "X30", "none", &["C19", "C21"]);
}

/// It does not look at what changed while a client was away.
#[test]
fn watches_that_are_set_again_blindly_are_found() {
    finds("watches_that_are_set_again_blindly_are_found", "X31", "kill,pause", &["C21"]);
}

/// Its leader ends the sessions of clients that talk to followers.
#[test]
fn sessions_that_end_early_are_found() {
    finds("sessions_that_end_early_are_found", "X21", "none", &["C16"]);
}

/// The first guarantee is broken, and at most the others too.
fn finds(test: &str, mutant: &str, faults: &str, guarantees: &[&str]) {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip(test, &why);
    }
    let results = scratch();
    let results = text(results.path()).to_owned();
    let run = ["test", "--workload", "znodes", "--time", "12", "--seed", "1"];
    let how = ["--mutant", mutant, "--faults", faults, "--results", &results];
    let said = zoobreak(&[run.as_slice(), &how].concat(), seconds(90));
    assert_eq!(said.code, 1, "{}", said.all());
    let verdict = json(&latest(results.as_ref()), "verdict.json");
    let checks = verdict["checks"].as_array().expect("a list of checks");
    let broken = checks.iter().filter(|check| check["outcome"] == "invalid");
    let broken: Vec<_> = broken.filter_map(|check| check["id"].as_str()).collect();
    assert!(broken.contains(&guarantees[0]), "{}", said.all());
    assert!(broken.iter().all(|id| guarantees.contains(id)), "{}", said.all());
}

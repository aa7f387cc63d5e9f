//! The znodes workload from end to end: sessions, ephemerals, sequences, multis and watches under faults.

mod support;

use support::harness::{json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

/// What such a run is judged by.
const GUARANTEES: [&str; 15] = [
    "C1", "C2", "C3", "C5", "C6", "C7", "C11", "C12", "C13", "C14", "C15", "C18", "C19", "C20",
    "C22",
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
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("late_watch_events_are_found", &why);
    }
    let results = scratch();
    let results = text(results.path()).to_owned();
    let argv = [
        "test",
        "--workload",
        "znodes",
        "--mutant",
        "X30",
        "--faults",
        "none",
        "--time",
        "8",
        "--seed",
        "1",
        "--results",
        &results,
    ];
    let said = zoobreak(&argv, seconds(90));
    assert_eq!(said.code, 1, "{}", said.all());
    let verdict = json(&latest(results.as_ref()), "verdict.json");
    let checks = verdict["checks"].as_array().expect("a list of checks");
    let broken = checks.iter().filter(|check| check["outcome"] == "invalid");
    let broken: Vec<_> = broken.filter_map(|check| check["id"].as_str()).collect();
    assert_eq!(broken, ["C19"]);
}

//! Scenarios: played to the end, by name or from a file, and refused where they make no sense.

mod support;

use std::fs;

use support::harness::{json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

#[test]
fn scenarios_are_played_and_a_correct_server_stands_them() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("scenarios_are_played_and_a_correct_server_stands_them", &why);
    }
    let directory = scratch();
    let file = directory.path().join("two-changes.txt");
    let scenario = "kill leader as one\nawait another leads\nheal one # at once\n\
                    await one changes state|log.* within 5s\nkill one\nwait 100ms\n";
    fs::write(&file, scenario).expect("a scratch directory");
    let results = directory.path().join("results");
    let faults = "scenario:late-joiner,scenario:file";
    let said = zoobreak(
        &[
            "test",
            "--faults",
            faults,
            "--scenario",
            text(&file),
            "--time",
            "24",
            "--seed",
            "1",
            "--results",
            text(&results),
        ],
        seconds(120),
    );
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(&results);
    assert_eq!(json(&run, "manifest.json")["settings"]["scenario"], scenario);
    for fault in json(&run, "manifest.json")["schedule"].as_array().expect("a list") {
        let id = fault["id"].as_u64().expect("a number");
        let report = &json(&run.join("evidence"), &format!("f{id}-heal.json"))["report"];
        assert!(report["evidence"]["rounds"].as_u64() > Some(0), "{report}");
        let first = json(&run.join("evidence"), &format!("f{id}001-inject.json"));
        assert_eq!(first["fault"]["fault"], "kill");
    }
}

#[test]
fn a_scenario_that_makes_no_sense_is_refused_with_its_line() {
    let directory = scratch();
    let file = directory.path().join("typo.txt");
    fs::write(&file, "kill leader\nawait dawn\n").expect("a scratch directory");
    let said = zoobreak(&["test", "--scenario", text(&file)], seconds(20));
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(
        said.stderr.contains("typo.txt: line 2, `await dawn`: what can be awaited"),
        "{}",
        said.stderr
    );
    fs::write(&file, "kill leader\nkill n7\n").expect("a scratch directory");
    let said = zoobreak(&["test", "--scenario", text(&file)], seconds(20));
    assert_eq!(said.code, 64, "{}", said.all());
    let words = "typo.txt: line 2, `kill n7`: nobody is called `n7`; there are: leader, ";
    assert!(said.stderr.contains(words), "{}", said.stderr);
    let said = zoobreak(&["test", "--faults", "scenario:file"], seconds(20));
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(
        said.stderr.contains("plays the file of `scenario`, which is not given"),
        "{}",
        said.stderr
    );
}

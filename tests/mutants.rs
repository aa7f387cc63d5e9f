//! A planted defect is found, named, and never planted by accident.

mod support;

use std::fs;

use support::ensemble::Ensemble;
use support::harness::{json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

/// What half of the servers as a quorum breaks: each half commits its own writes.
const BROKEN: [&str; 6] = ["linearizable", "linearizable-writes", "C1", "C3", "C6", "C8"];

#[test]
fn a_mutant_is_found_invalid_and_named() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("a_mutant_is_found_invalid_and_named", &why);
    }
    let results = scratch();
    let results = results.path();
    let said = zoobreak(
        &[
            "test",
            "--mutant",
            "X9",
            "--faults",
            "partition:halves",
            "--time",
            "12",
            "--seed",
            "1",
            "--results",
            text(results),
        ],
        seconds(90),
    );
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stdout.starts_with("INVALID"), "{}", said.stdout);
    let run = latest(results);
    assert_eq!(fs::canonicalize(results.join("latest-invalid")).expect("a link"), run);

    let verdict = json(&run, "verdict.json");
    let checks = verdict["checks"].as_array().expect("a list of checks");
    let broken = checks
        .iter()
        .find(|check| check["outcome"] == "invalid" && BROKEN.iter().any(|id| check["id"] == *id));
    let broken = broken.unwrap_or_else(|| panic!("{}", said.all()));
    assert_eq!(broken["binding"], true);
    let sentence = broken["witness"]["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("/r"), "it names the znode: {sentence}");

    assert_eq!(json(&run, "manifest.json")["settings"]["mutant"], "X9");
    let report = fs::read_to_string(run.join("report.html")).expect("a run has a report");
    for (what, text) in [("screen", &said.stdout), ("report", &report)] {
        assert!(text.contains("planted defect X9"), "the {what} does not name the mutant");
    }

    let again = zoobreak(&["check", text(&run)], seconds(60));
    assert_eq!(again.code, 1, "{}", again.all());
}

#[test]
fn a_server_is_a_mutant_only_when_the_command_line_says_so_too() {
    let ensemble = Ensemble::new(3, "mutant=X9\n");
    let said = ensemble.refused(1);
    assert_eq!(said.code, 64, "{}", said.stderr);
    assert!(said.stderr.contains("zoo.cfg: mutant=X9 plants a defect"), "{}", said.stderr);
    assert!(said.stderr.contains("zoobreak server --mutant X9"), "{}", said.stderr);
    assert!(!ensemble.home(1).join("zoobreak").exists(), "nothing was written");
}

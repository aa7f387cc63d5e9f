//! Counterexamples of the model become violations of real servers.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::harness::{Said, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

/// What is searched, with which flags, and the guarantee that clients see broken.
const SHOWN: [(&str, &str, &[&str], &str); 4] = [
    ("stale-leader", "X17", &[], "C9 sync"),
    ("recovery", "X8", &[], "C8 durability"),
    ("crash", "X3", &["--invariant", "LeaderLogCompleteness"], "C8 durability"),
    ("stale-leader", "X11", &[], "C22 replicas agree"),
];

#[test]
fn counterexamples_become_violations_of_real_servers() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("counterexamples_become_violations_of_real_servers", &why);
    }
    let place = scratch();
    for (model, mutant, flags, guarantee) in SHOWN {
        let file = found(place.path(), model, mutant, flags);
        let said = rehearse(&file, place.path());
        assert_eq!(said.code, 1, "{mutant} in {model}: {}", said.all());
        assert!(said.stdout.contains("INVALID"), "{}", said.all());
        let broken = |line: &str| line.contains(guarantee) && line.contains("invalid");
        assert!(said.stdout.lines().any(broken), "{guarantee} holds: {}", said.all());
    }
}

#[test]
fn sound_servers_go_the_same_way_and_break_nothing() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("sound_servers_go_the_same_way_and_break_nothing", &why);
    }
    let place = scratch();
    let file = found(place.path(), "stale-leader", "X17", &[]);
    change(&file, |stored| stored["mutant"] = Value::Null);
    let said = rehearse(&file, place.path());
    assert!(said.stdout.contains("asks for sync"), "{}", said.all());
    assert!(said.stdout.contains("NOT SOUND"), "three operations prove nothing: {}", said.all());
    assert!(said.stdout.contains("clients saw nothing wrong"), "{}", said.all());
    let run = latest(place.path());
    assert!(run.join("counterexample.json").exists());
}

#[test]
fn what_cannot_be_played_is_said_before_anything_starts() {
    let place = scratch();
    let file = found(place.path(), "stale-leader", "X17", &[]);
    let first = |stored: &mut Value| {
        let actions = stored["actions"].as_array_mut().expect("a list");
        actions.insert(0, serde_json::json!({ "start": 1 }));
    };
    change(&file, first);
    let said = rehearse(&file, place.path());
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(said.stderr.contains("step 1 cannot happen"), "{}", said.all());

    let file = found(place.path(), "paxos", "half-quorum", &[]);
    let said = rehearse(&file, place.path());
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(said.stderr.contains("no model of the server's own core"), "{}", said.all());
}

fn found(place: &Path, model: &str, mutant: &str, flags: &[&str]) -> PathBuf {
    let file = place.join(format!("{model}-{mutant}.json"));
    let own = ["model", "check", model, "--mutant", mutant, "--out", text(&file)];
    let said = zoobreak(&[&own, flags].concat(), seconds(120));
    assert_eq!(said.code, 1, "{}", said.all());
    file
}

fn rehearse(file: &Path, place: &Path) -> Said {
    let argv = ["model", "replay", text(file), "--processes", "--results", text(place)];
    zoobreak(&argv, seconds(120))
}

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let stored = fs::read_to_string(file).expect("just written");
    let mut stored: Value = serde_json::from_str(&stored).expect("just written");
    change(&mut stored);
    fs::write(file, stored.to_string()).expect("a scratch directory");
}

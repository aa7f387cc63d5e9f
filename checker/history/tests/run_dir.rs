//! The run directory: what is written is found again; newer formats are refused.

use std::fs;
use std::path::Path;

use history::{FORMAT, RunDir, RunDirError};
use serde_json::{Value, json};

mod sample;

use sample::manifest;

fn rewrite(run: &RunDir, change: impl FnOnce(&mut Value)) {
    let path = run.path().join("manifest.json");
    let mut value = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
    change(&mut value);
    fs::write(path, value.to_string()).expect("writable");
}

#[test]
fn a_run_is_found_again() {
    let results = tempfile::tempdir().expect("scratch directory");
    let run = RunDir::create(results.path(), &manifest()).expect("a new run");
    let name = "register+kill+partition-leader/20261120T211658Z-7";
    assert_eq!(run.path(), results.path().join(name));
    assert!(run.node(3).is_dir() && !run.node(4).exists() && run.evidence().is_dir());
    let again = RunDir::open(run.path()).expect("readable");
    assert_eq!(again.manifest().expect("readable"), manifest());
}

#[test]
fn two_runs_of_one_second_and_seed_are_two() {
    let results = tempfile::tempdir().expect("scratch directory");
    let first = RunDir::create(results.path(), &manifest()).expect("a new run");
    let second = RunDir::create(results.path(), &manifest()).expect("a second run");
    assert_ne!(first.path(), second.path());
}

#[test]
fn a_newer_format_is_refused() {
    let results = tempfile::tempdir().expect("scratch directory");
    let run = RunDir::create(results.path(), &manifest()).expect("a new run");
    rewrite(&run, |manifest| manifest["format"] = json!(FORMAT + 1));
    let error = RunDir::open(run.path()).expect_err("newer");
    assert!(matches!(error, RunDirError::Newer { .. }), "{error}");
    assert!(error.to_string().contains("update zoobreak"), "{error}");
}

#[test]
fn a_manifest_that_is_none_is_refused_by_name() {
    let results = tempfile::tempdir().expect("scratch directory");
    let run = RunDir::create(results.path(), &manifest()).expect("a new run");
    rewrite(&run, |manifest| manifest["settings"]["nodes"] = json!("five"));
    let error = RunDir::open(run.path()).expect_err("malformed").to_string();
    assert!(error.contains("manifest.json") && error.contains("five"), "{error}");
    let error = RunDir::open(Path::new("/nowhere")).expect_err("missing").to_string();
    assert!(error.starts_with("/nowhere/manifest.json: "), "{error}");
}

#[test]
fn a_link_points_at_the_last_run() {
    let results = tempfile::tempdir().expect("scratch directory");
    for _ in 0..2 {
        let run = RunDir::create(results.path(), &manifest()).expect("a new run");
        run.link_as(results.path(), "latest").expect("a link");
        let latest = fs::canonicalize(results.path().join("latest")).expect("it leads somewhere");
        assert_eq!(latest, fs::canonicalize(run.path()).expect("it exists"));
    }
}

#[test]
fn json_files_come_back() {
    let results = tempfile::tempdir().expect("scratch directory");
    let run = RunDir::create(results.path(), &manifest()).expect("a new run");
    run.write_json("verdict.json", &json!({"outcome": "valid"})).expect("writable");
    assert_eq!(run.read_json::<Value>("verdict.json").expect("there")["outcome"], "valid");
    assert!(run.read_json::<Value>("report.json").is_err());
}

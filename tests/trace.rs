//! What real servers did is what the protocol allows; where it is not, the first step is named.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::harness::{latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

#[test]
fn a_run_with_faults_conforms_and_a_mutant_is_rejected() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("a_run_with_faults_conforms_and_a_mutant_is_rejected", &why);
    }
    let results = scratch();
    let results = results.path();
    let said = run(results, &["--time", "10", "--seed", "11"]);
    assert!(said.contains("every step is one of ZAB"), "{said}");
    let steps = steps(results);
    assert_eq!(steps["outcome"], "valid", "{steps}");
    assert!(steps["actions"]["commit"].as_u64().is_some_and(|n| n > 100), "{steps}");
    let sound = zoobreak(&["model", "trace", text(&latest(results))], seconds(60));
    assert_eq!(sound.code, 0, "{}", sound.all());
    assert!(sound.stdout.contains("protocol   every step is one of it"), "{}", sound.stdout);

    // Nothing but a power cut would show this one to clients.
    let said = run(results, &["--time", "5", "--seed", "1", "--faults", "none", "--mutant", "X1"]);
    assert!(said.contains("steps   rejected: "), "{said}");
    let steps = self::steps(results);
    assert_eq!(steps["outcome"], "invalid", "{steps}");
    let page = fs::read_to_string(latest(results).join("report.html")).expect("a report");
    assert!(page.contains("rejected: ") && page.contains("which is not on its disk"));
    let broken = zoobreak(&["model", "trace", text(&latest(results))], seconds(60));
    assert_eq!(broken.code, 1, "{}", broken.all());
    assert!(broken.stdout.contains("which is not on its disk"), "{}", broken.stdout);
    assert!(broken.stdout.contains("line "), "{}", broken.stdout);
}

#[test]
fn a_directory_without_traces_is_no_run() {
    let empty = scratch();
    let said = zoobreak(&["model", "trace", text(empty.path())], seconds(60));
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stderr.contains("nodes"), "{}", said.stderr);
}

/// What the verdict says of the steps of the newest run.
fn steps(results: &Path) -> Value {
    let text = fs::read_to_string(latest(results).join("verdict.json")).expect("a verdict");
    let mut verdict: Value = serde_json::from_str(&text).expect("JSON");
    verdict["steps"].take()
}

fn run(results: &Path, flags: &[&str]) -> String {
    let own = ["test", "--results", text(results)];
    let said = zoobreak(&[&own[..], flags].concat(), seconds(120));
    assert!(said.stdout.starts_with("VALID"), "{}", said.all());
    said.stdout
}

//! Disks that refuse: a server whose fsync, read or write fails acknowledges nothing more, and ends
//! with words that say why.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use support::harness::{json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

#[test]
fn a_server_whose_fsync_fails_ends_and_says_so() {
    ends_of_it("a_server_whose_fsync_fails_ends_and_says_so", "fsync-error", "Input/output error");
}

#[test]
fn a_server_whose_disk_fails_ends_and_says_so() {
    ends_of_it("a_server_whose_disk_fails_ends_and_says_so", "eio", "Input/output error");
}

#[test]
fn a_server_whose_disk_is_full_ends_and_says_so() {
    ends_of_it("a_server_whose_disk_is_full_ends_and_says_so", "full", "No space left on device");
}

/// A server that does not start from its files says which byte of which file is wrong; and nothing that
/// was acknowledged is lost.
#[test]
fn a_server_that_refuses_a_damaged_disk_names_file_and_byte() {
    let test = "a_server_that_refuses_a_damaged_disk_names_file_and_byte";
    let _alone = alone();
    let no_disks = || nemesis::disk_means(true).err().map(|error| error.to_string());
    if let Some(why) = missing().or_else(no_disks) {
        return skip(test, &why);
    }
    let results = scratch();
    let faults = "disk:misdirected-write,disk:truncated-tail";
    let argv = ["test", "--faults", faults, "--time", "16", "--seed", "1", "--results"];
    let said = zoobreak(&[&argv[..], &[text(results.path())]].concat(), seconds(90));
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(results.path());
    let mut n_refusals = 0;
    for fault in json(&run, "manifest.json")["schedule"].as_array().expect("a list") {
        let name = format!("f{}-heal.json", fault["id"]);
        // One that was skipped was not healed either.
        if !run.join("evidence").join(&name).exists() {
            continue;
        }
        let evidence = &json(&run.join("evidence"), &name)["report"]["evidence"];
        for (node, status) in evidence["ended"].as_object().into_iter().flatten() {
            assert_eq!(status, "exit status: 3", "{node}: {evidence}");
            n_refusals += 1;
        }
    }
    let logs: String = (1..=5).map(|n| log(&run, &format!("n{n}"))).collect();
    let names_it = |line: &&str| {
        let says = line.contains("damaged at byte ") || line.contains(" is missing");
        line.starts_with("zoobreak: ") && line.contains("/data/zoobreak") && says
    };
    let refused = logs.lines().filter(names_it);
    assert!(n_refusals > 0, "nobody refused anything");
    assert_eq!(refused.count(), n_refusals, "{logs}");
}

/// Whoever felt it has ended with exit code 3, and nothing that was acknowledged is lost.
fn ends_of_it(test: &str, ailment: &str, words: &str) {
    let _alone = alone();
    let no_disks = || nemesis::disks_available().err().map(|error| error.to_string());
    if let Some(why) = missing().or_else(no_disks) {
        return skip(test, &why);
    }
    let results = scratch();
    let faults = format!("disk:{ailment}");
    let argv = ["test", "--faults", &faults, "--time", "8", "--seed", "1", "--results"];
    let said = zoobreak(&[&argv[..], &[text(results.path())]].concat(), seconds(90));
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(results.path());
    let mut times = BTreeMap::<String, usize>::new();
    for fault in json(&run, "manifest.json")["schedule"].as_array().expect("a list") {
        let id = fault["id"].as_u64().expect("a number");
        let evidence =
            &json(&run.join("evidence"), &format!("f{id}-heal.json"))["report"]["evidence"];
        for node in felt(evidence) {
            assert_eq!(evidence["ended"][&node], "exit status: 3", "{node}: {evidence}");
            *times.entry(node).or_default() += 1;
        }
    }
    assert!(!times.is_empty(), "nobody felt it");
    for (node, times) in times {
        let log = log(&run, &node);
        let said =
            log.lines().filter(|line| line.starts_with("zoobreak: ") && line.contains(words));
        assert_eq!(said.count(), times, "{node}: {log}");
    }
}

fn felt(evidence: &Value) -> Vec<String> {
    let requests = evidence["requests_that_felt_it"].as_object().expect("an object");
    let felt = requests.iter().filter(|(_, n)| n.as_u64() > Some(0));
    felt.map(|(node, _)| node.clone()).collect()
}

/// What a server has said on both streams.
fn log(run: &Path, node: &str) -> String {
    let files = fs::read_dir(run.join("nodes").join(node)).expect("it has run").flatten();
    let files = files.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    files.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default()).collect()
}

//! The second target: Apache ZooKeeper under the same workload, faults and checks.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::disguise::Disguise;
use support::harness::{Running, fact, json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

const JAR: &str = "/usr/share/java/zookeeper.jar";

#[test]
fn apache_zookeeper_runs_to_a_verdict() {
    let _alone = alone();
    if let Some(why) = missing().or_else(no_zookeeper) {
        return skip("apache_zookeeper_runs_to_a_verdict", &why);
    }
    let results = scratch();
    let said = zoobreak(
        &[
            "test",
            "--target",
            "zookeeper",
            "--time",
            "10",
            "--seed",
            "3",
            "--results",
            text(results.path()),
        ],
        seconds(180),
    );
    println!("{}", said.stdout);
    let run = latest(results.path());
    let verdict = json(&run, "verdict.json");
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(verdict["outcome"], "valid");
    for kind in ["kill", "pause", "partition"] {
        assert!(fact(&verdict, &format!("verified faults of kind {kind}")) >= 1, "{kind}");
    }
    for check in verdict["checks"].as_array().expect("a list of checks") {
        // ZooKeeper's sync is no quorum operation, and its servers only log that their digests
        // differ, and may stop: what rests on these is reported, not required.
        let promised =
            !["linearizable", "C9", "C22", "C23"].contains(&check["id"].as_str().expect("an id"));
        assert_eq!(check["binding"], promised, "{}", check["id"]);
    }
    let manifest = json(&run, "manifest.json");
    assert_eq!(manifest["settings"]["target"], "zookeeper");
    assert!(manifest["machine"]["target_version"].is_string(), "{manifest}");
}

/// A Java machine is given wrong times, and what it had written is in the wrong place: both are shown by evidence.
#[test]
fn apache_zookeeper_feels_wrong_clocks_and_damaged_disks() {
    let _alone = alone();
    let test = "apache_zookeeper_feels_wrong_clocks_and_damaged_disks";
    let no_disks = || nemesis::disk_means(true).err().map(|error| error.to_string());
    if let Some(why) = missing().or_else(no_zookeeper).or_else(no_disks) {
        return skip(test, &why);
    }
    let results = scratch();
    let faults = "clock:strobe,disk:misdirected-write";
    let argv =
        ["test", "--target", "zookeeper", "--nodes", "3", "--faults", faults, "--time", "20"];
    let argv = [&argv[..], &["--seed", "1", "--results", text(results.path())]].concat();
    let said = zoobreak(&argv, seconds(240));
    let run = latest(results.path());
    let verdict = json(&run, "verdict.json");
    // What it makes of such a disk is its own affair, and so is the verdict.
    for kind in ["clock", "disk"] {
        assert!(fact(&verdict, &format!("verified faults of kind {kind}")) >= 1, "{}", said.all());
    }
    let evidence: String = fs::read_dir(run.join("evidence"))
        .expect("there are faults")
        .map(|file| fs::read_to_string(file.expect("it is there").path()).unwrap_or_default())
        .collect();
    assert!(evidence.contains("wrong_times_given"), "{evidence}");
    assert!(evidence.contains("\"moved\""), "{evidence}");
}

#[test]
fn without_apache_zookeeper_it_says_what_to_install_and_leaves_nothing() {
    let test = "without_apache_zookeeper_it_says_what_to_install_and_leaves_nothing";
    let poorer = match Disguise::without(&["/usr/share"]) {
        Ok(poorer) => poorer,
        Err(why) => return skip(test, &why),
    };
    let directory = scratch();
    let results = directory.path().join("results");
    let argv = ["test", "--target", "zookeeper", "--results", text(&results)];
    let said = Running::start(&mut poorer.zoobreak(&argv)).finish(seconds(20));
    assert_eq!(said.code, 3, "{}", said.all());
    let expected = format!("zoobreak: {JAR} is missing; install it: apt-get install zookeeper");
    assert!(said.stderr.starts_with(&expected), "{}", said.stderr);
    assert!(!results.exists(), "something was left behind");
}

fn no_zookeeper() -> Option<String> {
    if !Path::new(JAR).exists() {
        return Some(format!("{JAR} is missing; apt-get install zookeeper"));
    }
    match Command::new("java").arg("-version").output() {
        Ok(output) if output.status.success() => None,
        _ => Some("java does not run; apt-get install default-jre-headless".to_owned()),
    }
}

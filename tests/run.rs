//! The main job from end to end: what a run shows, stores, and says again when it is checked again.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use support::disguise::Disguise;
use support::harness::{Running, Said, fact, history, json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

/// A run of 10 s with everything around it takes half of this.
const RUN_WITHIN: std::time::Duration = seconds(90);

#[test]
fn a_run_is_valid_proves_itself_and_is_judged_alike_again() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("a_run_is_valid_proves_itself_and_is_judged_alike_again", &why);
    }
    let results = scratch();
    let results = results.path();
    let argv = ["test", "--time", "10", "--seed", "3", "--results", text(results)];
    let said = zoobreak(&argv, RUN_WITHIN);
    let run = latest(results);
    assert_proven(&said, &run);
    if iptables_is_there() {
        assert!(partitions_by(&run).starts_with("iptables v"), "{}", partitions_by(&run));
    }
    assert_reproducible(&[&argv[..], &["--dry-run=2000"]].concat(), &run);
    assert_judged_alike_elsewhere(&run);
}

#[test]
fn without_iptables_the_switch_makes_partitions_and_the_manifest_says_so() {
    let _alone = alone();
    let test = "without_iptables_the_switch_makes_partitions_and_the_manifest_says_so";
    if let Some(why) = missing() {
        return skip(test, &why);
    }
    // The harness looks there even when `PATH` does not name them.
    let poorer = match Disguise::without(&["/sbin", "/usr/sbin"]) {
        Ok(poorer) if !is_in(&["/usr/bin", "/bin"]) => poorer,
        Ok(_) => return skip(test, "iptables is among the users' programs here"),
        Err(why) => return skip(test, &why),
    };
    let results = scratch();
    let argv = ["test", "--time", "10", "--seed", "4", "--results", text(results.path())];
    let said = Running::start(&mut poorer.zoobreak(&argv)).finish(RUN_WITHIN);
    let run = latest(results.path());
    assert_proven(&said, &run);
    let by = partitions_by(&run);
    assert!(by.starts_with("switch (`iptables` is neither in $PATH"), "{by}");
}

#[test]
fn where_namespaces_are_forbidden_processes_are_broken_and_what_is_missing_is_said() {
    let _alone = alone();
    let test = "where_namespaces_are_forbidden_processes_are_broken_and_what_is_missing_is_said";
    let poorer = match Disguise::without_namespaces() {
        Ok(poorer) => poorer,
        Err(why) => return skip(test, &why),
    };
    let results = scratch();
    let argv = ["test", "--time", "10", "--seed", "4", "--pcap", "--results", text(results.path())];
    let said = Running::start(&mut poorer.zoobreak(&argv)).finish(RUN_WITHIN);
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(results.path());
    let (manifest, verdict) = (json(&run, "manifest.json"), json(&run, "verdict.json"));
    let advice = "cannot create a user namespace: ";
    let lacks = manifest["machine"]["lacks"].as_object().expect("something is missing");
    assert_eq!(lacks.keys().collect::<Vec<_>>(), ["partition", "pcap"]);
    assert!(said.stderr.contains("without pcap: "), "{}", said.stderr);
    for told in [&lacks["partition"], &lacks["pcap"]].map(|why| why.as_str().expect("a text")) {
        assert!(said.stderr.contains(told), "{}", said.stderr);
        assert!(told.contains(advice) && told.contains("user.max_user_namespaces"), "{told}");
    }
    let sentence = verdict["sentence"].as_str().expect("a text");
    let without = ", without partition and pcap, which this machine cannot do.";
    assert!(sentence.ends_with(without), "{sentence}");
    for kind in ["kill", "pause"] {
        assert!(fact(&verdict, &format!("verified faults of kind {kind}")) >= 1, "{kind}");
    }
    assert_eq!(fact(&verdict, "verified faults of kind partition"), 0);

    let doctor = Running::start(&mut poorer.zoobreak(&["doctor"])).finish(seconds(30));
    let expected = "limited  namespaces: cannot create a user namespace: ";
    assert!(doctor.stdout.starts_with(expected), "{}", doctor.all());

    let argv = ["test", "--faults", "partition,link", "--results", text(results.path())];
    let said = Running::start(&mut poorer.zoobreak(&argv)).finish(seconds(20));
    assert_eq!(said.code, 3, "{}", said.all());
    let expected = "zoobreak: none of the faults asked for can be done here; link: ";
    assert!(said.stderr.starts_with(expected), "{}", said.stderr);
    assert!(said.stderr.contains(advice), "{}", said.stderr);
    assert_eq!(latest(results.path()), run, "nothing was begun");
}

/// Exit code, screen, verdict and report agree; the faults bit; nobody planted anything.
fn assert_proven(said: &Said, run: &Path) {
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.starts_with("VALID"), "{}", said.stdout);
    let verdict = json(run, "verdict.json");
    assert_eq!(verdict["outcome"], "valid");
    for kind in ["kill", "pause", "partition"] {
        assert!(fact(&verdict, &format!("verified faults of kind {kind}")) >= 1, "{kind}");
    }
    assert!(fact(&verdict, "leader changes") >= 1);
    let checks = verdict["checks"].as_array().expect("a list of checks");
    assert!(checks.len() >= 8, "{checks:?}");
    assert!(checks.iter().any(|check| check["id"] == "C22"), "servers' states were compared");
    assert!(checks.iter().all(|check| check["examined"].as_u64() > Some(0)), "{checks:?}");
    assert!(json(run, "manifest.json")["settings"].get("mutant").is_none());
    let report = fs::read_to_string(run.join("report.html")).expect("a run has a report");
    assert!(report.contains("</html>"));
    for node in 1..=5 {
        let log = fs::read_to_string(run.join(format!("nodes/n{node}/stderr.log")));
        let log = log.expect("every server has a log");
        assert!(log.contains("started") && !log.contains("panicked"), "n{node}: {log}");
    }
}

/// A run's schedule is that of its dry run, and each client did what its dry run says, in order,
/// as far as it came.
fn assert_reproducible(argv: &[&str], run: &Path) {
    let (dry, again) = (zoobreak(argv, seconds(20)), zoobreak(argv, seconds(20)));
    assert_eq!(dry.code, 0, "{}", dry.all());
    assert_eq!(dry.stdout, again.stdout);
    let lines: Vec<Value> =
        dry.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let manifest = json(run, "manifest.json");
    let part = |name: &str| lines.iter().filter_map(|line| line.get(name)).collect::<Vec<_>>();
    assert_eq!(part("settings"), [&manifest["settings"]]);
    assert_eq!(
        part("fault"),
        manifest["schedule"].as_array().expect("a list").iter().collect::<Vec<_>>()
    );

    let planned = planned(&lines);
    let done = done(&history(run), planned.len() as u64);
    assert_eq!(done.len(), planned.len(), "every client did something");
    for (client, done) in &done {
        let planned = &planned[client];
        assert!(done.len() > 10, "client {client} did {}", done.len());
        assert!(done.len() <= planned.len(), "the dry run is too short to compare");
        assert_eq!(done.as_slice(), &planned[..done.len()], "client {client}");
    }
}

/// What each client is to ask of znodes: name, key, value written.
fn planned(lines: &[Value]) -> BTreeMap<u64, Vec<Value>> {
    let mut planned: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["op"]["key"].is_string()) {
        let client = line["client"].as_u64().expect("a client's number");
        let op = &line["op"];
        let asked = json!([op["f"], op["key"], op.get("value")]);
        planned.entry(client).or_default().push(asked);
    }
    planned
}

/// What each of the first clients asked of znodes, in the same form.
fn done(history: &[Value], n_clients: u64) -> BTreeMap<u64, Vec<Value>> {
    let mut done: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    let invoked =
        history.iter().filter(|event| event["type"] == "invoke" && event["key"].is_string());
    for event in invoked {
        let Some(client) = event["process"].as_u64().filter(|client| *client < n_clients) else {
            continue;
        };
        // The version that a compare-and-set expects is what the client saw last.
        let written = match event["f"] == "cas" {
            true => &event["value"][1],
            false => &event["value"],
        };
        done.entry(client).or_default().push(json!([event["f"], event["key"], written]));
    }
    done
}

/// In another place, without its verdict, a run is judged as it was.
fn assert_judged_alike_elsewhere(run: &Path) {
    let elsewhere = scratch();
    let moved = elsewhere.path().join("run");
    let verdict = without_millis(json(run, "verdict.json"));
    assert_eq!(verdict["steps"]["outcome"], "valid", "{}", verdict["steps"]);
    fs::rename(run, &moved).expect("both are in the same directory for temporary files");
    for result in ["verdict.json", "report.html"] {
        fs::remove_file(moved.join(result)).expect("the run wrote it");
    }
    let said = zoobreak(&["check", text(&moved)], seconds(60));
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(without_millis(json(&moved, "verdict.json")), verdict);
    assert!(moved.join("report.html").exists());
}

/// How long a check took is no part of its verdict.
fn without_millis(mut verdict: Value) -> Value {
    for check in verdict["checks"].as_array_mut().expect("a list of checks") {
        check.as_object_mut().expect("an object").remove("millis").expect("each says it");
    }
    verdict["steps"].as_object_mut().expect("our servers record them").remove("millis");
    verdict
}

fn partitions_by(run: &Path) -> String {
    json(run, "manifest.json")["machine"]["partitions_by"].as_str().expect("a text").to_owned()
}

/// Where the harness finds iptables.
fn iptables_is_there() -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    is_in(&path.split(':').chain(["/usr/sbin", "/sbin"]).collect::<Vec<_>>())
}

fn is_in(directories: &[&str]) -> bool {
    directories.iter().any(|directory| Path::new(directory).join("iptables").is_file())
}

//! `zoobreak bench server`: the shape of what it prints, and what it says when it cannot measure.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::harness::{Running, Said, missing, zoobreak};
use support::leftovers::Family;
use support::{alone, scratch, seconds, skip, text, until};
use tempfile::TempDir;

/// Small enough for a test; the figures mean nothing.
const TINY: [&str; 8] = ["bench", "server", "--rounds", "2", "--seconds", "0.2", "--warm-up", "0"];

#[test]
fn it_measures_what_it_is_told_and_leaves_nothing() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("it_measures_what_it_is_told_and_leaves_nothing", &why);
    }
    let scratch = scratch();
    let (dir, json) = (scratch.path().join("data"), scratch.path().join("bench.json"));
    fs::create_dir(&dir).expect("a scratch directory");
    let cells = "create:10:3x4,getData:10:3x1";
    let more =
        ["--only", "throughput", "--cells", cells, "--dir", text(&dir), "--json", text(&json)];
    let said = zoobreak(&[&TINY[..], &more].concat(), seconds(60));
    assert_eq!(said.code, 0, "{}", said.all());
    for operation in ["create 10 B", "getData 10 B"] {
        assert!(said.stdout.contains(operation), "{}", said.all());
    }
    let results: Value = serde_json::from_slice(&fs::read(&json).expect("--json")).expect("JSON");
    let cells = results["cells"].as_array().expect("a list of cells");
    let names: Vec<&str> = cells.iter().filter_map(|cell| cell["cell"].as_str()).collect();
    assert_eq!(names, ["create 10 B 3×4", "getData 10 B 3×1"]);
    for cell in cells {
        let rounds = cell["rounds"]["zoobreak"].as_array().expect("a list of samples");
        assert_eq!(rounds.len(), 2, "{cell}");
        for sample in rounds {
            let number = |name: &str| sample[name].as_f64().expect("a number");
            assert!(number("per_second") > 0.0, "{cell}");
            assert!(0.0 < number("p50_ms") && number("p50_ms") <= number("p99_ms"), "{cell}");
        }
        assert!(cell["rounds"].get("zookeeper").is_none(), "{cell}");
    }
    assert_eq!(fs::read_dir(&dir).expect("a directory").count(), 0, "something is left");
}

#[test]
fn failover_and_start_up_are_figures_with_how_they_were_got() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("failover_and_start_up_are_figures_with_how_they_were_got", &why);
    }
    let dir = scratch();
    let json = dir.path().join("bench.json");
    let more = ["--only", "failover,startup", "--trials", "1", "--znodes", "1000", "--markdown"];
    let to = ["--dir", text(dir.path()), "--json", text(&json)];
    let said = zoobreak(&[&TINY[..], &more, &to].concat(), seconds(120));
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("| start with 1,000 znodes | "), "{}", said.all());
    let results: Value = serde_json::from_slice(&fs::read(&json).expect("--json")).expect("JSON");
    let figures = results["figures"].as_array().expect("a list of figures");
    assert_eq!(figures.len(), 2, "{results}");
    for figure in figures {
        let values = figure["values"]["zoobreak"].as_array().expect("a list of numbers");
        assert!(values.len() == 1 && values[0].as_f64() > Some(0.0), "{figure}");
        assert!(figure["how"].as_str().expect("a text").contains("1 trials"), "{figure}");
    }
}

#[test]
fn a_target_that_does_not_come_up_is_no_measurement() {
    let test = "a_target_that_does_not_come_up_is_no_measurement";
    let _alone = alone();
    if let Some(why) = missing().or_else(no_zookeeper) {
        return skip(test, &why);
    }
    let said = with_java("echo no such heap\nexit 7", &["--only", "failover"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert_eq!(said.stdout, "", "{}", said.all());
    assert!(said.stderr.contains("zoobreak: zookeeper: server "), "{}", said.all());
    assert!(said.stderr.contains(" ended by itself, exit status: 7"), "{}", said.all());
    assert!(said.stderr.contains("no such heap"), "{}", said.all());
}

#[test]
fn a_request_that_is_refused_is_no_operation() {
    let test = "a_request_that_is_refused_is_no_operation";
    let _alone = alone();
    if let Some(why) = missing().or_else(no_zookeeper) {
        return skip(test, &why);
    }
    // Servers that soon refuse requests, since each takes longer than they like.
    let server = "for config; do :; done
        for key in enabled=true requestVolumeThreshold=10 failureRatio=0.1 minimumResponseTime=1
        do echo circuitBreaker.$key >> $config; done
        exec ZOOBREAK server $config";
    let server = server.replace("ZOOBREAK", env!("CARGO_BIN_EXE_zoobreak"));
    let said = with_java(&server, &["--only", "throughput", "--cells", "setData:10:3x4"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert_eq!(said.stdout, "", "{}", said.all());
    assert!(said.stderr.contains("zoobreak: zookeeper, "), "{}", said.all());
    assert!(said.stderr.contains(" wrongly: ThrottledOp"), "{}", said.all());
}

#[test]
fn kill_9_leaves_neither_processes_nor_files() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("kill_9_leaves_neither_processes_nor_files", &why);
    }
    let (running, family, dir) = mid_measurement();
    kill(pid(&running), Signal::SIGKILL).expect("it is running");
    assert_nothing_stays(&family, dir.path());
}

#[test]
fn sigterm_ends_it_and_leaves_neither_processes_nor_files() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("sigterm_ends_it_and_leaves_neither_processes_nor_files", &why);
    }
    let (running, family, dir) = mid_measurement();
    kill(pid(&running), Signal::SIGTERM).expect("it is running");
    let said = running.finish(seconds(20));
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stderr.ends_with("zoobreak: asked to end\n"), "{}", said.all());
    assert_nothing_stays(&family, dir.path());
}

/// A benchmark of a minute, in its first round.
fn mid_measurement() -> (Running, Family, TempDir) {
    let dir = scratch();
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
    command.args(["bench", "server", "--only", "throughput", "--cells", "getData:10:3x1"]);
    command.args(["--rounds", "300", "--seconds", "0.2", "--warm-up", "0"]);
    let running = Running::start(command.args(["--dir", text(dir.path())]));
    until("it measures", seconds(60), || running.stderr().contains("round 1/").then_some(()));
    let family = Family::of(running.child.id(), dir.path());
    assert!(family.members.len() >= 2 + 3, "itself, contained, and three servers: {family:?}");
    (running, family, dir)
}

fn pid(running: &Running) -> Pid {
    Pid::from_raw(running.child.id().cast_signed())
}

fn assert_nothing_stays(family: &Family, dir: &Path) {
    until("every process is gone", seconds(10), || family.alive().is_empty().then_some(()));
    let n_files = || fs::read_dir(dir).expect("a directory").count();
    until("the servers' data is gone", seconds(10), || (n_files() == 0).then_some(()));
}

/// Measures ours and a `java` that is a shell script.
fn with_java(script: &str, argv: &[&str]) -> Said {
    let scratch = scratch();
    let java = scratch.path().join("java");
    let script = format!("#!/bin/sh\n[ \"$1\" = -version ] && exit 0\n{script}\n");
    fs::write(&java, script).expect("a scratch directory");
    fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = std::env::var("PATH").expect("tests have a PATH");
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
    command.args(TINY).args(["--target", "zookeeper", "--dir", text(scratch.path())]).args(argv);
    command.env("PATH", format!("{}:{path}", scratch.path().display()));
    Running::start(&mut command).finish(seconds(60))
}

fn no_zookeeper() -> Option<String> {
    let jar = "/usr/share/java/zookeeper.jar";
    let there = fs::exists(jar).unwrap_or(false);
    (!there).then(|| format!("{jar} is missing; apt-get install zookeeper"))
}

//! `zoobreak bench server`: the shape of what it prints, and what it says when it cannot measure.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use support::harness::{Running, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

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
fn a_target_that_does_not_come_up_is_no_measurement() {
    let test = "a_target_that_does_not_come_up_is_no_measurement";
    let _alone = alone();
    if let Some(why) = missing().or_else(no_zookeeper) {
        return skip(test, &why);
    }
    let scratch = scratch();
    let java = scratch.path().join("java");
    let script = "#!/bin/sh\n[ \"$1\" = -version ] && exit 0\necho no such heap\nexit 7\n";
    fs::write(&java, script).expect("a scratch directory");
    fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = std::env::var("PATH").expect("tests have a PATH");
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
    command
        .args(TINY)
        .args(["--target", "zookeeper", "--dir", text(scratch.path())])
        .env("PATH", format!("{}:{path}", scratch.path().display()));
    let said = Running::start(&mut command).finish(seconds(60));
    assert_eq!(said.code, 3, "{}", said.all());
    assert_eq!(said.stdout, "", "{}", said.all());
    assert!(
        said.stderr.contains(" ended by itself, exit status: 7"),
        "{}",
        said.all()
    );
    assert!(said.stderr.contains("no such heap"), "{}", said.all());
}

fn no_zookeeper() -> Option<String> {
    let jar = "/usr/share/java/zookeeper.jar";
    (!fs::exists(jar).unwrap_or(false))
        .then(|| format!("{jar} is missing; apt-get install zookeeper"))
}

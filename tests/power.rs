//! Power cuts: what was acknowledged is there afterwards, and a server that lies about it is found.

mod support;

use support::disguise::Disguise;
use support::harness::{Running, json, latest, missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

#[test]
fn what_was_acknowledged_survives_power_cuts() {
    let _alone = alone();
    if let Some(why) = missing().or_else(no_disks) {
        return skip("what_was_acknowledged_survives_power_cuts", &why);
    }
    let results = scratch();
    let faults = "disk:power-cut,disk:power-cut-ext4,disk:power-cut-scattered,disk:brown-out";
    let argv = ["test", "--faults", faults, "--time", "16", "--seed", "1", "--results"];
    let said = zoobreak(&[&argv[..], &[text(results.path())]].concat(), seconds(90));
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(results.path());
    assert_eq!(
        json(&run, "manifest.json")["machine"]["disks_by"],
        "a file system in memory (FUSE)"
    );
    for node in ["n1", "n5"] {
        let data = run.join("nodes").join(node).join("data");
        let inspected = zoobreak(&["server", "inspect", text(&data)], seconds(20));
        assert_eq!(inspected.code, 0, "the files are there: {}", inspected.all());
    }
}

#[test]
fn a_server_that_acknowledges_before_its_disk_has_written_is_found() {
    let _alone = alone();
    if let Some(why) = missing().or_else(no_disks) {
        let test = "a_server_that_acknowledges_before_its_disk_has_written_is_found";
        return skip(test, &why);
    }
    let results = scratch();
    let argv = ["test", "--mutant", "X1", "--faults", "disk:power-cut", "--seed", "1", "--results"];
    let said = zoobreak(&[&argv[..], &[text(results.path())]].concat(), seconds(120));
    assert_eq!(said.code, 1, "{}", said.all());
}

#[test]
fn a_server_that_takes_a_failed_fsync_for_done_is_found() {
    let _alone = alone();
    if let Some(why) = missing().or_else(no_disks) {
        return skip("a_server_that_takes_a_failed_fsync_for_done_is_found", &why);
    }
    let results = scratch();
    let argv = ["test", "--mutant", "X37", "--faults", "disk:brown-out", "--seed", "1"];
    let said = zoobreak(&[&argv[..], &["--results", text(results.path())]].concat(), seconds(120));
    assert_eq!(said.code, 1, "{}", said.all());
}

#[test]
fn without_fuse_system_calls_are_watched_and_the_manifest_says_so() {
    let _alone = alone();
    let (place, results) = (scratch(), scratch());
    let poorer = Disguise::without_fuse(place.path());
    let poorer = match missing().map_or(poorer, Err) {
        Ok(poorer) => poorer,
        Err(why) => {
            let test = "without_fuse_system_calls_are_watched_and_the_manifest_says_so";
            return skip(test, &why);
        }
    };
    let test = |more: &[&str]| {
        let argv = ["test", "--time", "10", "--seed", "1", "--results", text(results.path())];
        let argv = [&argv[..], more].concat();
        Running::start(&mut poorer.zoobreak(&argv)).finish(seconds(120))
    };
    let said = test(&["--faults", "disk:power-cut,disk:fsync-error,disk:full,disk:slow"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let run = latest(results.path());
    let disks_by = json(&run, "manifest.json")["machine"]["disks_by"].to_string();
    assert!(disks_by.contains("watched system calls (seccomp)"), "{disks_by}");
    assert!(disks_by.contains("/dev/fuse"), "it says why: {disks_by}");
    assert!(!run.join("nodes/n1/data.durable").exists(), "only the servers' files stay");

    // It bites: who acknowledges before the disk has written is found.
    let said = test(&["--mutant", "X1", "--faults", "disk:power-cut"]);
    assert_eq!(said.code, 1, "{}", said.all());
}

fn no_disks() -> Option<String> {
    nemesis::disks_available().err().map(|error| error.to_string())
}

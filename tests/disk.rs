//! What a server finds on its disk after a kill, after damage, and after a long absence.

mod support;

use std::fs;
use std::path::Path;

use support::alone;
use support::ensemble::Ensemble;

#[test]
fn an_ensemble_that_was_killed_as_a_whole_has_all_that_it_acknowledged() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "snapCount=50\n");
    ensemble.write_znodes("a", 120);
    (1..=3).for_each(|id| ensemble.kill(id));
    (1..=3).for_each(|id| ensemble.start(id));
    ensemble.settle();
    ensemble.wait_until_level();
    (1..=3).for_each(|id| ensemble.assert_serves_znodes(id, "a", 120));
}

#[test]
fn a_torn_tail_is_cut_and_what_was_lost_is_fetched() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = ensemble.a_follower();
    ensemble.write_znodes("a", 30);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    let log = ensemble.newest_log_file(follower);
    let whole = fs::read(&log).expect("it is there");
    fs::write(&log, &whole[..whole.len() - 5]).expect("a scratch directory");

    ensemble.start(follower);
    ensemble.wait_until_level();
    let said = ensemble.log(follower);
    let expected = format!("{}: cut a torn tail at byte ", log.display());
    assert!(said.contains(&expected), "{said}");
    ensemble.assert_serves_znodes(follower, "a", 30);
}

#[test]
fn damage_that_no_crash_can_do_is_refused_with_file_and_offset() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let follower = ensemble.a_follower();
    ensemble.write_znodes("a", 30);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    let log = ensemble.newest_log_file(follower);
    let middle = fs::metadata(&log).expect("it is there").len() / 2;
    flip_byte(&log, middle);
    let spoiled = fs::read(&log).expect("it is there");

    let said = ensemble.refused(follower);
    assert_eq!(said.code, 3, "{}", said.stderr);
    let start = said.stderr.find(&format!("zoobreak: {}: damaged at byte ", log.display()));
    let start = start.unwrap_or_else(|| panic!("{}", said.stderr));
    let offset =
        said.stderr[start..].split("at byte ").nth(1).and_then(|rest| rest.split(':').next());
    let offset: u64 = offset.and_then(|digits| digits.parse().ok()).expect("a number");
    assert!(offset <= middle && middle - offset < 500, "byte {middle} was flipped, not {offset}");
    assert_eq!(fs::read(&log).expect("it is there"), spoiled, "the evidence is left as it was");
}

#[test]
fn a_server_that_was_away_for_long_is_brought_up_by_a_snapshot() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "snapCount=50\ncommitLogCount=20\n");
    let follower = ensemble.a_follower();
    ensemble.write_znodes("a", 30);
    ensemble.wait_until_level();
    ensemble.kill(follower);
    ensemble.write_znodes("b", 5);
    ensemble.start(follower);
    ensemble.wait_until_level();
    assert!(!ensemble.log(follower).contains("state replaced"), "5 transactions are a DIFF");

    ensemble.kill(follower);
    ensemble.write_znodes("c", 200);
    ensemble.start(follower);
    ensemble.wait_until_level();
    let leader = ensemble.settle();
    assert!(ensemble.log(leader).contains("sending a snapshot"), "{}", ensemble.log(leader));
    assert!(ensemble.log(follower).contains("state replaced"), "{}", ensemble.log(follower));
    for (prefix, n) in [("a", 30), ("b", 5), ("c", 200)] {
        ensemble.assert_serves_znodes(follower, prefix, n);
    }

    // What was installed is on disk: it is there after another kill, without the others' help.
    ensemble.kill(follower);
    ensemble.start(follower);
    ensemble.wait_until_level();
    assert_eq!(ensemble.log(follower).matches("state replaced").count(), 1);
    ensemble.assert_serves_znodes(follower, "c", 200);
}

/// Spoils one bit of a byte.
fn flip_byte(path: &Path, at: u64) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[usize::try_from(at).expect("logs are small")] ^= 0x10;
    fs::write(path, bytes).expect("a scratch directory");
}

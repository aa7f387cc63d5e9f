//! Servers compare their states all the time, and one whose state is wrong stops.

mod support;

use std::fs;

use support::client::{Client, four_letters};
use support::ensemble::Ensemble;
use support::{alone, seconds, until};

/// What a server says that stops, or does not start, because its state is wrong.
const WRONG: &str = "this server's state differs from that of a quorum at 0x";

#[test]
fn a_server_that_left_out_a_transaction_stops_and_says_why() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let wrong = ensemble.a_follower();
    miss_writes(&mut ensemble, wrong);
    ensemble.start_mutant(wrong, "X13");
    assert_stopped(&mut ensemble, wrong);

    let leader = ensemble.settle();
    let said = four_letters(ensemble.addr(leader), "mntr").expect("it serves");
    assert!(said.contains("zk_digest_mismatches_count\t1\n"), "{said}");
    ensemble.write_znodes("c", 3);

    // Its log is right, so a server without the defect makes the right state of it.
    ensemble.start(wrong);
    ensemble.wait_until_level();
    ensemble.assert_serves_znodes(wrong, "b", 10);
    assert!(ensemble.log(wrong).contains("its log leads to the right state"));
}

#[test]
fn a_server_whose_disk_is_wrong_stays_away_until_its_directory_is() {
    let _alone = alone();
    let mut ensemble = Ensemble::started(3, "");
    let wrong = ensemble.a_follower();
    ensemble.write_znodes("a", 3);
    ensemble.wait_until_level();
    let zxid = ensemble.zxid(wrong).expect("it serves");
    ensemble.kill(wrong);
    let store = ensemble.home(wrong).join("zoobreak");
    let note = format!("zxid={zxid}\ndigest=0x1\nquorum=0x2\n");
    fs::write(store.join("diverged"), note).expect("it has run");
    ensemble.write_znodes("b", 10);

    for _ in 0..2 {
        let said = ensemble.refused(wrong);
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains(WRONG), "{}", said.stderr);
    }
    fs::remove_dir_all(store).expect("the message names it");
    ensemble.start(wrong);
    ensemble.wait_until_level();
    ensemble.assert_serves_znodes(wrong, "b", 10);
}

#[test]
fn one_against_one_serves_nobody_until_the_third_decides() {
    let _alone = alone();
    let (mut ensemble, leader, wrong, third) = one_against_one();
    for id in [leader, wrong] {
        assert!(Client::connect(ensemble.addr(id)).is_err(), "server {id} gives a session");
    }
    ensemble.start(third);
    assert_stopped(&mut ensemble, wrong);
    for id in [leader, third] {
        ensemble.assert_serves_znodes(id, "b", 10);
    }
}

#[test]
fn a_leader_that_a_quorum_contradicts_stops() {
    let _alone = alone();
    let (mut ensemble, leader, wrong, third) = one_against_one();
    ensemble.kill(leader);
    ensemble.start(third);
    until("the wrong one leads", seconds(20), || {
        let log = ensemble.log(wrong);
        log.contains("role=Leading").then_some(())
    });
    ensemble.start(leader);
    assert_stopped(&mut ensemble, wrong);
    ensemble.settle();
    for id in [leader, third] {
        ensemble.assert_serves_znodes(id, "b", 10);
    }
}

/// Kills the server, and writes what it will have to be told.
fn miss_writes(ensemble: &mut Ensemble, id: usize) {
    ensemble.write_znodes("a", 3);
    ensemble.wait_until_level();
    ensemble.kill(id);
    ensemble.write_znodes("b", 10);
}

/// Three servers, of which the leader and a wrong one are up and do not know who is right:
/// leader, wrong, third.
fn one_against_one() -> (Ensemble, usize, usize, usize) {
    let mut ensemble = Ensemble::started(3, "");
    let leader = ensemble.settle();
    let (wrong, third) = (leader % 3 + 1, (leader + 1) % 3 + 1);
    miss_writes(&mut ensemble, wrong);
    ensemble.kill(third);
    ensemble.start_mutant(wrong, "X13");
    until("both have said that they differ", seconds(20), || {
        let told = |id: &usize| ensemble.log(*id).contains("nobody is served until one has");
        [leader, wrong].iter().all(told).then_some(())
    });
    (ensemble, leader, wrong, third)
}

fn assert_stopped(ensemble: &mut Ensemble, id: usize) {
    assert_eq!(ensemble.ended(id), 3);
    let said = ensemble.log(id);
    let place = ensemble.home(id).join("zoobreak");
    assert!(said.contains(&format!("{}: {WRONG}", place.display())), "{said}");
}

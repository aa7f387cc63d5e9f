//! C24, and what the servers' logs tell of requests without an answer.

use checker::{Outcome, check};
use history::{LogEntry, Phase, Target};

use crate::story::{Story, at, log, manifest};

const R: &str = "/r0";

/// Two writes, at zxids 5 and 6, one without an answer between them, and final reads on all servers.
fn story() -> Story {
    let mut story = Story::new();
    story.write(1, R, 11, at(5, 1));
    story.lost_write(2, R, 12);
    story.write(1, R, 13, at(6, 2));
    story.phase(Phase::FinalReads);
    (1..=3).for_each(|client| story.read(client, R, 13, at(6, 2)));
    let all = [(4, 10), (5, 11), (6, 13)];
    story.logs = ["n1", "n2", "n3"].map(|node| log(node, &all)).to_vec();
    story
}

fn outcome(story: &Story, id: &str) -> (Outcome, String) {
    let check = story.check(id);
    let said = check.witness.map(|witness| witness.sentence).or(check.reason);
    (check.outcome, said.unwrap_or_default())
}

fn valid(story: &Story) {
    assert_eq!(outcome(story, "C24"), (Outcome::Valid, String::new()));
}

fn invalid(story: &Story, words: &str) {
    let (outcome, sentence) = outcome(story, "C24");
    assert_eq!(outcome, Outcome::Invalid, "{sentence}");
    assert!(sentence.contains(words), "{sentence:?} lacks {words:?}");
}

#[test]
fn an_acknowledged_write_is_in_the_logs_of_a_majority() {
    valid(&story());
    assert_eq!(story().check("C24").examined, 2);
    let mut lost = story();
    lost.logs[0].entries.pop();
    lost.logs[2].entries.pop();
    invalid(
        &lost,
        "wrote /r0 = 13 (version 2) on n1 at 0.01 s, acknowledged at zxid 0x6, which is in",
    );
    invalid(&lost, "in the logs of 1 of 3 servers after the run: n1, n3 lack it");
    let mut nowhere = story();
    nowhere.logs.iter_mut().for_each(|log| drop(log.entries.remove(1)));
    invalid(&nowhere, "in the logs of 0 of 3 servers");
}

/// What is older than a log is in the snapshot that it follows; a server without files says nothing.
#[test]
fn what_a_snapshot_may_have_is_not_missed() {
    let mut story = story();
    story.logs[0].entries.drain(..2);
    story.logs[1].entries.drain(..);
    valid(&story);
    story.logs.truncate(1);
    valid(&story);
    story.logs.clear();
    let (outcome, why) = outcome(&story, "C24");
    assert_eq!(outcome, Outcome::Unknown);
    assert!(why.starts_with("not examined: the run has kept no logs"), "{why}");
}

#[test]
fn logs_that_differ_are_refused() {
    let mut other = story();
    other.logs[1].entries[1].digest = 99;
    invalid(&other, "n2 and n1 have different entries at 0x5");
    let mut gap = story();
    gap.logs[1].entries.remove(1);
    invalid(&gap, "the log of n2 lacks 0x5, which that of n1 has");
    let mut more = story();
    more.logs[1].entries.push(LogEntry { zxid: 7, digest: 1, values: Vec::new() });
    valid(&more);
    // Apache ZooKeeper keeps files that it has no use for any more.
    let mut manifest = manifest();
    manifest.settings.target = Target::Zookeeper;
    let verdict = check(&manifest, &gap.history());
    let logs = verdict.checks.iter().find(|check| check.id == "C24").expect("in the catalogue");
    assert_eq!(logs.outcome, Outcome::Valid);
}

#[test]
fn damage_is_refused_unless_a_fault_did_it() {
    let mut story = story();
    story.logs[0].damage.push("log.1: byte 9: a wrong checksum".to_owned());
    invalid(&story, "the log of n1 is damaged: log.1: byte 9: a wrong checksum");
    story.installed(1, "disk:bit-flip");
    valid(&story);
}

/// The write without an answer is found at zxid 7, after a later one of its session; or nowhere.
#[test]
fn the_logs_tell_what_became_of_a_request_without_an_answer() {
    let lost = |zxid: u64| {
        let mut story = Story::new();
        story.write(1, R, 11, at(5, 1));
        story.lost_write(1, R, 12);
        story.write(1, R, 13, at(7, 2));
        let mut all = vec![(4, 10), (5, 11), (7, 13)];
        all.push((zxid, 12));
        all.sort_unstable();
        story.logs = vec![log("n1", &all)];
        story
    };
    assert_eq!(outcome(&lost(6), "C4").0, Outcome::Valid);
    let (outcome, sentence) = outcome(&lost(8), "C4");
    assert_eq!(outcome, Outcome::Invalid);
    assert!(sentence.ends_with("took effect after it, at zxid 0x8"), "{sentence}");
}

#[test]
fn what_is_in_no_log_never_happened() {
    let seen = |from: usize| {
        let mut story = story();
        story.logs.iter_mut().for_each(|log| drop(log.entries.drain(..from)));
        story.local_read(3, R, 12, at(7, 3));
        story.logs.iter_mut().for_each(|log| {
            log.entries.push(LogEntry { zxid: 7, digest: 1, values: Vec::new() });
        });
        outcome(&story, "C7")
    };
    let (outcome, sentence) = seen(0);
    assert_eq!(outcome, Outcome::Invalid, "{sentence}");
    // Logs that begin after the request do not tell.
    assert_eq!(seen(2).0, Outcome::Valid);
}

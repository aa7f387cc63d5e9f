//! Every check, on a history where its promise is kept and on one where it is broken.

use crate::story::{Reply, Story, at, log};
use checker::{Check, Outcome};
use history::{Phase, f};
use serde_json::{Value, json};

const R: &str = "/r0";

fn valid(story: &Story, id: &str) {
    let check = story.check(id);
    assert_eq!(check.outcome, Outcome::Valid, "{id}: {:?} {:?}", check.reason, check.witness);
    assert!(check.examined > 0);
}

/// The broken check, whose sentence must contain `words`.
fn invalid(story: &Story, id: &str, words: &str) -> Check {
    let check = story.check(id);
    assert_eq!(check.outcome, Outcome::Invalid, "{id}");
    let witness = check.witness.clone().expect("a violation has a witness");
    assert!(witness.sentence.contains(words), "{:?} lacks {words:?}", witness.sentence);
    assert!(!witness.operations.is_empty() && witness.operations.len() <= 5, "{witness:?}");
    assert!(witness.window.0 < witness.window.1);
    check
}

/// Two writes and reads of them, all as it should be.
fn correct() -> Story {
    let mut story = Story::new();
    story.read(1, R, Value::Null, Reply { zxid: 5, mzxid: 1, version: 0 });
    story.write(1, R, 11, at(6, 1));
    story.read(2, R, 11, at(6, 1).later(7));
    story.cas(2, R, (1, 12), at(8, 2));
    story.bad_version(1, R, (1, 13), 9);
    story.lost_write(2, R, 14);
    story.local_read(1, R, 12, at(8, 2).later(9));
    story.settled();
    story.now += 2_000_000_000;
    story.phase(Phase::FinalReads);
    story.read(10, R, 14, at(10, 3));
    story.logs = vec![log("n1", &[(6, 11), (8, 12), (9, 13), (10, 14)])];
    story
}

#[test]
fn a_correct_history_keeps_every_promise() {
    let verdict = correct().verdict();
    for check in &verdict.checks {
        assert_eq!(check.outcome, Outcome::Valid, "{check:?}");
        assert!(check.examined > 0, "{check:?}");
    }
    assert_eq!(verdict.checks.len(), 16);
}

#[test]
fn nothing_to_examine_is_unknown() {
    let mut story = Story::new();
    story.phase(Phase::Load);
    for check in story.verdict().checks {
        assert_eq!(check.outcome, Outcome::Unknown, "{check:?}");
        let reason = check.reason.as_deref().expect("says why");
        match check.binding {
            true => assert_eq!(reason, "nothing to examine"),
            false => assert!(reason.starts_with("not examined: "), "{reason}"),
        }
    }
}

#[test]
fn linearizable_refuses_a_stale_read() {
    let mut story = correct();
    story.write(1, R, 15, at(11, 4));
    story.now += 1_900_000_000;
    story.read(2, R, 14, at(10, 3));
    let check =
        invalid(&story, "linearizable", "client 2 read /r0 = 14 (version 3) on n2 at 3.92 s");
    let witness = check.witness.expect("checked");
    assert!(
        witness.sentence.ends_with(
            "after client 1's write of 15 (version 4) had been acknowledged 1.9 s earlier"
        ),
        "{}",
        witness.sentence
    );
    assert_eq!(witness.operations.len(), 2);
    assert_eq!(witness.key.as_deref(), Some(R));
    assert_eq!(witness.expected.as_deref(), Some("15 at version 4, or newer"));
    assert_eq!(witness.got.as_deref(), Some("14 at version 3"));
    valid(&story, "linearizable-writes");
}

#[test]
fn linearizable_refuses_a_read_of_another_value_at_the_same_version() {
    let mut story = correct();
    story.write(1, R, 15, at(11, 4));
    story.read(2, R, 14, at(11, 4));
    invalid(&story, "linearizable", "client 2 read /r0 = 14 (version 4)");
}

#[test]
fn linearizable_refuses_a_read_before_its_write() {
    let mut story = Story::new();
    story.read(1, R, 11, at(6, 1));
    story.write(2, R, 11, at(6, 1));
    let words = "client 1 read /r0 = 11 (version 1) on n1 at 0.00 s, 1 ms before client 2's write \
                 of 11 (version 1) was invoked";
    invalid(&story, "linearizable", words);
}

#[test]
fn linearizable_refuses_a_version_that_nobody_can_have_made() {
    let mut story = correct();
    story.read(1, R, 14, at(12, 5));
    invalid(&story, "linearizable", "client 1 read /r0 = 14 (version 5)");
    let mut story = Story::new();
    story.write(1, R, 11, at(6, 2));
    let sentence = "but before it the znode held nothing at version 0, and nothing in flight leads";
    invalid(&story, "linearizable", sentence);
}

#[test]
fn local_reads_may_be_stale() {
    let mut story = correct();
    story.write(1, R, 15, at(11, 4));
    story.local_read(2, R, 14, at(10, 3));
    for id in ["linearizable", "C2", "C5", "C6", "C8", "C9"] {
        valid(&story, id);
    }
}

#[test]
fn linearizable_writes_refuses_two_writes_of_one_version() {
    let mut story = correct();
    story.write(1, R, 15, at(11, 4));
    story.write(2, R, 16, at(12, 4));
    let words = "after client 1's write of 15 (version 4) had been acknowledged";
    invalid(&story, "linearizable-writes", words);
    let mut story = correct();
    story.invoke(1, f::WRITE, R, 15);
    story.invoke(2, f::WRITE, R, 16);
    story.ok(1, f::WRITE, json!(15), at(11, 4));
    story.ok(2, f::WRITE, json!(16), at(12, 4));
    invalid(&story, "linearizable-writes", "but the same version was client");
}

#[test]
fn linearizable_writes_refuses_a_compare_and_set_at_another_version() {
    let mut story = correct();
    story.bad_version(1, R, (3, 15), 11);
    story.write(1, R, 16, at(12, 4));
    story.read(2, R, 16, at(12, 4));
    invalid(&story, "linearizable", "client 1 was told that /r0 is not at version 3");
    let mut story = Story::new();
    story.write(1, R, 11, at(6, 1));
    story.bad_version(2, R, (1, 15), 11);
    invalid(&story, "linearizable-writes", "client 2 was told that /r0 is not at version 1");
}

#[test]
fn writes_of_unknown_outcome_may_have_happened_or_not() {
    let mut story = Story::new();
    for lost in 0..40 {
        story.lost_write(1 + lost % 3, R, 100 + lost as i64);
    }
    story.write(1, R, 11, at(30, 8));
    story.read(2, R, 105, at(32, 10));
    story.read(2, R, 139, at(40, 41));
    valid(&story, "linearizable");
    story.lost_write(1, R, 200);
    story.read(2, R, 200, at(44, 44));
    invalid(&story, "linearizable", "client 2 read /r0 = 200 (version 44)");
}

#[test]
fn a_witness_is_small_in_a_long_history() {
    let mut story = Story::new();
    for version in 1..=300_i32 {
        let (value, zxid) = (i64::from(version), 10 + u64::from(version.unsigned_abs()));
        story.write(1, R, value, at(zxid, version));
        story.read(2, R, value, at(zxid, version));
    }
    story.read(3, R, 7, at(17, 7));
    let check = invalid(&story, "linearizable", "client 3 read /r0 = 7 (version 7)");
    assert_eq!(check.witness.expect("checked").operations.len(), 2);
}

#[test]
fn c1_refuses_a_zxid_used_twice() {
    let mut story = correct();
    story.write(1, R, 15, at(11, 4));
    story.write(2, "/r1", 16, at(11, 1));
    invalid(&story, "C1", "with zxid 0xb, which client 1's write of 15 (version 4) had too");
    let mut story = correct();
    story.bad_version(1, R, (1, 13), 9);
    invalid(&story, "C1", "client 1 was told that /r0 is not at version 1");
}

#[test]
fn c2_refuses_a_session_that_goes_back_in_time() {
    let mut story = correct();
    story.local_read(2, R, 12, at(8, 2).later(9));
    story.local_read(2, R, 11, at(6, 1).later(7));
    invalid(&story, "C2", "was shown zxid 0x7, 2 ms after the same session had been shown 0x9");
    for id in ["linearizable", "C5", "C6", "C9"] {
        valid(&story, id);
    }
}

#[test]
fn c2_holds_across_reconnects_only_within_a_session() {
    let moved = |session: u64| {
        let mut story = correct();
        story.invoke(1, f::LOCAL_READ, R, Value::Null);
        let event = story.ok(1, f::LOCAL_READ, json!(11), at(6, 1).later(7));
        event.session = Some(history::Hex(session));
        event.node = Some("n3".into());
        story
    };
    invalid(&moved(0x101), "C2", "on n3");
    valid(&moved(0x777), "C2");
}

#[test]
fn c3_refuses_a_later_write_with_a_smaller_zxid() {
    let mut story = correct();
    story.write(1, "/r1", 15, at(12, 1));
    story.write(2, "/r2", 16, at(11, 1));
    invalid(&story, "C3", "client 2 wrote /r2 = 16 (version 1) on n2 at 2.02 s with zxid 0xb");
    valid(&story, "linearizable");
}

#[test]
fn c3_allows_concurrent_writes_in_any_order() {
    let mut story = correct();
    story.invoke(1, f::WRITE, "/r1", 15);
    story.invoke(2, f::WRITE, "/r2", 16);
    story.ok(1, f::WRITE, json!(15), at(12, 1));
    story.ok(2, f::WRITE, json!(16), at(11, 1));
    valid(&story, "C3");
}

#[test]
fn c5_refuses_a_state_that_lacks_an_acknowledged_write() {
    let mut story = correct();
    story.local_read(1, R, 11, at(6, 1).later(9));
    invalid(&story, "C5", "with zxid 0x9, which lacks client 2's write of 12 (version 2)");
}

#[test]
fn c5_refuses_other_data_than_was_written() {
    let mut story = correct();
    story.local_read(1, R, 11, at(8, 2).later(9));
    invalid(&story, "C5", "which contradicts client 2's write of 12 (version 2) at zxid 0x8");
    let mut story = correct();
    story.local_read(1, R, 14, at(9, 2).later(9));
    invalid(&story, "C5", "which contradicts client 2's write of 12 (version 2) at zxid 0x8");
}

#[test]
fn c5_refuses_data_newer_than_the_reply() {
    let mut story = correct();
    story.local_read(1, R, 14, at(10, 3).later(9));
    invalid(&story, "C5", "written at zxid 0xa, in a reply that claims to show the state at 0x9");
}

#[test]
fn c6_refuses_servers_that_disagree() {
    let mut story = correct();
    story.lost_write(1, R, 20);
    story.lost_write(2, R, 21);
    story.local_read(1, R, 20, at(11, 4));
    story.local_read(2, R, 21, at(11, 4));
    invalid(&story, "C6", "other data than client 1's read of 20 (version 4) on n1");
    let mut story = correct();
    story.lost_write(1, R, 20);
    story.local_read(1, R, 20, at(11, 4));
    story.local_read(2, R, 14, at(10, 3).later(12));
    invalid(&story, "C6", "older data than client 1's read of 20 (version 4) on n1");
}

#[test]
fn c7_refuses_what_nobody_wrote() {
    let mut story = correct();
    story.local_read(1, R, 99, at(11, 4));
    invalid(&story, "C7", "client 1 read /r0 = 99 (version 4) without sync on n1");
    let mut story = correct();
    story.write(1, "/r1", 99, at(11, 1));
    story.local_read(1, R, 99, at(12, 4));
    invalid(&story, "C7", "which nobody wrote");
    let mut story = correct();
    story.read(1, R, Value::Null, at(11, 4));
    invalid(&story, "C7", "though nobody emptied it");
}

#[test]
fn c7_refuses_what_was_refused() {
    let mut story = correct();
    story.local_read(1, R, 13, at(11, 4));
    invalid(&story, "C7", "though client 1's write of 13 was refused");
    let mut story = correct();
    story.refused_write(2, R, 30);
    story.local_read(1, R, 30, at(11, 4));
    invalid(&story, "C7", "though client 2's write of 30 was refused");
}

#[test]
fn c7_refuses_what_was_written_only_later() {
    let mut story = correct();
    story.local_read(1, R, 30, at(11, 4));
    story.write(2, R, 30, at(11, 4));
    invalid(&story, "C7", "before client 2's write of 30 (version 4) was invoked");
}

#[test]
fn c7_refuses_a_write_that_happened_twice() {
    let mut story = correct();
    story.local_read(1, R, 14, at(11, 4));
    invalid(&story, "C7", "it was written once");
}

#[test]
fn c8_refuses_a_lost_write() {
    let mut story = Story::new();
    story.write(1, R, 11, at(6, 1));
    story.write(1, R, 12, at(7, 2));
    story.phase(Phase::FinalReads);
    story.read(10, R, 12, at(7, 2));
    valid(&story, "C8");
    story.read(11, R, 11, at(6, 1));
    invalid(
        &story,
        "C8",
        "client 1's write of 12 (version 2) at zxid 0x7, acknowledged 5 ms earlier, is lost",
    );
}

#[test]
fn c8_refuses_a_znode_that_is_gone() {
    let mut story = Story::new();
    story.missing(2, R, 5);
    story.write(1, R, 12, at(7, 2));
    story.missing(2, R, 6);
    story.phase(Phase::FinalReads);
    story.read(11, R, 12, at(7, 2));
    valid(&story, "C8");
    story.missing(10, R, 0x2_0000_0001);
    invalid(
        &story,
        "C8",
        "client 10 was told at zxid 0x200000001 that there is no /r0: client 11's read of 12 \
         (version 2) at zxid 0x7 is lost",
    );
}

#[test]
fn c8_refuses_a_write_that_was_undone_and_overwritten() {
    let mut story = Story::new();
    story.write(1, R, 11, at(6, 1));
    story.write(1, R, 12, at(7, 2));
    story.write(2, R, 13, at(0x1_0000_0001, 2));
    story.phase(Phase::FinalReads);
    story.read(10, R, 13, at(0x1_0000_0001, 2));
    invalid(&story, "C8", "client 1's write of 12 (version 2) at zxid 0x7, acknowledged");
}

#[test]
fn c8_refuses_the_loss_of_what_was_only_seen() {
    let mut story = Story::new();
    story.write(1, R, 11, at(6, 1));
    story.lost_write(1, R, 12);
    story.local_read(2, R, 12, at(7, 2));
    story.phase(Phase::FinalReads);
    story.read(10, R, 11, at(6, 1).later(8));
    invalid(&story, "C8", "client 2's read of 12 (version 2) at zxid 0x7, answered");
}

#[test]
fn c9_refuses_a_read_after_sync_that_is_not_up_to_date() {
    let mut story = correct();
    story.write(1, "/r1", 15, at(12, 1));
    story.read(2, R, 14, at(10, 3).later(11));
    let words = "though client 1's write of 15 (version 1) to /r1 at zxid 0xc had been answered";
    invalid(&story, "C9", words);
    valid(&story, "linearizable");
}

#[test]
fn an_ok_without_stat_leaves_linearizability_open() {
    let mut story = correct();
    story.invoke(1, f::READ, R, Value::Null);
    story.ok(1, f::READ, json!(14), at(10, 3)).stat = None;
    let check = story.check("linearizable");
    assert_eq!(check.outcome, Outcome::Unknown);
    assert!(check.reason.expect("it says why").contains("without stat"));
}

#[test]
fn c3_compares_with_every_larger_zxid() {
    let mut story = correct();
    story.invoke(3, f::WRITE, "/r3", 17);
    story.write(1, "/r1", 15, at(20, 1));
    story.write(2, "/r2", 16, at(11, 1));
    story.ok(3, f::WRITE, json!(17), at(30, 1));
    invalid(&story, "C3", "though client 1's write of 15 (version 1) with zxid 0x14");
}

#[test]
fn c6_refuses_two_states_at_one_zxid() {
    let mut story = correct();
    story.lost_write(1, R, 20);
    story.local_read(1, R, 14, at(10, 3).later(12));
    story.local_read(2, R, 20, at(11, 4).later(12));
    invalid(&story, "C6", "other data than client 1's read of 14 (version 3) on n1");
}

#[test]
fn a_value_written_twice_does_not_tell_which_write_was_seen() {
    let mut story = Story::new();
    story.write(1, R, 7, at(6, 1));
    story.read(1, R, 7, at(6, 1));
    story.lost_write(2, R, 7);
    story.write(1, R, 8, at(8, 3));
    valid(&story, "linearizable");
}

/// Two servers at zxid 7, where the second had `other`.
fn seen(other: u64) -> Story {
    let mut story = correct();
    story.digest("n1", 7, 0xaa, None);
    story.digest("n1", 9, 0xbb, None);
    story.digest("n2", 7, other, None);
    story
}

#[test]
fn replicas_with_another_fingerprint_at_the_same_zxid_are_refused() {
    valid(&seen(0xaa), "C22");
    let check = seen(0xab).check("C22");
    assert_eq!((check.outcome, check.examined), (Outcome::Invalid, 1));
    let witness = check.witness.expect("a violation has a witness");
    let words = "n2's fingerprint at zxid 0x7 was 0xab, seen at 2.02 s; n1's was 0xaa";
    assert_eq!(witness.sentence, words);
    assert!(witness.window.0 < witness.window.1);
}

#[test]
fn a_server_that_stopped_for_its_state_is_refused() {
    let mut story = seen(0xaa);
    story.digest("n3", 8, 1, Some(2));
    let check = story.check("C22");
    assert_eq!((check.outcome, check.examined), (Outcome::Invalid, 2));
    let sentence = check.witness.expect("a violation has a witness").sentence;
    assert!(sentence.starts_with("n3's fingerprint at zxid 0x8 was 0x1"), "{sentence}");
    assert!(sentence.ends_with("a quorum's was 0x2"), "{sentence}");
}

#[test]
fn one_server_alone_is_compared_with_itself() {
    let mut story = correct();
    story.digest("n1", 7, 0xaa, None);
    story.digest("n1", 7, 0xaa, None);
    assert_eq!(story.check("C22").outcome, Outcome::Unknown);
    story.digest("n1", 7, 0xab, None);
    assert_eq!(story.check("C22").outcome, Outcome::Invalid);
}

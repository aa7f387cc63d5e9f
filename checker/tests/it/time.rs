//! What takes its time: C4, C10 and C23, each on histories where it is kept and where it is broken.

use checker::Outcome;
use history::{FaultStep, Outcome as Fate, Phase, f};

use crate::story::{Story, at};

const R: &str = "/r0";
const SECOND: u64 = 1_000_000_000;

fn outcome(story: &Story, id: &str) -> (Outcome, String) {
    let check = story.check(id);
    let said = check.witness.map(|witness| witness.sentence).or(check.reason);
    (check.outcome, said.unwrap_or_default())
}

fn valid(story: &Story, id: &str) {
    assert_eq!(outcome(story, id), (Outcome::Valid, String::new()), "{id}");
}

fn invalid(story: &Story, id: &str, words: &str) {
    let (outcome, sentence) = outcome(story, id);
    assert_eq!(outcome, Outcome::Invalid, "{id}: {sentence}");
    assert!(sentence.contains(words), "{sentence:?} lacks {words:?}");
}

/// Client 1 gives up a write, goes on elsewhere, and writes again: at zxid 8. Its first write is then seen
/// to have happened at `lost`.
fn overtaken_write(lost: u64) -> Story {
    let mut story = Story::new();
    story.connect(1, None, 0x101);
    story.write(1, R, 11, at(5, 1));
    story.lost_write(1, R, 12);
    story.connect(1, Some(0x101), 0x101);
    story.write(1, R, 13, at(8, 3));
    story.local_read(2, R, 12, at(lost, 2).later(9));
    story
}

#[test]
fn a_write_that_comes_after_a_later_one_of_its_session_is_refused() {
    valid(&overtaken_write(7), "C4");
    let story = overtaken_write(9);
    invalid(&story, "C4", "took effect after it, at zxid 0x9, as client 2's read of 12");
    assert_eq!(story.check("C4").examined, 2);
    assert_eq!(story.check("C4").witness.expect("broken").operations.len(), 3);
}

#[test]
fn another_session_may_overtake() {
    let mut story = Story::new();
    story.lost_write(1, R, 12);
    story.write(2, R, 13, at(8, 1));
    story.write(2, R, 14, at(9, 2));
    story.local_read(2, R, 12, at(10, 3));
    valid(&story, "C4");
}

/// A write at zxid 6, and a read `later` that shows the state of zxid 5.
fn stale(later: u64, fault: Option<&str>) -> Story {
    let mut story = Story::new();
    story.write(1, R, 10, at(5, 1));
    story.write(1, R, 11, at(6, 2));
    if let Some(kind) = fault {
        let installed = || Some(Fate::Installed);
        story.fault(1, kind, FaultStep::Injected, installed());
        story.now += later;
        story.fault(1, kind, FaultStep::Healed, installed());
    } else {
        story.now += later;
    }
    story.invoke(2, f::LOCAL_READ, R, serde_json::Value::Null);
    story.ok(2, f::LOCAL_READ, serde_json::json!(10), at(5, 1)).node = Some("n1".into());
    story
}

/// The bound is 5 + 2 ticks of 100 ms, and a second.
#[test]
fn a_server_must_not_be_behind_for_long() {
    let (outcome, why) = outcome(&stale(SECOND, None), "C10");
    assert_eq!(outcome, Outcome::Unknown);
    assert!(why.starts_with("not examined: no read came long enough"), "{why}");
    invalid(&stale(2 * SECOND, None), "C10", "had been answered 2.0 s before it asked");
    let mut story = Story::new();
    story.write(1, R, 11, at(6, 1));
    story.now += 2 * SECOND;
    story.local_read(2, R, 11, at(6, 1));
    valid(&story, "C10");
}

#[test]
fn a_server_that_was_stopped_knows_of_no_time() {
    assert_eq!(outcome(&stale(2 * SECOND, Some("pause:one")), "C10").0, Outcome::Unknown);
    invalid(&stale(2 * SECOND, Some("partition:one")), "C10", "no server may be that far behind");
    let mut story = stale(SECOND, Some("pause:one"));
    story.now += 2 * SECOND;
    story.invoke(2, f::LOCAL_READ, R, serde_json::Value::Null);
    story.ok(2, f::LOCAL_READ, serde_json::json!(10), at(5, 1)).node = Some("n1".into());
    invalid(&story, "C10", "no server may be that far behind");
}

#[test]
fn servers_must_be_back_in_time() {
    let healed = |after: u64, roles: &[(&str, &str)]| {
        let mut story = Story::new();
        story.leader("n1", 1);
        ["n2", "n3"].into_iter().for_each(|node| story.role(node, "looking"));
        story.phase(Phase::Settle);
        roles.iter().for_each(|(node, role)| story.role(node, role));
        story.now += after * SECOND;
        story.phase(Phase::End);
        story
    };
    valid(&healed(1, &[("n2", "follower"), ("n3", "follower")]), "C23");
    invalid(&healed(15, &[("n2", "follower")]), "C23", "was healed, at 0.00 s, n3 was looking");
    let (outcome, why) = outcome(&healed(14, &[("n2", "follower")]), "C23");
    assert_eq!((outcome, why.starts_with("not examined")), (Outcome::Unknown, true), "{why}");
}

/// Nobody but the harness is to blame for a server that it could not start again.
#[test]
fn servers_need_not_be_back_while_a_fault_is_in_force() {
    let story = |last: FaultStep| {
        let mut story = Story::new();
        story.leader("n2", 1);
        story.role("n3", "follower");
        story.role("n1", "unreachable");
        story.fault(1, "kill", FaultStep::Injected, Some(Fate::Installed));
        story.fault(1, "kill", last, (last == FaultStep::Healed).then_some(Fate::Installed));
        story.phase(Phase::Settle);
        story.now += 15 * SECOND;
        story.phase(Phase::End);
        story
    };
    let (outcome, why) = outcome(&story(FaultStep::Healing), "C23");
    let told = why.contains("a fault was never healed");
    assert_eq!((outcome, told), (Outcome::Unknown, true), "{why}");
    invalid(&story(FaultStep::Healed), "C23", "n1 was unreachable");
}

#[test]
fn a_server_that_ends_by_itself_is_broken_unless_its_disk_is() {
    let ended = |kind: &str| {
        let mut story = Story::new();
        story.fault(1, kind, FaultStep::Injected, Some(Fate::Installed));
        story.exit("n1", "exit status: 101");
        story.fault(1, kind, FaultStep::Healed, Some(Fate::Installed));
        story.settled();
        story
    };
    invalid(&ended("pause"), "C23", "n1 ended by itself at 0.00 s: exit status: 101");
    valid(&ended("disk:fsync-error"), "C23");
    let mut story = ended("disk:fsync-error");
    story.exit("n1", "exit status: 1");
    invalid(&story, "C23", "exit status: 1, though its disk was as it should be");
}

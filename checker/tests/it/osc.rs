//! OSC(U): reads may be stale, and each session's fit into the order of the writes.

use checker::Outcome;
use serde_json::Value;

use crate::story::{Reply, Story, at};

const R: &str = "/r0";
const S: &str = "/r1";

fn outcome(story: &Story) -> (Outcome, String) {
    let check = story.check("OSC(U)");
    let said = check.witness.map(|witness| witness.sentence).or(check.reason);
    (check.outcome, said.unwrap_or_default())
}

/// Client 1 writes two znodes; client 2 reads both, at these versions, from a server that makes up its
/// zxids.
fn reads(first: (&str, i32), second: (&str, i32)) -> Story {
    let mut story = Story::new();
    story.write(1, S, 11, at(5, 1));
    story.write(1, R, 12, at(6, 1));
    for (key, version) in [first, second] {
        let value = match (key, version) {
            (_, 0) => Value::Null,
            (S, _) => 11.into(),
            _ => 12.into(),
        };
        story.local_read(2, key, value, Reply { zxid: 6, mzxid: 5, version });
    }
    story
}

#[test]
fn reads_may_be_stale_in_the_order_of_the_writes() {
    for versions in [[0, 0], [1, 1], [0, 1]] {
        let story = reads((R, versions[0]), (S, versions[1]));
        assert_eq!(outcome(&story), (Outcome::Valid, String::new()), "{versions:?}");
    }
    assert_eq!(reads((R, 0), (S, 0)).check("OSC(U)").examined, 4);
}

/// Each znode by itself is in order.
#[test]
fn a_session_must_not_miss_what_came_before_what_it_has_seen() {
    let (outcome, sentence) = outcome(&reads((R, 1), (S, 0)));
    assert_eq!(outcome, Outcome::Invalid, "{sentence}");
    assert!(
        sentence.starts_with("client 2 read /r1 = nothing (version 0) without sync"),
        "{sentence}"
    );
    assert!(
        sentence.contains("after client 1's write of 11 (version 1), then client 1's write of 12")
    );
}

#[test]
fn a_session_must_not_go_back() {
    let mut story = reads((R, 1), (S, 1));
    story.local_read(2, R, Value::Null, Reply { zxid: 6, mzxid: 1, version: 0 });
    assert_eq!(outcome(&story).0, Outcome::Invalid);
    // Another session may.
    let mut story = reads((R, 1), (S, 1));
    story.local_read(3, R, Value::Null, Reply { zxid: 6, mzxid: 1, version: 0 });
    assert_eq!(outcome(&story).0, Outcome::Valid);
}

#[test]
fn writes_agree_with_real_time() {
    let mut story = reads((R, 1), (S, 1));
    story.write(3, R, 13, at(8, 3));
    story.write(4, R, 14, at(7, 2));
    let (outcome, sentence) = outcome(&story);
    assert_eq!(outcome, Outcome::Invalid, "{sentence}");
}

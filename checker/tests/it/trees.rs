//! Histories of a tree of znodes from elsewhere, as JSON lines: what the specification `znodes` knows,
//! and what it catches.

use std::fs;

use checker::{Limits, Outcome, Spec, Verdict, check_foreign};
use history::foreign::{Options, read};

/// Events `PROCESS TYPE F VALUE`, one a line, the value as JSON; of a `fail`, it is the error.
fn judge(events: &str) -> Verdict {
    let line = |line: &str| {
        let parts: Vec<_> = line.trim().splitn(4, ' ').collect();
        let [process, kind, f, value] = parts[..] else { panic!("{line}: four parts") };
        let field = if kind == "fail" { "error" } else { "value" };
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"{field}\":{value}}}\n")
    };
    let text: String = events.trim().lines().map(line).collect();
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.jsonl");
    fs::write(&path, text).expect("an empty scratch directory");
    let foreign = read(&path, Options::default()).expect("a good file");
    let spec = Spec::named("znodes").expect("a known name");
    check_foreign(&foreign, spec, Limits::default()).expect("operations on a tree")
}

/// The events hold with the one `answer`, and with the other they do not.
fn only(events: &str, right: &str, wrong: &str) {
    for (answer, outcome) in [(right, Outcome::Valid), (wrong, Outcome::Invalid)] {
        let verdict = judge(&format!("{events}\n{answer}"));
        assert_eq!(verdict.outcome, outcome, "{answer}: {}", verdict.sentence);
    }
}

const A: &str = r#"0 invoke create {"path": "/a", "data": "x"}
                   0 ok create {"path": "/a", "stat": {"czxid": 5, "version": 0}}"#;

#[test]
fn versions_and_stats() {
    let set = r#"1 invoke set {"path": "/a", "data": 7, "version": 0}"#;
    only(
        &format!("{A}\n{set}"),
        r#"1 ok set {"stat": {"version": 1, "dataLength": 1, "numChildren": 0}}"#,
        r#"1 ok set {"stat": {"version": 2}}"#,
    );
    let twice = format!("{A}\n{set}\n1 ok set null\n{set}");
    only(&twice, r#"1 fail set "BadVersion""#, r#"1 ok set null"#);
    only(&twice, r#"1 fail set "connection refused""#, r#"1 fail set "no-node""#);
}

#[test]
fn sequence_numbers() {
    let create = r#"1 invoke create {"path": "/a/n", "sequential": true}"#;
    only(
        &format!("{A}\n{create}\n1 ok create \"/a/n0000000000\"\n{create}"),
        r#"1 ok create {"path": "/a/n0000000001"}"#,
        r#"1 ok create "/a/n0000000000""#,
    );
    // A creation that nobody heard of may have taken a number.
    only(
        &format!("{A}\n2 invoke create {{\"path\": \"/a/b\"}}\n2 info create null\n{create}"),
        r#"1 ok create {"path": "/a/n0000000001"}"#,
        r#"1 ok create "/a/n0000000002""#,
    );
}

#[test]
fn ephemerals() {
    let made = format!(
        "{A}\n{}\n{}",
        r#"1 invoke create {"path": "/a/e", "ephemeral": true}"#,
        r#"1 ok create {"path": "/a/e", "stat": {"ephemeralOwner": 1}}"#
    );
    let children = r#"2 invoke children {"path": "/a"}"#;
    only(
        &format!("{made}\n1 invoke close null\n1 ok close null\n{children}"),
        r#"2 ok children {"children": [], "stat": {"cversion": 2}}"#,
        r#"2 ok children ["e"]"#,
    );
    // A session that may have ended is a close of unknown outcome.
    let expiry = format!("{made}\n9 invoke close 1\n9 info close 1\n{children}");
    only(&expiry, "2 ok children []", "2 ok children [\"f\"]");
    only(&expiry, "2 ok children [\"e\"]", "2 ok children [\"e\", \"f\"]");
    let below = r#"2 invoke create {"path": "/a/e/c"}"#;
    only(
        &format!("{made}\n{below}"),
        r#"2 fail create "NoChildrenForEphemerals""#,
        r#"2 ok create null"#,
    );
}

#[test]
fn multis() {
    let multi = r#"1 invoke multi [{"f": "check", "path": "/a", "version": 0},
        {"f": "create", "path": "/a/b"}, {"f": "set", "path": "/a", "data": "y"}]"#
        .replace('\n', "");
    only(
        &format!("{A}\n{multi}"),
        r#"1 ok multi [null, "/a/b", {"stat": {"version": 1}}]"#,
        r#"1 fail multi "NodeExists""#,
    );
    // All or nothing.
    let seen = |data: &str| {
        format!(
            "2 invoke exists {{\"path\": \"/a/b\"}}\n2 ok exists true\n\
             2 invoke get {{\"path\": \"/a\"}}\n2 ok get \"{data}\""
        )
    };
    only(&format!("{A}\n{multi}\n1 info multi null"), &seen("y"), &seen("x"));
}

#[test]
fn a_violation_is_shrunk_to_the_znode_that_shows_it() {
    let mut events = A.to_owned();
    for n in 0..50 {
        events += &format!(
            "\n{0} invoke create {{\"path\": \"/a/{n}\", \"data\": {n}}}\n{0} ok create null",
            n % 3
        );
    }
    events += "\n1 invoke delete {\"path\": \"/a/7\"}\n1 ok delete null";
    events += "\n2 invoke get {\"path\": \"/a/7\"}\n2 ok get \"7\"";
    let verdict = judge(&events);
    let witness = verdict.checks[0].witness.as_ref().expect("a violation has a witness");
    assert!(witness.operations.len() <= 3, "{witness:#?}");
    let expected = witness.expected.as_deref().expect("what it should be");
    assert!(expected.contains("/a = \"x\"") && expected.contains("delete"), "{expected}");
}

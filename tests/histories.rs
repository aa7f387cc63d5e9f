//! Histories from elsewhere, from outside: `check --spec` and `history convert`.

use std::fs;
use std::process::{Command, Output};

const TREE: &str = r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"create","value":{"ask":"create","path":"/z0/a","value":7}}
{"index":1,"time":9,"process":3,"type":"ok","f":"create","value":{"told":"created","path":"/z0/a"},"zxid":"0x5"}
"#;
const LOG: &str = "\
INFO  jepsen.util - 0\t:invoke\t:write\t1
INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
INFO  jepsen.util - 2\t:ok\t:read\t2
";

fn zoobreak(argv: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zoobreak")).args(argv).output().expect("it was built")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_history_keeps_its_verdict_in_every_form() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let stale = format!(
        "{LOG}INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t1\n"
    );
    for (text, exit) in [(LOG, 0), (&stale, 1)] {
        fs::write(path("a.log"), text).expect("a scratch directory");
        for (from, to) in [("a.log", "b.edn"), ("b.edn", "c.jsonl"), ("c.jsonl", "d.log")] {
            let done = zoobreak(&["history", "convert", &path(from), &path(to)]);
            assert_eq!(done.status.code(), Some(0), "{}", told(&done));
            let judged = zoobreak(&["check", &path(to), "--spec", "cas-register"]);
            assert_eq!(judged.status.code(), Some(exit), "{to}: {}", told(&judged));
        }
        assert_eq!(fs::read_to_string(path("d.log")).expect("written"), text);
    }
}

#[test]
fn a_violation_is_told_and_written_down() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let stale =
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t1\n";
    fs::write(path("a.log"), format!("{LOG}{stale}")).expect("a scratch directory");
    let judged = zoobreak(&[
        "check",
        &path("a.log"),
        "--spec",
        "cas-register",
        "--verdict",
        &path("verdict.json"),
    ]);
    assert_eq!(judged.status.code(), Some(1), "{}", told(&judged));
    assert!(told(&judged).contains("expected: held 2, after client"), "{}", told(&judged));
    let text = fs::read_to_string(path("verdict.json")).expect("written");
    let verdict: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let witness = &verdict["checks"][0]["witness"];
    let operations = witness["operations"].as_array().expect("a list").len();
    assert!((2..=4).contains(&operations), "{witness}");
    assert_eq!(witness["order"].as_array().map(Vec::len), Some(operations - 1), "{witness}");
    assert_eq!(witness["got"], "client 0's read -> 1 (line 7)");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    fs::write(path("a.log"), LOG).expect("a scratch directory");
    fs::write(path("bad.edn"), "{:process 0, :type :ok, :f :read, :value 1}\n").expect("scratch");
    fs::write(path("tree.jsonl"), TREE).expect("a scratch directory");
    let cases: [(&[&str], i32, &str); 7] = [
        (
            &["history", "convert", &path("tree.jsonl"), &path("tree.edn")],
            64,
            "1 connections, reads without sync and operations on a tree",
        ),
        (&["check", &path("a.log"), "--spec", "stack"], 64, "known are cas-register"),
        (&["check", &path("a.log"), "--spec", "queue"], 3, "line 1: field `f`"),
        (&["check", &path("bad.edn"), "--spec", "register"], 3, "bad.edn:1: field `type`"),
        (&["check", &path("absent"), "--spec", "register"], 64, "no such"),
        (&["history", "convert", &path("a.log"), &path("b.xyz")], 64, "say --to"),
        (&["history", "convert", &path("absent"), &path("b.edn")], 64, "no such"),
    ];
    for (argv, exit, part) in cases {
        let output = zoobreak(argv);
        assert_eq!(output.status.code(), Some(exit), "{argv:?}: {}", told(&output));
        assert!(told(&output).contains(part), "{argv:?}: {}", told(&output));
    }
    assert!(!scratch.path().join("tree.edn").exists(), "nothing is written");
}

#[test]
fn a_planted_stale_read_is_found_and_explained_by_few_calls() {
    for (stale, verdict) in [(false, "valid"), (true, "invalid")] {
        let shape = format!(
            r#"{{"clients":10,"operations":1000,"keys":1,"distinct":true,"unknown":10,"cas_heavy":false,"stale":{stale},"seed":1}}"#
        );
        let output = zoobreak(&["bench", "checker", "--shape", &shape]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        let cost: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(cost["verdict"], verdict, "{cost}");
        assert!(cost["seconds"].as_f64().expect("a number") > 0.0, "{cost}");
        assert!(cost["bytes"].as_u64().expect("a number") > 1 << 20, "{cost}");
        let explained_by = cost["explained_by"].as_u64().expect("a number");
        assert_eq!((1..=10).contains(&explained_by), stale, "{cost}");
    }
}

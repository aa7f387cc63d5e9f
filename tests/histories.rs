//! Histories from elsewhere, from outside: `check --spec` and `history convert`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
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

/// One of zoobreak's own: a read after sync that lacks a write acknowledged before.
const OWN_STALE: &str = r#"{"index":0,"time":1000,"process":0,"type":"invoke","f":"write","key":"/r0","value":1,"node":"n1"}
{"index":1,"time":2000,"process":0,"type":"ok","f":"write","key":"/r0","value":1,"node":"n1","session":"0x1","zxid":"0x11","stat":{"czxid":"0x1","mzxid":"0x11","version":1}}
{"index":2,"time":3000,"process":0,"type":"invoke","f":"write","key":"/r0","value":2,"node":"n1"}
{"index":3,"time":4000,"process":0,"type":"ok","f":"write","key":"/r0","value":2,"node":"n1","session":"0x1","zxid":"0x12","stat":{"czxid":"0x1","mzxid":"0x12","version":2}}
{"index":4,"time":5000,"process":1,"type":"invoke","f":"read","key":"/r0","node":"n2"}
{"index":5,"time":6000,"process":1,"type":"ok","f":"read","key":"/r0","value":1,"node":"n2","session":"0x2","zxid":"0x11","stat":{"czxid":"0x1","mzxid":"0x11","version":1}}
"#;

/// A queue that 24 clients fill at once with three values over and over: what is taken out then has
/// an order, among more than anybody can look through. Before that, one client is alone for 40 events.
fn hard() -> String {
    let (mut text, mut line) = (String::new(), 0);
    let mut event = |process: usize, kind: &str, f: &str, value: &str| {
        let rest = format!(r#""type":"{kind}","f":"{f}","value":{value}"#);
        let _ = writeln!(text, r#"{{"index":{line},"process":{process},{rest}}}"#);
        line += 1;
    };
    for n in 0..10 {
        for (f, asked) in [("enqueue", format!("{n}")), ("dequeue", "null".to_owned())] {
            event(0, "invoke", f, &asked);
            event(0, "ok", f, &n.to_string());
        }
    }
    for kind in ["invoke", "ok"] {
        (0..24).for_each(|client| event(client, kind, "enqueue", &(client % 3).to_string()));
    }
    for n in 0..24 {
        event(0, "invoke", "dequeue", "null");
        event(0, "ok", "dequeue", &(n * n / 8 % 3).to_string());
    }
    text
}

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
fn a_stale_read_is_sequentially_consistent_and_one_that_goes_back_is_not() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("a.log").display().to_string();
    let read = |value: u32| {
        format!(
            "INFO  jepsen.util - 3\t:invoke\t:read\tnil\n\
             INFO  jepsen.util - 3\t:ok\t:read\t{value}\n"
        )
    };
    let stale = format!("{LOG}{}", read(1));
    let back = format!("{LOG}{}{}", read(2), read(1));
    let promises = ["linearizable", "zookeeper", "sequential"];
    for (text, exits) in [(LOG, [0, 0, 0]), (&*stale, [1, 0, 0]), (&*back, [1, 1, 1])] {
        fs::write(&path, text).expect("a scratch directory");
        for (promise, exit) in promises.into_iter().zip(exits) {
            let judged =
                zoobreak(&["check", &path, "--spec", "cas-register", "--consistency", promise]);
            assert_eq!(judged.status.code(), Some(exit), "{promise}: {}", told(&judged));
        }
    }
}

#[test]
fn a_violation_is_told_and_written_down() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let stale =
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t1\n";
    fs::write(path("a.log"), format!("{LOG}{stale}")).expect("a scratch directory");
    let judged =
        zoobreak(&["check", &path("a.log"), "--spec", "cas-register", "--out", &path("judged")]);
    assert_eq!(judged.status.code(), Some(1), "{}", told(&judged));
    assert!(told(&judged).contains("expected: held 2, after client"), "{}", told(&judged));
    assert!(told(&judged).contains(&path("judged/report.html")), "{}", told(&judged));
    let (verdict, page) = results(&scratch.path().join("judged"));
    let witness = &verdict["checks"][0]["witness"];
    let operations = witness["operations"].as_array().expect("a list").len();
    assert!((2..=4).contains(&operations), "{witness}");
    assert_eq!(witness["order"].as_array().map(Vec::len), Some(operations - 1), "{witness}");
    assert_eq!(witness["got"], "client 0's read -> 1 (line 7)");
    let plain = page.split("<script").next().expect("a page");
    for said in [
        "a.log × cas-register",
        "<h1 class=\"invalid\">invalid</h1>",
        "<p class=\"sentence\">client 0&#39;s read -&gt; 1 (line 7): before it the object held 2",
        "4 operations were examined. The lanes below show 4 by 3 clients: all that there is.",
        "<svg class=\"witness\"",
        "<dt>expected</dt><dd>held 2, after client",
        "<dt>got</dt><dd>client 0&#39;s read -&gt; 1 (line 7)</dd>",
        "<dt>in one order</dt>",
        "a.log --spec cas-register --out",
        "zoobreak history convert",
    ] {
        assert!(plain.contains(said), "the page does not say {said:?}: {plain}");
    }
    assert!(page.contains("\"by_position\":true"), "times are positions");
}

/// `verdict.json` and `report.html` of a directory.
fn results(directory: &Path) -> (serde_json::Value, String) {
    let read = |name: &str| fs::read_to_string(directory.join(name)).expect("written");
    (serde_json::from_str(&read("verdict.json")).expect("JSON"), read("report.html"))
}

#[test]
fn what_is_not_decided_is_told_up_to_where() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    fs::write(path("hard.jsonl"), hard()).expect("a scratch directory");
    let judged = zoobreak(&[
        "check",
        &path("hard.jsonl"),
        "--spec",
        "queue",
        "--budget-memory",
        "1",
        "--out",
        &path("judged"),
    ]);
    assert_eq!(judged.status.code(), Some(2), "{}", told(&judged));
    let (verdict, page) = results(&scratch.path().join("judged"));
    let check = &verdict["checks"][0];
    let reached = check["reached"].as_u64().expect("an operation");
    assert!(reached >= 38, "what one client does alone is decided: {check}");
    let reason = check["reason"].as_str().expect("a reason");
    assert!(reason.contains(&format!("(line {})", reached + 1)), "{reason}");
    let plain = page.split("<script").next().expect("a page");
    assert!(plain.contains("<h1 class=\"unknown\">unknown</h1>"), "{plain}");
    assert!(plain.contains("gave up at operation"), "{plain}");
}

#[test]
fn a_history_that_was_streamed_has_a_report_of_its_own_events() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    fs::write(path("h.jsonl"), OWN_STALE).expect("a scratch directory");
    for how in [&["--stream"][..], &[]] {
        let out = path(if how.is_empty() { "whole" } else { "streamed" });
        let judged = zoobreak(&[&["check", &path("h.jsonl"), "--out", &out], how].concat());
        assert_eq!(judged.status.code(), Some(1), "{}", told(&judged));
        let (verdict, page) = results(Path::new(&out));
        assert_eq!(verdict["checks"][0]["id"], "linearizable", "{verdict}");
        let plain = page.split("<script").next().expect("a page");
        assert!(plain.contains("<svg class=\"witness\""), "{plain}");
        assert!(plain.contains("read → 1 v1 · n2"), "{plain}");
        assert!(page.contains("\"by_position\":false"), "it has times");
    }
    let run = zoobreak(&["check", &scratch.path().display().to_string(), "--out", "there"]);
    assert_eq!(run.status.code(), Some(64), "{}", told(&run));
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = |name: &str| scratch.path().join(name).display().to_string();
    fs::write(path("a.log"), LOG).expect("a scratch directory");
    fs::write(path("bad.edn"), "{:process 0, :type :ok, :f :read, :value 1}\n").expect("scratch");
    fs::write(path("tree.jsonl"), TREE).expect("a scratch directory");
    let cases: [(&[&str], i32, &str); 8] = [
        (
            &["history", "convert", &path("tree.jsonl"), &path("tree.edn")],
            64,
            "1 connections, reads without sync and operations on a tree",
        ),
        (&["check", &path("a.log"), "--spec", "stack"], 64, "known are cas-register"),
        (
            &["check", &path("a.log"), "--spec", "register", "--consistency", "eventual"],
            64,
            "known are linearizable, sequential, zookeeper",
        ),
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
            r#"{{"Shape":{{"clients":10,"operations":1000,"keys":1,"values":"Distinct","unknown":10,"stale":{stale},"seed":1}}}}"#
        );
        let output = zoobreak(&["bench", "checker", "--measure", &shape]);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        let cost: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(cost["verdict"], verdict, "{cost}");
        assert!(cost["seconds"].as_f64().expect("a number") > 0.0, "{cost}");
        assert!(cost["peak"].as_u64().expect("a number") > 1 << 20, "{cost}");
        // How few they are is told by the tests of the bench itself.
        assert_eq!(cost["explained"].as_u64().is_some_and(|calls| calls <= 10), stale, "{cost}");
    }
}

/// Ways to judge one of zoobreak's own histories.
const WAYS: [&[&str]; 3] = [&[], &["--stream"], &["--spec", "cas-register"]];

#[test]
fn what_is_wrong_with_a_history_is_said_whichever_way_it_is_judged() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let file = scratch.path().join("h.jsonl");
    let lines: Vec<&str> = OWN_STALE.lines().collect();
    let broken = |line: usize, from: &str, to: &str| {
        assert!(lines[line].contains(from), "{}", lines[line]);
        let line_of = |n: usize| match n == line {
            true => lines[n].replace(from, to) + "\n",
            false => lines[n].to_owned() + "\n",
        };
        (0..lines.len()).map(line_of).collect::<String>()
    };
    let cases = [
        (broken(1, r#""type":"ok""#, r#""type":"invoke""#), "h.jsonl:2: field `type`"),
        (broken(1, r#""process":0"#, r#""process":5"#), "h.jsonl:2: field `type`"),
        (broken(2, r#""index":2"#, r#""index":1"#), "h.jsonl:3: field `index`"),
        (broken(3, r#""index":3"#, r#""index":"3""#), "h.jsonl:4: field `index`"),
        (broken(2, r#""f":"write""#, r#""f":"swap""#), "field `f`"),
        (broken(4, r#""process":1"#, r#""process":-1"#), "h.jsonl:5: field `process`"),
        (broken(3, r#"{"index""#, "what"), "h.jsonl:4: "),
    ];
    for (text, part) in cases {
        fs::write(&file, &text).expect("a scratch directory");
        for how in WAYS {
            let judged = zoobreak(&[&["check", &file.display().to_string()], how].concat());
            assert_eq!(judged.status.code(), Some(3), "{how:?}: {text}: {}", told(&judged));
            assert!(told(&judged).contains(part), "{how:?}: not {part}: {}", told(&judged));
        }
    }
}

#[test]
fn a_cut_end_is_dropped_and_said_whichever_way_it_is_judged() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let file = scratch.path().join("h.jsonl");
    fs::write(&file, &OWN_STALE[..OWN_STALE.len() - 30]).expect("a scratch directory");
    for how in WAYS {
        let judged = zoobreak(&[&["check", &file.display().to_string()], how].concat());
        assert_ne!(judged.status.code(), Some(1), "{how:?}: what is cut is not known");
        assert!(told(&judged).contains("line 6"), "{how:?}: {}", told(&judged));
    }
}

/// Files of holes, so that they take no room. A line without end is refused after 16 MiB of it.
#[test]
fn ten_gigabytes_of_garbage_are_refused_in_little_memory() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("h.jsonl");
    let first = OWN_STALE.lines().next().expect("a line");
    for (text, line) in [(String::new(), 1), (format!("{first}\n"), 2)] {
        fs::write(&path, text).expect("a scratch directory");
        let file = fs::OpenOptions::new().append(true).open(&path).expect("it was written");
        file.set_len(10 << 30).expect("a file with a hole");
        let forms: [&[&str]; 4] = [
            &["--spec", "register", "--from", "edn"],
            &["--spec", "register", "--from", "json"],
            &["--spec", "register", "--from", "log"],
            &["--spec", "kv", "--from", "kv"],
        ];
        for how in WAYS.into_iter().chain(forms) {
            let limited = "ulimit -v 1500000 && exec \"$0\" check \"$@\"";
            let judged = Command::new("sh")
                .args(["-c", limited, env!("CARGO_BIN_EXE_zoobreak")])
                .arg(&path)
                .args(how)
                .output()
                .expect("a shell");
            assert_eq!(judged.status.code(), Some(3), "{how:?}: {}", told(&judged));
            let place = format!("h.jsonl:{line}: ");
            let elsewhere = how.contains(&"edn") || how.contains(&"kv") || how.contains(&"log");
            let said = told(&judged);
            assert!(said.contains(&place) || elsewhere && said.contains("h.jsonl:1: "), "{said}");
        }
    }
}

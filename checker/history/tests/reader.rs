//! The reader: what the harness writes comes back, and anything else is refused with its place.

use std::io::BufReader;
use std::path::Path;

use history::foreign::{self, Format, Options};
use history::znode::{Change, Told};
use history::{Action, History, Phase, Problem, ReadError, Status};

const INVOKE: &str =
    r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"cas","key":"/r2","value":[1,7]}"#;
const OK: &str = r#"{"index":1,"time":9,"process":3,"type":"ok","f":"cas","key":"/r2","value":[1,7],"node":"n2","session":"0x2a","zxid":"0x100000004","stat":{"czxid":"0x1","mzxid":"0x100000004","version":2}}"#;

fn read(text: &str) -> Result<History, ReadError> {
    history::read_from(text.as_bytes(), Path::new("h.jsonl"), usize::MAX)
}

fn lines(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// The message for a history whose last line is wrong.
fn refusal(text: &[&str]) -> String {
    let error = read(&lines(text)).expect_err("it must be refused").to_string();
    let place = format!("h.jsonl:{}: ", text.len());
    error.strip_prefix(&place).unwrap_or_else(|| panic!("{error:?} names no place")).to_owned()
}

fn refused_for(text: &[&str], part: &str) {
    let message = refusal(text);
    assert!(message.contains(part), "{message:?} does not say {part:?}");
}

#[test]
fn an_operation_is_its_invocation_and_its_completion() {
    let history = read(&lines(&[INVOKE, OK])).expect("well-formed");
    let [op] = history.operations.as_slice() else { panic!("one operation") };
    assert_eq!(op.action, Action::Cas { key: "/r2".into(), expected: 1, value: 7 });
    assert_eq!((op.process, op.status, op.start, op.end), (3, Status::Ok, 5, Some(9)));
    assert_eq!((op.invoke, op.complete), (0, Some(1)));
    assert_eq!(op.node.as_deref(), Some("n2"));
    assert_eq!(op.stat.map(|stat| stat.version), Some(2));
    assert_eq!(op.zxid.map(|zxid| zxid.0), Some(0x1_0000_0004));
    assert_eq!((history.events, history.end, history.cut), (2, 9, None));
}

#[test]
fn open_and_info_operations_have_no_end() {
    let info = INVOKE.replace("invoke", "info").replace("\"index\":0", "\"index\":1");
    let open = INVOKE.replace("\"index\":0", "\"index\":2");
    let history = read(&lines(&[INVOKE, &info, &open])).expect("well-formed");
    let ends: Vec<_> =
        history.operations.iter().map(|op| (op.status, op.complete, op.end)).collect();
    assert_eq!(ends, [(Status::Unknown, Some(1), None), (Status::Unknown, None, None)]);
    assert!(!history.operations[0].precedes(&history.operations[1]));
}

#[test]
fn faults_roles_exits_and_phases_are_typed() {
    let history = read(&lines(&[
        r#"{"index":0,"time":0,"process":"run","type":"info","f":"phase","value":"final-reads"}"#,
        r#"{"index":1,"time":1,"process":"probe","type":"info","f":"role","node":"n1","value":{"role":"leader","epoch":3}}"#,
        r#"{"index":2,"time":2,"process":"nemesis","type":"info","f":"fault","value":{"fault":1,"step":"injected","kind":"kill","what":"n1 killed","nodes":["n1"],"outcome":"skipped","reason":"it was dead"}}"#,
        r#"{"index":3,"time":3,"process":"run","type":"info","f":"remark","value":"anything"}"#,
        r#"{"index":4,"time":4,"process":"run","type":"info","f":"exit","node":"n2","value":"exit status: 101"}"#,
    ]))
    .expect("well-formed");
    assert_eq!(history.phase(Phase::FinalReads).map(|at| at.index), Some(0));
    assert_eq!(history.roles[0].what.epoch, Some(3));
    assert_eq!(history.roles[0].node.as_deref(), Some("n1"));
    assert_eq!(history.faults[0].what.nodes, ["n1"]);
    assert_eq!(history.exits[0].node.as_deref(), Some("n2"));
    assert_eq!(history.exits[0].what, "exit status: 101");
}

#[test]
fn a_last_line_cut_anywhere_is_dropped_and_stated() {
    for bytes in 1..OK.len() {
        let text = format!("{INVOKE}\n{}", &OK[..bytes]);
        let history = read(&text).unwrap_or_else(|error| panic!("cut at {bytes}: {error}"));
        let cut = history.cut.expect("stated");
        assert_eq!(cut, format!("line 2 was cut after {bytes} bytes; dropped"));
        assert_eq!(history.operations[0].status, Status::Unknown);
    }
}

#[test]
fn a_last_line_without_newline_counts_when_it_is_whole() {
    let history = read(&format!("{INVOKE}\n{OK}")).expect("well-formed");
    assert_eq!((history.events, history.cut), (2, None));
}

#[test]
fn an_empty_history_is_refused() {
    for text in ["", "{\"index\":0,\"ti"] {
        let error = read(text).expect_err("empty");
        assert!(matches!(error, ReadError::Empty { .. }), "{error}");
        assert!(error.to_string().starts_with("h.jsonl: the history is empty"));
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = history::read(Path::new("/nowhere/h.jsonl"), usize::MAX).expect_err("missing");
    assert!(error.to_string().starts_with("/nowhere/h.jsonl: "), "{error}");
}

#[test]
fn a_line_cut_in_the_middle_is_refused() {
    let error = read(&lines(&[&INVOKE[..20], OK])).expect_err("cut in the middle").to_string();
    assert!(error.starts_with("h.jsonl:1: not JSON"), "{error}");
}

#[test]
fn what_is_no_json_is_refused() {
    refused_for(&[INVOKE, "hello"], "not JSON");
    refused_for(&[INVOKE, "[1,2]"], "not JSON (no object)");
    refused_for(&[INVOKE, ""], "not JSON");
}

#[test]
fn a_wrong_field_is_named() {
    refused_for(&[&INVOKE.replace("\"time\":5,", "")], "field `time`: missing");
    refused_for(&[&INVOKE.replace(":5", ":\"5\"")], "field `time`: expected a whole number");
    refused_for(&[&INVOKE.replace("invoke", "begin")], "field `type`: expected invoke, ok, fail");
    refused_for(&[&INVOKE.replace(":3", ":[3]")], "field `process`: expected a client's number");
    refused_for(&[INVOKE, &OK.replace("0x2a", "2a")], "field `session`: expected a number like");
    refused_for(&[INVOKE, &OK.replace("\"version\":2", "\"v\":2")], "field `stat`: expected");
    refused_for(&[&INVOKE.replace("[1,7]", "7")], "field `value`: of a cas: expected [expected");
    refused_for(&[&INVOKE.replace("\"key\":\"/r2\",", "")], "field `key`: missing");
    refused_for(&[&INVOKE.replace("cas", "swap")], "unknown operation \"swap\"");
}

#[test]
fn a_note_about_a_server_names_it() {
    let role = r#"{"index":0,"time":1,"process":"probe","type":"info","f":"role","value":{"role":"leader"}}"#;
    refused_for(&[role], "field `node`: missing: whose role is it?");
    let fault = r#"{"index":0,"time":2,"process":"nemesis","type":"info","f":"fault","value":7}"#;
    refused_for(&[fault], "field `value`: of a fault: invalid type");
}

#[test]
fn a_read_returns_an_integer_or_null() {
    let invoke = r#"{"index":0,"time":0,"process":1,"type":"invoke","f":"read","key":"/r"}"#;
    let ok = invoke.replace("invoke", "ok").replace("\"index\":0", "\"index\":1");
    let history = read(&lines(&[invoke, &ok])).expect("null is fine");
    assert_eq!(history.operations[0].read, None);
    refused_for(&[invoke, &ok.replace("\"/r\"", "\"/r\",\"value\":\"x\"")], "an integer or null");
}

#[test]
fn gaps_repeats_and_reordering_are_refused() {
    refused_for(&[INVOKE, &OK.replace("\"index\":1", "\"index\":3")], "expected 1, found 3");
    refused_for(&[INVOKE, INVOKE], "expected 1, found 0: events are repeated or out of order");
    refused_for(&[OK], "expected 0, found 1: events are missing");
    refused_for(&[INVOKE, &OK.replace(":9,", ":4,")], "4 is before the last event's 5");
}

#[test]
fn operations_that_no_client_does_are_refused() {
    let second = INVOKE.replace("\"index\":0", "\"index\":1");
    refused_for(&[INVOKE, &second], "client 3 invokes while its operation of event 0 is open");
    let orphan = OK.replace("\"index\":1", "\"index\":0");
    refused_for(&[&orphan], "client 3 completes an operation that it has not invoked");
    refused_for(&[INVOKE, &OK.replace("/r2", "/r3")], "field `key`: found \"/r3\"");
    refused_for(&[INVOKE, &OK.replace("cas", "write")], "field `f`: found \"write\"");
}

#[test]
fn problems_can_be_matched_on() {
    let error = read(&lines(&[OK])).expect_err("a gap");
    let ReadError::Line { line, problem, .. } = error else { panic!("{error}") };
    assert_eq!((line, problem), (1, Problem::Gap { expected: 0, found: 1 }));
}

#[test]
fn requests_on_a_tree_are_typed_with_what_was_told() {
    let create = r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"create","value":{"ask":"create","path":"/z0/s-","value":7,"sequential":true}}"#;
    let made = r#"{"index":1,"time":9,"process":3,"type":"ok","f":"create","value":{"told":"created","path":"/z0/s-0000000004"},"zxid":"0x5"}"#;
    let event = r#"{"index":2,"time":9,"process":"watch","type":"info","f":"watch","node":"n1","value":{"client":3,"path":"/z0","change":"children"}}"#;
    let digest = r#"{"index":3,"time":9,"process":"probe","type":"info","f":"digest","node":"n1","value":{"zxid":"0x5","digest":"0xff"}}"#;
    let history = read(&lines(&[create, made, event, digest])).expect("well-formed");
    let [op] = history.operations.as_slice() else { panic!("one operation") };
    let ask = op.action.ask().expect("of the tree");
    assert_eq!((ask.path(), ask.written(), ask.is_write()), (Some("/z0/s-"), Some(7), true));
    assert_eq!(ask.to_string(), "create /z0/s-<n> = 7");
    assert_eq!((op.action.key(), op.action.path()), (None, Some("/z0/s-")));
    let told = Told::Created { path: "/z0/s-0000000004".into(), stat: None };
    assert_eq!(op.told.as_deref(), Some(&told));
    assert_eq!(
        (history.watches[0].what.client, history.watches[0].what.change),
        (3, Change::Children)
    );
    assert_eq!(history.digests[0].what.digest.0, 0xff);

    refused_for(
        &[&create.replace("\"path\":\"/z0/s-\",", "")],
        "expected what is asked of the tree",
    );
    refused_for(
        &[&create.replace("\"f\":\"create\"", "\"f\":\"delete\"")],
        "of a delete: it asks to create",
    );
    refused_for(&[create, &made.replace("created", "painted")], "what was told of the tree");
}

#[test]
fn garbage_without_end_is_refused_soon() {
    for byte in [b'x', b'{', b' ', 0] {
        let endless = BufReader::new(std::io::repeat(byte));
        let error =
            history::read_from(endless, Path::new("h.jsonl"), usize::MAX).expect_err("no history");
        assert!(error.to_string().starts_with("h.jsonl:1: "), "{error}");
    }
    for options in [None, Some(Format::Edn), Some(Format::Json), Some(Format::Log)] {
        let options = Options { format: options, keyed: false };
        let error = foreign::read(Path::new("/dev/zero"), options).expect_err("no history");
        assert!(error.to_string().starts_with("/dev/zero:1: "), "{error}");
    }
}

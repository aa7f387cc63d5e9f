use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::pieces::{Unread, other};
use super::*;
use crate::event::Kind;

const LINES: [&str; 9] = [
    r#"{"index":999,"time":4690220784,"process":2,"type":"invoke","f":"read","key":"/r4","value":null,"node":"n1","session":"0x300022a898f0001"}"#,
    r#"{"index":1000,"time":4690971234,"process":7,"type":"ok","f":"cas","key":"/r8","value":[4,7000012],"node":"n2","session":"0x200022a89720000","zxid":"0x300000045","stat":{"czxid":"0x10000000a","mzxid":"0x300000045","version":5}}"#,
    r#"{"index":1004,"time":4696015217,"process":5,"type":"fail","f":"cas","key":"/r6","value":[6,5000015],"error":"BadVersion","node":"n1"}"#,
    r#"{"process":0,"type":"ok","f":"read","value":-7}"#,
    r#"{"process": 0, "type": "info", "f": "write", "value": 3, "error": "timeout", "key": 12}"#,
    r#"{"process":0,"type":"fail","f":"cas","value":[1,2],"error":"differs","extra":{"a":[1,true,"x"]}}"#,
    r#"{"process":1,"type":"ok","f":"enqueue","value":"three"}"#,
    r#"{"process":"nemesis","type":"info","f":"fault","value":{"fault":1}}"#,
    r#"{"process":1,"type":"ok","f":"create","key":null,"value":[1,[2,3]]}"#,
];

/// What was read of a line, if it could be: the step, and its key.
type Seen = Option<(Step, Vec<u8>)>;

/// The two ways to read a line: as nearly all are read, and by serde.
fn both(line: &str) -> (Seen, Seen) {
    let text = line.as_bytes();
    let key = |step: &Step, text: &[u8]| {
        step.key.map_or_else(Vec::new, |(from, to)| text[from as usize..to as usize].to_vec())
    };
    let plain = |step: Step| Step { key: None, ..step };
    let end = text.iter().position(|byte| *byte == b'\n');
    let usual = usual::event(text, 0, 1).map(|(step, next)| {
        assert_eq!(next, end.map_or(text.len(), |end| end + 1), "{line:?}");
        (plain(step), key(&step, text))
    });
    let mut keys = Vec::new();
    let slow = other(text, 0..end.unwrap_or(text.len()), 1, &mut keys).ok().flatten();
    (usual, slow.map(|step| (plain(step), key(&step, &[text, &keys].concat()))))
}

#[test]
fn usual_lines_say_what_serde_says() {
    for (n, line) in LINES.into_iter().enumerate() {
        let (usual, slow) = both(line);
        assert_eq!(usual.is_some(), n != 7, "{line}");
        assert!(usual.is_none() || usual == slow, "{line}: {usual:?} {slow:?}");
    }
}

#[test]
fn damaged_lines_are_never_read_otherwise_than_by_serde() {
    let mut read = 0;
    for line in LINES {
        for at in 0..line.len() {
            let bytes = [
                "", "0", "9", "-", ".", "e", "\"", "\\", ",", ":", "{", "}", "]", " ", "\n",
                "\u{7f}", "é",
            ];
            for byte in bytes {
                let damaged = format!("{}{byte}{}", &line[..at], &line[at + 1..]);
                let (usual, slow) = both(&damaged);
                read += u32::from(usual.is_some());
                assert!(usual.is_none() || usual == slow, "{damaged}: {usual:?} {slow:?}");
            }
        }
    }
    assert!(read > 1_000, "{read}");
}

#[test]
fn a_line_that_is_cut_off_is_told_from_one_that_is_wrong() {
    let unread = |line: &str| other(line.as_bytes(), 0..line.len(), 1, &mut Vec::new()).err();
    for at in 1..LINES[1].len() {
        assert!(matches!(unread(&LINES[1][..at]), Some(Unread::Cut)), "byte {at}");
    }
    assert!(matches!(unread("no event"), Some(Unread::Problem(_))));
    assert!(matches!(unread(r#"{"process":1}"#), Some(Unread::Problem(_))));
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.jsonl");
    fs::write(&path, text).expect("an empty scratch directory");
    (scratch, path)
}

#[test]
fn events_come_in_order_with_their_keys_and_lines() {
    let event = |n: u32| {
        // Every tenth line has an escape, which only serde reads.
        let key = if n.is_multiple_of(10) {
            format!("/\\u0072{}", n % 7)
        } else {
            format!("/r{}", n % 7)
        };
        format!(
            "{{\"process\":{n},\"type\":\"invoke\",\"f\":\"read\",\"key\":\"{key}\",\"value\":{n}}}\n"
        )
    };
    let text: String = (0..40_000).map(event).collect();
    assert!(text.len() > 2 << 20, "several pieces for each thread");
    let (_scratch, path) = written(&text);
    let (mut n, mut read) = (0, 0);
    let cut = stream(&path, Options::default(), &mut |batch| {
        for step in &batch.steps {
            assert_eq!(step.line, n + 1);
            assert_eq!((step.process, step.kind), (Some(n), Kind::Invoke));
            assert_eq!(batch.key(step), format!("\"/r{}\"", n % 7).as_bytes());
            n += 1;
        }
        read = batch.read;
        ControlFlow::Continue(())
    });
    assert_eq!((cut.expect("a good file"), n, read), (None, 40_000, text.len() as u64));
}

#[test]
fn who_has_enough_is_not_read_to() {
    let text = format!("{}\n", LINES[0]).repeat(40_000) + "garbage\n";
    let (_scratch, path) = written(&text);
    let mut batches = 0;
    let enough = stream(&path, Options::default(), &mut |_| {
        batches += 1;
        ControlFlow::Break(())
    });
    assert_eq!((enough.expect("nothing wrong so far"), batches), (None, 1));
    let all = stream(&path, Options::default(), &mut |_| ControlFlow::Continue(()));
    let error = all.expect_err("garbage is no event").to_string();
    assert!(error.contains(":40001: not JSON"), "{error}");
}

#[test]
fn the_end_may_be_cut_and_the_middle_may_not() {
    let (_scratch, path) = written(&format!("{}\n{}", LINES[0], &LINES[1][..50]));
    let cut = stream(&path, Options::default(), &mut |_| ControlFlow::Continue(()));
    assert!(cut.expect("a cut end is dropped").is_some_and(|cut| cut.contains("line 2")));
    let (_scratch, path) = written(&format!("{}\n{}\n", &LINES[1][..50], LINES[0]));
    let error = stream(&path, Options::default(), &mut |_| ControlFlow::Continue(()));
    assert!(error.is_err_and(|error| error.to_string().contains(":1: not JSON")));
    let (_scratch, path) = written("\n\n");
    let error = stream(&path, Options::default(), &mut |_| ControlFlow::Continue(()));
    assert!(error.is_err_and(|error| error.to_string().contains("empty")));
}

#[test]
fn other_forms_are_read_one_by_one() {
    let text = "{:process 3, :type :ok, :f :cas, :key \"x\", :value [1 2]}\n";
    let (_scratch, path) = written(text);
    let mut steps = Vec::new();
    let cut = stream(&path, Options::default(), &mut |batch| {
        steps.extend(batch.steps.iter().map(|step| (batch.key(step).to_vec(), *step)));
        ControlFlow::Continue(())
    });
    assert_eq!(cut.expect("a good file"), None);
    let [(key, step)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(key, b"\"x\"");
    assert_eq!((step.verb, step.value), (Verb::Cas, Argument::Pair(1, 2)));
}

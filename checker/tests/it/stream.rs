//! Long histories, judged while they are read.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use checker::{Limits, Outcome, Spec, Verdict, check_file, check_own};
use history::foreign::Options;

/// What the child may map in all, KiB. Its allocator has one arena.
const LIMIT_KIB: u32 = 192 << 10;
const HISTORY: &str = "ZOOBREAK_TEST_HISTORY";
const HELD: &str = "ZOOBREAK_TEST_HELD";

/// Writes and reads in turn, of one register; `stale` is the number of a read that shows the first value.
fn turns(n: u64, own: bool, stale: Option<u64>) -> String {
    let mut text = String::new();
    for turn in 1..=n {
        let read = if stale == Some(turn) { 1 } else { turn };
        for (event, f, kind, value) in [
            (0, "write", "invoke", turn.to_string()),
            (1, "write", "ok", turn.to_string()),
            (2, "read", "invoke", "null".to_owned()),
            (3, "read", "ok", read.to_string()),
        ] {
            let index = 4 * (turn - 1) + event;
            write!(
                text,
                "{{\"index\":{index},\"time\":{index},\"process\":0,\"type\":\"{kind}\",\
                 \"f\":\"{f}\",\"key\":\"/r\",\"value\":{value}"
            )
            .expect("memory");
            if own {
                let version = if f == "read" { read } else { turn };
                let stat = format!(
                    ",\"stat\":{{\"czxid\":\"0x1\",\"mzxid\":\"{version:#x}\",\"version\":{version}}}"
                );
                let stat = if kind == "ok" { stat } else { String::new() };
                write!(text, ",\"session\":\"0x1\"{stat}").expect("memory");
            }
            text.push_str("}\n");
        }
    }
    text
}

fn in_passing(path: &Path, own: bool) -> Verdict {
    let limits = Limits::default();
    if own {
        return check_own(path, limits, &mut |_, _| ()).expect("a good file");
    }
    let spec = Spec::named("register").expect("it is one");
    check_file(path, Options::default(), spec, limits, &mut |_, _| ()).expect("a good file")
}

fn judged(text: &str, own: bool) -> Verdict {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.jsonl");
    fs::write(&path, text).expect("an empty scratch directory");
    in_passing(&path, own)
}

/// Runs the test below again, in a process of its own and under the limit.
fn limited(history: &Path, held: bool) -> Output {
    let program = env::current_exe().expect("our own program");
    let test = "stream::what_is_held_does_not_grow_with_the_history";
    let run = format!("ulimit -v {LIMIT_KIB} && exec \"$0\" --exact {test} --nocapture");
    let mut child = Command::new("sh");
    child.arg("-c").arg(run).arg(program).env(HISTORY, history).env("MALLOC_ARENA_MAX", "1");
    child
        .env_remove("RUST_BACKTRACE")
        .envs(held.then_some((HELD, "yes")))
        .output()
        .expect("a shell")
}

/// In the child, the check. In the parent: that it ends well under the limit, and that the limit is a
/// real one: who holds the history dies of it.
#[test]
fn what_is_held_does_not_grow_with_the_history() {
    if let Ok(path) = env::var(HISTORY) {
        let path = Path::new(&path);
        let own = path.ends_with("own.jsonl");
        let verdict = match (env::var(HELD).is_ok(), own) {
            (false, _) => in_passing(path, own),
            (true, true) => checker::check_history(path, Limits::default()).expect("a good file"),
            (true, false) => {
                let whole = history::foreign::read(path, Options::default()).expect("a good file");
                let spec = Spec::named("register").expect("it is one");
                checker::check_foreign(&whole, spec, Limits::default()).expect("sense")
            }
        };
        assert_eq!(verdict.outcome, Outcome::Valid, "{}", verdict.sentence);
        return;
    }
    let scratch = tempfile::tempdir().expect("a scratch directory");
    for own in [true, false] {
        let path = scratch.path().join(if own { "own.jsonl" } else { "plain.jsonl" });
        let n = if own { 400_000 } else { 200_000 };
        fs::write(&path, turns(n, own, None)).expect("an empty scratch directory");
        let passing = limited(&path, false);
        assert!(passing.status.success(), "{}", String::from_utf8_lossy(&passing.stderr));
        let died = limited(&path, true);
        let said = String::from_utf8_lossy(&died.stderr);
        assert!(!died.status.success() && said.contains("memory allocation"), "{said}");
    }
}

#[test]
fn a_stale_read_is_found_in_passing_and_explained_by_few() {
    for own in [true, false] {
        let verdict = judged(&turns(2_000, own, None), own);
        assert_eq!(verdict.outcome, Outcome::Valid, "{}", verdict.sentence);
        assert_eq!(verdict.checks[0].examined, 4_000);
        let verdict = judged(&turns(2_000, own, Some(1_500)), own);
        assert_eq!(verdict.outcome, Outcome::Invalid, "{}", verdict.sentence);
        let witness = verdict.checks[0].witness.as_ref().expect("a violation has a witness");
        assert!((2..=4).contains(&witness.operations.len()), "{witness:?}");
        let read = 4 * 1_499 + 2;
        assert!(witness.operations.contains(&read), "{witness:?}");
    }
    // The writes of an own history hold, and only its reads do not.
    let verdict = judged(&turns(100, true, Some(50)), true);
    let outcomes: Vec<_> = verdict.checks.iter().map(|check| check.outcome).collect();
    assert_eq!(outcomes, [Outcome::Invalid, Outcome::Valid]);
    for part in ["client 0 read /r = 1 (version 1)", "a later version", "wrote /r = 50"] {
        assert!(verdict.sentence.contains(part), "{}", verdict.sentence);
    }
}

#[test]
fn what_is_senseless_is_told_with_its_line() {
    let text = turns(3, true, None);
    let lines: Vec<&str> = text.lines().collect();
    let completion = lines[1].replace("\"index\":1", "\"index\":0");
    let cases = [
        ([&lines[..2], &lines[3..]].concat(), ":3: field `index`: expected 2, found 3"),
        ([&lines[..2], &lines[1..]].concat(), ":3: field `index`: expected 2, found 1"),
        (vec![lines[0], "no event"], ":2: not JSON"),
        (vec![lines[0], lines[0]], ":2: field `index`"),
        (vec![completion.as_str()], ":1: field `type`: client 0 completes"),
    ];
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.jsonl");
    for (lines, part) in cases {
        fs::write(&path, lines.join("\n") + "\n").expect("a scratch directory");
        let error = check_own(&path, Limits::default(), &mut |_, _| ()).expect_err(part);
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[test]
fn who_reads_is_told_how_far_it_is() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.jsonl");
    let text = turns(5_000, true, None);
    fs::write(&path, &text).expect("an empty scratch directory");
    let mut told = Vec::new();
    let verdict = check_own(&path, Limits::default(), &mut |at, n| told.push((at, n)));
    assert_eq!(verdict.expect("a good file").outcome, Outcome::Valid);
    assert!(told.is_sorted() && told.len() > 2, "{told:?}");
    assert_eq!(told.last().map(|last| last.0), Some(text.len() as u64));
}

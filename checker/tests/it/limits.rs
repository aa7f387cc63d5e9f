//! What is asked of a check's memory holds when the kernel enforces it.

use std::env;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use checker::{Exit, Limits, Outcome, Spec, Verdict, check_file, check_foreign, check_history};
use history::foreign::{Options, read};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the child may map in all, KiB: its program, stacks and the allocator's arenas, and a good
/// deal more than the budget that holds.
const LIMIT_KIB: u32 = 640 << 10;
const BUDGET_HELD: usize = 128 << 20;
const BUDGET_TOO_LARGE: usize = 1 << 40;
const BUDGET: &str = "ZOOBREAK_TEST_BUDGET";
const ENDLESS: &str = "ZOOBREAK_TEST_FILE";

/// Runs a test of this program again, in a process of its own and under the limit.
fn limited(test: &str, budget: usize, file: &Path) -> Output {
    let program = env::current_exe().expect("our own program");
    let run = format!("ulimit -v {LIMIT_KIB} && exec \"$0\" --exact {test} --nocapture");
    let mut child = Command::new("sh");
    child.arg("-c").arg(run).arg(program).env(BUDGET, budget.to_string()).env(ENDLESS, file);
    child.output().expect("a shell")
}

fn judge(spec: &str, events: &str, limits: Limits) -> Verdict {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.edn");
    fs::write(&path, events).expect("an empty scratch directory");
    let foreign = read(&path, Options::default()).expect("a good file");
    let spec = Spec::named(spec).expect("a known name");
    check_foreign(&foreign, spec, limits).expect("sense")
}

fn event(client: usize, kind: &str, f: &str, value: &str) -> String {
    format!("{{:process {client}, :type :{kind}, :f :{f}, :value {value}}}\n")
}

/// Sixty lost appends, and what no order of them makes.
fn hopeless() -> String {
    let lost = (0..60).map(|n| event(n, "invoke", "append", &format!("\"{n}\"")));
    let never = [event(99, "invoke", "get", "nil"), event(99, "ok", "get", "\"7 never 1\"")];
    lost.chain(never).collect()
}

/// A hundred clients at once, over and over, on a register of three values; and at last one that
/// nobody wrote.
fn crowded() -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut events, mut value) = (String::new(), "nil".to_owned());
    for _ in 0..5 {
        let mut clients: Vec<usize> = (0..100).collect();
        let asked: Vec<Option<u32>> =
            (0..100).map(|_| rng.random_bool(0.5).then(|| rng.random_range(1..=3))).collect();
        let both = |client: usize| match asked[client] {
            Some(value) => ("write", value.to_string()),
            None => ("read", "nil".to_owned()),
        };
        clients.shuffle(&mut rng);
        for &client in &clients {
            let (f, asked) = both(client);
            events += &event(client, "invoke", f, &asked);
        }
        clients.shuffle(&mut rng);
        for &client in &clients {
            let (f, asked) = both(client);
            if f == "write" {
                value = asked;
            }
            events += &event(client, "ok", f, &value);
        }
    }
    events + &event(0, "invoke", "read", "nil") + &event(0, "ok", "read", "4")
}

fn says_unknown(verdict: &Verdict, spent: &str) {
    assert_eq!(verdict.outcome, Outcome::Unknown, "{}", verdict.sentence);
    for part in ["gave up at operation", spent] {
        assert!(verdict.sentence.contains(part), "{}", verdict.sentence);
    }
}

/// In the child, the check; in the parent, that it ends well with a budget that fits under the
/// limit, and that the limit is a real one: without a budget the child dies of it.
#[test]
fn the_memory_of_a_check_stays_under_its_budget() {
    if let Ok(budget) = env::var(BUDGET) {
        let limits = Limits { bytes: budget.parse().expect("bytes"), ..Limits::default() };
        return says_unknown(&judge("kv", &hopeless(), limits), "bytes of memory");
    }
    let test = "limits::the_memory_of_a_check_stays_under_its_budget";
    let held = limited(test, BUDGET_HELD, Path::new(""));
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    let died = limited(test, BUDGET_TOO_LARGE, Path::new(""));
    let said = String::from_utf8_lossy(&died.stderr);
    assert!(!died.status.success() && said.contains("memory allocation"), "{said}");
}

#[test]
fn a_hundred_clients_on_few_values_are_given_up_when_time_is_up() {
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    says_unknown(&judge("register", &crowded(), limits), "after 1s");
}

/// Millions of operations of a counter, none of which streams: about a gigabyte, if held.
fn endless(path: &Path) {
    let mut file = BufWriter::new(fs::File::create(path).expect("an empty scratch directory"));
    for n in 0..2_500_000 {
        let pair = event(n % 5, "invoke", "add", "1") + &event(n % 5, "ok", "add", "1");
        file.write_all(pair.as_bytes()).expect("room on the disk");
    }
    file.flush().expect("room on the disk");
}

/// In the child, the check of a file; in the parent, that what does not fit is not read, and that
/// the child would die of it.
#[test]
fn a_file_that_does_not_fit_is_read_as_far_as_it_does() {
    if let Ok(budget) = env::var(BUDGET) {
        let limits = Limits { bytes: budget.parse().expect("bytes"), ..Limits::default() };
        let path = PathBuf::from(env::var_os(ENDLESS).expect("the file"));
        let spec = Spec::named("counter").expect("a known name");
        let verdict = check_file(&path, Options::default(), spec, limits, &mut |_, _| {});
        return says_unknown(&verdict.expect("a good file"), "bytes of memory");
    }
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("endless.edn");
    endless(&path);
    let test = "limits::a_file_that_does_not_fit_is_read_as_far_as_it_does";
    let held = limited(test, BUDGET_HELD, &path);
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    let died = limited(test, BUDGET_TOO_LARGE, &path);
    let said = String::from_utf8_lossy(&died.stderr);
    assert!(!died.status.success() && said.contains("memory allocation"), "{said}");
}

/// Reads of a thousand children each, one of our own histories: about a gigabyte, if held.
fn long(path: &Path) {
    let mut file = BufWriter::new(fs::File::create(path).expect("an empty scratch directory"));
    let names = vec!["\"n\""; 1000].join(",");
    let zeros = ["czxid", "mzxid", "pzxid", "owner"].map(|name| format!("\"{name}\":\"0x0\""));
    let counts = ["version", "cversion", "length", "children"].map(|name| format!("\"{name}\":0"));
    let stat = [zeros, counts].concat().join(",");
    let asked = r#"{"ask":"children","path":"/z"}"#.to_owned();
    let told = format!(r#"{{"told":"children","names":[{names}],"stat":{{{stat}}}}}"#);
    for n in 0..32_000 {
        let (kind, value) = if n % 2 == 0 { ("invoke", &asked) } else { ("ok", &told) };
        let head = format!(r#""index":{n},"time":{n},"process":0,"type":"{kind}","f":"children""#);
        writeln!(file, "{{{head},\"value\":{value}}}").expect("room on the disk");
    }
    file.flush().expect("room on the disk");
}

/// The same of one of our own histories, all of which is held.
#[test]
fn an_own_history_that_does_not_fit_is_read_as_far_as_it_does() {
    if let Ok(budget) = env::var(BUDGET) {
        let limits = Limits { bytes: budget.parse().expect("bytes"), ..Limits::default() };
        let path = PathBuf::from(env::var_os(ENDLESS).expect("the file"));
        let verdict = check_history(&path, limits).expect("a good file");
        says_unknown(&verdict, "bytes of memory");
        return assert_eq!(verdict.exit(), Exit::Unknown);
    }
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.jsonl");
    long(&path);
    let test = "limits::an_own_history_that_does_not_fit_is_read_as_far_as_it_does";
    let held = limited(test, BUDGET_HELD, &path);
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    let died = limited(test, BUDGET_TOO_LARGE, &path);
    let said = String::from_utf8_lossy(&died.stderr);
    assert!(!died.status.success() && said.contains("memory allocation"), "{said}");
}

/// What was read may be wrong already.
#[test]
fn a_violation_in_what_fits_is_one() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("broken.edn");
    let broken = event(0, "invoke", "read", "nil") + &event(0, "ok", "read", "7");
    let more = event(1, "invoke", "add", "1") + &event(1, "ok", "add", "1");
    fs::write(&path, broken + &more.repeat(2000)).expect("an empty scratch directory");
    let limits = Limits { bytes: 1 << 18, ..Limits::default() };
    let spec = Spec::named("counter").expect("a known name");
    let verdict = check_file(&path, Options::default(), spec, limits, &mut |_, _| {});
    assert_eq!(verdict.expect("a good file").outcome, Outcome::Invalid);
}

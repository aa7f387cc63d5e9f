//! The command as a person meets it: what it says, and the exit codes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use history::{Machine, Manifest, RunDir, Settings, Target};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn help_and_version_are_no_errors() {
    for argv in [&["--help"][..], &["--version"], &["test", "--help"], &["help", "check"]] {
        let output = zoobreak(argv);
        assert_eq!(code(&output), 0, "{argv:?}");
        assert!(stderr(&output).is_empty());
    }
    assert!(stdout(&zoobreak(&["--version"])).starts_with("zoobreak "));
}

#[test]
fn wrong_usage_exits_with_64() {
    let cases: [(&[&str], &str); 7] = [
        (&[], "Usage: zoobreak"),
        (&["tset"], "'test'"),
        (&["test", "--nodse", "3"], "'--nodes'"),
        (&["test", "--nodes", "50"], "expected a whole number from 1 to 20"),
        (&["test", "--faults", "kil"], "did you mean `kill`?"),
        (&["test", "--mutant", "X9", "--target", "zookeeper"], "mutant X9"),
        (&["check"], "RUN|HISTORY"),
    ];
    for (argv, said) in cases {
        let output = zoobreak(argv);
        assert_eq!(code(&output), 64, "{argv:?}");
        assert!(stderr(&output).contains(said), "{argv:?}: {}", stderr(&output));
    }
}

#[test]
fn a_bad_plan_is_refused_with_file_and_line_and_nothing_is_left_behind() {
    let scratch = Scratch::new();
    let results = scratch.path("results");
    let cases = [
        ("nodes = 3\nclinets = 4\n", ":2: unknown key `clinets`; did you mean `clients`?"),
        ("\n\nnodes = \"five\"\n", ":3: nodes = \"five\": expected a whole number from 1 to 20"),
        ("nodes = 3\nnodes = 4\n", ":2: duplicate key"),
    ];
    for (text, said) in cases {
        let plan = scratch.file("plan.toml", text);
        let output = zoobreak(&["test", "--plan", &plan, "--results", &results]);
        assert_eq!(code(&output), 64, "{text}");
        let expected = format!("zoobreak: {plan}{said}");
        assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
        assert!(!Path::new(&results).exists());
    }
    let output = zoobreak(&["test", "--plan", &scratch.path("none.toml")]);
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("cannot read the plan"));
}

#[test]
fn dry_runs_of_one_seed_are_the_same_and_start_nothing() {
    let scratch = Scratch::new();
    let results = scratch.path("results");
    let dry = |seed: &str| {
        let output = zoobreak(&["test", "--dry-run=50", "--seed", seed, "--results", &results]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let printed = dry("7");
    assert_eq!(printed, dry("7"));
    assert_ne!(printed, dry("8"));
    assert!(!Path::new(&results).exists());
    let lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let count = |key: &str| lines.iter().filter(|line| line.get(key).is_some()).count();
    assert_eq!((count("settings"), count("op")), (1, 10 * 50));
    assert!(count("fault") >= 3);
}

#[test]
fn flags_win_over_the_plan_file() {
    let scratch = Scratch::new();
    let plan = scratch.file("plan.toml", "nodes = 3\nclients = 2\nfaults = \"none\"\n");
    let output = zoobreak(&["test", "--plan", &plan, "--nodes", "7", "--dry-run=0"]);
    let settings: Value = serde_json::from_str(&stdout(&output)).expect("one line of JSON");
    assert_eq!(settings["settings"]["nodes"], 7);
    assert_eq!(settings["settings"]["clients"], 2);
}

#[test]
fn a_path_that_is_no_run_is_wrong_usage() {
    let scratch = Scratch::new();
    let absent = scratch.path("absent");
    let output = zoobreak(&["check", &absent]);
    assert_eq!(code(&output), 64);
    assert_eq!(stderr(&output), format!("zoobreak: {absent}: there is no such run or history\n"));
    let output = zoobreak(&["check", &scratch.path("")]);
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("it has no manifest.json"), "{}", stderr(&output));
}

#[test]
fn a_history_that_cannot_be_read_exits_with_3_and_names_the_line() {
    let scratch = Scratch::new();
    let cases = [
        ("", "empty"),
        ("this is no history\n", ":1: not JSON"),
        ("{\"index\":0,\"time\":1,\"process\":0,\"type\":\"invoke\"}\n", ":1: field `f`"),
        (&format!("{READ}{READ}"), ":2: field `index`"),
    ];
    for (text, said) in cases {
        let path = scratch.file("history.jsonl", text);
        let output = zoobreak(&["check", &path]);
        assert_eq!(code(&output), 3, "{text}: {}", stderr(&output));
        assert!(stderr(&output).starts_with(&format!("zoobreak: {path}")), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn a_history_exits_by_its_verdict() {
    let scratch = Scratch::new();
    let (fresh, stale) = (read_back(1), read_back(0));
    let cases = [
        (told(&[&fresh, &final_reads_begin(), &fresh]), 0, "valid"),
        (told(&[&stale, &final_reads_begin(), &fresh]), 1, "invalid"),
        (told(&[&fresh]), 2, "unknown"),
    ];
    for (text, expected, word) in cases {
        let output = zoobreak(&["check", &scratch.file("history.jsonl", &text)]);
        assert_eq!(code(&output), expected, "{}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).starts_with(word), "{}", stdout(&output));
    }
    let output = zoobreak(&["check", &scratch.file("history.jsonl", &told(&[&stale]))]);
    assert!(stdout(&output).contains("client 1 read /r0 = nothing"), "{}", stdout(&output));
}

#[test]
fn a_run_of_a_newer_format_is_refused() {
    let scratch = Scratch::new();
    let run = stored_run(&scratch, READ);
    let mut manifest: Value = run.read_json("manifest.json").expect("just written");
    manifest["format"] = json!(99);
    run.write_json("manifest.json", &manifest).expect("a scratch directory");
    let output = zoobreak(&["check", &text_of(run.path())]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("run format 99 is newer"), "{}", stderr(&output));
    assert!(!run.path().join("verdict.json").exists());
}

#[test]
fn a_cut_history_is_judged_up_to_the_cut_and_is_not_sound() {
    let scratch = Scratch::new();
    let run = stored_run(&scratch, &format!("{READ}{{\"index\":1,\"ti"));
    let latest = PathBuf::from(scratch.path("results/latest"));
    run.link_as(Path::new(&scratch.path("results")), "latest").expect("a scratch directory");
    let output = zoobreak(&["check", &text_of(&latest)]);
    assert_eq!(code(&output), 3, "{}{}", stdout(&output), stderr(&output));
    assert!(!stdout(&output).is_empty());
    for made in ["verdict.json", "report.html"] {
        assert!(run.path().join(made).exists(), "{made}");
    }
}

/// Writes of one client, and an end that is none.
fn long() -> String {
    let write = |n: u64| {
        let head = |index: u64, kind: &str| {
            format!(
                r#"{{"index":{index},"time":{index},"process":0,"type":"{kind}","f":"write","key":"/r0","value":{n}"#
            )
        };
        let stat = format!(r#"{{"czxid":"0x1","mzxid":"{n:#x}","version":{n}}}"#);
        let answer = format!(r#""node":"n1","session":"0x1","zxid":"{n:#x}","stat":{stat}"#);
        format!("{}}}\n{},{answer}}}\n", head(2 * n - 2, "invoke"), head(2 * n - 1, "ok"))
    };
    (1..=5_000).map(write).collect::<String>() + "garbage\n"
}

#[test]
fn a_run_that_does_not_fit_into_memory_is_unknown_and_has_its_report() {
    let scratch = Scratch::new();
    let run = stored_run(&scratch, &long());
    let output = zoobreak(&["check", &text_of(run.path()), "--budget-memory", "1"]);
    assert_eq!(code(&output), 2, "{}{}", stdout(&output), stderr(&output));
    let verdict: Value = run.read_json("verdict.json").expect("it is written");
    let said = verdict["sentence"].as_str().expect("a text");
    assert!(verdict["outcome"] == "unknown" && said.contains("gave up at operation "), "{said}");
    assert!(said.contains("at 1048576 bytes of memory") && said.contains("--stream"), "{said}");
    let page = fs::read_to_string(run.path().join("report.html")).expect("it is written");
    assert!(page.contains("unknown</h1>") && page.contains("The history is long"), "{page}");
    let output = zoobreak(&["check", &text_of(run.path())]);
    assert_eq!(code(&output), 3, "all of it is read: {}", stdout(&output));
    assert!(stderr(&output).contains("history.jsonl:10001: not JSON"), "{}", stderr(&output));
}

#[test]
fn a_server_with_a_wrong_configuration_is_refused() {
    let scratch = Scratch::new();
    let absent = scratch.path("absent.cfg");
    let wrong = scratch.file("zoo.cfg", "tickTime=often\nclientPort=2181\n");
    for (path, said) in [(&absent, "absent.cfg"), (&wrong, "zoo.cfg:1:")] {
        let output = zoobreak(&["server", path]);
        assert_eq!(code(&output), 64, "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn the_doctor_finds_something_to_say_and_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let output = zoobreak(&["doctor", "--results", &scratch.path("results")]);
    let said = stdout(&output);
    let missing = said.lines().any(|line| line.starts_with("missing "));
    assert_eq!(code(&output), if missing { 3 } else { 0 }, "{said}");
    for what in ["namespaces", "kernel", "cores", "memory", "disk", "iptables", "java"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert_eq!(fs::read_dir(scratch.path("")).expect("it exists").count(), 0);
}

#[test]
fn the_doctor_says_when_runs_cannot_be_stored() {
    let output = zoobreak(&["doctor", "--results", "/proc/results"]);
    assert_eq!(code(&output), 3, "{}", stdout(&output));
    assert!(stdout(&output).contains("missing  disk: cannot write in /proc"));
    assert!(stdout(&output).ends_with("what is missing is there\n"));
}

/// A history: a write of 1 by client 0, and then `parts`.
fn told(parts: &[&[Value]]) -> String {
    let invoke = json!({"process": 0, "type": "invoke", "f": "write", "key": "/r0", "value": 1});
    let events = [&[invoke, answered(0, "write", 1)], parts.concat().as_slice()].concat();
    let line = |(n, mut event): (usize, Value)| {
        event["index"] = json!(n);
        event["time"] = json!(1_000 * n);
        format!("{event}\n")
    };
    events.into_iter().enumerate().map(line).collect()
}

fn final_reads_begin() -> [Value; 1] {
    [json!({"process": "run", "type": "info", "f": "phase", "value": "final-reads"})]
}

/// Client 1 reads what was there at `version`.
fn read_back(version: u64) -> [Value; 2] {
    let invoke = json!({"process": 1, "type": "invoke", "f": "read", "key": "/r0"});
    [invoke, answered(1, "read", version)]
}

/// An answer of a server on which version 1 is the write of 1, and version 0 is empty.
fn answered(process: u64, f: &str, version: u64) -> Value {
    let zxid = format!("{:#x}", 0x1_0000_0001 + version);
    json!({
        "process": process, "type": "ok", "f": f, "key": "/r0",
        "value": (version > 0).then_some(version),
        "node": "n1", "session": format!("{:#x}", 1 + process), "zxid": zxid,
        "stat": {"czxid": "0x100000001", "mzxid": zxid, "version": version},
    })
}

/// A client's first event.
const READ: &str =
    "{\"index\":0,\"time\":5,\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"/r0\"}\n";

fn zoobreak(argv: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zoobreak")).args(argv).output().expect("cargo built it")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal ends it")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("it writes UTF-8")
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("scratch paths are UTF-8").to_owned()
}

/// A directory that goes away with the test.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a scratch directory"))
    }

    fn path(&self, name: &str) -> String {
        text_of(&self.0.path().join(name))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("a scratch directory");
        path
    }
}

/// A run directory with this history.
fn stored_run(scratch: &Scratch, history: &str) -> RunDir {
    let manifest = Manifest {
        format: history::FORMAT,
        zoobreak: "0.1.0".to_owned(),
        started: "2026-11-20T21:16:58Z".to_owned(),
        argv: vec!["zoobreak".to_owned(), "test".to_owned()],
        settings: settings(),
        schedule: json!([]),
        machine: Machine {
            kernel: "6.1.0".to_owned(),
            cores: 2,
            partitions_by: "switch".to_owned(),
            disks_by: None,
            lacks: std::collections::BTreeMap::new(),
            root: true,
            target_version: None,
        },
    };
    let results = scratch.path("results");
    let run = RunDir::create(Path::new(&results), &manifest).expect("a scratch directory");
    fs::write(run.history(), history).expect("a scratch directory");
    run
}

fn settings() -> Settings {
    Settings {
        target: Target::Zoobreak,
        nodes: 3,
        clients: 1,
        time_s: 1.0,
        rate: 10.0,
        workload: "register".to_owned(),
        faults: Vec::new(),
        phases: Vec::new(),
        interval_s: 1.0,
        heal: history::Heal::Fast,
        pcap: false,
        scenario: None,
        seed: 1,
        keys: 1,
        tick_ms: 200,
        init_limit: 20,
        sync_limit: 4,
        session_ms: 30_000,
        op_timeout_ms: 2_000,
        mutant: None,
    }
}

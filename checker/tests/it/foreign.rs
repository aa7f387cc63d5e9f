//! Histories from elsewhere, each specification both ways.

use std::fs;

use checker::{Limits, Outcome, Spec, Verdict, check_foreign};
use history::foreign::{Foreign, Format, Options, read, write};

/// Events `PROCESS TYPE F VALUE…`, one a line, as EDN.
fn edn(events: &str) -> String {
    let line = |line: &str| {
        let parts: Vec<_> = line.trim().splitn(4, ' ').collect();
        let [process, kind, f, value] = parts[..] else { panic!("{line}: four parts") };
        format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n")
    };
    events.trim().lines().map(line).collect()
}

fn judge_text(spec: &str, text: &str, keyed: bool) -> Result<Verdict, checker::Senseless> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.edn");
    fs::write(&path, text).expect("an empty scratch directory");
    let foreign = read(&path, Options { format: None, keyed }).expect("a good file");
    let spec = Spec::named(spec).expect("a known name");
    check_foreign(&foreign, spec, Limits::default())
}

fn judge(spec: &str, events: &str) -> Verdict {
    judge_text(spec, &edn(events), false).expect("operations of the specification")
}

/// Calls one after the other, each `F ARGUMENT RESULT`, by one client.
fn in_turn(spec: &str, calls: &str) -> Outcome {
    let both = |call: &str| {
        let parts: Vec<_> = call.trim().splitn(3, ' ').collect();
        let [f, asked, answered] = parts[..] else { panic!("{call}: three parts") };
        format!("0 invoke {f} {asked}\n0 ok {f} {answered}\n")
    };
    judge(spec, &calls.split(';').map(both).collect::<String>()).outcome
}

#[test]
fn every_specification_holds_and_fails() {
    let cases = [
        ("register", "write 1 1;read nil 1", "write 1 1;read nil nil"),
        ("cas-register", "write 1 1;cas [1,2] [1,2];read nil 2", "write 1 1;cas [2,3] [2,3]"),
        ("counter", "add 2 2;add 2 2;read nil 4", "add 2 2;read nil 3"),
        ("set", "add 1 1;read nil #{1}", "add 1 1;read nil #{}"),
        ("set", "add 1 1;remove 1 1;contains 1 false", "add 1 1;contains 1 false"),
        ("queue", "enqueue 1 1;enqueue 2 2;dequeue nil 1", "enqueue 1 1;enqueue 2 2;dequeue nil 2"),
        ("kv", "append \"a\" nil;get nil \"a\"", "put \"a\" nil;get nil \"b\""),
        (
            "lock",
            "acquire nil 7;release nil nil;acquire nil 9",
            "acquire nil 7;release nil nil;acquire nil 7",
        ),
        (
            "znodes",
            "create {:path,\"/a\"} nil;set {:path,\"/a\",:data,1} nil;get {:path,\"/a\"} \"1\"",
            "create {:path,\"/a\"} nil;set {:path,\"/a\",:data,1} nil;get {:path,\"/a\"} \"2\"",
        ),
    ];
    for (spec, good, bad) in cases {
        assert_eq!(in_turn(spec, good), Outcome::Valid, "{spec}: {good}");
        assert_eq!(in_turn(spec, bad), Outcome::Invalid, "{spec}: {bad}");
    }
}

#[test]
fn a_violation_is_told_with_lines_and_values() {
    let verdict = judge(
        "register",
        "0 invoke write 1\n0 ok write 1\n0 invoke write 2\n0 ok write 2\n1 invoke read nil\n\
         1 ok read 1",
    );
    let witness = verdict.checks[0].witness.as_ref().expect("a violation has a witness");
    assert!(witness.operations.len() <= 4, "{witness:?}");
    for part in ["client 1's read -> 1 (line 5)", "client 0's write 2 -> ok (line 3)"] {
        assert!(verdict.sentence.contains(part), "{}", verdict.sentence);
    }
    // Values written twice go to the search.
    let verdict = judge(
        "register",
        "0 invoke write 1\n0 ok write 1\n0 invoke write 1\n0 ok write 1\n1 invoke read nil\n\
         1 ok read nil",
    );
    assert!(verdict.sentence.contains("the object held 1"), "{}", verdict.sentence);
}

/// Some hundred writes by three clients in turn, and a read of one that was replaced long ago.
fn stale(value: impl Fn(u64) -> u64) -> String {
    let event = |n: u64, kind: &str| format!("{} {kind} write {}\n", n % 3, value(n));
    let write = |n: u64| event(n, "invoke") + &event(n, "ok");
    let writes: String = (0..300).map(write).collect();
    format!("{writes}7 invoke read nil\n7 ok read {}\n", value(100))
}

fn told(spec: &str, foreign: &Foreign, format: Format) -> Verdict {
    let mut text = Vec::new();
    write(foreign, format, &mut text).expect("a vector takes everything");
    let text = String::from_utf8(text).expect("text");
    judge_text(spec, &text, false).expect("operations of the specification")
}

/// The smallest part that shows it, whatever the form of the history, and whichever engine decides.
#[test]
fn a_violation_is_shrunk_in_every_form() {
    let unique = stale(|n| n);
    // Values that come again are for the search.
    let repeated = stale(|n| if n < 250 { n % 150 } else { n % 2 });
    for (events, by) in [(&unique, "zones"), (&repeated, "search")] {
        let path = tempfile::NamedTempFile::new().expect("a scratch file");
        fs::write(path.path(), edn(events)).expect("a scratch file");
        let foreign = read(path.path(), Options::default()).expect("a good file");
        for format in [Format::Edn, Format::Log, Format::Json] {
            let verdict = told("register", &foreign, format);
            let witness = verdict.checks[0].witness.as_ref().expect("a violation has a witness");
            let (n, order) = (witness.operations.len(), &witness.order);
            assert!((2..=4).contains(&n), "{by}, {format:?}: {witness:#?}");
            assert_eq!(witness.operations.last(), Some(&600), "the read cannot be placed");
            assert_eq!(order.len(), n - 1, "all others fit: {witness:#?}");
            assert!(order.iter().all(|one| witness.operations.contains(one)));
            let data = serde_json::to_value(&verdict).expect("JSON");
            assert_eq!(data["checks"][0]["witness"]["order"][0], order[0]);
        }
    }
}

#[test]
fn a_violation_of_a_map_is_shrunk_in_porcupines_text() {
    let piece = |n: u64, key: &str| {
        let event = |kind| {
            format!(
                "{{:process {}, :type :{kind}, :f :append, :key \"{key}\", :value \"{n} \"}}\n",
                n % 3
            )
        };
        event("invoke") + &event("ok")
    };
    let get = |process: u64, key: &str, text: &str| {
        format!(
            "{{:process {process}, :type :invoke, :f :get, :key \"{key}\", :value nil}}\n\
             {{:process {process}, :type :ok, :f :get, :key \"{key}\", :value \"{text}\"}}\n"
        )
    };
    let joined = |to: u64| (0..to).map(|n| format!("{n} ")).collect::<String>();
    let mut text: String = (0..98).map(|n| piece(n, "x") + &piece(n, "y")).collect();
    text += &(get(1, "x", &joined(98)) + &piece(98, "x") + &piece(99, "x"));
    text += &get(2, "x", &format!("{}99 ", joined(98)));
    let verdict = judge_text("kv", &text, false).expect("operations of a map");
    let witness = verdict.checks[0].witness.as_ref().expect("a violation has a witness");
    assert_eq!(witness.key.as_deref(), Some("\"x\""));
    assert_eq!(witness.operations.len(), 3, "two appends and the get: {witness:#?}");
    assert_eq!(witness.order.len(), 2, "{witness:#?}");
    let expected = witness.expected.as_deref().expect("what it should be");
    assert!(expected.contains("97 98 99 \", after client 2's append"), "{expected}");
}

#[test]
fn lost_operations_may_have_happened_or_not() {
    let lost = "0 invoke write 1\n0 info write 1\n1 invoke read nil\n1 ok read";
    for (seen, outcome) in [("nil", Outcome::Valid), ("1", Outcome::Valid), ("2", Outcome::Invalid)]
    {
        assert_eq!(judge("register", &format!("{lost} {seen}")).outcome, outcome, "{seen}");
    }
    let failed = "0 invoke write 1\n0 fail write 1\n1 invoke read nil\n1 ok read 1";
    assert_eq!(judge("register", failed).outcome, Outcome::Invalid);
}

#[test]
fn a_failed_compare_and_set_counts_only_if_it_compared() {
    let failed = |error: &str| {
        let text = edn("0 invoke write 1\n0 ok write 1\n0 invoke cas [1 2]");
        let end = format!("{{:process 0, :type :fail, :f :cas, :value [1 2]{error}}}\n");
        judge_text("cas-register", &(text + &end), false).expect("sense").outcome
    };
    assert_eq!(failed(", :error :differs"), Outcome::Invalid);
    assert_eq!(failed(", :error :timeout"), Outcome::Valid);
    assert_eq!(failed(""), Outcome::Valid);
}

#[test]
fn keys_are_objects_of_their_own() {
    let text = edn("0 invoke write [\"x\" 1]\n0 ok write [\"x\" 1]\n0 invoke read [\"y\" nil]\n\
         0 ok read [\"y\" nil]");
    let verdict = judge_text("register", &text, true).expect("sense");
    assert_eq!(verdict.outcome, Outcome::Valid);
    assert!(verdict.sentence.contains("2 objects"), "{}", verdict.sentence);
    let error = judge_text("register", &text, false).expect_err("pairs are no values");
    assert!(error.to_string().contains("--keyed"), "{error}");
}

#[test]
fn what_the_specification_does_not_know_is_refused() {
    let cases = [
        ("register", "0 invoke cas [1 2]", "no operation"),
        ("cas-register", "0 invoke cas 1", "expected [expected new]"),
        ("cas-register", "0 invoke write nil", "nil is no value"),
        ("register", "0 invoke write 1\n0 ok write 2", "but ok with 2"),
        ("counter", "0 invoke add \"x\"", "whole number"),
        ("set", "0 invoke read nil\n0 ok read 3", "expected a set"),
        ("kv", "0 invoke put 3", "expected a string"),
        ("queue", "0 invoke peek nil", "no operation"),
        ("znodes", "0 invoke touch {:path \"/a\"}", "no operation"),
        ("znodes", "0 invoke create {:path \"a/\"}", "expected a path"),
        ("znodes", "0 invoke set {:path \"/a\" :version \"x\"}", "expected a version"),
        ("znodes", "0 invoke multi [{:path \"/a\"}]", "expected a list of create"),
        (
            "znodes",
            "0 invoke create {:path \"/a\" :sequential true}\n0 ok create nil",
            "with the number",
        ),
        ("znodes", "0 invoke children {:path \"/\"}\n0 ok children 3", "expected a list of names"),
    ];
    for (spec, events, part) in cases {
        let error = judge_text(spec, &edn(events), false).expect_err(events).to_string();
        assert!(error.starts_with("line 1: ") && error.contains(part), "{events}: {error}");
    }
}

#[test]
fn past_its_budget_a_check_does_not_know() {
    // Lost writes of few values, over and over: the search has much to try.
    let mut events = String::new();
    for n in 0..60 {
        events += &format!("{n} invoke append \"{n}\"\n");
    }
    events += "99 invoke get nil\n99 ok get \"7 never 1\"";
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let path = scratch.path().join("history.edn");
    fs::write(&path, edn(&events)).expect("an empty scratch directory");
    let foreign = read(&path, Options::default()).expect("a good file");
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let verdict =
        check_foreign(&foreign, Spec::named("kv").expect("known"), limits).expect("sense");
    assert_eq!(verdict.outcome, Outcome::Unknown);
    assert!(verdict.sentence.contains("bytes of memory"), "{}", verdict.sentence);
}

#[test]
fn a_history_without_operations_is_not_valid() {
    assert_eq!(judge("register", "0 invoke read nil\n0 info read nil").outcome, Outcome::Unknown);
}

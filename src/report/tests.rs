//! What the page and the screen must hold, whatever the run.

use std::path::Path;

use checker::{Fact, Outcome as Verdicts, Steps, Verdict};
use history::{Event, Kind, Manifest, Process, RunDir, f};
use serde_json::{Value, json};

use super::timeline::Timeline;
use super::{fake, html, page, screen, witness, words, write_html};

const RUN: &str = "results/register+kill+pause+partition/20261120T211658Z-7";

fn render(manifest: &Manifest, events: &[Event], verdict: &Verdict) -> String {
    page::render(Path::new(RUN), manifest, events, false, verdict)
}

/// The page as someone without JavaScript has it.
fn without_scripts(page: &str) -> &str {
    page.split("<script").next().expect("a split has a first part")
}

fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once("type=\"application/json\">").expect("the data is there");
    let (data, _) = rest.split_once("</script>").expect("it ends");
    serde_json::from_str(data).expect("it is JSON")
}

#[test]
fn the_page_says_what_matters_without_a_script() {
    let (mut manifest, mut events) = (fake::manifest(), fake::events());
    let verdict = fake::stale_read(&mut events);
    manifest.settings.mutant = Some("X9".into());
    let page = render(&manifest, &events, &verdict);
    let plain = without_scripts(&page);
    let witness = verdict.checks[0].witness.as_ref().expect("it is invalid");
    for said in [
        "<h1 class=\"invalid\">invalid</h1>",
        &format!("<p class=\"sentence\">linearizable: {}</p>", html::escape(&witness.sentence)),
        "planted defect X9: this server is broken on purpose",
        "The run itself is sound: all 7 needs are met.",
        "2 installed, 1 skipped (no leader is known), 1 indeterminate",
        "Broken: linearizable",
        "<svg class=\"witness\"",
        "Not promised by this target: C9 sync",
        "reported, not promised by this target",
        "leader n5 cut off from n1 n2 n3 n4",
        "skipped: no leader is known",
        "n2 ended by itself",
        "final reads <span>49.000 s</span>",
        "zoobreak test --time 45 --seed 7",
        "iptables v1.8.9 (nf_tables)",
    ] {
        assert!(plain.contains(said), "the page does not say {said:?}");
    }
}

#[test]
fn a_valid_run_shows_no_violation() {
    let page = render(&fake::manifest(), &fake::events(), &fake::verdict());
    let plain = without_scripts(&page);
    assert!(plain.contains("<h1 class=\"valid\">valid</h1>"));
    assert!(!plain.contains("class=\"violation"));
    assert!(!plain.contains("planted defect"));
}

#[test]
fn the_broken_promise_comes_first_and_open() {
    let mut events = fake::events();
    let mut verdict = fake::stale_read(&mut events);
    verdict.checks.swap(0, 2);
    let page = render(&fake::manifest(), &events, &verdict);
    let broken = page.find("<details class=\"violation\" open>").expect("one is open");
    let reported = page.find("<details class=\"violation reported\">").expect("one is folded");
    assert!(broken < reported);
    assert_eq!(data_of(&page)["witnesses"][0]["check"], "linearizable");
}

#[test]
fn an_unsound_run_is_not_called_valid() {
    let page = render(&fake::manifest(), &fake::events(), &unsound());
    let plain = without_scripts(&page);
    assert!(plain.contains("<h1 class=\"unsound\">not sound</h1>"));
    assert!(plain.contains("The run itself is not sound: 1 of 7 needs is not met."));
}

#[test]
fn facts_are_folded_only_where_a_sound_run_is_broken() {
    let mut events = fake::events();
    let broken = fake::stale_read(&mut events);
    let mut unsound = broken.clone();
    unsound.soundness.facts[0].count = 0;
    for (verdict, folded) in [(fake::verdict(), false), (unsound, false), (broken, true)] {
        let page = render(&fake::manifest(), &events, &verdict);
        let summary =
            if folded { "<details><summary class" } else { "<details open><summary class" };
        assert!(page.contains(summary), "{}", verdict.sentence);
    }
}

#[test]
fn an_empty_history_makes_a_page() {
    let page = render(&fake::manifest(), &[], &fake::verdict());
    assert!(without_scripts(&page).contains("No fault was tried."));
    let data = data_of(&page);
    assert_eq!(data["ops"]["start"], json!([]));
    assert_eq!(data["end"], 0);
}

#[test]
fn nothing_from_a_run_becomes_markup() {
    let evil = "</script><img src=x onerror=alert(1)>{{data}}";
    let (mut manifest, mut verdict) = (fake::manifest(), fake::verdict());
    manifest.settings.workload = evil.into();
    verdict.sentence = evil.into();
    verdict.checks[0].reason = Some(evil.into());
    verdict.soundness.facts[0].note = evil.into();
    let mut events = fake::events();
    for event in events.iter_mut().filter(|event| event.f == f::WRITE) {
        event.error = Some(evil.into());
        event.node = Some(evil.into());
        event.kind = if event.kind == Kind::Ok { Kind::Fail } else { event.kind };
    }
    let page = render(&manifest, &events, &verdict);
    assert!(!page.contains("<img"), "unescaped in the page");
    assert_eq!(page.matches("</script>").count(), 2, "the data ends its script too early");
    let names = data_of(&page)["names"].as_array().expect("names").clone();
    assert!(names.contains(&json!(evil)), "what is escaped is still there");
}

#[test]
fn the_page_needs_no_network() {
    let mut events = fake::events();
    let verdict = fake::stale_read(&mut events);
    let page = render(&fake::manifest(), &events, &verdict);
    for remote in ["http:", "https:", "src=", "@import", "fetch(", "\"//", "=//"] {
        assert!(!page.contains(remote), "{remote} in the page");
    }
    assert!(page.contains("content=\"default-src 'none';"), "the browser is told so, too");
    let fetched = page.matches("url(").count() - page.matches("url(#").count();
    assert_eq!(fetched, 0, "only gradients of the page itself");
}

#[test]
fn columns_hold_each_operation_once() {
    let events = fake::events();
    let data = data_of(&render(&fake::manifest(), &events, &fake::verdict()));
    let ops = data["ops"].as_object().expect("columns");
    let clients = |kind: Kind| {
        events.iter().filter(move |e| matches!(e.process, Process::Client(_)) && e.kind == kind)
    };
    let invoked: Vec<&Event> = clients(Kind::Invoke).collect();
    assert!(invoked.len() > 4000, "the made-up run is busy: {}", invoked.len());
    for (name, column) in ops {
        assert_eq!(column.as_array().map(Vec::len), Some(invoked.len()), "column {name}");
    }
    let kinds = |kind: u8| {
        let column = ops["kind"].as_array().expect("a column");
        column.iter().filter(|one| **one == json!(kind)).count()
    };
    assert_eq!(kinds(0), clients(Kind::Ok).count());
    assert_eq!(kinds(1), clients(Kind::Fail).count());
    assert_eq!(summed(&ops["number"]), invoked.iter().map(|e| e.index as i64).collect::<Vec<_>>());
    let starts = invoked.iter().map(|e| (e.time / 1000) as i64);
    assert_eq!(summed(&ops["start"]), starts.collect::<Vec<_>>());
    let first = clients(Kind::Ok).next().expect("it is busy");
    let row = invoked.iter().position(|e| e.process == first.process).expect("it was invoked");
    let named =
        |column: &str| &data["names"][ops[column][row].as_u64().expect("it has a name") as usize];
    assert_eq!(*named("session"), json!(first.session));
    assert_eq!(*named("node"), json!(first.node));
    assert_eq!(*named("key"), json!(first.key));
    assert_eq!(ops["zxid"][row], json!(first.zxid));
}

fn summed(column: &Value) -> Vec<i64> {
    let differences = column.as_array().expect("a column").iter();
    let mut sum = 0;
    differences
        .map(|one| {
            sum += one.as_i64().expect("a number");
            sum
        })
        .collect()
}

#[test]
fn data_names_faults_roles_and_the_violation() {
    let mut events = fake::events();
    let verdict = fake::stale_read(&mut events);
    let data = data_of(&render(&fake::manifest(), &events, &verdict));
    let faults = data["faults"].as_array().expect("faults");
    let outcomes: Vec<&str> = faults.iter().filter_map(|one| one["outcome"].as_str()).collect();
    assert_eq!(faults.len(), 9);
    assert_eq!(outcomes.iter().filter(|one| **one == "installed").count(), 7);
    assert_eq!(faults[3]["outcome"], "skipped");
    assert_eq!(faults[3]["reason"], "no leader is known");
    assert_eq!(faults[4]["outcome"], "indeterminate", "healing knows best");
    assert_eq!((&faults[0]["from"], &faults[0]["to"]), (&json!(6_000_000), &json!(9_509_000)));
    assert_eq!(data["nodes"][2]["node"], "n3");
    assert_eq!(data["nodes"][2]["roles"][1], json!([703_000, "leader", 1]));
    assert_eq!(data["nodes"][1]["exits"], json!([[36_900_000, "exit status 1"]]));
    let operations = &verdict.checks[0].witness.as_ref().expect("invalid").operations;
    let marked = data["witnesses"][0]["ops"].as_array().expect("positions");
    let index = summed(&data["ops"]["number"]);
    for (position, invocation) in marked.iter().zip(operations) {
        let at = position.as_u64().expect("a position") as usize;
        assert_eq!(index[at], *invocation as i64);
    }
    assert_eq!(marked.len(), operations.len());
}

#[test]
fn fifty_thousand_operations_stay_small() {
    let page = render(&fake::manifest(), &fifty_thousand(), &fake::verdict());
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
}

/// The made-up run, one after the other.
fn fifty_thousand() -> Vec<Event> {
    let once = fake::events();
    let mut events: Vec<Event> = Vec::new();
    let mut n_ops = 0;
    while n_ops < 50_000 {
        let shift = 50_000_000_000 * (events.len() / once.len()) as u64;
        for event in &once {
            n_ops += usize::from(event.kind == Kind::Invoke);
            let index = events.len() as u64;
            events.push(Event { index, time: event.time + shift, ..event.clone() });
        }
    }
    events
}

#[test]
fn unreadable_events_are_named() {
    let fault = fake::event(5, Process::nemesis(), Kind::Info, f::FAULT, json!({"fault": "x"}));
    let role = fake::event(6, Process::probe(), Kind::Info, f::ROLE, json!({"role": "leader"}));
    let page = render(&fake::manifest(), &[fault, role], &fake::verdict());
    let plain = without_scripts(&page);
    assert!(plain.contains("event 0 (fault of nemesis) has an unreadable value"), "fault");
    assert!(plain.contains("is a role of no server: `node` is missing"), "role");
}

#[test]
fn the_witness_keeps_the_order_of_times() {
    let mut events = fake::events();
    let verdict = fake::stale_read(&mut events);
    let witness = verdict.checks[0].witness.as_ref().expect("invalid");
    let timeline = Timeline::of(&events);
    let svg = witness::svg(&timeline, witness);
    assert_eq!(svg.matches("<g class=\"op ").count(), witness.operations.len());
    assert_eq!(svg.matches(" culprit\"").count(), 1);
    let ticks = svg.split("<line class=\"tick\" x1=\"").skip(1);
    let places: Vec<f64> = ticks
        .map(|rest| rest.split('"').next().and_then(|x| x.parse().ok()).expect("a number"))
        .collect();
    assert!(places.len() >= 5);
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
}

#[test]
fn a_witness_of_unknown_operations_draws_nothing() {
    let mut verdict = fake::stale_read(&mut fake::events());
    let witness = verdict.checks[0].witness.as_mut().expect("invalid");
    witness.operations = vec![u64::MAX];
    assert_eq!(witness::svg(&Timeline::of(&[]), witness), "");
}

#[test]
fn operations_in_words() {
    let labels = |kind, f: &str, asked: Value, answer: Value, error: Option<&str>| {
        let invoke = fake::event(0, Process::Client(1), Kind::Invoke, f, asked);
        let mut done = fake::event(1, Process::Client(1), kind, f, answer);
        done.error = error.map(str::to_owned);
        let version =
            |version| history::Stat { czxid: history::Hex(1), mzxid: history::Hex(2), version };
        done.stat = (kind == Kind::Ok && f != f::CONNECT).then(|| version(7));
        Timeline::of(&[invoke, done]).ops[0].label.clone()
    };
    let null = || Value::Null;
    assert_eq!(labels(Kind::Ok, f::WRITE, json!(31), json!(31), None), "write 31 → v7");
    assert_eq!(labels(Kind::Ok, f::READ, null(), json!(31), None), "read → 31 v7");
    assert_eq!(labels(Kind::Ok, f::READ, null(), null(), None), "read → empty v7");
    let cas = || json!([6, 31]);
    assert_eq!(labels(Kind::Ok, f::CAS, cas(), cas(), None), "cas v6 31 → v7");
    let refused = labels(Kind::Fail, f::CAS, cas(), cas(), Some("BadVersion"));
    assert_eq!(refused, "cas v6 31 → BadVersion");
    let lost = labels(Kind::Info, f::WRITE, json!(31), json!(31), Some("Timeout"));
    assert_eq!(lost, "write 31 → ? Timeout");
    let create = json!({"ask": "create", "path": "/z0/a", "value": 31});
    let exists = labels(Kind::Fail, "create", create, null(), Some("NodeExists"));
    assert_eq!(exists, "create /z0/a = 31 → NodeExists");
    let open = fake::event(0, Process::Client(1), Kind::Invoke, f::WRITE, json!(31));
    assert_eq!(Timeline::of(&[open]).ops[0].label, "write 31 → ? no answer");
}

#[test]
fn commands_survive_a_shell() {
    let mut manifest = fake::manifest();
    manifest.argv =
        ["./zoobreak", "test", "--results", "my runs", "--seed=7"].map(str::to_owned).into();
    assert_eq!(words::run_command(&manifest), "zoobreak test --results 'my runs' --seed=7");
    let check = words::check_command(Path::new("it's"));
    assert_eq!(check, r"zoobreak check 'it'\''s'");
}

#[test]
fn a_template_is_filled_from_left_to_right() {
    let filled = html::fill("<{{a}}|{{b}}|{{a}}>", &[("a", "{{b}}"), ("b", "2")]);
    assert_eq!(filled, "<{{b}}|2|{{b}}>");
}

#[test]
fn writes_into_the_run_directory() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let run = RunDir::create(scratch.path(), &fake::manifest()).expect("a fresh run");
    let write = || write_html(&run, &fake::manifest(), &fake::events(), false, &fake::verdict());
    assert_eq!(write().expect("it is written"), run.path().join("report.html"));
    write().expect("it is replaced");
    let left = std::fs::read_dir(run.path()).expect("readable").flatten();
    assert!(!left.into_iter().any(|file| file.file_name() == "report.html.tmp"));
    std::fs::remove_dir_all(run.path()).expect("removable");
    let error = write().expect_err("there is no directory").to_string();
    assert!(error.contains("report.html"), "{error}");
}

#[test]
fn screen_of_a_valid_run() {
    let expected = "\
VALID  9,734 operations on 10 znodes by 10 clients; 7 faults verified (3 kill, 2
       pause, 2 partition), 3 leader changes; 6 guarantees held.

  guarantee                 outcome  examined       ms
  linearizable              valid       9,734     31.2
  C1 unique zxids           valid       4,810      0.4
  C9 sync                   valid       2,391      3.8
  C2 session order          valid       9,734      1.1
  C3 write order            valid       4,810      2.0
  C8 durability             valid       4,860      2.9

sound   9,734 operations ok · 1 phases completed
        3 verified kills (3 installed) · 2 verified pauses (2 installed)
        2 verified partitions (2 installed, 1 skipped (no leader is known), 1 i…
        3 leader changes (n3 → n5 → n1 → n4)
        5 servers that answered the final reads
faults  kill + pause + partition · about one every 2.5 s
        partitions by iptables v1.8.9 (nf_tables) · seed 7
report  results/register+kill+pause+partition/20261120T211658Z-7/report.html
check   zoobreak check results/register+kill+pause+partition/20261120T211658Z-7
again   zoobreak test --time 45 --seed 7
";
    assert_eq!(screen(&fake::manifest(), &fake::verdict(), Path::new(RUN)), expected);
}

#[test]
fn screen_of_an_invalid_run() {
    let mut manifest = fake::manifest();
    let mut verdict = fake::stale_read(&mut fake::events());
    verdict.sentence = "invalid: client 5 read an old value".into();
    manifest.settings.mutant = Some("X9".into());
    let text = screen(&manifest, &verdict, Path::new(RUN));
    let expected = "\
INVALID  client 5 read an old value
planted defect X9: this server is broken on purpose

  guarantee                 outcome  examined       ms
  linearizable              invalid     9,734     31.2
  C1 unique zxids           valid       4,810      0.4
  C9 sync                   invalid     2,391      3.8  reported, not promised
";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn screen_of_an_unsound_run() {
    let text = screen(&fake::manifest(), &unsound(), Path::new(RUN));
    assert!(text.starts_with("NOT SOUND  no partition was verified\n"), "{text}");
    let expected = "
the run itself is not sound: 1 of 7 needs is not met
  ✗ verified partitions: 0 of 1 needed: 3 indeterminate (no packet was dropped)
met     9,734 operations ok · 1 phases completed
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn screen_of_an_unknown_run() {
    let mut verdict = fake::verdict();
    verdict.outcome = Verdicts::Unknown;
    verdict.sentence = "unknown: linearizable gave up at operation 812 of 9,734".into();
    verdict.checks[0].outcome = Verdicts::Unknown;
    verdict.checks[0].reason = Some("gave up at operation 812".into());
    let text = screen(&fake::manifest(), &verdict, Path::new(RUN));
    assert!(
        text.starts_with("UNKNOWN  linearizable gave up at operation 812 of 9,734\n"),
        "{text}"
    );
    let line = "  linearizable              unknown     9,734     31.2  gave up at operation 812\n";
    assert!(text.contains(line), "{text}");
}

fn steps(outcome: Verdicts, sentence: &str) -> Option<Steps> {
    let (actions, followed_by) =
        ([("commit".to_owned(), 1200)], [("commit".to_owned(), vec!["<ack>".to_owned()])]);
    Some(Steps {
        outcome,
        sentence: sentence.into(),
        examined: 33_150,
        millis: 200.0,
        actions: actions.into(),
        followed_by: followed_by.into(),
        never: vec!["trunc".into()],
    })
}

#[test]
fn what_servers_did_is_told_where_they_say_it() {
    let (manifest, events) = (fake::manifest(), fake::events());
    let said = |steps| {
        let verdict = Verdict { steps, ..fake::verdict() };
        let page = render(&manifest, &events, &verdict);
        (screen(&manifest, &verdict, Path::new("results/run")), without_scripts(&page).to_owned())
    };
    let (screen, page) = said(steps(Verdicts::Valid, "every step is one of ZAB"));
    assert!(screen.contains("steps   33,150 steps: every step is one of ZAB"), "{screen}");
    assert!(
        page.contains("What the servers did") && page.contains("1 pairs of them; never: trunc")
    );
    assert!(page.contains("&lt;ack&gt;") && !page.contains("<ack>"));
    let (screen, page) = said(steps(Verdicts::Invalid, "n3 acknowledged what it has not"));
    assert!(screen.contains("steps   rejected: n3 acknowledged what it has not"), "{screen}");
    assert!(page.contains("chip invalid"), "{page}");
    let (screen, page) = said(None);
    assert!(!screen.contains("steps   ") && !page.contains("What the servers did"));
}

#[test]
fn the_screen_never_grows_beyond_thirty_lines() {
    let mut manifest = fake::manifest();
    manifest.settings.mutant = Some("X9".into());
    let mut verdict = fake::stale_read(&mut fake::events());
    verdict.steps = steps(Verdicts::Invalid, &"far too long ".repeat(100));
    verdict.sentence = "much too long ".repeat(100);
    verdict.checks = verdict.checks.iter().cycle().take(40).cloned().collect();
    let short = Fact { count: 0, note: "why ".repeat(99), ..verdict.soundness.facts[0].clone() };
    verdict.soundness.facts.extend(vec![short; 20]);
    let text = screen(&manifest, &verdict, Path::new(RUN));
    assert!(text.lines().count() <= 30, "{text}");
    assert!(text.contains("  … and "), "{text}");
    let copied = ["report  ", "check   ", "again   "];
    for line in text.lines().filter(|line| !copied.iter().any(|lead| line.starts_with(lead))) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(text.lines().filter(|line| line.contains(" invalid ")).count() >= 8, "{text}");
}

/// All checks hold, and no partition was verified.
fn unsound() -> Verdict {
    let mut verdict = fake::verdict();
    verdict.sentence = "not sound: no partition was verified".into();
    let partitions = &mut verdict.soundness.facts[4];
    partitions.count = 0;
    partitions.note = "3 indeterminate (no packet was dropped)".into();
    verdict
}

//! Faults of whole runs: set off by events, stuck in their heals, beside a user's own rules and beside another run.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use support::disguise::Disguise;
use support::harness::{Running, fact, history, json, latest, missing, zoobreak};
use support::leftovers::{Family, Surroundings};
use support::{alone, scratch, seconds, skip, text, until};

/// A run of seconds with everything around it takes a small part of this.
const RUN_WITHIN: std::time::Duration = seconds(180);

#[test]
fn a_changed_epoch_kills_the_server_that_changed_it() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("a_changed_epoch_kills_the_server_that_changed_it", &why);
    }
    let results = scratch();
    let faults = "kill:that@epoch-change,kill:leader";
    let argv = ["test", "--faults", faults, "--time", "16", "--seed", "1", "--results"];
    let said = zoobreak(&[&argv[..], &[text(results.path())]].concat(), RUN_WITHIN);
    assert_ne!(said.code, 1, "a correct server stands it: {}", said.all());
    let run = latest(results.path());
    let schedule = json(&run, "manifest.json")["schedule"].clone();
    let waits = schedule.as_array().expect("a list").iter().filter(|fault| !fault["on"].is_null());
    let evidence = |id: &Value| {
        let path = run.join(format!("evidence/f{id}-inject.json"));
        path.exists().then(|| json(&run, &format!("evidence/f{id}-inject.json")))
    };
    let set_off: Vec<Value> = waits.filter_map(|fault| evidence(&fault["id"])).collect();
    assert!(!set_off.is_empty(), "no epoch changed: {schedule}");
    for evidence in set_off {
        let cue = &evidence["set_off_by"];
        assert_eq!(cue["event"], "epoch-change");
        assert_eq!(evidence["fault"]["nodes"], serde_json::json!([cue["node"]]), "{evidence}");
        println!("acted within {} ms of the event", cue["acted_within_ms"]);
    }
}

#[test]
fn an_event_that_makes_no_sense_is_refused_with_those_that_do() {
    for (faults, words) in [
        ("kill:leader@dawn", "nothing happens that is called `dawn`; there are: epoch-change, "),
        ("kill:that", "write kill:that@epoch-change"),
        ("kill:leeder@epoch-change", "did you mean `kill:leader`?"),
        ("scenario@epoch-change", "`scenario` awaits its events itself"),
    ] {
        let said = zoobreak(&["test", "--faults", faults], seconds(60));
        assert_eq!(said.code, 64, "{}", said.all());
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
}

/// The file of a server's output becomes a pipe that nobody reads, so that the server cannot be started again.
#[test]
fn a_heal_that_hangs_costs_neither_history_nor_verdict() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("a_heal_that_hangs_costs_neither_history_nor_verdict", &why);
    }
    let results = scratch();
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
    command.args(["test", "--faults", "kill:one", "--time", "8", "--seed", "1", "--results"]);
    let running = Running::start(command.arg(results.path()));
    let run = until("the servers are up", seconds(60), || {
        let run = fs::canonicalize(results.path().join("latest")).ok()?;
        let is_up = |event: &Value| event["f"] == "phase" && event["value"] == "setup";
        history(&run).iter().any(is_up).then_some(run)
    });
    for node in 1..=5 {
        let output = run.join(format!("nodes/n{node}/stdout.log"));
        fs::remove_file(&output).expect("the server has it open");
        mkfifo(&output, Mode::S_IRWXU).expect("a scratch directory");
    }
    let said = running.finish(RUN_WITHIN);
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stderr.contains("was not healed within 30s"), "{}", said.stderr);
    let is_end = |event: &Value| event["f"] == "phase" && event["value"] == "end";
    assert!(history(&run).iter().any(is_end), "it is whole");
    let verdict = json(&run, "verdict.json");
    assert_eq!(fact(&verdict, "faults healed"), 0);
    let facts = verdict["soundness"]["facts"].to_string();
    assert!(facts.contains("not healed: fault 1"), "{facts}");
    assert!(run.join("report.html").exists());
}

#[test]
fn the_users_own_rules_are_not_touched() {
    let _alone = alone();
    let (test, place) = ("the_users_own_rules_are_not_touched", scratch());
    let with_rules = match missing().map_or_else(|| Disguise::with_rules(place.path()), Err) {
        Ok(with_rules) => with_rules,
        Err(why) => return skip(test, &why),
    };
    let results = scratch();
    let argv = ["test", "--faults", "partition", "--time", "6", "--nodes", "3", "--results"];
    let argv = [&argv[..], &[text(results.path())]].concat();
    let said = Running::start(&mut with_rules.zoobreak(&argv)).finish(RUN_WITHIN);
    let verdict = json(&latest(results.path()), "verdict.json");
    assert!(fact(&verdict, "verified faults of kind partition") >= 1, "{}", said.all());
    let rules = |name| fs::read_to_string(place.path().join(name)).expect("it was listed");
    assert!(rules("before").contains("zoobreak-f1"), "{}", rules("before"));
    assert_eq!(rules("after"), rules("before"));
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("two_runs_at_once_do_not_meet", &why);
    }
    let (before, results) = (Surroundings::now(), [scratch(), scratch()]);
    let runs = [0, 1].map(|n| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
        command.args(["test", "--nodes", "3", "--rate", "100", "--time", "8", "--seed"]);
        command.args(["1", "--faults", "kill,partition", "--results"]);
        Running::start(command.arg(results[n].path()))
    });
    let families = [0, 1].map(|n| {
        until("it breaks things", RUN_WITHIN, || {
            let run = fs::canonicalize(results[n].path().join("latest")).ok()?;
            let broken = history(&run).iter().any(|event| event["f"] == "fault");
            broken.then(|| Family::of(runs[n].child.id(), results[n].path()))
        })
    });
    let [one, other] = &families;
    assert!(one.members.is_disjoint(&other.members));
    assert!(one.namespaces.is_disjoint(&other.namespaces) && !one.namespaces.is_empty());
    for (running, results) in runs.into_iter().zip(&results) {
        let said = running.finish(RUN_WITHIN);
        assert_ne!(
            said.code,
            1,
            "what the other's clients wrote would be phantoms: {}",
            said.all()
        );
        let verdict = json(&latest(results.path()), "verdict.json");
        assert_eq!(fact(&verdict, "faults healed"), needed(&verdict, "faults healed"), "{verdict}");
        assert_eq!(n_runs(results.path()), 1);
    }
    assert_eq!(Surroundings::now(), before);
}

fn needed(verdict: &Value, what: &str) -> u64 {
    let facts = verdict["soundness"]["facts"].as_array().expect("a list of facts");
    let fact = facts.iter().find(|fact| fact["what"] == what).expect("the fact is there");
    fact["needed"].as_u64().expect("a count")
}

/// Run directories: those with a manifest.
fn n_runs(results: &Path) -> usize {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let groups = entries(results).into_iter().filter(|path| !path.is_symlink());
    let runs = groups.flat_map(|group| [entries(&group), vec![group]].concat());
    runs.filter(|run| run.join("manifest.json").exists()).count()
}

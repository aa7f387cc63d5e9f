//! A run's own health: each need can be unmet, and then the run is not green.

use crate::cluster::{Shape, run};
use crate::story::{Story, manifest};
use checker::{Exit, Fact, Limits, Verdict, check, check_history, check_run};
use history::{At, FaultStep, History, Manifest, Outcome, Phase, RunDir, Status, Target};

fn good() -> (Manifest, Story) {
    (manifest(), run(&Shape { seed: 7, operations: 600, clients: 10, keys: 5, lost: 0.02 }))
}

/// The good run's verdict after a change to it.
fn changed(change: impl FnOnce(&mut Manifest, &mut History)) -> Verdict {
    let (mut manifest, story) = good();
    let mut history = story.history();
    change(&mut manifest, &mut history);
    check(&manifest, &history)
}

fn unmet(verdict: &Verdict, what: &str) -> Fact {
    assert_eq!(verdict.exit(), Exit::Unsound, "{}", verdict.sentence);
    let unmet = verdict.soundness.facts.iter().filter(|fact| !fact.holds());
    let fact = unmet.clone().find(|fact| fact.what == what);
    let fact = fact.unwrap_or_else(|| panic!("{:?}", unmet.collect::<Vec<_>>()));
    assert!(verdict.sentence.starts_with("not sound: "), "{}", verdict.sentence);
    fact.clone()
}

#[test]
fn the_good_run_is_sound() {
    let verdict = changed(|_, _| {});
    assert_eq!(verdict.exit(), Exit::Valid, "{}", verdict.sentence);
    let facts: Vec<_> = verdict.soundness.facts.iter().map(|fact| fact.what.as_str()).collect();
    assert_eq!(
        facts,
        [
            "run complete",
            "ok operations",
            "ok writes",
            "ok reads",
            "znodes with an ok operation",
            "verified faults of kind kill",
            "verified faults of kind partition",
            "verified faults of kind pause",
            "faults healed",
            "leader changes",
            "servers that never ended on their own",
            "servers that answered every final read",
        ]
    );
}

#[test]
fn a_run_that_was_stopped_is_not_sound() {
    let verdict = changed(|_, history| history.phases.retain(|at| at.what == Phase::Load));
    let fact = unmet(&verdict, "run complete");
    assert_eq!(fact.note, "history ends in phase load: the harness was stopped");
    let verdict = changed(|_, history| history.phases.clear());
    assert_eq!(
        unmet(&verdict, "run complete").note,
        "history names no phase: the harness was stopped"
    );
}

#[test]
fn too_little_load_is_not_sound() {
    let verdict = changed(|manifest, _| manifest.settings.rate = 1e6);
    assert_eq!(unmet(&verdict, "ok operations").needed, 500_000);
    let verdict = changed(|_, history| {
        for op in history.operations.iter_mut().filter(|op| op.action.is_write()) {
            (op.status, op.end) = (Status::Unknown, None);
        }
    });
    assert_eq!(unmet(&verdict, "ok writes").count, 0);
    let verdict = changed(|_, history| {
        history.operations.retain(|op| !op.action.is_read() || op.process >= 10);
    });
    assert_eq!(unmet(&verdict, "ok reads").count, 0);
    let verdict = changed(|manifest, _| manifest.settings.keys = 6);
    let fact = unmet(&verdict, "znodes with an ok operation");
    assert_eq!((fact.count, fact.needed), (5, 6));
}

#[test]
fn a_fault_that_did_not_bite_does_not_count() {
    let skipped = Outcome::Skipped { reason: "no leader known".into() };
    let unclear = Outcome::Indeterminate { reason: "no packet was dropped".into() };
    for (outcome, words) in
        [(skipped, "1 skipped (no leader known)"), (unclear, "1 indeterminate (no packet")]
    {
        let verdict = changed(|_, history| {
            let partitions = history.faults.iter_mut().filter(|at| at.what.kind == "partition");
            let last = partitions.filter(|at| at.what.step == FaultStep::Healed);
            last.for_each(|at| at.what.outcome = Some(outcome.clone()));
        });
        let fact = unmet(&verdict, "verified faults of kind partition");
        assert!(fact.note.starts_with(words), "{}", fact.note);
        assert!(verdict.sentence.contains(words), "{}", verdict.sentence);
    }
}

#[test]
fn a_fault_that_was_not_healed_does_not_count() {
    let verdict = changed(|_, history| {
        history.faults.retain(|at| at.what.fault != 2 || at.what.step != FaultStep::Healed);
    });
    assert_eq!(unmet(&verdict, "verified faults of kind pause").note, "1 not known to be healed");
    assert_eq!(unmet(&verdict, "faults healed").note, "not healed: fault 2");
}

#[test]
fn a_kind_of_fault_that_never_came_is_not_sound() {
    let verdict = changed(|_, history| history.faults.retain(|at| at.what.kind != "kill"));
    assert_eq!(unmet(&verdict, "verified faults of kind kill").count, 0);
    let verdict = changed(|manifest, _| manifest.settings.faults.push("skew".into()));
    assert_eq!(unmet(&verdict, "verified faults of kind skew").count, 0);
}

#[test]
fn leader_kills_without_a_leader_change_are_not_sound() {
    let verdict = changed(|_, history| history.roles.truncate(1));
    assert_eq!(unmet(&verdict, "leader changes").count, 0);
    let verdict = changed(|_, history| {
        let first = history.roles[1].clone();
        history.roles = vec![first];
    });
    assert_eq!(unmet(&verdict, "leader changes").count, 0);
}

#[test]
fn leader_changes_before_the_load_do_not_count() {
    let verdict = changed(|_, history| history.roles.iter_mut().for_each(|at| at.index = 0));
    assert_eq!(unmet(&verdict, "leader changes").count, 0);
}

#[test]
fn a_new_leader_that_still_shows_the_last_epoch_counts_once() {
    let verdict = changed(|_, history| {
        let last = history.roles.last().expect("some").clone();
        history.roles.push(At { node: Some("n3".into()), ..last });
    });
    let fact = verdict.soundness.facts.iter().find(|fact| fact.what == "leader changes");
    assert_eq!(fact.expect("asked for").count, 3);
}

#[test]
fn a_server_that_did_not_answer_at_the_end_is_not_sound() {
    let verdict = changed(|_, history| {
        history.operations.retain(|op| op.process < 10 || op.node.as_deref() != Some("n3"));
    });
    assert_eq!(unmet(&verdict, "servers that answered every final read").note, "not from n3");
}

#[test]
fn a_server_that_crashed_is_not_sound() {
    let crashed = |target| {
        changed(|manifest, history| {
            manifest.settings.target = target;
            let node = Some("n2".into());
            history.exits.push(At { index: 9, time: 9, node, what: "exit status: 101".into() });
        })
    };
    assert!(crashed(Target::Zoobreak).sentence.ends_with("This breaks C23 (recovery)."));
    let verdict = crashed(Target::Zookeeper);
    let fact = unmet(&verdict, "servers that never ended on their own");
    assert_eq!((fact.count, fact.needed, fact.note.as_str()), (2, 3, "n2: exit status: 101"));
}

#[test]
fn a_violation_outweighs_an_unsound_run() {
    let verdict = changed(|_, history| {
        history.phases.clear();
        history.operations.iter_mut().rev().find(|op| op.is_ok()).expect("some").read = Some(-1);
    });
    assert_eq!(verdict.exit(), Exit::Invalid);
    assert!(verdict.sentence.ends_with("This breaks linearizability."));
}

#[test]
fn without_faults_none_are_needed() {
    let verdict = changed(|manifest, history| {
        manifest.settings.faults.clear();
        history.faults.clear();
        history.roles.clear();
    });
    assert_eq!(verdict.exit(), Exit::Valid, "{}", verdict.sentence);
    assert!(verdict.sentence.contains("; 0 faults verified, 0 leader changes; "));
}

#[test]
fn what_apache_zookeeper_does_not_promise_is_reported_only() {
    let stale = |manifest: &mut Manifest, history: &mut History, target| {
        manifest.settings.target = target;
        let read = history.operations.iter_mut().filter(|op| op.process < 10 && op.is_ok());
        let read = read.rev().find(|op| op.action.name() == "read").expect("some");
        read.zxid = Some(history::Hex(read.stat.expect("ok").mzxid.0));
    };
    let verdict = changed(|manifest, history| stale(manifest, history, Target::Zoobreak));
    let sync = |verdict: &Verdict| verdict.checks.iter().find(|c| c.id == "C9").cloned();
    assert_eq!(sync(&verdict).expect("there").outcome, checker::Outcome::Invalid);
    let verdict = changed(|manifest, history| stale(manifest, history, Target::Zookeeper));
    let sync = sync(&verdict).expect("there");
    assert!(!sync.binding && sync.outcome == checker::Outcome::Invalid);
    let others = verdict.checks.iter().filter(|c| c.binding && c.id != "C2");
    assert!(others.clone().count() == 11 && others.clone().all(|c| c.witness.is_none()));
}

#[test]
fn a_run_directory_gives_the_same_verdict_again() {
    let results = tempfile::tempdir().expect("scratch directory");
    let (manifest, story) = good();
    let run = RunDir::create(results.path(), &manifest).expect("a new run");
    std::fs::write(run.history(), story.text()).expect("writable");
    let verdict = check_run(&run, Vec::new(), Limits::default()).expect("readable");
    assert_eq!(verdict.exit(), Exit::Valid, "{}", verdict.sentence);
    run.write_json("verdict.json", &verdict).expect("writable");
    let stored: Verdict = run.read_json("verdict.json").expect("readable");
    let again = check_run(&run, Vec::new(), Limits::default()).expect("readable");
    assert_eq!((stored.outcome, stored.sentence), (again.outcome, again.sentence));
}

#[test]
fn a_history_cut_by_a_crash_is_judged_and_not_sound() {
    let results = tempfile::tempdir().expect("scratch directory");
    let (manifest, story) = good();
    let run = RunDir::create(results.path(), &manifest).expect("a new run");
    let text = story.text();
    std::fs::write(run.history(), &text[..text.len() / 2]).expect("writable");
    let verdict = check_run(&run, Vec::new(), Limits::default()).expect("readable");
    let note = unmet(&verdict, "run complete").note;
    assert!(note.contains("phase load") && note.contains("was cut after"), "{note}");
}

#[test]
fn a_history_alone_is_judged_and_says_that_it_is_alone() {
    let scratch = tempfile::tempdir().expect("scratch directory");
    let path = scratch.path().join("h.jsonl");
    std::fs::write(&path, good().1.text()).expect("writable");
    let verdict = check_history(&path, Limits::default()).expect("readable");
    assert_eq!(verdict.exit(), Exit::Valid, "{}", verdict.sentence);
    assert!(verdict.sentence.contains("no manifest"), "{}", verdict.sentence);
    std::fs::write(&path, "{}\n").expect("writable");
    let error = check_history(&path, Limits::default()).expect_err("no event").to_string();
    assert!(error.contains("h.jsonl:1: field `index`: missing"), "{error}");
}

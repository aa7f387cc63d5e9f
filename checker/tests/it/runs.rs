//! Whole runs: simulated ones hold, planted defects are found, limits are kept.

use std::path::Path;
use std::time::Duration;

use crate::cluster::{Shape, run};
use crate::story::manifest;
use checker::{Exit, Limits, Outcome, check, check_within};
use history::{Action, History};

fn shape(seed: u64) -> Shape {
    Shape { seed, operations: 3000, clients: 10, keys: 5, lost: 0.05 }
}

#[test]
fn correct_runs_are_valid() {
    for seed in 0..10 {
        let verdict = check(&manifest(), &run(&shape(seed)).history());
        assert_eq!(verdict.exit(), Exit::Valid, "seed {seed}: {}", verdict.sentence);
        assert!(
            verdict.sentence.starts_with("valid: 3,000 operations on 5 znodes by 10 clients; ")
        );
        let end = "3 faults verified (1 kill, 1 partition, 1 pause), 3 leader changes; \
                   15 guarantees held.";
        assert!(verdict.sentence.ends_with(end), "{}", verdict.sentence);
    }
}

#[test]
fn of_a_run_that_does_not_fit_nothing_is_known_beyond_what_does() {
    let text = run(&shape(3)).text();
    for kib in (1..600).step_by(37) {
        let read = history::read_from(text.as_bytes(), Path::new("story"), kib << 10);
        let history = read.expect("a good history");
        assert!(history.full, "{kib} KiB are too few");
        let verdict = check(&manifest(), &history);
        assert_eq!(verdict.exit(), Exit::Unknown, "{kib} KiB: {}", verdict.sentence);
        let n_read = words(history.operations.len());
        let said = format!("gave up at operation {n_read}, at 1073741824 bytes of memory");
        assert!(verdict.sentence.contains(&said), "{}", verdict.sentence);
        let reached = verdict.checks[0].reached;
        assert_eq!(reached, history.operations.last().map(|op| op.invoke));
    }
}

/// "2,717".
fn words(n: usize) -> String {
    match n {
        0..1000 => n.to_string(),
        _ => format!("{},{:03}", n / 1000, n % 1000),
    }
}

#[test]
fn a_violation_in_what_fits_of_a_run_is_one() {
    let mut history = run(&shape(1)).history();
    let planted = reads(&history).into_iter().any(|n| plant_stale_read(&mut history, n));
    assert!(planted, "some read shows something older");
    history.full = true;
    let verdict = check(&manifest(), &history);
    assert_eq!(verdict.exit(), Exit::Invalid, "{}", verdict.sentence);
}

#[test]
fn many_lost_answers_are_no_violation() {
    for seed in 0..5 {
        let shape = Shape { lost: 0.4, keys: 1, ..shape(seed) };
        let history = run(&shape).history();
        let verdict = check(&manifest(), &history);
        assert_eq!(verdict.outcome, Outcome::Valid, "seed {seed}: {}", verdict.sentence);
    }
}

/// The synced reads of a run, by position; the first are left out, for want of older states.
fn reads(history: &History) -> Vec<usize> {
    let read = |op: &history::Operation| op.is_ok() && matches!(op.action, Action::Read { .. });
    (500..history.operations.len()).filter(|&n| read(&history.operations[n])).collect()
}

/// A read that shows what the same znode held 60 operations before.
fn plant_stale_read(history: &mut History, n: usize) -> bool {
    let key = history.operations[n].action.key().cloned();
    let mut older = history.operations[..n - 60].iter().rev();
    let Some(older) = older.find(|op| op.is_ok() && op.action.key() == key.as_ref()) else {
        return false;
    };
    let (read, stat) = (older.action.written().or(older.read), older.stat);
    let changed = history.operations[n].stat != stat;
    history.operations[n].read = read;
    history.operations[n].stat = stat;
    changed
}

#[test]
fn a_stale_read_anywhere_is_found_and_explained() {
    let original = run(&shape(1)).history();
    let mut planted = 0;
    for n in reads(&original).into_iter().step_by(25) {
        let mut history = original.clone();
        if !plant_stale_read(&mut history, n) {
            continue;
        }
        planted += 1;
        let verdict = check(&manifest(), &history);
        assert_eq!(verdict.exit(), Exit::Invalid, "read {n}: {}", verdict.sentence);
        let linearizable = &verdict.checks[0];
        let witness = linearizable.witness.as_ref().expect("broken");
        assert!(witness.operations.len() <= 3, "{witness:?}");
    }
    assert!(planted > 10, "only {planted} planted");
}

#[test]
fn a_lost_update_is_found() {
    let original = run(&shape(2)).history();
    let writes: Vec<_> = (500..original.operations.len())
        .filter(|&n| original.operations[n].is_ok() && original.operations[n].action.is_write())
        .collect();
    for &n in writes.iter().step_by(100) {
        let mut history = original.clone();
        let stat = history.operations[n].stat.as_mut().expect("ok writes have one");
        stat.version -= 1;
        let verdict = check(&manifest(), &history);
        let broken = |id: &str| {
            let check = verdict.checks.iter().find(|check| check.id == id).expect("there");
            check.outcome == Outcome::Invalid
        };
        assert!(broken("linearizable-writes") && broken("linearizable"), "write {n}");
    }
}

#[test]
fn a_check_without_time_or_memory_is_unknown_and_says_where_it_stopped() {
    let history = run(&shape(3)).history();
    let generous = Limits::default();
    for limits in [Limits { time: Duration::ZERO, ..generous }, Limits { bytes: 0, ..generous }] {
        let verdict = check_within(&manifest(), &history, limits);
        assert_eq!(verdict.exit(), Exit::Unknown, "{}", verdict.sentence);
        let reason = verdict.checks[0].reason.as_deref().expect("it says why");
        assert!(reason.starts_with("gave up at operation "), "{reason}");
        assert!(verdict.sentence.starts_with("unknown: linearizability: gave up"));
    }
}

#[test]
fn a_verdict_does_not_depend_on_chance() {
    let mut history = run(&shape(4)).history();
    let n = reads(&history)[20];
    plant_stale_read(&mut history, n);
    let verdicts = [(); 2].map(|()| {
        let mut verdict = check(&manifest(), &history);
        verdict.checks.iter_mut().for_each(|check| check.millis = 0.0);
        verdict
    });
    assert_eq!(verdicts[0], verdicts[1]);
}

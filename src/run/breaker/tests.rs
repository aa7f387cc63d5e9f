//! Faults of servers that are shells, on the loopback, which needs no rights.

use std::collections::BTreeMap;
use std::path::Path;

use history::Recorder;
use nemesis::{Awaited, FaultId, Lab, Launch, NodeId};
use serde_json::Value;
use tempfile::TempDir;

use super::*;

#[test]
fn a_slow_fault_delays_no_other_and_no_heal() {
    let mut stage = Stage::new("trap '' TERM; while :; do sleep 60; done");
    // SIGTERM is not enough, which takes seconds to find out.
    stage.begin(&[fault(1, "restart:one", 0, 50), fault(2, "kill:one", 300, 50)]);
    stage.until("the slow one is over", |steps| count(steps, "healed") == 2);
    let steps = stage.end();
    let at = |fault: u64, step: &str| {
        let found = steps.iter().position(|(f, s, _)| (*f, s.as_str()) == (fault, step));
        found.unwrap_or_else(|| panic!("{fault} was never {step}: {steps:?}"))
    };
    assert!(at(1, "injecting") < at(2, "injecting"), "{steps:?}");
    assert!(at(2, "healed") < at(1, "injected"), "{steps:?}");
}

#[test]
fn faults_at_the_same_moment_take_no_majority_together() {
    let mut stage = Stage::new("while :; do sleep 60; done");
    stage.begin(&[1, 2, 3].map(|id| fault(id, "kill:one", 0, 60_000)));
    stage.until("all were tried", |steps| count(steps, "injected") == 3);
    let steps = stage.end();
    let skipped: Vec<_> = steps.iter().filter(|(.., outcome)| outcome == "skipped").collect();
    assert_eq!(skipped.len(), 1, "two of five may be down: {steps:?}");
    assert_eq!(count(&steps, "healed"), 2, "{steps:?}");
}

/// Nobody is missed by a majority at first; the fault is not given up before somebody is.
#[test]
fn a_fault_for_a_role_waits_until_somebody_has_it() {
    let mut stage = Stage::new("while :; do sleep 60; done");
    let others = [2, 3].map(|id| fault(id, "kill:one", 2500, 600_000));
    stage.begin(&[&[fault(1, "kill:quorum-critical", 0, 50)], &others[..]].concat());
    stage.until("it was in force", |steps| {
        steps.iter().any(|(f, s, _)| (*f, s.as_str()) == (1, "healed"))
    });
    let steps = stage.end();
    assert!(steps.contains(&(1, "healed".into(), "installed".into())), "{steps:?}");
}

#[test]
fn a_fault_for_a_role_that_nobody_gets_is_skipped() {
    let mut stage = Stage::new("while :; do sleep 60; done");
    stage.begin(&[fault(1, "kill:newest", 0, 50), fault(2, "kill:one", 100, 50)]);
    stage.until("the other is over", |steps| count(steps, "healed") == 1);
    assert!(stage.end().contains(&(1, "injected".into(), "skipped".into())));
}

#[test]
fn an_event_sets_a_fault_off_and_its_absence_does_not() {
    let mut stage = Stage::new("echo started; while :; do sleep 60; done");
    let (set_off, idle) = ("pause:that@logs:started", "pause:that@logs:no such thing");
    stage.begin(&[fault(1, set_off, 0, 50), fault(2, idle, 0, 50), fault(3, "kill:one", 500, 50)]);
    stage.until("two are over", |steps| count(steps, "healed") == 2);
    let steps = stage.end();
    assert!(steps.contains(&(1, "healed".into(), "installed".into())), "{steps:?}");
    assert!(steps.contains(&(2, "injected".into(), "skipped".into())), "{steps:?}");
    let evidence = std::fs::read(stage.dir.path().join("evidence/f1-inject.json"));
    let evidence: Value =
        serde_json::from_slice(&evidence.expect("it was injected")).expect("JSON");
    assert_eq!(evidence["set_off_by"]["event"], "logs:started");
    assert_eq!(evidence["set_off_by"]["node"], evidence["fault"]["nodes"][0]);
}

#[test]
fn a_scenario_kills() {
    let mut stage = Stage::new("while :; do sleep 60; done");
    stage.scenario = Some("kill all as gone\nwait 10ms\nheal gone");
    stage.begin(&[fault(1, "scenario:file", 0, 600_000)]);
    stage.until("all were killed and started", |steps| count(steps, "healed") == 1);
    let steps = stage.end();
    assert!(steps.contains(&(1001, "healed".into(), "installed".into())), "{steps:?}");
    assert!(steps.contains(&(1, "healed".into(), "installed".into())), "{steps:?}");
}

#[test]
fn a_scenario_that_is_never_finished_is_not_vouched_for() {
    let mut stage = Stage::new("while :; do sleep 60; done");
    stage.scenario = Some("await settled within 10ms\nkill all");
    stage.begin(&[fault(1, "scenario:file", 0, 300)]);
    stage.until("its time is over", |steps| count(steps, "healed") == 1);
    let steps = stage.end();
    assert_eq!(steps.last(), Some(&(1, "healed".into(), "indeterminate".into())), "{steps:?}");
    assert_eq!(steps.len(), 4, "nobody was killed: {steps:?}");
}

/// Number, step, outcome.
type Steps = Vec<(u64, String, String)>;

fn count(steps: &Steps, step: &str) -> usize {
    steps.iter().filter(|(_, s, _)| s == step).count()
}

fn fault(id: u32, kind: &str, at_ms: u64, hold_ms: u64) -> Scheduled {
    let kind: nemesis::Kind = kind.parse().expect("a kind");
    let spec = kind.foremost();
    let on = kind.on().cloned().map(|event| Awaited { event, within_ms: 60_000 });
    Scheduled { id: FaultId(id), at_ms, hold_ms, spec, seed: u64::from(id), on }
}

struct Stage {
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
    nemesis: Option<Nemesis>,
    scenario: Option<&'static str>,
    running: Option<(Breaker, Recorder)>,
}

impl Stage {
    fn new(script: &str) -> Stage {
        let dir = tempfile::tempdir().expect("a scratch directory");
        std::fs::create_dir(dir.path().join("evidence")).expect("a scratch directory");
        let lab = Arc::new(Lab::on_loopback(5).expect("it needs no rights"));
        let mut nemesis = Nemesis::new(lab);
        for node in NodeId::first(5) {
            nemesis.start(node, shell(script, dir.path(), node)).expect("a shell starts");
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        Stage { dir, runtime, nemesis: Some(nemesis), scenario: None, running: None }
    }

    fn history(&self) -> PathBuf {
        self.dir.path().join("history.jsonl")
    }

    fn begin(&mut self, schedule: &[Scheduled]) {
        let recorder = Recorder::create(&self.history()).expect("a scratch directory");
        let _inside = self.runtime.enter();
        let roles = workloads::watch_roles(&[], None, WATCH, &recorder).view();
        let nemesis = self.nemesis.take().expect("it begins once");
        let scenario = self.scenario.map(|text| text.parse().expect("the tests write scenarios"));
        let play = Play { scenario, answers: Box::new(|| 0) };
        let evidence = self.dir.path().join("evidence");
        let breaker = Breaker::start(nemesis, schedule, roles, recorder.clone(), evidence, play);
        self.running = Some((breaker.expect("threads start"), recorder));
    }

    fn until(&self, what: &str, done: impl Fn(&Steps) -> bool) {
        let start = Instant::now();
        while !done(&self.steps()) {
            assert!(start.elapsed() < HEAL_WITHIN, "{what}: {:?}", self.steps());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Heals, and ends the servers.
    fn end(&mut self) -> Steps {
        let (breaker, recorder) = self.running.take().expect("it was begun");
        let (nemesis, healed) = breaker.heal().expect("no panic");
        healed.expect("everything can be healed");
        nemesis.expect("nothing hangs").stop().expect("shells can be killed");
        recorder.finish().expect("a scratch directory");
        self.steps()
    }

    fn steps(&self) -> Steps {
        let text = std::fs::read_to_string(self.history()).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let events = lines.map(|line| serde_json::from_str(line).expect("JSON lines"));
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let step = |event: Value| {
            let of = &event["value"];
            let outcome = word(&of["outcome"]);
            Some((of["fault"].as_u64()?, word(&of["step"]), outcome))
        };
        events.filter_map(step).collect()
    }
}

fn shell(script: &str, dir: &Path, node: NodeId) -> Launch {
    Launch {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::new(),
        cwd: dir.to_owned(),
        stdout: dir.join(format!("{node}.out")),
        stderr: dir.join(format!("{node}.err")),
        disks: vec![],
    }
}

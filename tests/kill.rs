//! The harness can be killed or interrupted at any time: nothing of it stays but the run directory.

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use support::disguise::Disguise;
use support::harness::{Running, history, json, latest, missing, zoobreak};
use support::leftovers::{Family, Surroundings};
use support::{alone, scratch, seconds, skip, text, until};

#[test]
fn kill_9_of_the_harness_leaves_nothing_but_a_history_that_can_be_judged() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("kill_9_of_the_harness_leaves_nothing_but_a_history_that_can_be_judged", &why);
    }
    let run = MidRun::start();
    run.signal(run.pid(), Signal::SIGKILL);
    run.assert_gone_within(seconds(1));
    let directory = run.directory();

    let said = zoobreak(&["check", text(&directory)], seconds(60));
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stdout.starts_with("NOT SOUND"), "{}", said.stdout);
    assert!(said.stdout.contains("history ends in phase load"), "{}", said.stdout);
    let verdict = json(&directory, "verdict.json");
    let linearizable = &verdict["checks"][0];
    assert!(linearizable["examined"].as_u64() > Some(50), "{linearizable}");
}

#[test]
fn ctrl_c_heals_judges_what_there_is_and_leaves_nothing() {
    // A terminal sends it to the whole foreground process group.
    ends_in_order("ctrl_c_heals_judges_what_there_is_and_leaves_nothing", |run| {
        run.signal(-run.pid(), Signal::SIGINT);
    });
}

#[test]
fn sigterm_to_the_harness_alone_does_the_same() {
    ends_in_order("sigterm_to_the_harness_alone_does_the_same", |run| {
        run.signal(run.pid(), Signal::SIGTERM);
    });
}

#[test]
fn without_namespaces_whichever_of_its_processes_is_killed_nothing_is_left() {
    let _alone = alone();
    let test = "without_namespaces_whichever_of_its_processes_is_killed_nothing_is_left";
    for (victim, name) in ["outer", "keeper", "inner"].into_iter().enumerate() {
        let poorer = match Disguise::without_namespaces() {
            Ok(poorer) => poorer,
            Err(why) => return skip(test, &why),
        };
        let (before, results) = (Surroundings::now(), scratch());
        let argv = ["test", "--time", "30", "--rate", "200", "--faults", "pause:one"];
        let mut command = poorer.zoobreak(&argv);
        command.args(["--interval", "12", "--seed", "5", "--results", text(results.path())]);
        let harness = Running::start(&mut command);
        until("a server is paused under load", seconds(60), || {
            is_broken(results.path()).then_some(())
        });
        let family = Family::of(harness.child.id(), results.path());
        assert_eq!(family.n_marked(), 3 + 5, "the harness, its keeper, its work, and the servers");
        let line = family.line_of_descent(harness.child.id());
        let pid = i32::try_from(line[victim]).expect("pids are small");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is running");
        until("every process is gone", seconds(1), || family.alive().is_empty().then_some(()));
        assert_eq!(Surroundings::now(), before, "{name}");
    }
}

fn ends_in_order(test: &str, ask: impl Fn(&MidRun)) {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip(test, &why);
    }
    let mut run = MidRun::start();
    ask(&run);
    let code = support::wait(&mut run.harness.child, seconds(60)).code();
    run.assert_gone_within(seconds(1));
    let directory = run.directory();

    assert!(run.harness.stderr().contains("interrupted"), "{}", run.harness.stderr());
    let events = history(&directory);
    let phases: Vec<&str> = events
        .iter()
        .filter(|event| event["f"] == "phase")
        .filter_map(|e| e["value"].as_str())
        .collect();
    assert_eq!(phases, ["boot", "setup", "load", "heal", "settle", "final-reads", "end"]);
    let steps = |step: &str| events.iter().filter(|e| e["value"]["step"] == step).count();
    assert_eq!(steps("injected"), steps("healed"), "every fault was healed");
    let verdict = json(&directory, "verdict.json");
    assert_eq!(verdict["outcome"], "valid", "{verdict}");
    assert_eq!(code, Some(0), "{}", verdict["sentence"]);
    let said = zoobreak(&["check", text(&directory)], seconds(60));
    assert_eq!(Some(said.code), code, "{}", said.all());
}

/// A run with its partition in force.
struct MidRun {
    harness: Running,
    results: TempDir,
    before: Surroundings,
    family: Family,
}

impl MidRun {
    fn start() -> MidRun {
        let (before, results) = (Surroundings::now(), scratch());
        let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
        // The first partition holds for 6 s or more, a short time after the load begins.
        command.args(["test", "--time", "30", "--rate", "200", "--faults", "partition:halves"]);
        command.args(["--interval", "12", "--seed", "5", "--results", text(results.path())]);
        let harness = Running::start(&mut command);
        until("a partition is in force under load", seconds(60), || {
            is_broken(results.path()).then_some(())
        });
        let family = Family::of(harness.child.id(), results.path());
        assert_eq!(family.n_marked(), 1 + 1 + 5, "the harness, contained, and its servers");
        assert!(family.members.len() >= 7 && family.namespaces.len() >= 5, "{family:?}");
        assert_eq!(Surroundings::now(), before, "a run is not seen from outside");
        MidRun { harness, results, before, family }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.harness.child.id()).expect("pids are small")
    }

    fn signal(&self, pid: i32, signal: Signal) {
        kill(Pid::from_raw(pid), signal).expect("it is running");
    }

    fn assert_gone_within(&self, within: Duration) {
        let start = Instant::now();
        until("every process is gone", within, || self.family.alive().is_empty().then_some(()));
        println!("no process left after {:.2?}", start.elapsed());
        assert_eq!(Surroundings::now(), self.before);
    }

    fn directory(&self) -> std::path::PathBuf {
        latest(self.results.path())
    }
}

/// Enough operations to judge, and a fault installed and not yet healed.
fn is_broken(results: &Path) -> bool {
    if !results.join("latest").exists() {
        return false;
    }
    let events = history(&latest(results));
    let steps = |step: &str| events.iter().filter(|e| e["value"]["step"] == step).count();
    events.len() > 1000 && steps("injected") > steps("healing")
}

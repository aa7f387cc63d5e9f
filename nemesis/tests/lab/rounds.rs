//! Restarts, empty disks, and faults that come in rounds.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nemesis::{Fault, FaultId, Host, Lab, Nemesis, NodeId, Outcome, Report};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{answers, echo_launch, ensemble, is_in_state, until, until_within};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const F1: FaultId = FaultId(1);
const F2: FaultId = FaultId(2);

pub(crate) fn restart() {
    let (lab, nemesis) = ensemble(3, Nemesis::without_iptables);
    let fault = Fault::Restart { nodes: vec![N1, N2] };
    assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    assert!(pids(&lab, N1).is_empty() && pids(&lab, N2).is_empty());
    assert_eq!(nemesis.exits().expect("proc is there"), []);
    assert_eq!(nemesis.heal(F1).expect("it can be healed").outcome, Outcome::Installed);
    until("the server answers again", || answers(&lab, Host::Observer, N1));
}

pub(crate) fn restart_of_the_deaf() {
    let (lab, mut nemesis) = ensemble(1, Nemesis::without_iptables);
    let mut deaf = echo_launch();
    deaf.args = vec!["--deaf-echo".into()];
    nemesis.start(N1, deaf).expect("it starts");
    until("the deaf server answers", || answers(&lab, Host::Observer, N1));
    let injected = nemesis.inject(F1, &Fault::Restart { nodes: vec![N1] });
    assert_indeterminate(&injected, "did not end by SIGTERM");
    assert!(pids(&lab, N1).is_empty(), "it was killed instead");
    assert_indeterminate(&nemesis.heal(F1).expect("it can be healed"), "did not end by SIGTERM");
}

/// A server that does not end by SIGTERM keeps its fault busy for seconds.
pub(crate) fn slow_fault_delays_no_other() {
    let (lab, mut nemesis) = ensemble(3, Nemesis::without_iptables);
    let mut deaf = echo_launch();
    deaf.args = vec!["--deaf-echo".into()];
    nemesis.start(N1, deaf).expect("it starts");
    until("the deaf server answers", || answers(&lab, Host::Observer, N1));
    let nemesis = &nemesis;
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| nemesis.inject(F1, &Fault::Restart { nodes: vec![N1] }));
        until("the slow one has begun", || {
            nemesis.view(None).expect("proc is there").down == [N1].into()
        });
        let early = nemesis.heal(F1).expect_err("it is not in force yet").to_string();
        assert!(early.contains("f1 is still being injected"), "{early}");
        for round in 0..3 {
            let (id, kill) = (FaultId(10 + round), Fault::Kill { nodes: vec![N2] });
            assert_eq!(nemesis.inject(id, &kill).outcome, Outcome::Installed);
            assert_eq!(nemesis.exits().expect("proc is there"), []);
            assert_eq!(nemesis.heal(id).expect("it can be healed").outcome, Outcome::Installed);
        }
        assert!(!slow.is_finished(), "three kills and heals took no second");
        assert_indeterminate(&slow.join().expect("no panic"), "did not end by SIGTERM");
    });
    assert_indeterminate(&nemesis.heal(F1).expect("it can be healed"), "did not end by SIGTERM");
    until("it is there again", || answers(&lab, Host::Observer, N1));
}

pub(crate) fn all_are_killed_at_once() {
    let (lab, nemesis) = ensemble(5, Nemesis::without_iptables);
    let injected = nemesis.inject(F1, &Fault::Kill { nodes: lab.nodes() });
    assert_eq!(injected.outcome, Outcome::Installed);
    println!("  killed 5 nodes in {} ms", injected.evidence["took_ms"]);
    assert!(lab.nodes().into_iter().all(|node| pids(&lab, node).is_empty()));
    assert_eq!(nemesis.heal(F1).expect("it can be healed").outcome, Outcome::Installed);
    for node in lab.nodes() {
        until("the server answers again", || answers(&lab, Host::Observer, node));
    }
}

/// A server on n1 with a folder for its disk, which is not there yet.
fn with_disk() -> (Arc<Lab>, Nemesis, tempfile::TempDir) {
    let (lab, mut nemesis) = ensemble(1, Nemesis::without_iptables);
    let home = tempfile::tempdir().expect("a scratch directory");
    let mut launch = echo_launch();
    launch.disks = vec![home.path().join("data")];
    nemesis.start(N1, launch).expect("it starts");
    (lab, nemesis, home)
}

pub(crate) fn wipe_of_nothing() {
    let (_lab, nemesis, _home) = with_disk();
    let wipe = Fault::Wipe { nodes: vec![N1] };
    assert_eq!(nemesis.inject(F1, &wipe).outcome, Outcome::Installed);
    let nothing = nemesis.heal(F1).expect("it can be healed");
    assert_indeterminate(&nothing, "there was nothing on its disk");
}

pub(crate) fn wipe() {
    let (lab, nemesis, home) = with_disk();
    let (disk, wipe) = (home.path().join("data"), Fault::Wipe { nodes: vec![N1] });
    fs::create_dir(&disk).expect("an empty folder");
    fs::write(disk.join("log"), "x").expect("an empty folder");
    fs::write(home.path().join("myid"), "1").expect("an empty folder");
    assert_eq!(nemesis.inject(F1, &wipe).outcome, Outcome::Installed);
    assert!(disk.join("log").exists(), "a dead server's disk is left alone until the heal");
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed);
    assert!(!disk.exists() && home.path().join("myid").exists());
    until("the server answers again", || answers(&lab, Host::Observer, N1));
}

pub(crate) fn roll() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    let fault = Fault::Rolling { order: vec![N2, N1], turn_ms: 150 };
    assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    let stopped = |node| pids(&lab, node).iter().all(|&pid| is_in_state(pid, "T"));
    assert!(stopped(N2), "its turn is first");
    until("the turn of n1", || stopped(N1) && !stopped(N2));
    until("the turn of n2", || stopped(N2) && !stopped(N1));
    assert_eq!(nemesis.view(None).expect("proc is there").down, [N1, N2].into());
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed);
    assert!(healed.evidence["rounds"].as_u64() >= Some(3), "{healed:?}");
    assert!(!stopped(N1) && !stopped(N2));
    assert_eq!(nemesis.view(None).expect("proc is there").down, [].into());
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

pub(crate) fn slow() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    let slowest = |node| {
        let (mut slowest, three_rounds) = (Duration::ZERO, Duration::from_millis(300));
        let start = Instant::now();
        while start.elapsed() < three_rounds {
            slowest = slowest.max(until_within(Duration::from_secs(10), "an answer", || {
                answers(&lab, Host::Observer, node)
            }));
        }
        slowest
    };
    let fault = Fault::Slow { nodes: vec![N1], stop_ms: 80 };
    assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    let (slow, quick) = (slowest(N1), slowest(N2));
    println!("  slowest answer: {slow:.2?} of the slow one, {quick:.2?} of the other");
    assert!(slow > Duration::from_millis(30), "{slow:?}");
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed);
    assert!(healed.evidence["rounds"].as_u64() > Some(1), "{healed:?}");
    assert!(pids(&lab, N1).iter().all(|&pid| !is_in_state(pid, "T")));
}

pub(crate) fn crash_loop() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    let before = pids(&lab, N1);
    let fault = Fault::CrashLoop { nodes: vec![N1], up_ms: 50 };
    assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
    assert!(before.iter().all(|&pid| !is_in_state(pid, "RSDTZtX")), "gone and reaped");
    let first = pids(&lab, N1);
    until("it is killed once more", || {
        let now = pids(&lab, N1);
        !now.is_empty() && now.iter().all(|pid| !first.contains(pid))
    });
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed);
    assert!(healed.evidence["rounds"].as_u64() >= Some(2), "{healed:?}");
    until("the server answers again", || answers(&lab, Host::Observer, N1));
    assert_eq!(nemesis.exits().expect("proc is there"), []);
}

pub(crate) fn skipped() {
    let (_lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    nemesis.inject(F1, &Fault::Kill { nodes: vec![N1] });
    nemesis.inject(F2, &Fault::Pause { nodes: vec![N2] });
    let f3 = FaultId(3);
    for (node, reason) in [(N1, "n1 ran no process"), (N2, "n2 is paused already")] {
        for fault in rounds_of(node) {
            let report = nemesis.inject(f3, &fault);
            let told =
                matches!(&report.outcome, Outcome::Skipped { reason: r } if r.starts_with(reason));
            assert!(told, "{report:?}");
        }
    }
    assert_eq!(nemesis.heal_all().expect("it can be healed").len(), 2);
}

/// Somebody else kills the server between two rounds, or while it is paused in one.
pub(crate) fn lost() {
    let (lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    let [roll, slow, _] = rounds_of(N1);
    let one_crash = Fault::CrashLoop { nodes: vec![N1], up_ms: 600_000 };
    for fault in [roll, slow, one_crash] {
        assert_eq!(nemesis.inject(F1, &fault).outcome, Outcome::Installed);
        for pid in pids(&lab, N1) {
            kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the process is there");
        }
        until("it is dead", || pids(&lab, N1).is_empty());
        let healed = nemesis.heal(F1).expect("it can be healed");
        assert_indeterminate(&healed, "ended before the heal");
        until("the server answers again", || answers(&lab, Host::Observer, N1));
    }
}

fn rounds_of(node: NodeId) -> [Fault; 3] {
    [
        Fault::Rolling { order: vec![node], turn_ms: 50 },
        Fault::Slow { nodes: vec![node], stop_ms: 40 },
        Fault::CrashLoop { nodes: vec![node], up_ms: 50 },
    ]
}

fn pids(lab: &Arc<Lab>, node: NodeId) -> Vec<i32> {
    lab.namespace(node.into()).pids().expect("proc is there")
}

fn assert_indeterminate(report: &Report, part: &str) {
    let told =
        matches!(&report.outcome, Outcome::Indeterminate { reason } if reason.contains(part));
    assert!(told, "{report:?}");
}

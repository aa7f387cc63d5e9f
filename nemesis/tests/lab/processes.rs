//! Kills and pauses.

use std::sync::Arc;

use nemesis::{Fault, FaultId, Host, Lab, Nemesis, NodeId, Outcome};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{answers, echo_launch, ensemble, is_in_state, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const F1: FaultId = FaultId(1);
const F2: FaultId = FaultId(2);

pub(crate) fn kill_and_restart() {
    let (lab, mut nemesis) = ensemble(3, Nemesis::without_iptables);
    let before = pids(&lab, N1);
    assert_eq!(before.len(), 2, "the server and its child");
    let injected = nemesis.inject(F1, &kill_of(&[N1, N2]));
    assert_eq!(injected.outcome, Outcome::Installed);
    println!("  killed 2 nodes in {} ms", injected.evidence["took_ms"]);
    assert!(before.iter().all(|&pid| !is_in_state(pid, "RSDTZtX")), "gone and reaped");
    assert!(pids(&lab, N1).is_empty());
    assert!(!answers(&lab, Host::Observer, N1));
    assert_eq!(nemesis.view(None).expect("proc is there").down, [N1, N2].into());
    assert_eq!(nemesis.exits().expect("proc is there"), []);

    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed);
    until("the server answers again", || answers(&lab, Host::Observer, N1));
    until("the other one too", || answers(&lab, Host::Observer, N2));
    assert!(pids(&lab, N1).iter().all(|pid| !before.contains(pid)));
    nemesis.stop().expect("servers can be killed");
    assert!(lab.nodes().into_iter().all(|node| pids(&lab, node).is_empty()));
}

pub(crate) fn pause_and_resume() {
    let (lab, nemesis) = ensemble(3, Nemesis::without_iptables);
    let injected = nemesis.inject(F1, &pause_of(&[N1]));
    assert_eq!(injected.outcome, Outcome::Installed);
    println!("  paused 1 node in {} ms", injected.evidence["took_ms"]);
    assert!(pids(&lab, N1).iter().all(|&pid| is_in_state(pid, "T")));
    assert!(!answers(&lab, Host::Observer, N1));
    assert_eq!(nemesis.view(None).expect("proc is there").down, [N1].into());

    let healed = nemesis.heal_all().expect("it can be healed");
    assert_eq!(healed[0].outcome, Outcome::Installed);
    assert!(pids(&lab, N1).iter().all(|&pid| !is_in_state(pid, "T")));
    until("the server answers again", || answers(&lab, Host::Observer, N1));
}

pub(crate) fn skipped() {
    let (_lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    assert_eq!(nemesis.inject(F1, &kill_of(&[N1])).outcome, Outcome::Installed);
    for fault in [kill_of(&[N1]), pause_of(&[N1])] {
        assert_skipped(&nemesis.inject(F2, &fault).outcome, "n1 ran no process");
    }
    assert_skipped(&nemesis.inject(F1, &pause_of(&[N2])).outcome, "f1 is in force already");
    assert_skipped(&nemesis.heal(F2).expect("nothing to heal").outcome, "it is not in force");

    let mixed = nemesis.inject(F2, &pause_of(&[N1, N2]));
    assert_indeterminate(&mixed.outcome, "n1 ran no process");
    assert_skipped(&nemesis.inject(FaultId(3), &pause_of(&[N2])).outcome, "n2 is paused already");
    assert_eq!(nemesis.heal_all().expect("it can be healed").len(), 2);
}

pub(crate) fn meddling() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    assert_eq!(nemesis.inject(F1, &pause_of(&[N1])).outcome, Outcome::Installed);
    let pid = pids(&lab, N1)[0];
    send(pid, Signal::SIGCONT);
    until("the process runs", || is_in_state(pid, "RS"));
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_indeterminate(&healed.outcome, "ran or ended before the heal");

    assert_eq!(nemesis.inject(F1, &kill_of(&[N1])).outcome, Outcome::Installed);
    let mut intruder = echo_launch().spawn(lab.namespace(N1.into())).expect("it starts");
    until("the intruder answers", || answers(&lab, Host::Observer, N1));
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_indeterminate(&healed.outcome, "n1 ran processes");
    intruder.kill().expect("it is ours");
    intruder.wait().expect("it is ours");

    let pid = pids(&lab, N2)[0];
    send(pid, Signal::SIGSTOP);
    until("the process stops", || is_in_state(pid, "T"));
    let problems = nemesis.heal_all().expect_err("somebody stopped it").problems;
    assert!(problems[0].contains("n2 has stopped processes"), "{problems:?}");
}

pub(crate) fn cannot_start() {
    let lab = Arc::new(Lab::new(1).expect("a contained process may build a lab"));
    let mut nemesis = Nemesis::without_iptables(lab);
    let mut launch = echo_launch();
    launch.program = "/no/such/program".into();
    let error = nemesis.start(N1, launch).expect_err("there is no such program").to_string();
    assert!(error.starts_with("cannot start /no/such/program: No such file"), "{error}");

    let mut launch = echo_launch();
    launch.program = "/bin/false".into();
    nemesis.start(N1, launch).expect("it starts, and ends at once");
    let mut exits = Vec::new();
    until("its end is noticed", || {
        exits.extend(nemesis.exits().expect("proc is there"));
        !exits.is_empty()
    });
    assert_eq!((exits[0].0, exits[0].1.code()), (N1, Some(1)));
}

fn kill_of(nodes: &[NodeId]) -> Fault {
    Fault::Kill { nodes: nodes.to_vec() }
}

fn pause_of(nodes: &[NodeId]) -> Fault {
    Fault::Pause { nodes: nodes.to_vec() }
}

fn pids(lab: &Lab, node: NodeId) -> Vec<i32> {
    lab.namespace(node.into()).pids().expect("proc is there")
}

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("the process is there");
}

fn assert_skipped(outcome: &Outcome, part: &str) {
    assert!(matches!(outcome, Outcome::Skipped { reason } if reason.contains(part)), "{outcome:?}");
}

fn assert_indeterminate(outcome: &Outcome, part: &str) {
    let told = matches!(outcome, Outcome::Indeterminate { reason } if reason.contains(part));
    assert!(told, "{outcome:?}");
}

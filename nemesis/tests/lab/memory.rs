//! A program that wants more memory all the time, with a limit and without.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nemesis::{Fault, FaultId, Host, Lab, Launch, Nemesis, NodeId, Outcome};
use nix::sys::resource::{Resource, getrlimit};

use crate::support::{answers, echo_launch, ensemble, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const F1: FaultId = FaultId(1);

/// What it gets at once.
const BITE: usize = 1 << 20;
/// Where it stops, so that nobody else starves.
const FILL: usize = 2048;

/// Takes a MiB of address space each millisecond. It ends with status 7 when it is refused one.
pub(crate) fn glutton() -> ExitCode {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    while eaten.len() < FILL {
        let mut bite = Vec::new();
        if bite.try_reserve_exact(BITE).is_err() {
            return ExitCode::from(7);
        }
        eaten.push(bite);
        thread::sleep(Duration::from_millis(1));
    }
    crate::support::linger()
}

pub(crate) fn limit() {
    let (lab, mut nemesis) = ensemble(2, Nemesis::without_iptables);
    for node in [N1, N2] {
        nemesis.start(node, glutton_launch()).expect("it starts");
        until("it eats", || size(&lab, node).is_some_and(|kib| kib > 50 << 10));
    }
    let injected = nemesis.inject(F1, &limit_of(N1, 4 << 20));
    assert_eq!(injected.outcome, Outcome::Installed, "{injected:?}");
    assert_eq!(nemesis.view(None).expect("proc is there").down, [N1].into(), "it may end");
    until("it is refused more", || size(&lab, N1).is_none());
    let before = size(&lab, N2);
    until("the other one eats on", || size(&lab, N2) > before || size(&lab, N2) > Some(2 << 20));
    assert_eq!(nemesis.exits().expect("proc is there"), [], "the fault is why");

    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
    assert_eq!(healed.evidence["ended"]["n1"], "exit status: 7", "{healed:?}");
    until("it is there again", || size(&lab, N1).is_some_and(|kib| kib > 50 << 10));
    assert_eq!(nemesis.view(None).expect("proc is there").down, [].into());
}

pub(crate) fn lifted_by_another() {
    let (lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    assert_eq!(nemesis.inject(F1, &limit_of(N1, 0)).outcome, Outcome::Installed);
    assert!(answers(&lab, Host::Observer, N1), "who wants nothing feels nothing");
    let (own, _) = getrlimit(Resource::RLIMIT_AS).expect("it can be asked for");
    let pids = lab.namespace(N1.into()).pids().expect("proc is there");
    for pid in pids {
        let lifted = std::process::Command::new("prlimit")
            .args([format!("--pid={pid}"), format!("--as={own}:")])
            .status();
        assert!(lifted.expect("util-linux is there").success());
    }
    let healed = nemesis.heal(F1).expect("it can be healed");
    let Outcome::Indeterminate { reason } = &healed.outcome else { panic!("{healed:?}") };
    assert!(reason.contains("at the heal"), "{reason}");
    assert_eq!(healed.evidence["ended"], serde_json::json!({}), "{healed:?}");
}

pub(crate) fn skipped() {
    let (_lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    nemesis.inject(FaultId(2), &Fault::Kill { nodes: vec![N1] });
    let report = nemesis.inject(F1, &limit_of(N1, 0));
    assert_eq!(report.outcome, Outcome::Skipped { reason: "n1 ran no process".into() });
}

fn limit_of(node: NodeId, spare: u64) -> Fault {
    Fault::Memory { nodes: vec![node], spare }
}

fn glutton_launch() -> Launch {
    Launch { args: vec!["--glutton".into()], ..echo_launch() }
}

/// KiB of address space of the node's largest process.
fn size(lab: &Lab, node: NodeId) -> Option<u64> {
    let pids = lab.namespace(node.into()).pids().expect("proc is there");
    let pages = |pid: i32| -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        statm.split(' ').next()?.parse().ok()
    };
    pids.into_iter().filter_map(pages).max().map(|pages| pages * 4)
}

//! Wrong clocks.

use nemesis::fault::Motion;
use nemesis::{Fault, FaultId, Nemesis, NodeId, Outcome, Report};

use crate::support::{ensemble, now_ms, time_at, until};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const F1: FaultId = FaultId(1);
const F2: FaultId = FaultId(2);
const HOUR_MS: i64 = 3_600_000;
/// Longer than any question takes.
const MINUTE_MS: i64 = 60_000;

pub(crate) fn jump() {
    let (lab, nemesis) = ensemble(2, Nemesis::without_iptables);
    let off = |node| time_at(&lab, node) - now_ms();
    // The second time the process has our code already.
    for offset_ms in [HOUR_MS, -HOUR_MS] {
        let injected = nemesis.inject(F1, &clock(Motion::Jump, offset_ms));
        assert_eq!(injected.outcome, Outcome::Installed, "{injected:?}");
        println!("  clock set in {} ms", injected.evidence["took_ms"]);
        assert!((off(N1) - offset_ms).abs() < MINUTE_MS);
        assert!(off(N2).abs() < MINUTE_MS);
        let view = nemesis.view(None).expect("proc is there");
        assert_eq!((view.held, view.down), ([N1].into(), [].into()));
        let healed = nemesis.heal(F1).expect("it can be healed");
        assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
        let given = |i: usize| healed.evidence["corrected"][i]["wrong_times_given"].as_u64();
        assert_eq!((given(0), given(1)), (Some(1), Some(0)), "{healed:?}");
        assert!(off(N1).abs() < MINUTE_MS);
    }
    assert_eq!(nemesis.heal_all(), Ok(vec![]));
}

pub(crate) fn strobe() {
    let (lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    assert_eq!(nemesis.inject(F1, &clock(Motion::Strobe, HOUR_MS)).outcome, Outcome::Installed);
    for wrong in [true, false, true, false] {
        until("the clock jumps", || (time_at(&lab, N1) - now_ms() > MINUTE_MS) == wrong);
    }
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
    assert!(healed.evidence["moves"].as_u64() >= Some(3), "{healed:?}");
    assert!(time_at(&lab, N1) - now_ms() < MINUTE_MS);
}

pub(crate) fn drift() {
    let (lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    let off = || time_at(&lab, N1) - now_ms();
    assert_eq!(nemesis.inject(F1, &clock(Motion::Drift, -HOUR_MS)).outcome, Outcome::Installed);
    let first = off();
    assert!(first < -MINUTE_MS, "{first}");
    until("it is later and later", || off() < first - HOUR_MS);
    let healed = nemesis.heal(F1).expect("it can be healed");
    assert_eq!(healed.outcome, Outcome::Installed, "{healed:?}");
    assert!(off().abs() < MINUTE_MS);
}

pub(crate) fn nobody_asks() {
    let (_lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    for motion in [Motion::Jump, Motion::Strobe, Motion::Drift] {
        nemesis.inject(F1, &clock(motion, HOUR_MS));
        let healed = nemesis.heal(F1).expect("it can be healed");
        assert_indeterminate(&healed, "no process asked for the time");
    }
}

pub(crate) fn process_ends() {
    let (lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    nemesis.inject(F1, &clock(Motion::Jump, HOUR_MS));
    time_at(&lab, N1);
    nemesis.inject(F2, &Fault::Kill { nodes: vec![N1] });
    assert_eq!(nemesis.heal(F2).expect("it can be healed").outcome, Outcome::Installed);
    let healed = nemesis.heal(F1).expect("there is nothing left to heal");
    assert_indeterminate(&healed, "ended before the heal");
}

pub(crate) fn skipped() {
    let (_lab, nemesis) = ensemble(1, Nemesis::without_iptables);
    nemesis.inject(F1, &Fault::Pause { nodes: vec![N1] });
    assert_skipped(&nemesis.inject(F2, &clock(Motion::Jump, HOUR_MS)), "n1: is paused already");
    nemesis.heal(F1).expect("it can be healed");
    nemesis.inject(F1, &Fault::Kill { nodes: vec![N1] });
    assert_skipped(&nemesis.inject(F2, &clock(Motion::Jump, HOUR_MS)), "n1: ran no process");
}

fn clock(motion: Motion, offset_ms: i64) -> Fault {
    Fault::Clock { nodes: vec![N1], motion, offset_ms }
}

fn assert_skipped(report: &Report, part: &str) {
    let told = matches!(&report.outcome, Outcome::Skipped { reason } if reason.contains(part));
    assert!(told, "{report:?}");
}

fn assert_indeterminate(report: &Report, part: &str) {
    let told =
        matches!(&report.outcome, Outcome::Indeterminate { reason } if reason.contains(part));
    assert!(told, "{report:?}");
}

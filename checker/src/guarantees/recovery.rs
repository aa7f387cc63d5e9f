//! C23: when the faults are over, the service is back.

use std::collections::BTreeSet;

use history::{At, FaultEvent, FaultStep, History, Outcome, Phase, Settings};

use super::{Finding, Guarantee, Judge, always};
use crate::verdict::Witness;
use crate::words::{duration, seconds, without_operations};

pub(super) const RECOVERY: Guarantee = Guarantee {
    id: "C23",
    name: "recovery",
    promise: "15 s after the last fault is healed every server serves, and none has ended by itself, \
              unless its disk failed.",
    source: "ZooKeeper Overview: \"as long as a majority of the servers are available, the ZooKeeper \
             service will be available\"; of each single server Apache ZooKeeper promises nothing, so \
             there it is reported",
    more_than_zookeeper: true,
    applies: always,
    check: Judge::Run(check),
};

/// How long servers may take, nanoseconds.
const WITHIN: u64 = 15_000_000_000;

/// Examined are the servers.
fn check(history: &History, settings: &Settings) -> Finding {
    let ended = history.exits.iter().find(|exit| !is_excused(history, exit));
    if let Some(exit) = ended {
        return Finding::new(settings.nodes, Some(crashed(exit)));
    }
    if is_broken_still(history) {
        return Finding::new(0, None).or_no_occasion("a fault was never healed: they are not over");
    }
    let Some(healed) = history.phase(Phase::Settle) else { return no_occasion() };
    let missing: Vec<String> = (1..=settings.nodes)
        .map(|n| format!("n{n}"))
        .filter(|node| !serves_after(history, node, healed.time))
        .collect();
    let waited = history.end.saturating_sub(healed.time);
    match missing.as_slice() {
        [] => Finding::new(settings.nodes, None),
        _ if waited < WITHIN => no_occasion(),
        missing => Finding::new(settings.nodes, Some(absent(history, missing, healed, waited))),
    }
}

fn no_occasion() -> Finding {
    Finding::new(0, None).or_no_occasion("the run was over before servers could be back")
}

/// May a fault still be in force at the end, since the harness could not heal it?
fn is_broken_still(history: &History) -> bool {
    let mut open = BTreeSet::new();
    for FaultEvent { fault, step, outcome, .. } in history.faults.iter().map(|at| &at.what) {
        let is_over =
            *step == FaultStep::Healed || matches!(outcome, Some(Outcome::Skipped { .. }));
        if is_over {
            open.remove(fault)
        } else {
            open.insert(*fault)
        };
    }
    !open.is_empty()
}

/// Is it leader or follower at `time`, or at some time after it?
fn serves_after(history: &History, node: &str, time: u64) -> bool {
    let of_node = || history.roles.iter().filter(|at| at.node.as_deref() == Some(node));
    let before = of_node().rfind(|at| at.time <= time);
    let later = of_node().filter(|at| at.time > time);
    before.into_iter().chain(later).any(|at| matches!(at.what.role.as_str(), "leader" | "follower"))
}

/// Did it end while its disk was broken? Then it was right to.
fn is_excused(history: &History, exit: &At<String>) -> bool {
    let node = exit.node.as_deref().unwrap_or_default();
    let mut of_disk = history.faults.iter().filter(|at| concerns_disk(&at.what, node));
    let last = of_disk.rfind(|at| at.time <= exit.time);
    last.is_some_and(|at| at.what.step != FaultStep::Healed)
}

fn concerns_disk(fault: &FaultEvent, node: &str) -> bool {
    let family = fault.kind.split(':').next();
    matches!(family, Some("disk" | "wipe" | "scenario")) && fault.nodes.iter().any(|n| n == node)
}

fn crashed(exit: &At<String>) -> Witness {
    let node = exit.node.as_deref().unwrap_or("a server");
    let sentence = format!(
        "{node} ended by itself at {}: {}, though its disk was as it should be",
        seconds(exit.time),
        exit.what
    );
    without_operations(sentence, (exit.time.saturating_sub(1), exit.time))
}

fn absent(history: &History, missing: &[String], healed: &At<Phase>, waited: u64) -> Witness {
    let role = |node: &String| {
        let last = history.roles.iter().rfind(|at| at.node.as_deref() == Some(node));
        format!("{node} was {}", last.map_or("never seen", |at| at.what.role.as_str()))
    };
    let roles: Vec<String> = missing.iter().map(role).collect();
    let sentence = format!(
        "{} after every fault was healed, at {}, {}",
        duration(waited),
        seconds(healed.time),
        roles.join(", "),
    );
    without_operations(sentence, (healed.time, history.end))
}

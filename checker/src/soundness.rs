//! Did the run test anything? Counts, each with the least that a sound run has.

use std::collections::{BTreeMap, BTreeSet};

use history::{
    At, FaultEvent, FaultStep, History, Manifest, Operation, Outcome, Phase, RoleEvent, Settings,
};

use crate::truth::told;
use crate::verdict::Fact;

/// Below this many ok operations, no run says anything.
const OPERATIONS_MIN: u64 = 100;

/// The share of the operations asked for that must be ok. Faults cost some, not nearly all.
const OPERATIONS_SHARE: f64 = 0.05;

/// What was counted, and what was needed, as derived from the manifest.
pub(crate) fn soundness(manifest: &Manifest, history: &History) -> Vec<Fact> {
    let settings = &manifest.settings;
    let mut facts = vec![complete(history)];
    facts.extend(load(settings, history));
    facts.extend(resolved(history));
    let faults = faults(history);
    let lacks = &manifest.machine.lacks;
    facts.extend(families(settings).map(|family| match lacks.get(family) {
        Some(why) => Fact {
            needed: 0,
            note: format!("not possible here: {why}"),
            ..verified(family, &faults)
        },
        None => verified(family, &faults),
    }));
    if !settings.faults.is_empty() {
        facts.push(healed(&faults));
    }
    let possible = settings.faults.iter().filter(|fault| !lacks.contains_key(family(fault)));
    if possible.into_iter().any(|fault| moves_the_leader(fault)) {
        facts.push(leader_changes(history, 1));
    }
    facts.push(still_running(settings, history));
    facts.push(final_reads(settings, history));
    facts
}

/// Faults verified, by kind.
pub(crate) fn verified_by_kind(history: &History) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for fault in faults(history).values().filter(|fault| fault.unverified().is_none()) {
        *kinds.entry(fault.kind.to_owned()).or_insert(0) += 1;
    }
    kinds
}

/// Epochs whose leader was first seen after the load began: every leader has an epoch of its own,
/// though at first a new one may still show the last.
pub(crate) fn leader_changes(history: &History, needed: u64) -> Fact {
    let load = history.phase(Phase::Load).map_or(0, |at| at.index);
    let leaders = history.roles.iter().filter(|at| at.what.role == "leader");
    let (before, after): (Vec<_>, Vec<_>) = leaders.partition(|at| at.index < load);
    let (before, after) = (epochs(&before), epochs(&after));
    let new = after.difference(&before).count();
    // Without a leader known before, the first one seen is no change.
    let count = if before.is_empty() { new.saturating_sub(1) } else { new };
    fact("leader changes", count as u64, needed, String::new())
}

fn epochs(leaders: &[&At<RoleEvent>]) -> BTreeSet<u32> {
    leaders.iter().filter_map(|at| at.what.epoch).collect()
}

fn fact(what: impl Into<String>, count: u64, needed: u64, note: String) -> Fact {
    Fact { what: what.into(), count, needed, note }
}

fn complete(history: &History) -> Fact {
    let complete = history.phase(Phase::End).is_some();
    let stopped = match history.phases.last() {
        _ if complete => None,
        Some(last) => {
            Some(format!("history ends in phase {}: the harness was stopped", name(last.what)))
        }
        None => Some("history names no phase: the harness was stopped".to_owned()),
    };
    let notes: Vec<String> = stopped.into_iter().chain(history.cut.clone()).collect();
    fact("run complete", u64::from(complete), 1, notes.join("; "))
}

fn name(phase: Phase) -> String {
    let name = serde_json::to_value(phase).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn load(settings: &Settings, history: &History) -> [Fact; 4] {
    let clients = settings.clients as u64;
    let ok: Vec<_> = history
        .operations
        .iter()
        .filter(|op| tells(op) && op.process < clients && op.action.path().is_some())
        .collect();
    let reads = ok.iter().filter(|op| op.action.is_read()).count() as u64;
    let keys: BTreeSet<_> = ok.iter().filter_map(|op| op.action.path()).collect();
    let needed = operations_needed(settings);
    let operations = ok.len() as u64;
    [
        fact("ok operations", operations, needed, without_effect(history, clients)),
        fact("ok writes", operations - reads, needed / 10, String::new()),
        fact("ok reads", reads, needed / 10, String::new()),
        fact("znodes with an ok operation", keys.len() as u64, settings.keys as u64, String::new()),
    ]
}

/// Of the tree, a refusal in its place in the order tells as much as a success.
fn tells(op: &Operation) -> bool {
    op.is_ok() || op.action.ask().is_some() && op.answered().is_some() && op.zxid.is_some()
}

/// Without an answer, and found in the servers' logs or not.
fn resolved(history: &History) -> Option<Fact> {
    let (placed, never) = told(history);
    let note = format!("{never} of them never happened");
    let what = "writes without an answer looked up in the servers' logs";
    (placed + never > 0).then(|| fact(what, placed + never, 0, note))
}

fn operations_needed(settings: &Settings) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let share = (settings.rate * settings.time_s * OPERATIONS_SHARE) as u64;
    share.max(OPERATIONS_MIN)
}

fn without_effect(history: &History, clients: u64) -> String {
    let mut counts = [0_u64; 2];
    let load = history.operations.iter().filter(|op| op.process < clients && !tells(op));
    for op in load.filter(|op| op.action.path().is_some()) {
        counts[usize::from(op.end.is_none())] += 1;
    }
    format!("{} failed, {} of unknown outcome", counts[0], counts[1])
}

/// The kinds of fault asked for: `partition` of `partition:leader`.
fn families(settings: &Settings) -> impl Iterator<Item = &str> {
    let families: BTreeSet<&str> = settings.faults.iter().map(|fault| family(fault)).collect();
    families.into_iter()
}

fn family(fault: &str) -> &str {
    fault.split([':', '@']).next().unwrap_or(fault)
}

/// Faults of followers alone do not; nor need one that waits for an event ever come.
fn moves_the_leader(fault: &str) -> bool {
    let of_followers = fault.ends_with(":most-behind") || fault.ends_with(":quorum-critical");
    let is_of_all = matches!(family(fault), "kill" | "pause") && !of_followers;
    (is_of_all || fault == "partition:leader") && !fault.contains('@')
}

/// What is known of one fault after all of its steps.
struct Fault<'a> {
    kind: &'a str,
    injected: bool,
    healed: bool,
    outcome: Option<&'a Outcome>,
}

fn faults(history: &History) -> BTreeMap<u32, Fault<'_>> {
    let mut faults = BTreeMap::new();
    for FaultEvent { fault, step, kind, outcome, .. } in history.faults.iter().map(|at| &at.what) {
        let known = faults.entry(*fault).or_insert(Fault {
            kind: family(kind),
            injected: false,
            healed: false,
            outcome: None,
        });
        known.injected |= *step == FaultStep::Injected;
        known.healed |= *step == FaultStep::Healed;
        known.outcome = outcome.as_ref().or(known.outcome);
    }
    faults
}

impl Fault<'_> {
    /// Why it does not count; none when it was in force, and healed. Only its last step knows.
    fn unverified(&self) -> Option<String> {
        match self.outcome {
            Some(Outcome::Skipped { reason }) => Some(format!("skipped ({reason})")),
            Some(Outcome::Indeterminate { reason }) => Some(format!("indeterminate ({reason})")),
            Some(Outcome::Installed) if self.healed => None,
            Some(Outcome::Installed) => Some("not known to be healed".to_owned()),
            None => Some("not known to be injected".to_owned()),
        }
    }

    /// Something was done that must be undone.
    fn needs_healing(&self) -> bool {
        self.injected && !matches!(self.outcome, Some(Outcome::Skipped { .. }))
    }
}

fn verified(family: &str, faults: &BTreeMap<u32, Fault<'_>>) -> Fact {
    let of_kind = || faults.values().filter(|fault| fault.kind == family);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for reason in of_kind().filter_map(Fault::unverified) {
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let verified = of_kind().filter(|fault| fault.unverified().is_none()).count() as u64;
    let notes: Vec<_> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    fact(format!("verified faults of kind {family}"), verified, 1, notes.join(", "))
}

fn healed(faults: &BTreeMap<u32, Fault<'_>>) -> Fact {
    let in_force = || faults.iter().filter(|(_, fault)| fault.needs_healing());
    let open: Vec<_> =
        in_force().filter(|(_, fault)| !fault.healed).map(|(n, _)| n.to_string()).collect();
    let needed = in_force().count();
    let note = match open.as_slice() {
        [] => String::new(),
        open => format!("not healed: fault {}", open.join(", ")),
    };
    fact("faults healed", (needed - open.len()) as u64, needed as u64, note)
}

/// A server that ends without being killed has a defect of its own, or no room to work in.
fn still_running(settings: &Settings, history: &History) -> Fact {
    let ended: BTreeMap<&str, &str> = history
        .exits
        .iter()
        .filter_map(|at| Some((at.node.as_deref()?, at.what.as_str())))
        .collect();
    let notes: Vec<_> = ended.iter().map(|(node, status)| format!("{node}: {status}")).collect();
    let running = settings.nodes.saturating_sub(ended.len());
    fact(
        "servers that never ended on their own",
        running as u64,
        settings.nodes as u64,
        notes.join(", "),
    )
}

fn final_reads(settings: &Settings, history: &History) -> Fact {
    let mut answered: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for op in history.final_reads() {
        if let (Some(node), Some(key)) = (op.node.as_deref(), op.action.path()) {
            answered.entry(node).or_default().insert(key);
        }
    }
    let lacking =
        |node: &String| answered.get(node.as_str()).is_none_or(|keys| keys.len() < settings.keys);
    let nodes = (1..=settings.nodes).map(|node| format!("n{node}"));
    let missing: Vec<String> = nodes.filter(lacking).collect();
    let note = match missing.as_slice() {
        [] => String::new(),
        some => format!("not from {}", some.join(" ")),
    };
    let whole = settings.nodes - missing.len();
    fact("servers that answered every final read", whole as u64, settings.nodes as u64, note)
}

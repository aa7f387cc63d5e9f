//! Histories from elsewhere against a specification: object by object, on all processors, within
//! one budget.

mod consistency;
mod object;
mod read;
mod specs;
mod whole;
mod znodes;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use history::FORMAT;
use history::foreign::{Datum, Deed, Foreign};

use crate::budget::{Budget, Exhausted, Limits};
use crate::verdict::{Check, Outcome, Soundness, Verdict, Witness};
use crate::words::{count, grouped};

pub use consistency::{CONSISTENCIES, Consistency};
pub use specs::{SPECS, Spec};

/// A deed that its specification cannot make sense of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: field `{field}`: {message}")]
pub struct Senseless {
    /// The line of its invocation.
    pub line: u64,
    /// The field.
    pub field: &'static str,
    /// What is wrong with it, and what to do.
    pub message: String,
}

/// What was found about one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finding {
    pub(crate) examined: usize,
    pub(crate) engine: &'static str,
    pub(crate) undecided: Option<String>,
    /// The last operation that was placed before that, by the index of its invocation.
    pub(crate) reached: Option<u64>,
    pub(crate) broken: Option<Witness>,
}

/// Decides whether a history keeps what is promised: of each object, or of all at once. The limits are for
/// all together.
///
/// # Errors
/// When an operation, its argument or its result is none of the specification's.
pub fn check_foreign(foreign: &Foreign, spec: Spec, limits: Limits) -> Result<Verdict, Senseless> {
    let start = Instant::now();
    let mut findings = examine(&objects(foreign), spec, limits)?;
    findings.extend(full(foreign, limits));
    let left_out: Vec<String> = foreign.left_out.iter().chain(&foreign.cut).cloned().collect();
    Ok(verdict(spec, &findings, &left_out, start))
}

/// Of a history that did not fit into memory: what was not read may break what holds so far, and
/// mends nothing that does not.
pub(crate) fn full(foreign: &Foreign, limits: Limits) -> Option<Finding> {
    let read = foreign.full?;
    let reason = format!(
        "gave up at operation {}, {}; the rest was not read (--budget-memory)",
        grouped(read as u64),
        Exhausted::Memory(limits.bytes)
    );
    Some(Finding { undecided: Some(reason), ..Finding::default() })
}

/// The share of the memory that the deeds may hold; the engines need as much for themselves.
pub(crate) fn deeds_share(limits: Limits) -> usize {
    limits.bytes / 2
}

/// The deeds on each object.
pub(crate) fn objects(foreign: &Foreign) -> Vec<Vec<&Deed>> {
    let mut objects: BTreeMap<Option<&Datum>, Vec<&Deed>> = BTreeMap::new();
    for deed in &foreign.deeds {
        objects.entry(deed.key.as_ref()).or_default().push(deed);
    }
    objects.into_values().collect()
}

/// The verdict on what was found about all objects.
pub(crate) fn verdict(
    spec: Spec,
    findings: &[Finding],
    left_out: &[String],
    start: Instant,
) -> Verdict {
    let check = sum_up(spec, findings, start);
    Verdict {
        format: FORMAT,
        outcome: check.outcome,
        sentence: sentence(&check, left_out, findings),
        checks: vec![check],
        soundness: Soundness { facts: Vec::new() },
        steps: None,
    }
}

pub(crate) fn examine(
    objects: &[Vec<&Deed>],
    spec: Spec,
    limits: Limits,
) -> Result<Vec<Finding>, Senseless> {
    match spec.consistency.between_clients() {
        None => examine_each(objects, spec, limits),
        Some(real_time) => (spec.examine_whole)(objects, real_time, &mut Budget::new(limits)),
    }
}

/// Each object is one thread's work; whoever is free takes the next. The first violation or
/// senseless deed ends the work.
fn examine_each(
    objects: &[Vec<&Deed>],
    spec: Spec,
    limits: Limits,
) -> Result<Vec<Finding>, Senseless> {
    let n_threads =
        thread::available_parallelism().map_or(1, usize::from).min(objects.len().max(1));
    let budget = Budget::new(limits).shared_by(n_threads);
    let (next, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let found = Mutex::new(Vec::new());
    let work = || {
        while !ended.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(deeds) = objects.get(number) else { break };
            let finding = (spec.examine)(deeds, &mut budget.clone());
            if finding.as_ref().map_or(true, |finding| finding.broken.is_some()) {
                ended.store(true, Ordering::Relaxed);
            }
            found.lock().expect("no thread panics").push((number, finding));
        }
    };
    thread::scope(|scope| {
        (1..n_threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    let mut found = found.into_inner().expect("no thread panics");
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn sum_up(spec: Spec, findings: &[Finding], start: Instant) -> Check {
    let witness = findings.iter().find_map(|finding| finding.broken.clone());
    let examined = findings.iter().map(|finding| finding.examined).sum::<usize>() as u64;
    let undecided = findings.iter().find_map(|finding| finding.undecided.clone());
    let nothing = (examined == 0).then(|| "nothing to examine".to_owned());
    let reason = undecided.or(nothing).filter(|_| witness.is_none());
    Check {
        id: spec.consistency.id().to_owned(),
        name: spec.consistency.name(spec.object),
        promise: spec.consistency.promise(spec.object),
        source: spec.consistency.source().to_owned(),
        binding: true,
        outcome: match (&witness, &reason) {
            (Some(_), _) => Outcome::Invalid,
            (None, Some(_)) => Outcome::Unknown,
            (None, None) => Outcome::Valid,
        },
        reason,
        reached: findings.iter().find_map(|finding| finding.reached).filter(|_| witness.is_none()),
        examined,
        millis: start.elapsed().as_secs_f64() * 1e3,
        witness,
    }
}

fn sentence(check: &Check, left_out: &[String], findings: &[Finding]) -> String {
    let mut notes = String::new();
    for left_out in left_out {
        notes += &format!("; left out: {left_out}");
    }
    let examined = count(check.examined, "operation");
    match (&check.witness, &check.reason) {
        (Some(witness), _) => format!("invalid: {}{notes}.", witness.sentence),
        (None, Some(reason)) => format!("unknown: {reason}; {examined} examined{notes}."),
        (None, None) => {
            let objects = count(findings.len() as u64, "object");
            let engines = engines(findings);
            format!("valid: {examined} on {objects}, decided by {engines}{notes}.")
        }
    }
}

/// "zones (98), search (2)".
fn engines(findings: &[Finding]) -> String {
    let mut engines: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in findings {
        *engines.entry(finding.engine).or_default() += 1;
    }
    let each = engines.iter().map(|(engine, n)| format!("{engine} ({})", grouped(*n)));
    each.collect::<Vec<_>>().join(", ")
}

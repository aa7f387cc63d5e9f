//! The conductor of a run: plan → boot → drive and break → heal → settle → final reads → tear
//! down → check → report.

mod breaker;
mod conduct;
mod cues;
pub(crate) mod ensemble;
mod ground;
pub(crate) mod machine;
mod scenes;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use checker::{Exit, Outcome};
use history::{FORMAT, Heal, Manifest, Recorder, RunDir, Settings};
use nemesis::contain::ContainError;
use nemesis::scenario::Scenario;
use nemesis::{Kind, Lab, LabError, Nemesis, Recovery, Scheduled, contain};

use crate::cli;

/// Runs a test from plan to verdict. Call it on a program's first and only thread: the calling
/// process becomes the supervisor of a contained copy of itself, which does the work and whose
/// exit code it takes over.
///
/// # Errors
/// When the machine forbids what a run needs, a server does not start, or a file cannot be
/// written. The run directory, where there is one already, keeps everything up to then.
pub fn run(settings: Settings, results: &Path, argv: Vec<String>) -> Result<Exit> {
    let results = absolute(results).with_context(|| results.display().to_string())?;
    if results.starts_with("/run") {
        bail!(
            "{}: runs cannot be stored under /run, which is private to the harness",
            results.display()
        );
    }
    ensemble::available(settings.target)?;
    let schedule = schedule(&settings)?;
    let refused = contain()?;
    let lab = lab(&settings, refused.as_ref()).context("the lab")?;
    let disks = breakable_disks(&lab, &schedule, scenario(&settings)?.as_ref());
    let mut lacks = lacks(refused.as_ref(), disks.as_ref(), &schedule)?;
    if let Some(refused) = refused.as_ref().filter(|_| settings.pcap) {
        lacks.insert("pcap".to_owned(), refused.to_string());
    }
    fs::create_dir_all(&results).with_context(|| results.display().to_string())?;
    lab.enter_harness_ns().context("the lab")?;
    let nemesis = Nemesis::new(Arc::clone(&lab));
    let manifest = Manifest {
        format: FORMAT,
        zoobreak: env!("CARGO_PKG_VERSION").to_owned(),
        started: machine::utc_now(),
        argv,
        schedule: serde_json::to_value(&schedule)?,
        machine: machine::describe(
            nemesis.partition_backend(),
            disks.map(|disks| disks.unwrap_or_else(|why| why)),
            lacks,
            settings.target,
        ),
        settings,
    };
    let run = RunDir::create(&results, &manifest)?;
    run.link_as(&results, "latest")?;
    if manifest.settings.pcap && lab.has_network() {
        lab.switch().capture(&run.evidence().join("switch.pcap")).context("the packet capture")?;
    }
    let recorder = Recorder::create(&run.history())?;

    let conducted = conduct::conduct(&manifest, &run, &recorder, &lab, nemesis, &schedule);
    recorder.finish()?;
    drop(lab);
    let judged = judge(&run, &results);
    match conducted {
        Ok(()) => judged,
        // A run that broke off may have shown a violation before; otherwise it shows nothing.
        Err(error) => match judged {
            Ok(Exit::Invalid) => Ok(Exit::Invalid),
            _ => Err(error.context(format!("what there is of the run: {}", run.path().display()))),
        },
    }
}

/// Namespaces, or why there are none: then only processes are contained.
fn contain() -> Result<Option<ContainError>> {
    let refused = contain::probe().err();
    match &refused {
        None => drop(contain::enter()?),
        Some(_) => contain::enter_without_namespaces()?,
    }
    Ok(refused)
}

fn lab(settings: &Settings, refused: Option<&ContainError>) -> Result<Arc<Lab>, LabError> {
    let lab = match refused {
        None => Lab::with(settings.nodes, recovery(settings.heal)),
        Some(_) => Lab::on_loopback(settings.nodes),
    };
    lab.map(Arc::new)
}

/// The kinds asked for that are impossible here, and why.
///
/// # Errors
/// When nothing is left.
fn lacks(
    refused: Option<&ContainError>,
    disks: Option<&Result<String, String>>,
    schedule: &[Scheduled],
) -> Result<BTreeMap<String, String>> {
    let asked: BTreeSet<&str> = schedule.iter().map(|fault| words::family(&fault.spec)).collect();
    let mut lacks = BTreeMap::new();
    for kind in &asked {
        let why = match (*kind, refused, disks) {
            ("partition" | "link", Some(refused), _) => refused.to_string(),
            ("disk", _, Some(Err(why))) => why.clone(),
            _ => continue,
        };
        lacks.insert((*kind).to_owned(), why);
    }
    match lacks.first_key_value() {
        Some((kind, why)) if lacks.len() == asked.len() => {
            bail!("none of the faults asked for can be done here; {kind}: {why}")
        }
        _ => Ok(lacks),
    }
}

fn recovery(heal: Heal) -> Recovery {
    match heal {
        Heal::Fast => Recovery::Fast,
        Heal::Natural => Recovery::Natural,
    }
}

/// What breaks the servers' disks: nothing, unless a fault asks for it. An error says why nothing can.
fn breakable_disks(
    lab: &Lab,
    schedule: &[Scheduled],
    scenario: Option<&Scenario>,
) -> Option<Result<String, String>> {
    let asked = schedule.iter().any(|fault| fault.spec.needs_disks())
        || scenario.is_some_and(Scenario::needs_disks);
    asked.then(|| match nemesis::disk_means(lab.has_network()) {
        Ok(means) => Ok(means.to_string()),
        Err(why) => Err(format!("nothing: {why}; faults of disks are skipped")),
    })
}

fn judge(run: &RunDir, results: &Path) -> Result<Exit> {
    let verdict = cli::judge(run)?;
    if verdict.outcome == Outcome::Invalid {
        run.link_as(results, "latest-invalid")?;
    }
    Ok(verdict.exit())
}

/// The scenario that was given for the run.
fn scenario(settings: &Settings) -> Result<Option<Scenario>> {
    let read = settings.scenario.as_ref().map(|text| text.parse());
    Ok(read.transpose()?)
}

/// The faults of a run, a function of its settings alone.
///
/// # Errors
/// When a kind of fault is unknown.
pub fn schedule(settings: &Settings) -> Result<Vec<Scheduled>> {
    let kinds = |names: &[String]| names.iter().map(|kind| kind.parse()).collect();
    let phases: Vec<Vec<Kind>> =
        settings.faults_by_phase().into_iter().map(kinds).collect::<Result<_, _>>()?;
    let time = Duration::from_secs_f64(settings.time_s);
    let interval = Duration::from_secs_f64(settings.interval_s);
    Ok(nemesis::schedule::in_phases(settings.seed, &phases, time, interval))
}

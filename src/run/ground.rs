//! What all faults' threads share: the nemesis, what is known of the servers, and where everything is recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use history::{Draft, FaultEvent, FaultStep, Kind, Process, Recorder, f};
use nemesis::fault::Target;
use nemesis::scenario::Scenario;
use nemesis::{Fault, FaultId, Nemesis, NodeId, Outcome, Report, Scheduled, Skip, View};
use serde_json::{Value, json};
use workloads::RoleView;

use super::breaker::{Play, Stop};
use super::cues::Cue;
use super::words;

/// A fault aimed at a role waits this long for somebody to have it: several others come and go meanwhile.
const ROLE_WITHIN: Duration = Duration::from_secs(15);
/// Where the event was that set it off may be a server that another fault is just starting again.
const THAT_WITHIN: Duration = Duration::from_millis(500);
const ASK_AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Ground {
    pub(super) nemesis: Nemesis,
    pub(super) roles: RoleView,
    recorder: Recorder,
    evidence: PathBuf,
    start: Instant,
    /// In words, for the progress display.
    in_force: Mutex<BTreeMap<FaultId, String>>,
    /// Held while targets are chosen: two faults that choose at once would take more than a minority.
    choosing: Mutex<()>,
    pub(super) scenario: Option<Scenario>,
    /// The scenario that is being played; two would be in each other's way.
    pub(super) playing: Mutex<Option<String>>,
    answers: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// A fault that was announced.
pub(super) struct Chosen {
    fault: Fault,
    cue: Option<Cue>,
    /// What was recorded, to be repeated when it ends.
    pub(super) event: FaultEvent,
}

impl Ground {
    pub(super) fn new(
        nemesis: Nemesis,
        roles: RoleView,
        recorder: Recorder,
        evidence: PathBuf,
        play: Play,
    ) -> Ground {
        Ground {
            nemesis,
            roles,
            recorder,
            evidence,
            start: Instant::now(),
            in_force: Mutex::default(),
            choosing: Mutex::default(),
            scenario: play.scenario,
            playing: Mutex::default(),
            answers: play.answers,
        }
    }

    pub(super) fn into_nemesis(self) -> Nemesis {
        self.nemesis
    }

    pub(super) fn in_force(&self) -> Vec<String> {
        lock(&self.in_force).values().cloned().collect()
    }

    /// Since the faults' part of the run began.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn answers(&self) -> u64 {
        (self.answers)()
    }

    pub(super) fn view(&self) -> Result<View> {
        let leader = self.roles.leader().map(|idx| NodeId(idx as u8 + 1));
        let seen = (1..).zip(self.roles.observations());
        let zxids = seen.filter_map(|(n, seen)| seen.zxid.map(|zxid| (NodeId(n), zxid)));
        Ok(View { zxids: zxids.collect(), ..self.nemesis.view(leader)? })
    }

    /// Waits for its event and chooses the targets, for which somebody may have yet to get the role. None, and a record
    /// of why, if it makes no sense.
    pub(super) fn choose(&self, scheduled: &Scheduled, stop: &Stop) -> Result<Option<Chosen>> {
        let cue = scheduled.on.as_ref().map(|awaited| self.await_cue(awaited, stop)).transpose()?;
        let cue = match cue.transpose() {
            Ok(cue) => cue,
            Err(why) => {
                self.record_skip(scheduled, &why);
                return Ok(None);
            }
        };
        let begun = Instant::now();
        let that = cue.as_ref().and_then(|cue| cue.node);
        loop {
            match self.try_to_choose(scheduled, that)? {
                Ok((fault, view)) => return Ok(Some(self.chosen(scheduled.id, fault, &view, cue))),
                Err(skip) if begun.elapsed() < patience(&skip) && !stop.comes_within(ASK_AGAIN) => {
                }
                Err(skip) => {
                    self.record_skip(scheduled, &skip.to_string());
                    return Ok(None);
                }
            }
        }
    }

    fn try_to_choose(
        &self,
        scheduled: &Scheduled,
        that: Option<NodeId>,
    ) -> Result<Result<(Fault, View), Skip>> {
        let _choosing = lock(&self.choosing);
        let view = View { that, ..self.view()? };
        let chosen = scheduled.resolve(&view);
        if let Ok(fault) = &chosen {
            self.nemesis.reserve(scheduled.id, fault);
        }
        Ok(chosen.map(|fault| (fault, view)))
    }

    fn chosen(&self, id: FaultId, fault: Fault, view: &View, cue: Option<Cue>) -> Chosen {
        let mut what = words::describe(&fault, view.leader);
        if let Some(cue) = &cue {
            what = format!("{what}, {cue}");
        }
        let event = self.announce(id, words::family_of(&fault), what, words::nodes(&fault));
        Chosen { fault, cue, event }
    }

    /// Records that it is about to be injected.
    pub(super) fn announce(
        &self,
        id: FaultId,
        kind: &str,
        what: String,
        nodes: Vec<String>,
    ) -> FaultEvent {
        let event = FaultEvent {
            fault: id.0,
            step: FaultStep::Injecting,
            kind: kind.to_owned(),
            what,
            nodes,
            outcome: None,
            evidence: Value::Null,
        };
        self.record(event.clone());
        event
    }

    /// Injects it and records what became of it. False: there is nothing to heal.
    pub(super) fn inject(&self, chosen: &Chosen) -> Result<bool> {
        let (id, cue) = (FaultId(chosen.event.fault), chosen.cue.as_ref());
        let report = self.inject_now(id, &chosen.fault, cue)?;
        Ok(self.record_injected(&chosen.event, report))
    }

    pub(super) fn inject_now(
        &self,
        id: FaultId,
        fault: &Fault,
        cue: Option<&Cue>,
    ) -> Result<Report> {
        let report = self.nemesis.inject(id, fault);
        let mut evidence = json!({ "fault": fault, "report": report });
        if let Some(cue) = cue {
            evidence["set_off_by"] = cue.evidence();
        }
        self.keep_evidence("inject", &evidence, id)?;
        Ok(report)
    }

    pub(super) fn record_injected(&self, event: &FaultEvent, report: Report) -> bool {
        let is_in_force = !matches!(report.outcome, Outcome::Skipped { .. });
        if is_in_force {
            lock(&self.in_force).insert(report.id, event.what.clone());
        }
        self.record(complete(event, FaultStep::Injected, report));
        is_in_force
    }

    pub(super) fn record_skip(&self, scheduled: &Scheduled, reason: &str) {
        let on = scheduled.on.as_ref().map(|on| format!("@{}", on.event));
        self.record(FaultEvent {
            fault: scheduled.id.0,
            step: FaultStep::Injected,
            kind: words::family(&scheduled.spec).to_owned(),
            what: format!("{}{}", scheduled.spec, on.unwrap_or_default()),
            nodes: Vec::new(),
            outcome: Some(history::Outcome::Skipped { reason: reason.to_owned() }),
            evidence: Value::Null,
        });
    }

    pub(super) fn heal(&self, event: &FaultEvent) -> Result<()> {
        self.announce_heal(event);
        let report = self.nemesis.heal(FaultId(event.fault))?;
        self.record_healed(event, report)
    }

    pub(super) fn announce_heal(&self, event: &FaultEvent) {
        self.record(FaultEvent { step: FaultStep::Healing, ..event.clone() });
    }

    pub(super) fn record_healed(&self, event: &FaultEvent, report: Report) -> Result<()> {
        self.keep_evidence("heal", &json!({ "report": report }), report.id)?;
        lock(&self.in_force).remove(&report.id);
        self.record(complete(event, FaultStep::Healed, report));
        Ok(())
    }

    /// What should not be there any more, after every fault was healed by its own thread.
    pub(super) fn heal_rest(&self) -> Result<()> {
        Ok(self.nemesis.heal_all().map(drop)?)
    }

    /// Packets that no fault took: more than a few say that the machine was too busy for the run.
    pub(super) fn keep_losses(&self) -> Result<()> {
        let losses = self.nemesis.losses()?;
        self.keep("switch", &json!({ "lost_by_no_fault": losses }))
    }

    /// A server that ends on its own is in the history; nobody starts it again.
    pub(super) fn watch_processes(&self) -> Result<()> {
        for (node, status) in self.nemesis.exits()? {
            let event = Draft::new(Process::run(), Kind::Info, f::EXIT)
                .node(node.to_string())
                .value(status.to_string());
            self.recorder.record(event);
        }
        Ok(())
    }

    fn record(&self, event: FaultEvent) {
        self.recorder.record(Draft::new(Process::nemesis(), Kind::Info, f::FAULT).value(event));
    }

    /// `evidence/f7-inject.json`.
    fn keep_evidence(&self, step: &str, value: &Value, id: FaultId) -> Result<()> {
        self.keep(&format!("{id}-{step}"), value)
    }

    fn keep(&self, name: &str, value: &Value) -> Result<()> {
        let path = self.evidence.join(format!("{name}.json"));
        let text = serde_json::to_vec_pretty(value)?;
        fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

fn complete(event: &FaultEvent, step: FaultStep, report: Report) -> FaultEvent {
    let outcome = match report.outcome {
        Outcome::Installed => history::Outcome::Installed,
        Outcome::Skipped { reason } => history::Outcome::Skipped { reason },
        Outcome::Indeterminate { reason } => history::Outcome::Indeterminate { reason },
    };
    FaultEvent { step, evidence: report.evidence, outcome: Some(outcome), ..event.clone() }
}

/// How long to wait for what is in the way to pass.
fn patience(skip: &Skip) -> Duration {
    match skip {
        Skip::Nobody(Target::That) => THAT_WITHIN,
        Skip::Nobody(_) | Skip::NoLeader => ROLE_WITHIN,
        _ => Duration::ZERO,
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The thread that breaks things: it carries out the schedule and records what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use history::{Draft, FaultEvent, FaultStep, Kind, Process, Recorder, f};
use nemesis::scenario::Scenario;
use nemesis::{Fault, FaultId, FaultSpec, Nemesis, NodeId, Outcome, Report, Scheduled, Skip, View};
use serde_json::{Value, json};
use workloads::RoleView;

use super::scenes::Scene;
use super::words;

/// A fault aimed at the leader waits this long for one to be known.
const LEADER_WITHIN: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Between two looks at processes that should be running.
const WATCH: Duration = Duration::from_millis(200);

/// The running thread.
pub(super) struct Breaker {
    thread: JoinHandle<(Nemesis, Result<()>)>,
    stop: Sender<()>,
    in_force: InForce,
}

/// The faults in force, in words, for the progress display.
type InForce = Arc<Mutex<BTreeMap<FaultId, String>>>;

impl Breaker {
    /// Starts breaking; the schedule's clock starts now.
    pub(super) fn start(
        nemesis: Nemesis,
        schedule: &[Scheduled],
        roles: RoleView,
        recorder: Recorder,
        evidence: PathBuf,
        play: Play,
    ) -> Result<Breaker> {
        let in_force = InForce::default();
        let work = Work {
            nemesis,
            roles,
            recorder,
            evidence,
            start: Instant::now(),
            agenda: agenda(schedule),
            announced: BTreeMap::new(),
            in_force: Arc::clone(&in_force),
            scenario: play.scenario,
            answers: play.answers,
            scene: None,
        };
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("nemesis".to_owned())
            .spawn(move || work.run(&stopped))
            .context("the nemesis' thread")?;
        Ok(Breaker { thread, stop, in_force })
    }

    /// What is broken at this moment.
    pub(super) fn in_force(&self) -> Vec<String> {
        lock(&self.in_force).values().cloned().collect()
    }

    /// Stops breaking, heals everything, and gives the nemesis back, with what could not be
    /// healed or recorded as an error.
    pub(super) fn heal(self) -> Result<(Nemesis, Result<()>)> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("the nemesis' thread panicked"))
    }
}

/// What scenarios need.
pub(super) struct Play {
    /// The one that was given for the run.
    pub(super) scenario: Option<Scenario>,
    /// How many operations succeeded so far.
    pub(super) answers: Box<dyn Fn() -> u64 + Send>,
}

/// What to do when, by time since the start.
type Agenda = BTreeMap<(Duration, FaultId), Action>;

#[derive(Clone, Copy)]
enum Action {
    Inject(Scheduled),
    Heal(FaultId),
}

fn agenda(schedule: &[Scheduled]) -> Agenda {
    let entry = |fault: &Scheduled| {
        ((Duration::from_millis(fault.at_ms), fault.id), Action::Inject(*fault))
    };
    schedule.iter().map(entry).collect()
}

pub(super) struct Work {
    pub(super) nemesis: Nemesis,
    pub(super) roles: RoleView,
    recorder: Recorder,
    evidence: PathBuf,
    start: Instant,
    agenda: Agenda,
    /// What was recorded when the fault was announced, to be repeated when it ends.
    announced: BTreeMap<FaultId, FaultEvent>,
    in_force: InForce,
    pub(super) scenario: Option<Scenario>,
    answers: Box<dyn Fn() -> u64 + Send>,
    pub(super) scene: Option<Scene>,
}

impl Work {
    /// Works until told to stop; then heals everything.
    fn run(mut self, stopped: &Receiver<()>) -> (Nemesis, Result<()>) {
        let mut result = Ok(());
        while result.is_ok() {
            let due = self.agenda.keys().next().map(|(due, _)| *due);
            let watch = self.scene.as_ref().map_or(WATCH, Scene::patience);
            let wait = due.map_or(watch, |due| due.saturating_sub(self.start.elapsed()).min(watch));
            match stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => result = self.work_due(),
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let healed = self.heal_all();
        (self.nemesis, result.and(healed))
    }

    fn work_due(&mut self) -> Result<()> {
        self.watch_processes()?;
        self.play()?;
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= self.start.elapsed()
        {
            match entry.remove() {
                Action::Inject(fault) => self.inject(fault)?,
                Action::Heal(id) if self.end_scene(id)? => {}
                Action::Heal(id) => self.heal(id)?,
            }
        }
        Ok(())
    }

    fn inject(&mut self, scheduled: Scheduled) -> Result<()> {
        if let FaultSpec::Scenario { scenario } = scheduled.spec {
            return self.begin_scene(scheduled, scenario);
        }
        let view = self.view()?;
        match scheduled.resolve(&view) {
            Ok(fault) => self.inject_resolved(scheduled, &fault, &view),
            Err(Skip::NoLeader) if !self.is_late(scheduled) => {
                let again = self.start.elapsed() + ASK_AGAIN;
                self.agenda.insert((again, scheduled.id), Action::Inject(scheduled));
                Ok(())
            }
            Err(skip) => {
                self.record_skip(scheduled, &skip.to_string());
                Ok(())
            }
        }
    }

    pub(super) fn view(&self) -> Result<View> {
        let leader = self.roles.leader().map(|idx| NodeId(idx as u8 + 1));
        Ok(self.nemesis.view(leader)?)
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn answers(&self) -> u64 {
        (self.answers)()
    }

    fn is_late(&self, scheduled: Scheduled) -> bool {
        self.start.elapsed() > Duration::from_millis(scheduled.at_ms) + LEADER_WITHIN
    }

    fn inject_resolved(&mut self, scheduled: Scheduled, fault: &Fault, view: &View) -> Result<()> {
        let what = words::describe(fault, view.leader);
        self.announce(scheduled.id, words::family_of(fault), what, words::nodes(fault));
        let report = self.inject_now(scheduled.id, fault)?;
        self.record_injected(report, Some(Duration::from_millis(scheduled.hold_ms)));
        Ok(())
    }

    /// Records that it is about to be injected.
    pub(super) fn announce(&mut self, id: FaultId, kind: &str, what: String, nodes: Vec<String>) {
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
        self.announced.insert(id, event);
    }

    pub(super) fn inject_now(&mut self, id: FaultId, fault: &Fault) -> Result<Report> {
        let report = self.nemesis.inject(id, fault);
        self.keep_evidence("inject", &json!({ "fault": fault, "report": report }), id)?;
        Ok(report)
    }

    /// Records what became of it, and has it healed after `hold`, if a time is given.
    pub(super) fn record_injected(&mut self, report: Report, hold: Option<Duration>) {
        let id = report.id;
        let Some(mut event) = self.announced.get(&id).cloned() else { return };
        if !matches!(report.outcome, Outcome::Skipped { .. }) {
            lock(&self.in_force).insert(id, event.what.clone());
            if let Some(hold) = hold {
                self.agenda.insert((self.start.elapsed() + hold, id), Action::Heal(id));
            }
        }
        complete(&mut event, FaultStep::Injected, report);
        self.record(event);
    }

    pub(super) fn record_skip(&self, scheduled: Scheduled, reason: &str) {
        self.record(FaultEvent {
            fault: scheduled.id.0,
            step: FaultStep::Injected,
            kind: words::family(&scheduled.spec).to_owned(),
            what: scheduled.spec.to_string(),
            nodes: Vec::new(),
            outcome: Some(history::Outcome::Skipped { reason: reason.to_owned() }),
            evidence: Value::Null,
        });
    }

    pub(super) fn heal(&mut self, id: FaultId) -> Result<()> {
        self.announce_heal(id);
        let report = self.nemesis.heal(id)?;
        self.record_healed(report)
    }

    pub(super) fn announce_heal(&self, id: FaultId) {
        if let Some(event) = self.announced.get(&id) {
            self.record(FaultEvent { step: FaultStep::Healing, ..event.clone() });
        }
    }

    pub(super) fn record_healed(&mut self, report: Report) -> Result<()> {
        let id = report.id;
        self.keep_evidence("heal", &json!({ "report": report }), id)?;
        lock(&self.in_force).remove(&id);
        if let Some(mut event) = self.announced.remove(&id) {
            complete(&mut event, FaultStep::Healed, report);
            self.record(event);
        }
        Ok(())
    }

    fn heal_all(&mut self) -> Result<()> {
        if let Some(id) = self.scene_id() {
            self.end_scene(id)?;
        }
        let open: BTreeSet<FaultId> = lock(&self.in_force).keys().copied().collect();
        open.iter().for_each(|id| self.announce_heal(*id));
        let (reports, failure) = match self.nemesis.heal_all() {
            Ok(reports) => (reports, Ok(())),
            Err(failure) => (failure.healed.clone(), Err(failure)),
        };
        for report in reports {
            self.record_healed(report)?;
        }
        self.keep_losses()?;
        Ok(failure?)
    }

    /// Packets that no fault took: more than a few say that the machine was too busy for the run.
    fn keep_losses(&self) -> Result<()> {
        let losses = self.nemesis.losses()?;
        self.keep("switch", &json!({ "lost_by_no_fault": losses }))
    }

    /// A server that ends on its own is in the history; nobody starts it again.
    fn watch_processes(&mut self) -> Result<()> {
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

fn complete(event: &mut FaultEvent, step: FaultStep, report: Report) {
    event.step = step;
    event.evidence = report.evidence;
    event.outcome = Some(match report.outcome {
        Outcome::Installed => history::Outcome::Installed,
        Outcome::Skipped { reason } => history::Outcome::Skipped { reason },
        Outcome::Indeterminate { reason } => history::Outcome::Indeterminate { reason },
    });
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Scenarios, played: each step's fault is injected, recorded and healed like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow};
use history::FaultEvent;
use nemesis::scenario::{self, Facts, Move, Scenario, Script, Seen, Signs, Source};
use nemesis::{Fault, FaultId, NodeId, Outcome, Report, Scheduled};
use serde_json::{Value, json};

use super::breaker::Stop;
use super::cues::SIGN_EVERY;
use super::ground::{Ground, lock};
use super::words;

/// Between two looks at what servers say of themselves.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Faults of scenario 7 are 7001, 7002, ….
const FAULTS_MAX: u32 = 1000;

/// A scenario that is being played, again and again until its time is over.
pub(super) struct Scene {
    id: FaultId,
    name: String,
    script: Script,
    signs: Option<Signs>,
    /// Its faults in force, and whom they concern.
    open: BTreeMap<FaultId, (FaultEvent, Vec<NodeId>)>,
    n_faults: u32,
    n_rounds: u64,
    /// Waiting for a whole ensemble before the next round.
    resting: bool,
    /// Why rounds were broken off.
    troubles: Vec<String>,
    /// Its text, if it was composed for this run.
    composed: Option<String>,
}

impl Scene {
    /// How soon it wants to be asked again.
    pub(super) fn patience(&self) -> Duration {
        if self.signs.is_some() { SIGN_EVERY } else { LOOK_EVERY }
    }
}

impl Ground {
    /// Plays a scenario again and again until its time is over.
    pub(super) fn play(&self, scheduled: &Scheduled, source: Source, stop: &Stop) -> Result<()> {
        let what = scheduled.spec.to_string();
        {
            let mut playing = lock(&self.playing);
            if let Some(other) = &*playing {
                self.record_skip(scheduled, &format!("{other} is being played"));
                return Ok(());
            }
            *playing = Some(what.clone());
        }
        let played = self.play_alone(scheduled, source, what, stop);
        *lock(&self.playing) = None;
        played
    }

    fn play_alone(
        &self,
        scheduled: &Scheduled,
        source: Source,
        what: String,
        stop: &Stop,
    ) -> Result<()> {
        let id = scheduled.id;
        let composed = (source == Source::Random).then(|| scenario::compose(scheduled.seed));
        let scenario = match &composed {
            Some(text) => text.parse()?,
            None => self.scenario(source)?,
        };
        let script = Script::new(scenario, scheduled.seed);
        let event = self.announce(id, words::family(&scheduled.spec), what.clone(), Vec::new());
        let report = Report { id, outcome: Outcome::Installed, evidence: Value::Null };
        self.record_injected(&event, report);
        let mut scene = Scene {
            id,
            name: what,
            script,
            signs: None,
            open: BTreeMap::new(),
            n_faults: 0,
            n_rounds: 0,
            resting: false,
            troubles: Vec::new(),
            composed,
        };
        let end = self.now() + Duration::from_millis(scheduled.hold_ms);
        let mut played = Ok(());
        while played.is_ok()
            && self.now() < end
            && !stop.comes_within(scene.patience().min(end.saturating_sub(self.now())))
        {
            played = self.play_on(&mut scene);
        }
        played.and(self.end_scene(scene, &event))
    }

    fn scenario(&self, source: Source) -> Result<Scenario> {
        match source.text() {
            Some(text) => Ok(text.parse()?),
            None => self.scenario.clone().ok_or_else(|| anyhow!("no scenario was given")),
        }
    }

    /// Ends it, whatever step it is at.
    fn end_scene(&self, mut scene: Scene, event: &FaultEvent) -> Result<()> {
        self.heal_faults(&mut scene, |_| true)?;
        let outcome = match scene.n_rounds {
            0 => {
                let at = format!("no round was finished; it was at `{}`", scene.script.step());
                scene.troubles.push(at);
                Outcome::Indeterminate { reason: scene.troubles.join("; ") }
            }
            _ => Outcome::Installed,
        };
        let mut evidence = json!({ "rounds": scene.n_rounds, "broken_off": scene.troubles });
        if let Some(text) = scene.composed {
            evidence["script"] = json!(text);
        }
        self.announce_heal(event);
        self.record_healed(event, Report { id: scene.id, outcome, evidence })
    }

    fn play_on(&self, scene: &mut Scene) -> Result<()> {
        loop {
            let facts = self.facts(scene)?;
            if scene.resting && !facts.settled {
                return Ok(());
            }
            if std::mem::take(&mut scene.resting) {
                scene.script.rewind();
            }
            if facts.sign {
                scene.signs = None;
            }
            match scene.script.next(&facts) {
                Ok(Move::Break(fault)) => self.break_in_scene(scene, &fault, &facts)?,
                Ok(Move::Heal(nodes)) => {
                    self.heal_faults(scene, |hit| hit.iter().any(|node| nodes.contains(node)))?;
                }
                Ok(Move::HealEverything) => self.heal_faults(scene, |_| true)?,
                Ok(Move::Watch(nodes, sign)) => {
                    scene.signs = Some(self.nemesis.watch(&nodes, sign));
                    return Ok(());
                }
                Ok(Move::Wait) if facts.sign => {}
                Ok(Move::Wait) => return Ok(()),
                Ok(Move::End) => {
                    scene.n_rounds += 1;
                    return self.rest(scene);
                }
                Err(why) => {
                    scene.troubles.push(why);
                    return self.rest(scene);
                }
            }
        }
    }

    fn rest(&self, scene: &mut Scene) -> Result<()> {
        scene.signs = None;
        scene.resting = true;
        self.heal_faults(scene, |_| true)
    }

    /// While a sign is watched for, nothing else is looked at: that takes longer.
    fn facts(&self, scene: &mut Scene) -> Result<Facts> {
        let facts = Facts { now: self.now(), answers: self.answers(), ..Facts::default() };
        if let Some(signs) = &mut scene.signs {
            return Ok(Facts { sign: signs.seen().is_some(), ..facts });
        }
        let seen = (1..).zip(self.roles.observations()).filter_map(|(n, seen)| {
            let leads = seen.role == workloads::Role::Leader;
            seen.zxid.map(|zxid| (NodeId(n), Seen { zxid, leads }))
        });
        let (seen, settled) = (seen.collect(), self.roles.settled());
        Ok(Facts { view: self.view()?, seen, settled, ..facts })
    }

    fn break_in_scene(&self, scene: &mut Scene, fault: &Fault, facts: &Facts) -> Result<()> {
        scene.n_faults = scene.n_faults % (FAULTS_MAX - 1) + 1;
        let id = FaultId(scene.id.0 * FAULTS_MAX + scene.n_faults);
        let what = format!("{}: {}", scene.name, words::describe(fault, facts.view.leader));
        let event = self.announce(id, words::family_of(fault), what, words::nodes(fault));
        let report = self.inject_now(id, fault, None)?;
        if let Outcome::Skipped { reason } = &report.outcome {
            scene.troubles.push(format!("`{}`: {reason}", scene.script.step()));
            scene.resting = true;
        } else {
            scene.open.insert(id, (event.clone(), concerned(fault)));
        }
        self.record_injected(&event, report);
        if scene.resting { self.rest(scene) } else { Ok(()) }
    }

    fn heal_faults(&self, scene: &mut Scene, those: impl Fn(&[NodeId]) -> bool) -> Result<()> {
        let ids: Vec<_> =
            scene.open.iter().filter(|(_, (_, hit))| those(hit)).map(|(id, _)| *id).collect();
        for (event, _) in ids.iter().filter_map(|id| scene.open.remove(id)).collect::<Vec<_>>() {
            self.heal(&event)?;
        }
        Ok(())
    }
}

/// Whose recovery is its heal.
fn concerned(fault: &Fault) -> Vec<NodeId> {
    match fault {
        Fault::Kill { nodes }
        | Fault::Pause { nodes }
        | Fault::PowerCut { nodes, .. }
        | Fault::Disk { nodes, .. } => nodes.clone(),
        // One server and the others: it is at an end of every link.
        Fault::Partition { grudge, .. } => {
            let ends = |node: &NodeId| {
                grudge.iter().all(|link| [link.src, link.dst].contains(&(*node).into()))
            };
            NodeId::first(NodeId::MAX).into_iter().filter(ends).collect()
        }
        _ => Vec::new(),
    }
}

//! From what was typed to what is in force.

use std::path::PathBuf;

use history::{Heal, Settings, Target};
use nemesis::Kind;

use super::names::nodes_needed;
use super::{HealName, Plan, PlanError, Rate, TargetName, Time, Whole, Workload, swarm};

impl Plan {
    /// Every setting in force, nothing left open. A plan without a seed gets `drawn_seed`.
    ///
    /// # Errors
    /// When values are not allowed together: a mutant of a server that is not ours, more faults
    /// than the servers can survive.
    pub fn resolve(&self, drawn_seed: u64) -> Result<Settings, PlanError> {
        let mut settings = self.fill(drawn_seed);
        if self.swarm.unwrap_or(false) {
            check_phases(&settings)?;
            swarm::draw(&mut settings);
        }
        check_mutant(&settings)?;
        check_faults(&settings)?;
        check_scenario(&settings)?;
        Ok(settings)
    }

    /// The kinds of each phase. A scenario that was given is played in the last one, beside the faults that were named.
    fn fault_kinds(&self) -> Vec<Vec<String>> {
        let mut phases: Vec<Vec<String>> = match (&self.faults, &self.scenario) {
            (Some(named), _) => named.phases().iter().map(|kinds| names(kinds.iter())).collect(),
            (None, _) if self.swarm == Some(true) => vec![names(Kind::promised())],
            (None, Some(_)) => vec![Vec::new()],
            (None, None) => vec![default_faults()],
        };
        let is_played = phases.iter().flatten().any(|kind| kind == SCENARIO_FILE);
        if let Some(last) = phases.last_mut().filter(|_| self.scenario.is_some() && !is_played) {
            last.push(SCENARIO_FILE.to_owned());
        }
        phases
    }

    /// Where runs are stored.
    #[must_use]
    pub fn results(&self) -> PathBuf {
        self.results.clone().unwrap_or_else(|| "results".into())
    }

    /// So short for znodes that sessions expire in a run, with their ephemerals.
    fn default_session_ms(&self) -> u32 {
        let znodes = self.workload.as_ref().is_some_and(|name| name.name() == "znodes");
        if znodes { 5_000 } else { 30_000 }
    }

    fn fill(&self, drawn_seed: u64) -> Settings {
        let phases = self.fault_kinds();
        Settings {
            target: self.target.map_or(Target::Zoobreak, TargetName::target),
            nodes: self.nodes.map_or(5, count),
            clients: self.clients.map_or(10, count),
            time_s: self.time.map_or(30.0, Time::seconds),
            rate: self.rate.map_or(500.0, Rate::per_second),
            workload: self.workload.as_ref().map_or("register", Workload::name).to_owned(),
            phases: if phases.len() > 1 { phases.iter().map(Vec::len).collect() } else { vec![] },
            faults: phases.concat(),
            scenario: self.scenario.as_ref().map(|scenario| scenario.text().to_owned()),
            interval_s: self.interval.map_or(2.0, Time::seconds),
            heal: self.heal.map_or(Heal::Fast, HealName::heal),
            pcap: self.pcap.unwrap_or(false),
            seed: self.seed.map_or(drawn_seed, Whole::get),
            keys: self.keys.map_or(10, count),
            tick_ms: self.tick_ms.map_or(200, Whole::get),
            init_limit: self.init_limit.map_or(20, small),
            sync_limit: self.sync_limit.map_or(4, small),
            session_ms: self
                .session_timeout
                .map_or(self.default_session_ms(), |time| saturate(time.millis())),
            op_timeout_ms: self.op_timeout.map_or(2_000, Time::millis),
            mutant: self.mutant.map(|name| name.mutant().name().to_owned()),
        }
    }
}

/// What the clients of a run do. An unknown name is in no resolved settings.
#[must_use]
pub fn workload(settings: &Settings) -> workloads::Workload {
    settings.workload.parse().unwrap_or_default()
}

/// The znodes of a run: `/r0`, `/r1`, …, or the parents `/z0`, ….
#[must_use]
pub fn znodes(settings: &Settings) -> Vec<String> {
    (0..settings.keys).map(|n| workload(settings).znode(n)).collect()
}

fn names(kinds: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    kinds.into_iter().map(|kind| kind.to_string()).collect()
}

fn default_faults() -> Vec<String> {
    ["kill", "pause", "partition"].map(str::to_owned).to_vec()
}

fn count<const MIN: u64, const MAX: u64>(n: Whole<MIN, MAX>) -> usize {
    usize::try_from(n.get()).unwrap_or(usize::MAX)
}

fn small<const MIN: u64, const MAX: u64>(n: Whole<MIN, MAX>) -> u32 {
    saturate(n.get())
}

/// Bounds keep every such setting far below the maximum.
fn saturate(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn check_mutant(settings: &Settings) -> Result<(), PlanError> {
    match (&settings.mutant, settings.target) {
        (Some(name), Target::Zookeeper) => Err(PlanError::Conflict(format!(
            "mutant {name} is a defect of our own server; it cannot be planted in Apache \
             ZooKeeper: leave out `mutant`, or use `target` zoobreak"
        ))),
        _ => Ok(()),
    }
}

fn check_phases(settings: &Settings) -> Result<(), PlanError> {
    match settings.phases.as_slice() {
        [] => Ok(()),
        _ => Err(PlanError::Conflict(
            "`swarm` draws from all kinds of fault at once: leave it out, or leave `then` out of \
             `faults`"
                .to_owned(),
        )),
    }
}

/// The kind of fault that plays the scenario of the run.
const SCENARIO_FILE: &str = "scenario:file";

fn check_scenario(settings: &Settings) -> Result<(), PlanError> {
    let asked = settings.faults.iter().any(|kind| kind == SCENARIO_FILE);
    match &settings.scenario {
        None if asked => Err(PlanError::Conflict(format!(
            "fault {SCENARIO_FILE} plays the file of `scenario`, which is not given: give one, or \
             name a scenario that is built in, such as scenario:late-joiner"
        ))),
        _ => Ok(()),
    }
}

fn check_faults(settings: &Settings) -> Result<(), PlanError> {
    let nodes = settings.nodes;
    match settings.faults.iter().find(|kind| nodes_needed(kind) > nodes) {
        None => Ok(()),
        Some(kind) => Err(PlanError::Conflict(format!(
            "fault {kind} needs {} nodes or more, this plan has {nodes}: raise `nodes`, or leave \
             it out of `faults` (`none` for no faults)",
            nodes_needed(kind)
        ))),
    }
}

//! Settings that are one or several of a list of names.

use std::str::FromStr;

use history::{Heal, Target};
use nemesis::Kind;
use nemesis::fault::KindError;
use nemesis::scenario::Scenario;
use serde::Deserialize;
use server::Mutant;

use super::did_you_mean;
use super::typed::Typed;

/// What clients can do.
pub const WORKLOADS: [&str; 2] = ["register", "znodes"];

const TARGETS: [(&str, Target); 2] =
    [("zoobreak", Target::Zoobreak), ("zookeeper", Target::Zookeeper)];

/// Kinds of fault: a list, or a text with commas or plus signs; `none` is the empty list, `all` is
/// whatever a replicated log promises to survive. A kind named twice counts once. `then` begins another phase.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct Faults(Vec<Vec<Kind>>);

/// Between the kinds of two phases.
const THEN: &str = "then";

impl Faults {
    /// The kinds of each phase, in the order in which they were named. There is a phase at least.
    #[must_use]
    pub fn phases(&self) -> &[Vec<Kind>] {
        &self.0
    }

    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Faults, String> {
        let names: Vec<&str> = names.map(str::trim).collect();
        if names.is_empty() || names == ["none"] {
            return Ok(Faults(vec![Vec::new()]));
        }
        names.split(|name| *name == THEN).map(phase).collect::<Result<_, _>>().map(Faults)
    }
}

fn phase(names: &[&str]) -> Result<Vec<Kind>, String> {
    let mut kinds = Vec::new();
    for name in names {
        let named = match *name {
            "all" => Kind::promised().collect(),
            name => vec![kind(name)?],
        };
        for kind in named {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    match kinds.is_empty() {
        true => Err(format!("`{THEN}` stands between kinds of fault, as in kill,{THEN},partition")),
        false => Ok(kinds),
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    one_of("kind of fault", without_event(text), &kind_names())?;
    text.parse().map_err(|error: KindError| error.to_string())
}

fn without_event(kind: &str) -> &str {
    kind.split('@').next().unwrap_or(kind)
}

fn kind_names() -> Vec<&'static str> {
    Kind::all().map(|kind| kind.name()).collect()
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Faults, String> {
        Faults::new(text.split([',', '+']))
    }
}

impl TryFrom<Typed> for Faults {
    type Error = String;

    fn try_from(typed: Typed) -> Result<Faults, String> {
        match typed {
            Typed::Text(text) => text.parse(),
            Typed::List(names) => Faults::new(names.iter().map(String::as_str)),
            _ => Err(format!("expected \"none\", or a list of: {}", kind_names().join(", "))),
        }
    }
}

/// The name of a workload.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct Workload(String);

impl Workload {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Workload, String> {
        one_of("workload", text, &WORKLOADS).map(|name| Workload(name.to_owned()))
    }
}

/// The name of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct TargetName(Target);

impl TargetName {
    /// The target.
    #[must_use]
    pub fn target(self) -> Target {
        self.0
    }
}

impl FromStr for TargetName {
    type Err = String;

    fn from_str(text: &str) -> Result<TargetName, String> {
        let name = one_of("target", text, &TARGETS.map(|(name, _)| name))?;
        let found = TARGETS.into_iter().find(|(known, _)| *known == name);
        Ok(TargetName(found.expect("one_of returns one of these").1))
    }
}

const HEALS: [(&str, Heal); 2] = [("fast", Heal::Fast), ("natural", Heal::Natural)];

/// The name of a way to recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct HealName(Heal);

impl HealName {
    /// The way.
    #[must_use]
    pub fn heal(self) -> Heal {
        self.0
    }
}

impl FromStr for HealName {
    type Err = String;

    fn from_str(text: &str) -> Result<HealName, String> {
        let name = one_of("way to heal", text, &HEALS.map(|(name, _)| name))?;
        let found = HEALS.into_iter().find(|(known, _)| *known == name);
        Ok(HealName(found.expect("one_of returns one of these").1))
    }
}

/// The name of a defect that our own server can have on purpose, in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct MutantName(Mutant);

impl MutantName {
    /// The defect.
    #[must_use]
    pub fn mutant(self) -> Mutant {
        self.0
    }
}

impl FromStr for MutantName {
    type Err = String;

    fn from_str(text: &str) -> Result<MutantName, String> {
        let name = one_of("mutant", &text.to_uppercase(), &Mutant::ALL.map(Mutant::name))?;
        name.parse().map(MutantName)
    }
}

/// A plan file gives these as text.
macro_rules! from_text {
    ($($name:ty),*) => {$(
        impl TryFrom<Typed> for $name {
            type Error = String;

            fn try_from(typed: Typed) -> Result<Self, String> {
                typed.text().ok_or("expected a text in quotes")?.parse()
            }
        }
    )*};
}

from_text!(Workload, TargetName, HealName, MutantName, ScenarioFile);

/// The text of a scenario, read from the file that was named.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct ScenarioFile(String);

impl ScenarioFile {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScenarioFile {
    type Err = String;

    fn from_str(path: &str) -> Result<ScenarioFile, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        text.parse::<Scenario>().map_err(|error| format!("{path}: {error}"))?;
        Ok(ScenarioFile(text))
    }
}

/// The least number of servers on which a kind of fault is possible: a kill or a pause spares a
/// majority, and a partition needs two sides.
pub(super) fn nodes_needed(kind: &str) -> usize {
    let kind = without_event(kind);
    match kind.split_once(':').unwrap_or((kind, "")) {
        (_, "power-cut" | "power-cut-ext4" | "power-cut-scattered" | "brown-out") => 1,
        (
            "kill" | "pause" | "restart" | "slow" | "memory" | "crash-loop" | "wipe" | "disk"
            | "scenario",
            _,
        )
        | (_, "bridge") => 3,
        (_, "ring") => 5,
        (_, "client") => 1,
        _ => 2,
    }
}

/// `name`, if it is a candidate.
fn one_of<'a>(what: &str, name: &str, candidates: &[&'a str]) -> Result<&'a str, String> {
    candidates.iter().copied().find(|candidate| *candidate == name).ok_or_else(|| {
        let hint = did_you_mean(name, candidates.iter().copied());
        format!("there is no {what} `{name}`{hint} (known: {})", candidates.join(", "))
    })
}

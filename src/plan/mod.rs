//! What was asked for ([`Plan`]), and what it means ([`Settings`]).
//!
//! A plan's keys are the flags of `zoobreak test`: one struct is both, so that a plan file can say
//! whatever a command line can, in the same words. Each field's type admits only allowed values.

mod error;
mod file;
#[cfg(test)]
mod fuzz;
mod names;
mod numbers;
mod resolve;
mod swarm;
mod typed;

use std::path::PathBuf;

use serde::Deserialize;

pub use error::PlanError;
pub use history::Settings;
pub use names::{Faults, HealName, MutantName, ScenarioFile, TargetName, WORKLOADS, Workload};
pub use numbers::{Rate, Time, Whole};
pub use resolve::{workload, znodes};

/// Seeds, up to the largest integer of TOML.
pub type Seed = Whole<0, { i64::MAX as u64 }>;

/// What was typed. A field that is absent was left to the plan file, or to the default.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// Servers [default: 5]
    #[arg(long, value_name = "N")]
    pub nodes: Option<Whole<1, 20>>,
    /// Clients [default: 10]
    #[arg(long, value_name = "N")]
    pub clients: Option<Whole<1, 1000>>,
    /// How long clients work and faults happen: 30, 30s, 2m [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub time: Option<Time<1_000, 86_400_000>>,
    /// Operations per second, all clients together [default: 500]
    #[arg(long, value_name = "OPS")]
    pub rate: Option<Rate>,
    /// What clients do: register, znodes [default: register]
    #[arg(long, value_name = "NAME")]
    pub workload: Option<Workload>,
    /// Kinds of fault, separated by commas, or `none`; kind@event, and `then` for another phase: see docs/faults.md [default: kill,pause,partition]
    #[arg(long, value_name = "KINDS")]
    pub faults: Option<Faults>,
    /// A script of faults with roles and events, see docs/faults.md; it is the kind `scenario:file`
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<ScenarioFile>,
    /// Mean time between faults [default: 2s]
    #[arg(long, value_name = "TIME")]
    pub interval: Option<Time<100, 3_600_000>>,
    /// Let the seed draw some of the kinds (of all, if none are named) and how often they come
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub swarm: Option<bool>,
    /// How connections recover: fast (lost segments are sent once more) or natural [default: fast]
    #[arg(long, value_name = "HOW")]
    pub heal: Option<HealName>,
    /// Write every packet that the switch moved to evidence/switch.pcap
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub pcap: Option<bool>,
    /// Everything random follows from it [default: drawn, and printed]
    #[arg(long, value_name = "N")]
    pub seed: Option<Seed>,
    /// What is tested: zoobreak or zookeeper [default: zoobreak]
    #[arg(long, value_name = "NAME")]
    pub target: Option<TargetName>,
    /// Where runs are stored [default: results]
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,
    /// Znodes the clients work on [default: 10]
    #[arg(long, value_name = "N")]
    pub keys: Option<Whole<1, 10_000>>,
    /// Plant a defect in our own server, such as X9
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<MutantName>,
    /// The servers' tickTime, in milliseconds [default: 200]
    #[arg(long, value_name = "MS")]
    pub tick_ms: Option<Whole<10, 60_000>>,
    /// The servers' initLimit, in ticks [default: 20]
    #[arg(long, value_name = "TICKS")]
    pub init_limit: Option<Whole<1, 1_000>>,
    /// The servers' syncLimit, in ticks [default: 4]
    #[arg(long, value_name = "TICKS")]
    pub sync_limit: Option<Whole<1, 1_000>>,
    /// Session timeout; with the workload znodes 5s [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub session_timeout: Option<Time<100, 3_600_000>>,
    /// An operation without an answer for so long has an unknown outcome [default: 2s]
    #[arg(long, value_name = "TIME")]
    pub op_timeout: Option<Time<10, 600_000>>,
}

impl Plan {
    /// Both plans in one; where both say something, `self` wins: flags over a file.
    #[must_use]
    pub fn over(self, under: Plan) -> Plan {
        Plan {
            nodes: self.nodes.or(under.nodes),
            clients: self.clients.or(under.clients),
            time: self.time.or(under.time),
            rate: self.rate.or(under.rate),
            workload: self.workload.or(under.workload),
            faults: self.faults.or(under.faults),
            scenario: self.scenario.or(under.scenario),
            interval: self.interval.or(under.interval),
            swarm: self.swarm.or(under.swarm),
            heal: self.heal.or(under.heal),
            pcap: self.pcap.or(under.pcap),
            seed: self.seed.or(under.seed),
            target: self.target.or(under.target),
            results: self.results.or(under.results),
            keys: self.keys.or(under.keys),
            mutant: self.mutant.or(under.mutant),
            tick_ms: self.tick_ms.or(under.tick_ms),
            init_limit: self.init_limit.or(under.init_limit),
            sync_limit: self.sync_limit.or(under.sync_limit),
            session_timeout: self.session_timeout.or(under.session_timeout),
            op_timeout: self.op_timeout.or(under.op_timeout),
        }
    }
}

/// The names of flags, without dashes, which are also the keys of a plan file.
fn keys() -> Vec<String> {
    <Plan as clap::Args>::augment_args(clap::Command::new("plan"))
        .get_arguments()
        .filter_map(|flag| flag.get_long().map(str::to_owned))
        .collect()
}

/// The candidate that `word` was probably meant to be.
fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// "; did you mean `kill`?", or nothing where nothing is near.
fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests;

//! What was resolved before anything started.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `manifest.json`: everything needed to run it again and to judge it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the run directory's format: [`FORMAT`](crate::FORMAT).
    pub format: u32,
    /// Version of zoobreak.
    pub zoobreak: String,
    /// When it started, UTC, as `2026-11-20T21:16:58Z`.
    pub started: String,
    /// The command as typed.
    pub argv: Vec<String>,
    /// The settings in force.
    pub settings: Settings,
    /// The faults planned, in order of time; the nemesis' own type.
    pub schedule: Value,
    /// Where it ran.
    pub machine: Machine,
}

/// A run's settings, each resolved: nothing is left to a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What is tested.
    pub target: Target,
    /// Server processes.
    pub nodes: usize,
    /// Clients.
    pub clients: usize,
    /// Seconds of load.
    pub time_s: f64,
    /// Operations per second asked of all clients together.
    pub rate: f64,
    /// What the clients do: `register`.
    pub workload: String,
    /// Kinds of fault: `kill`, `pause`, `partition`, `partition:leader`, …
    pub faults: Vec<String>,
    /// How many of `faults` each phase of the run has, if it has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<usize>,
    /// The text of the scenario that `scenario:file` plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// How connections recover after a fault of the network.
    #[serde(default)]
    pub heal: Heal,
    /// Were the packets of the switch written to a file?
    #[serde(default)]
    pub pcap: bool,
    /// Mean seconds between faults.
    pub interval_s: f64,
    /// Everything random follows from it.
    pub seed: u64,
    /// Znodes the workload uses.
    pub keys: usize,
    /// The servers' `tickTime`, milliseconds.
    pub tick_ms: u64,
    /// The servers' `initLimit`, ticks.
    pub init_limit: u32,
    /// The servers' `syncLimit`, ticks.
    pub sync_limit: u32,
    /// Session timeout asked for, milliseconds.
    pub session_ms: u32,
    /// An operation without an answer after this many milliseconds is `info`.
    pub op_timeout_ms: u64,
    /// The defect planted in our own server, as `X9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
}

impl Settings {
    /// The kinds of fault of each phase; a run without phases is one.
    #[must_use]
    pub fn faults_by_phase(&self) -> Vec<&[String]> {
        let mut rest = self.faults.as_slice();
        let mut take = |n: &usize| {
            let (phase, later) = rest.split_at(rest.len().min(*n));
            rest = later;
            phase
        };
        let mut phases: Vec<&[String]> = self.phases.iter().map(&mut take).collect();
        if !rest.is_empty() || phases.is_empty() {
            phases.push(rest);
        }
        phases
    }

    /// `kill + pause then partition`, with ` + ` between those of a phase.
    #[must_use]
    pub fn faults_in_words(&self, between: &str) -> String {
        let phases = self.faults_by_phase();
        phases.iter().map(|phase| phase.join(between)).collect::<Vec<_>>().join(" then ")
    }
}

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Our own server.
    Zoobreak,
    /// Apache ZooKeeper.
    Zookeeper,
}

/// How connections recover after a fault of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Heal {
    /// The last lost segments are sent once more, and TCP's back-off is bounded.
    #[default]
    Fast,
    /// As a real network would: after TCP's back-off.
    Natural,
}

impl Target {
    /// Does it promise what Apache ZooKeeper does not? That `sync` followed by a read is
    /// linearizable: ours confirms leadership with a quorum first ("sync … currently not a quorum
    /// operation", ZooKeeper Internals, "Consistency Guarantees"; ZOOKEEPER-1675, ZOOKEEPER-2136).
    /// And that no server goes on with another state than a quorum's: ZooKeeper logs it.
    #[must_use]
    pub fn promises_more_than_zookeeper(self) -> bool {
        self == Target::Zoobreak
    }
}

/// The machine of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release.
    pub kernel: String,
    /// Processor cores.
    pub cores: usize,
    /// What makes partitions: `iptables v1.8.9 (nf_tables)` or `switch`.
    pub partitions_by: String,
    /// What breaks disks, or why nothing does; absent if no fault of a disk was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks_by: Option<String>,
    /// Kinds of fault that were asked for and cannot be done on this machine, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lacks: BTreeMap<String, String>,
    /// Was it run as root?
    pub root: bool,
    /// Version of the system under test, where it is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<String>,
}

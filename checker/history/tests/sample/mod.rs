//! The manifest of a run that never was.

use history::{FORMAT, Machine, Manifest, Settings, Target};

/// One with every field in use.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        zoobreak: "0.1.0".into(),
        started: "2026-11-20T21:16:58Z".into(),
        argv: vec!["zoobreak".into(), "test".into()],
        settings: Settings {
            target: Target::Zoobreak,
            nodes: 3,
            clients: 2,
            time_s: 1.0,
            rate: 100.0,
            workload: "register".into(),
            faults: vec!["kill".into(), "partition:leader".into()],
            phases: Vec::new(),
            interval_s: 1.0,
            heal: history::Heal::Fast,
            pcap: false,
            scenario: None,
            seed: 7,
            keys: 2,
            tick_ms: 100,
            init_limit: 10,
            sync_limit: 5,
            session_ms: 4000,
            op_timeout_ms: 1000,
            mutant: Some("X9".into()),
        },
        schedule: serde_json::json!([{"at": 1.5, "fault": "kill", "nodes": [1]}]),
        machine: Machine {
            kernel: "6.1".into(),
            cores: 2,
            partitions_by: "switch".into(),
            disks_by: None,
            lacks: std::collections::BTreeMap::new(),
            root: false,
            target_version: Some("3.8.0".into()),
        },
    }
}

//! The figures of `mntr`, `/commands/monitor` and `/metrics`: one list for all three.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Facts, version};
use crate::clients::{BreakerState, Registry};
use crate::files::open_files_max;
use crate::metrics::Sizes;
use crate::summary::Summary;

/// A figure and its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Variable {
    Text(String),
    Gauge(f64),
    Counter(u64),
    /// Milliseconds.
    Summary(Summary),
}

/// All of them under ZooKeeper's names, without prefix. A name that we do not measure is absent
/// rather than zero.
pub(super) fn variables(facts: &Facts, registry: &Registry) -> Vec<(&'static str, Variable)> {
    let mut list = server(facts, registry);
    list.extend(leader(facts));
    list.extend(clients(registry));
    list.extend(breaker(registry));
    list.extend(protocol(facts));
    list.push(("updatelatency", Variable::Summary(facts.updates.clone())));
    list.push(("readlatency", Variable::Summary(registry.latencies().reads)));
    list.extend(process());
    list
}

fn server(facts: &Facts, registry: &Registry) -> Vec<(&'static str, Variable)> {
    let latency = registry.latencies().all;
    vec![
        ("version", Variable::Text(version())),
        ("server_state", Variable::Text(facts.mode.unwrap_or("looking").to_owned())),
        ("peer_state", Variable::Text(format!("{} - {}", facts.role, facts.phase))),
        ("uptime", Variable::Gauge(facts.uptime.as_millis() as f64)),
        ("avg_latency", Variable::Gauge(latency.mean_ms())),
        ("max_latency", gauge(latency.max_ms())),
        ("min_latency", gauge(latency.min_ms())),
        ("packets_received", Variable::Counter(facts.received)),
        ("packets_sent", Variable::Counter(facts.sent)),
        ("num_alive_connections", gauge(facts.connections as u64)),
        ("outstanding_requests", gauge(facts.outstanding as u64)),
        ("znode_count", gauge(facts.node_count as u64)),
        ("watch_count", gauge(facts.n_watches as u64)),
        ("ephemerals_count", gauge(facts.ephemerals as u64)),
        ("approximate_data_size", gauge(facts.data_size)),
        ("global_sessions", gauge(facts.n_sessions as u64)),
        ("current_epoch", gauge(facts.epoch.into())),
        ("last_processed_zxid", Variable::Text(format!("{:#x}", facts.zxid))),
        ("state_digest", Variable::Text(format!("{:#018x}", facts.digest))),
    ]
}

fn leader(facts: &Facts) -> Vec<(&'static str, Variable)> {
    let Some(leading) = &facts.leading else { return Vec::new() };
    let Sizes { last, min, max } = facts.metrics.proposal_bytes;
    vec![
        ("quorum_size", gauge(leading.quorum_size as u64)),
        ("learners", gauge(leading.learners as u64)),
        ("synced_followers", gauge(leading.synced as u64)),
        ("synced_observers", gauge(leading.observers.len() as u64)),
        ("leader_uptime", Variable::Gauge(leading.uptime.as_millis() as f64)),
        ("last_proposal_size", Variable::Gauge(last as f64)),
        ("min_proposal_size", Variable::Gauge(min as f64)),
        ("max_proposal_size", Variable::Gauge(max as f64)),
    ]
}

fn clients(registry: &Registry) -> Vec<(&'static str, Variable)> {
    let count = |counter: &AtomicU64| Variable::Counter(counter.load(Ordering::Relaxed));
    let counts = &registry.counts;
    vec![
        ("connection_request_count", count(&counts.connection_requests)),
        ("connection_rejected", count(&counts.connections_rejected)),
        ("connection_drop_count", count(&counts.connections_dropped)),
        ("bytes_received_count", count(&counts.bytes_received)),
        ("request_throttle_wait_count", count(&counts.throttle_waits)),
    ]
}

/// No names of ZooKeeper's, which has no circuit breaker, but for the requests it answers so.
fn breaker(registry: &Registry) -> Vec<(&'static str, Variable)> {
    let Some((state, tally)) = registry.breaker() else { return Vec::new() };
    let state = match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
    };
    vec![
        ("circuit_breaker_state", gauge(state)),
        ("circuit_breaker_opened_count", Variable::Counter(tally.opened)),
        ("circuit_breaker_half_opened_count", Variable::Counter(tally.half_opened)),
        ("circuit_breaker_closed_count", Variable::Counter(tally.closed)),
        ("throttled_ops", Variable::Counter(tally.refused)),
    ]
}

fn protocol(facts: &Facts) -> Vec<(&'static str, Variable)> {
    let metrics = &facts.metrics;
    let summary = |summary: &Summary| Variable::Summary(summary.clone());
    vec![
        ("looking_count", Variable::Counter(metrics.looking)),
        ("proposal_count", Variable::Counter(metrics.proposals)),
        ("commit_count", Variable::Counter(metrics.commits)),
        ("learner_proposal_received_count", Variable::Counter(metrics.learner_proposals)),
        ("learner_commit_received_count", Variable::Counter(metrics.learner_commits)),
        ("diff_count", Variable::Counter(metrics.diffs)),
        ("snap_count", Variable::Counter(metrics.snaps)),
        ("quota_exceeded_error_count", Variable::Counter(metrics.quota_refused)),
        ("quota_exceeded_count", Variable::Counter(metrics.quota_exceeded)),
        ("auth_failed_count", Variable::Counter(metrics.auth_failed)),
        ("stale_sessions_expired", Variable::Counter(metrics.expired)),
        ("digest_mismatches_count", Variable::Counter(metrics.mismatches)),
        ("fsync_threshold_exceed_count", Variable::Counter(metrics.slow_fsyncs)),
        ("fsynctime", summary(&metrics.fsync)),
        ("snapshottime", summary(&metrics.snapshot)),
        ("election_time", summary(&metrics.election)),
        ("unavailable_time", summary(&metrics.unavailable)),
        ("quorum_ack_latency", summary(&metrics.quorum_ack)),
    ]
}

/// Of the process, as Linux tells it.
fn process() -> Vec<(&'static str, Variable)> {
    let mut list = vec![("process_id", gauge(std::process::id().into()))];
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        list.push(("open_file_descriptor_count", gauge(open.count() as u64)));
    }
    if let Some(most) = open_files_max() {
        list.push(("max_file_descriptor_count", gauge(most as u64)));
    }
    if let Some(bytes) = resident_bytes() {
        list.push(("process_resident_memory_bytes", gauge(bytes)));
    }
    list
}

fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

fn gauge(value: u64) -> Variable {
    Variable::Gauge(value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BreakerSettings;
    use crate::desk::Leading;

    #[test]
    fn every_variable_is_documented_and_named_once() {
        let page = include_str!("../../../docs/operations.md");
        let settings = BreakerSettings {
            volume: 1,
            failure_permille: 500,
            late_ms: 1,
            sleep_ms: 1,
            open_ms: 1,
        };
        let leading = Leading {
            quorum_size: 3,
            learners: 2,
            synced: 2,
            observers: vec![4],
            uptime: std::time::Duration::ZERO,
        };
        let facts = Facts { leading: Some(leading), ..Facts::default() };
        let list = variables(&facts, &Registry::new(0, 1, Some(settings)));
        for (name, _) in &list {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
            assert_eq!(list.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
    }
}

//! The AdminServer's commands: `/commands/<name>`, JSON in ZooKeeper's shape.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::replication::{last_snapshot, observers, zab_state};
use super::variables::Variable;
use super::words::{
    by_path, by_session, digest_log, environment_pairs, members, on_the_wall, operation, peer_type,
    since_1970,
};
use super::{Desk, Facts, Guest, Want, bytes_in, version};
use crate::metrics::Sizes;

/// Every command: its name, its other names, what it needs.
const COMMANDS: &[(&str, &[&str])] = &[
    ("configuration", &["conf", "config"]),
    ("connection_stat_reset", &["crst"]),
    ("connections", &["cons"]),
    ("dirs", &[]),
    ("dump", &[]),
    ("environment", &["env", "envi"]),
    ("get_trace_mask", &["gtmk"]),
    ("hash", &[]),
    ("initial_configuration", &["icfg"]),
    ("is_read_only", &["isro"]),
    ("last_snapshot", &["lsnp"]),
    ("leader", &["lead"]),
    ("monitor", &["mntr"]),
    ("observer_connection_stat_reset", &["orst"]),
    ("observers", &["obsr"]),
    ("ruok", &[]),
    ("server_stats", &["srvr"]),
    ("set_trace_mask", &["stmk"]),
    ("stat_reset", &["srst"]),
    ("stats", &["stat"]),
    ("system_properties", &["sysp"]),
    ("voting_view", &[]),
    ("watch_summary", &["wchs"]),
    ("watches", &["wchc"]),
    ("watches_by_path", &["wchp"]),
    ("zabstate", &[]),
];

/// The page `/commands`: a link to each.
pub(super) fn index() -> String {
    let link = |(name, _): &(&str, _)| format!("<a href=\"/commands/{name}\">{name}</a>\n<br/>\n");
    COMMANDS.iter().map(link).collect()
}

impl Desk {
    /// Answers the command of this name; `error` in the answer says why it cannot. `query` is
    /// what follows the `?`.
    pub(super) async fn command(&self, typed: &str, query: &str) -> Value {
        let Some(name) = canonical(typed) else {
            return json!({"command": typed, "error": format!("Unknown command: {typed}")});
        };
        let facts = self.ask(wants(name)).await.unwrap_or_default();
        let mut answer = match facts.mode {
            None if needs_service(name) => {
                let error = "This ZooKeeper instance is not currently serving requests";
                return json!({"command": name, "error": error});
            }
            _ => self.content(name, query, &facts),
        };
        answer.insert("command".to_owned(), json!(name));
        answer.entry("error").or_insert(Value::Null);
        Value::Object(answer)
    }

    fn content(&self, name: &str, query: &str, facts: &Facts) -> Map<String, Value> {
        match name {
            "configuration" => self.configuration(facts),
            "connection_stat_reset" => {
                self.reset_connections();
                Map::new()
            }
            "stat_reset" => {
                self.registry.reset();
                Map::new()
            }
            "connections" => connections(&self.guests(facts)),
            "dirs" => {
                let bytes = bytes_in(&self.config.data_dir);
                object(json!({"datadir_size": bytes, "logdir_size": bytes}))
            }
            "dump" => dump(facts),
            "environment" => {
                let pairs = environment_pairs().into_iter();
                pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect()
            }
            "get_trace_mask" => {
                object(json!({"tracemask": self.trace_mask.load(Ordering::Relaxed)}))
            }
            "hash" => hash(facts),
            "initial_configuration" => {
                object(json!({"initial_configuration": self.config.shown_text()}))
            }
            "is_read_only" => object(json!({"read_only": facts.is_read_only()})),
            "last_snapshot" => last_snapshot(&self.config.data_dir),
            "leader" => self.leader(facts),
            "monitor" => monitor(&self.variables(facts)),
            "observers" => observers(facts),
            "server_stats" => self.server_stats(facts),
            "set_trace_mask" => self.set_trace_mask(query),
            "stats" => {
                let mut stats = self.server_stats(facts);
                stats.append(&mut connections(&self.guests(facts)));
                stats
            }
            "system_properties" => system_properties(),
            "voting_view" => voting_view(facts),
            "watch_summary" => watch_summary(facts),
            "watches" => watches(facts),
            "watches_by_path" => watches_by_path(facts),
            "zabstate" => zab_state(self, facts),
            // `ruok`; and nothing is counted of one observer's connection.
            _ => Map::new(),
        }
    }

    fn configuration(&self, facts: &Facts) -> Map<String, Value> {
        let config = &self.config;
        let directory = config.data_dir.join("zoobreak").display().to_string();
        let mut answer = object(json!({
            "client_port": config.client_port,
            "secure_client_port": config.secure.as_ref().map(|secure| secure.port),
            "data_dir": directory,
            "data_log_dir": directory,
            "tick_time": config.tick_ms,
            "max_client_cnxns": config.max_client_cnxns,
            "min_session_timeout": config.min_session_ms,
            "max_session_timeout": config.max_session_ms,
            "server_id": if config.servers.is_empty() { 0 } else { config.id },
            "client_port_listen_backlog": -1,
        }));
        if let Some(own) = config.servers.get(&config.id) {
            let members: Vec<String> = members(facts).lines().map(str::to_owned).collect();
            answer.append(&mut object(json!({
                "init_limit": config.init_limit,
                "sync_limit": config.sync_limit,
                "election_alg": 3,
                "election_port": own.election_port,
                "quorum_port": own.quorum_port,
                "peer_type": peer_type(config.id, facts),
                "server_ids": facts.servers.keys().collect::<Vec<_>>(),
                "membership": members,
            })));
        }
        answer
    }

    /// Kept for whoever asks; nothing is traced by it.
    fn set_trace_mask(&self, query: &str) -> Map<String, Value> {
        let typed = query.split('&').find_map(|pair| pair.strip_prefix("traceMask="));
        match typed.map(str::parse::<i64>) {
            Some(Ok(mask)) => {
                self.trace_mask.store(mask, Ordering::Relaxed);
                object(json!({"tracemask": mask}))
            }
            _ => object(json!({"error": "setTraceMask requires long traceMask argument"})),
        }
    }

    fn leader(&self, facts: &Facts) -> Map<String, Value> {
        let Some(leader) = facts.leader else {
            return object(json!({"error": "no leader is known"}));
        };
        let own = facts.servers.get(&leader);
        let address = own.map(|server| format!("{}:{}", server.host, server.quorum_port));
        let is_leader = leader == self.config.id;
        object(json!({"is_leader": is_leader, "leader_id": leader, "leader_ip": address}))
    }

    fn server_stats(&self, facts: &Facts) -> Map<String, Value> {
        let latency = self.registry.latencies().all;
        let bytes = bytes_in(&self.config.data_dir);
        let mut answer = object(json!({
            "version": version(),
            "read_only": facts.is_read_only(),
            "server_stats": {
                "packets_sent": facts.sent,
                "packets_received": facts.received,
                "provider_null": false,
                "data_dir_size": bytes,
                "log_dir_size": bytes,
                "server_state": facts.mode,
                "last_processed_zxid": facts.zxid,
                "outstanding_requests": facts.outstanding,
                "avg_latency": latency.mean_ms(),
                "max_latency": latency.max_ms(),
                "min_latency": latency.min_ms(),
                "num_alive_client_connections": facts.connections,
                "uptime": facts.uptime.as_millis() as u64,
                "fsync_threshold_exceed_count": facts.metrics.slow_fsyncs,
                "auth_failed_count": facts.metrics.auth_failed,
            },
            "node_count": facts.node_count,
        }));
        if facts.leading.is_some() {
            let Sizes { last, min, max } = facts.metrics.proposal_bytes;
            let sizes =
                json!({"last_buffer_size": last, "min_buffer_size": min, "max_buffer_size": max});
            answer.insert("proposal_stats".to_owned(), sizes);
        }
        answer
    }
}

/// Those whose votes count.
fn voting_view(facts: &Facts) -> Map<String, Value> {
    let participants = facts.servers.iter().filter(|(_, server)| !server.observer);
    let view = participants.map(|(id, server)| {
        let (quorum, election) = (server.quorum_port, server.election_port);
        let host = &server.host;
        let view = json!({
            "server_addresses": [format!("{host}:{quorum}")],
            "election_addresses": [format!("{host}:{election}")],
            "client_address": server.client.as_ref().map(|(host, port)| format!("{host}:{port}")),
            "learner_type": "PARTICIPANT",
        });
        (id.to_string(), view)
    });
    object(json!({"current_config": Value::Object(view.collect())}))
}

fn canonical(typed: &str) -> Option<&'static str> {
    let command = COMMANDS.iter().find(|(name, others)| *name == typed || others.contains(&typed));
    command.map(|(name, _)| *name)
}

fn wants(name: &str) -> Want {
    Want {
        clients: matches!(name, "connections" | "stats" | "watches" | "watches_by_path"),
        sessions: name == "dump",
        watches: matches!(name, "watch_summary" | "watches" | "watches_by_path"),
        reset: name == "stat_reset",
    }
}

/// Commands about this process answer also while there is no leader; an operator needs them then.
fn needs_service(name: &str) -> bool {
    !matches!(
        name,
        "ruok"
            | "configuration"
            | "environment"
            | "dirs"
            | "leader"
            | "monitor"
            | "voting_view"
            | "initial_configuration"
            | "last_snapshot"
            | "system_properties"
            | "zabstate"
            | "get_trace_mask"
            | "set_trace_mask"
    )
}

fn connections(guests: &[Guest]) -> Map<String, Value> {
    let (secure, plain): (Vec<&Guest>, Vec<&Guest>) =
        guests.iter().partition(|guest| guest.stats.is_secure());
    let shown =
        |guests: Vec<&Guest>| -> Vec<Value> { guests.into_iter().filter_map(connection).collect() };
    object(json!({"connections": shown(plain), "secure_connections": shown(secure)}))
}

fn connection(guest: &Guest) -> Option<Value> {
    let client = guest.client?;
    let counters = &guest.counters;
    let ms = |at| since_1970(at).as_millis() as u64;
    Some(json!({
        "remote_socket_address": guest.stats.from.to_string(),
        "interest_ops": 1,
        "outstanding_requests": client.queued,
        "packets_received": counters.received,
        "packets_sent": counters.sent,
        "session_id": client.session,
        "last_operation": counters.last_operation.map_or("NA", operation),
        "established": ms(guest.stats.established),
        "session_timeout": client.timeout_ms,
        "last_cxid": counters.last_xid,
        "last_zxid": counters.last_zxid,
        "last_response_time": counters.last_reply.map(|at| ms(on_the_wall(at))),
        "last_latency": counters.last_latency_ms,
        "min_latency": counters.latency.min_ms(),
        "avg_latency": counters.latency.mean_ms(),
        "max_latency": counters.latency.max_ms(),
    }))
}

fn dump(facts: &Facts) -> Map<String, Value> {
    let mut expiries: Map<String, Value> = Map::new();
    for session in &facts.sessions {
        let Some(expires_in) = session.expires_in else { continue };
        let at = (facts.uptime + expires_in).as_millis().to_string();
        let ids = expiries.entry(at).or_insert_with(|| json!([]));
        ids.as_array_mut().expect("made as one").push(json!(session.id));
    }
    let owners = facts.sessions.iter().filter(|session| !session.ephemerals.is_empty());
    let ephemerals = owners.map(|session| (session.id.to_string(), json!(session.ephemerals)));
    object(json!({
        "expiry_time_to_session_ids": expiries,
        "session_id_to_ephemeral_paths": Value::Object(ephemerals.collect()),
    }))
}

fn hash(facts: &Facts) -> Map<String, Value> {
    let digest = |(zxid, digest): (u64, u64)| json!({"zxid": zxid, "digest": digest.cast_signed()});
    let digests: Vec<Value> = digest_log(facts).into_iter().map(digest).collect();
    object(json!({"digests": digests}))
}

fn monitor(variables: &[(&'static str, Variable)]) -> Map<String, Value> {
    let mut answer = Map::new();
    for (name, variable) in variables {
        let mut add = |key: String, value| {
            answer.insert(key, value);
        };
        match variable {
            Variable::Text(text) => add((*name).to_owned(), json!(text)),
            Variable::Counter(value) => add((*name).to_owned(), json!(value)),
            Variable::Gauge(value) => add((*name).to_owned(), number(*value)),
            Variable::Summary(summary) => {
                add(format!("avg_{name}"), json!(summary.mean_ms()));
                add(format!("min_{name}"), json!(summary.min_ms()));
                add(format!("max_{name}"), json!(summary.max_ms()));
                add(format!("cnt_{name}"), json!(summary.count()));
                add(format!("sum_{name}"), json!(summary.sum_ms()));
            }
        }
    }
    answer
}

/// Whole numbers without a point, as ZooKeeper gives them.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value >= 0.0 {
        true => json!(value as u64),
        false => json!(value),
    }
}

fn watch_summary(facts: &Facts) -> Map<String, Value> {
    let paths: std::collections::BTreeSet<_> = facts.watches.values().flatten().collect();
    object(json!({
        "num_connections": facts.watches.len(),
        "num_paths": paths.len(),
        "num_total_watches": facts.n_watches,
    }))
}

fn watches(facts: &Facts) -> Map<String, Value> {
    let paths = by_session(facts).into_iter().map(|(id, paths)| (id.to_string(), json!(paths)));
    object(json!({"session_id_to_watched_paths": Value::Object(paths.collect())}))
}

fn watches_by_path(facts: &Facts) -> Map<String, Value> {
    let ids = by_path(facts).into_iter().map(|(path, ids)| (path.to_owned(), json!(ids)));
    object(json!({"path_to_session_ids": Value::Object(ids.collect())}))
}

/// ZooKeeper's names of what is no property of Java's machine.
fn system_properties() -> Map<String, Value> {
    let pairs = environment_pairs()
        .into_iter()
        .filter(|(name, _)| name.starts_with("os.") || name.starts_with("user."));
    pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => unreachable!("{other} is not an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_documented_and_found_by_each_of_its_names() {
        let page = include_str!("../../../docs/operations.md");
        for (name, others) in COMMANDS {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
            assert!(others.iter().chain([name]).all(|typed| canonical(typed) == Some(name)));
            assert!(index().contains(&format!("/commands/{name}\"")));
        }
        assert_eq!(canonical("nonsense"), None);
    }
}

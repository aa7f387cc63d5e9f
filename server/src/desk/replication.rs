//! Commands about a server's place in the ensemble, and about what it has on disk.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::commands::object;
use super::words::since_1970;
use super::{Desk, Facts};

/// `zabstate`.
pub(super) fn zab_state(desk: &Desk, facts: &Facts) -> Map<String, Value> {
    let id = desk.config.id;
    let Some(own) = facts.servers.get(&id) else {
        return object(json!({"voting": false, "zabstate": ""}));
    };
    let (host, zxid) = (&own.host, facts.zxid);
    object(json!({
        "myid": id,
        "is_leader": facts.leader == Some(id),
        "quorum_address": format!("{host}:{}", own.quorum_port),
        "election_address": format!("{host}:{}", own.election_port),
        "client_address": format!(
            "{}:{}",
            desk.config.client_address.as_deref().unwrap_or("0.0.0.0"),
            desk.config.client_port
        ),
        "voting": !own.observer,
        "last_zxid": format!("{zxid:#x}"),
        "zab_epoch": zxid >> 32,
        "zab_counter": zxid & 0xffff_ffff,
        "zabstate": facts.phase,
    }))
}

/// `observers`: those that this leader has brought up.
pub(super) fn observers(facts: &Facts) -> Map<String, Value> {
    let ids = facts.leading.as_ref().map(|leading| leading.observers.clone()).unwrap_or_default();
    let observer = |id| {
        let server = facts.servers.get(&id);
        let address = server.map(|server| format!("{}:{}", server.host, server.quorum_port));
        json!({"sid": id, "quorum_address": address})
    };
    let shown: Vec<Value> = ids.iter().copied().map(observer).collect();
    object(json!({"synced_observers": ids.len(), "observers": shown}))
}

/// `last_snapshot`: the newest one on disk; -1 where there is none.
pub(super) fn last_snapshot(data_dir: &Path) -> Map<String, Value> {
    let found = newest_snapshot(&data_dir.join("zoobreak"));
    let (zxid, at) = found.unzip();
    object(json!({
        "zxid": format!("{:x}", zxid.map_or(-1, u64::cast_signed)),
        "timestamp": at.map_or(-1, |at| since_1970(at).as_secs().cast_signed()),
    }))
}

/// Its zxid, and when it was written. What cannot be read is not there: files come and go here.
fn newest_snapshot(store: &Path) -> Option<(u64, SystemTime)> {
    let generations = std::fs::read_dir(store).ok()?.flatten();
    let files = generations.filter_map(|entry| std::fs::read_dir(entry.path()).ok()).flatten();
    let snapshot = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let zxid = u64::from_str_radix(name.to_str()?.strip_prefix("snapshot.")?, 16).ok()?;
        Some((zxid, entry.metadata().ok()?.modified().ok()?))
    };
    files.flatten().filter_map(snapshot).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_snapshot_is_found_and_its_absence_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last_snapshot(dir.path())["zxid"], "ffffffffffffffff");
        assert_eq!(last_snapshot(dir.path())["timestamp"], -1);
        let generation = dir.path().join("zoobreak/g3");
        std::fs::create_dir_all(&generation).unwrap();
        for name in ["snapshot.0000000100000002", "snapshot.000000010000000a", "snapshot.tmp"] {
            std::fs::write(generation.join(name), b"").unwrap();
        }
        assert_eq!(last_snapshot(dir.path())["zxid"], "10000000a");
        assert!(last_snapshot(dir.path())["timestamp"].as_i64().unwrap() > 0);
    }
}

//! The servers' transaction logs after a run, read from its directory.

mod apache;

use std::fs;
use std::path::{Path, PathBuf};

use history::{LogEntry, RunDir, ServerLog, Settings, Target};

/// Reads every server's log. A log that cannot be read is damaged. None is, if their directories have more
/// bytes than `bytes_max`.
pub(crate) fn read(run: &RunDir, settings: &Settings, bytes_max: usize) -> Vec<ServerLog> {
    let nodes = (1..=settings.nodes).map(|n| (format!("n{n}"), run.node(n).join("data")));
    let nodes: Vec<(String, PathBuf)> = nodes.collect();
    let length: u64 = nodes.iter().map(|(_, data)| length(data)).sum();
    if length > bytes_max as u64 {
        let mib = length >> 20;
        eprintln!(
            "the servers' logs were not read: {mib} MiB are too many; allow more with --budget-memory"
        );
        return Vec::new();
    }
    nodes.into_iter().filter_map(|(node, data)| of_server(settings.target, node, &data)).collect()
}

/// Bytes of the files in a directory and in those below it.
fn length(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let length_of = |file: fs::DirEntry| match file.metadata() {
        Ok(meta) if meta.is_dir() => length(&file.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    files.map(length_of).sum()
}

/// Nothing if the run has kept no files of the server.
fn of_server(target: Target, node: String, data: &Path) -> Option<ServerLog> {
    let (entries, damage) = match target {
        Target::Zoobreak if !data.join("zoobreak").exists() => return None,
        Target::Zookeeper if !data.join("version-2").exists() => return None,
        Target::Zoobreak => ours(data),
        Target::Zookeeper => apache::read(&data.join("version-2")),
    };
    Some(ServerLog { node, entries, damage })
}

fn ours(data: &Path) -> (Vec<LogEntry>, Vec<String>) {
    let entry = |entry: server::LoggedEntry| LogEntry {
        zxid: entry.zxid,
        digest: entry.digest,
        values: entry.data.iter().filter_map(|data| integer(data)).collect(),
    };
    match server::logged(data) {
        Ok(logged) => (logged.entries.into_iter().map(entry).collect(), logged.damage),
        Err(error) => (Vec::new(), vec![error.to_string()]),
    }
}

/// The integer that a client's data spells.
fn integer(data: &[u8]) -> Option<i64> {
    std::str::from_utf8(data).ok()?.parse().ok()
}

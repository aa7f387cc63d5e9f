//! Reads everything on every server, once the ensemble is whole again.

use std::sync::Arc;
use std::time::Duration;

use history::Recorder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::config::{Config, Workload};
use crate::recorded::{RecordedClient, Shared};

/// A znode that a server did not give.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// The server's name.
    pub server: String,
    /// The znode.
    pub key: String,
}

/// Reads (`sync`, then `getData`; a parent with its children) every key on every server, and
/// records each attempt. Server `i`
/// is read by process `config.clients + i`, in a session of its own. What fails is tried again as
/// a new operation.
///
/// Returns what could not be read when `limit` was over: empty if all is well.
pub async fn final_reads(config: Arc<Config>, recorder: Recorder, limit: Duration) -> Vec<Unread> {
    let shared = Shared { config, recorder, counter: Arc::default() };
    let end = Instant::now() + limit;
    let mut tasks = JoinSet::new();
    for server_idx in 0..shared.config.servers.len() {
        tasks.spawn(read_server(shared.clone(), server_idx, end));
    }
    let mut unread: Vec<Unread> = tasks.join_all().await.into_iter().flatten().collect();
    unread.sort();
    unread
}

/// A server that refuses at once is not asked a thousand times a second.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

async fn read_server(shared: Shared, server_idx: usize, end: Instant) -> Vec<Unread> {
    let config = Arc::clone(&shared.config);
    let process = config.clients + server_idx as u64;
    let mut client = RecordedClient::new(shared, process, server_idx);
    let mut left = config.keys.as_slice();
    while let Some((key, others)) = left.split_first() {
        if Instant::now() >= end {
            break;
        }
        if !client.is_connected() {
            client.idle().await;
            client.connect(server_idx).await;
        } else if read(&mut client, config.workload, key).await {
            left = others;
        } else {
            sleep(BETWEEN_ATTEMPTS).await;
        }
    }
    let server = &config.servers[server_idx].name;
    left.iter().map(|key| Unread { server: server.clone(), key: key.clone() }).collect()
}

async fn read(client: &mut RecordedClient, workload: Workload, key: &str) -> bool {
    match workload {
        Workload::Register => client.read(key).await,
        Workload::Znodes => client.read_family(key).await,
    }
}

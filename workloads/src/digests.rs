//! Asks servers for fingerprints of their state: the four-letter word `hash`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use history::{DigestEvent, Draft, Hex, Kind, Process, Recorder, f};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::config::Server;
use crate::probe::four_letters;

/// Asks every server each `period` and records each fingerprint that is new. A server that does
/// not answer `hash` shows none. Runs until the returned guard is dropped.
///
/// # Panics
/// Outside a tokio runtime.
#[must_use = "the watcher stops when this is dropped"]
pub fn watch_digests(
    servers: &[Server],
    source: Option<IpAddr>,
    period: Duration,
    recorder: &Recorder,
) -> DigestWatcher {
    let mut tasks = JoinSet::new();
    for server in servers {
        let mut watched = Watched::new(server, source, recorder);
        tasks.spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                watched.ask().await;
            }
        });
    }
    DigestWatcher { _tasks: tasks }
}

/// Owns the asking tasks.
#[derive(Debug)]
pub struct DigestWatcher {
    _tasks: JoinSet<()>,
}

/// Asks every server until all of them show the same last zxid, so that their final states can be
/// compared, or until `limit` is over.
pub async fn final_digests(
    servers: &[Server],
    source: Option<IpAddr>,
    recorder: &Recorder,
    limit: Duration,
) {
    let mut all: Vec<_> =
        servers.iter().map(|server| Watched::new(server, source, recorder)).collect();
    let end = Instant::now() + limit;
    while Instant::now() < end {
        let mut last = Vec::new();
        for watched in &mut all {
            last.push(watched.ask().await);
        }
        if last.iter().all(|zxid| zxid.is_some() && *zxid == last[0]) {
            return;
        }
        sleep(BETWEEN_ATTEMPTS).await;
    }
}

const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
const ASK_TIMEOUT: Duration = Duration::from_millis(200);

/// One server, and what is recorded of it.
struct Watched {
    server: Server,
    source: Option<IpAddr>,
    recorder: Recorder,
    recorded: BTreeMap<u64, u64>,
}

impl Watched {
    fn new(server: &Server, source: Option<IpAddr>, recorder: &Recorder) -> Watched {
        let (server, recorder) = (server.clone(), recorder.clone());
        Watched { server, source, recorder, recorded: BTreeMap::new() }
    }

    /// Records what is new; the last zxid shown.
    async fn ask(&mut self) -> Option<u64> {
        let answer = four_letters(self.server.addr, self.source, b"hash", ASK_TIMEOUT).await;
        let digests = parse_hash(&answer.unwrap_or_default());
        for &(zxid, digest) in &digests {
            if self.recorded.insert(zxid, digest) != Some(digest) {
                self.record(zxid, digest);
            }
        }
        digests.last().map(|(zxid, _)| *zxid)
    }

    fn record(&self, zxid: u64, digest: u64) {
        let value = DigestEvent { zxid: Hex(zxid), digest: Hex(digest), quorum: None };
        let draft = Draft::new(Process::probe(), Kind::Info, f::DIGEST);
        self.recorder.record(draft.node(&self.server.name).value(value));
    }
}

/// Lines of a zxid in hexadecimal, a colon, and a signed number; anything else says nothing.
fn parse_hash(text: &str) -> Vec<(u64, u64)> {
    let line = |line: &str| {
        let (zxid, digest) = line.split_once(": ")?;
        let digest: i64 = digest.trim().parse().ok()?;
        Some((u64::from_str_radix(zxid, 16).ok()?, digest.cast_unsigned()))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_zxid_and_a_signed_number() {
        let answer = "100000080: -1\n10000009f: 1371985504\n";
        assert_eq!(parse_hash(answer), [(0x1_0000_0080, u64::MAX), (0x1_0000_009f, 1371985504)]);
        let refused = "hash is not executed because it is not in the whitelist.\n";
        assert_eq!(parse_hash(refused), []);
        assert_eq!(parse_hash("This ZooKeeper instance is not currently serving requests\n"), []);
    }
}

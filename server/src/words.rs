//! Answers to four-letter words, in ZooKeeper's words ("ZooKeeper Commands: The Four Letter
//! Words", Administrator's Guide). Pure.

use std::fmt::Write;
use std::time::Duration;

use wire::frame::FourLetter;

/// What `srvr` and `mntr` tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    /// `leader`, `follower` or `standalone`; `None` while not serving.
    pub(crate) mode: Option<&'static str>,
    pub(crate) zxid: u64,
    pub(crate) epoch: u32,
    pub(crate) node_count: usize,
    pub(crate) ephemerals: usize,
    pub(crate) data_size: u64,
    pub(crate) watches: usize,
    pub(crate) connections: usize,
    pub(crate) outstanding: usize,
    pub(crate) sessions: usize,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) digest: u64,
    pub(crate) uptime: Duration,
    pub(crate) latency: Latency,
}

/// Time from a request's arrival to its reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Latency {
    min: Option<Duration>,
    max: Duration,
    sum: Duration,
    count: u32,
}

impl Latency {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.min = Some(self.min.map_or(latency, |min| min.min(latency)));
        self.max = self.max.max(latency);
        self.sum += latency;
        self.count = self.count.saturating_add(1);
    }

    /// Milliseconds: least, mean, most.
    fn figures(&self) -> (u128, f64, u128) {
        let mean = self.sum.as_secs_f64() * 1000.0 / f64::from(self.count.max(1));
        (self.min.unwrap_or_default().as_millis(), mean, self.max.as_millis())
    }
}

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// The answer to `word`.
pub(crate) fn answer(word: FourLetter, status: &Status) -> String {
    match word {
        FourLetter::Ruok => "imok".to_owned(),
        FourLetter::Srvr => status.mode.map_or(NOT_SERVING.to_owned(), |mode| srvr(status, mode)),
        FourLetter::Mntr => status.mode.map_or(NOT_SERVING.to_owned(), |mode| mntr(status, mode)),
        other => format!("{} is not executed because it is not in the whitelist.\n", other.word()),
    }
}

fn version() -> String {
    format!("3.8.0-zoobreak-{}", env!("CARGO_PKG_VERSION"))
}

fn srvr(status: &Status, mode: &str) -> String {
    let (min, mean, max) = status.latency.figures();
    let Status { received, sent, connections, outstanding, zxid, node_count, .. } = status;
    format!(
        "Zookeeper version: {}\nLatency min/avg/max: {min}/{mean:.4}/{max}\nReceived: {received}\n\
         Sent: {sent}\nConnections: {connections}\nOutstanding: {outstanding}\nZxid: {zxid:#x}\n\
         Mode: {mode}\nNode count: {node_count}\n",
        version()
    )
}

fn mntr(status: &Status, mode: &str) -> String {
    let (min, mean, max) = status.latency.figures();
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "zk_{key}\t{value}").expect("a string takes everything");
    };
    line("version", &version());
    line("server_state", &mode);
    line("uptime", &status.uptime.as_millis());
    line("avg_latency", &format_args!("{mean:.4}"));
    line("max_latency", &max);
    line("min_latency", &min);
    line("packets_received", &status.received);
    line("packets_sent", &status.sent);
    line("num_alive_connections", &status.connections);
    line("outstanding_requests", &status.outstanding);
    line("znode_count", &status.node_count);
    line("watch_count", &status.watches);
    line("ephemerals_count", &status.ephemerals);
    line("approximate_data_size", &status.data_size);
    line("global_sessions", &status.sessions);
    line("current_epoch", &status.epoch);
    line("last_processed_zxid", &format_args!("{:#x}", status.zxid));
    line("state_digest", &format_args!("{:#018x}", status.digest));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let mut latency = Latency::default();
        latency.add(Duration::from_millis(2));
        latency.add(Duration::from_millis(5));
        Status {
            mode: Some("leader"),
            zxid: 0x1_0000_0007,
            node_count: 5,
            latency,
            ..Status::default()
        }
    }

    #[test]
    fn srvr_has_the_lines_that_monitoring_reads() {
        let text = answer(FourLetter::Srvr, &status());
        for line in [
            "Latency min/avg/max: 2/3.5000/5",
            "Zxid: 0x100000007",
            "Mode: leader",
            "Node count: 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }

    #[test]
    fn a_server_without_a_leader_says_so() {
        let status = Status { mode: None, ..status() };
        assert_eq!(answer(FourLetter::Srvr, &status), NOT_SERVING);
        assert_eq!(answer(FourLetter::Mntr, &status), NOT_SERVING);
        assert_eq!(answer(FourLetter::Ruok, &status), "imok");
    }

    #[test]
    fn mntr_is_key_tab_value() {
        let text = answer(FourLetter::Mntr, &status());
        assert!(text.contains("zk_server_state\tleader\n"));
        assert!(text.lines().all(|line| line.split('\t').count() == 2));
    }
}

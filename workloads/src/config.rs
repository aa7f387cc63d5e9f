//! What a workload needs to know about the ensemble and the load.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::client::Endpoint;

/// A server as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name in the history: `n1`, `n2`, …
    pub name: String,
    /// Where it listens for clients.
    pub addr: SocketAddr,
}

/// What clients do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workload {
    /// Reads, writes and compare-and-sets of a few znodes: [`Register`](crate::Register).
    #[default]
    Register,
    /// Everything else that can be done to a tree: [`Znodes`](crate::Znodes).
    Znodes,
}

impl Workload {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Workload::Register => "register",
            Workload::Znodes => "znodes",
        }
    }

    /// Its n-th znode: a register `/r0`, or a parent `/z0`.
    #[must_use]
    pub fn znode(self, n: usize) -> String {
        match self {
            Workload::Register => format!("/r{n}"),
            Workload::Znodes => format!("/z{n}"),
        }
    }
}

impl FromStr for Workload {
    type Err = ();

    fn from_str(name: &str) -> Result<Workload, ()> {
        [Workload::Register, Workload::Znodes].into_iter().find(|w| w.name() == name).ok_or(())
    }
}

/// One workload: where, how much, on what.
#[derive(Clone, Debug)]
pub struct Config {
    /// What clients do.
    pub workload: Workload,
    /// Seed of the operation streams.
    pub seed: u64,
    /// Number of clients; their processes are `0..clients`.
    pub clients: u64,
    /// The ensemble. Client `i` starts on server `i` mod `servers.len()`.
    pub servers: Vec<Server>,
    /// Local address that clients connect from, so that faults can tell them from servers.
    pub source: Option<IpAddr>,
    /// Session timeout asked for; the server may negotiate another.
    pub session_timeout: Duration,
    /// How long a client waits for an answer, a handshake included.
    pub op_timeout: Duration,
    /// Operations per second, all clients together.
    pub rate: f64,
    /// The znodes, such as `/r0`; of the znodes workload, the parents.
    pub keys: Vec<String>,
}

/// A [`Config`] that cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Nobody to talk to.
    #[error("the workload names no server: give at least one")]
    NoServers,
    /// Nothing to read or write.
    #[error("the workload names no znode: give at least one key")]
    NoKeys,
    /// Nobody to do it.
    #[error("the workload has no clients: give at least one")]
    NoClients,
    /// A rate that is no rate.
    #[error("the rate is {0} operations per second: give a positive number")]
    Rate(f64),
}

impl Config {
    /// Refuses a configuration that no client could run.
    ///
    /// # Errors
    /// The first thing found missing.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.servers.is_empty() {
            return Err(ConfigError::NoServers);
        }
        if self.keys.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        if self.clients == 0 {
            return Err(ConfigError::NoClients);
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(ConfigError::Rate(self.rate));
        }
        Ok(())
    }

    /// How a client reaches the server at `addr`.
    pub(crate) fn endpoint(&self, addr: SocketAddr) -> Endpoint {
        Endpoint {
            addr,
            source: self.source,
            session_timeout: self.session_timeout,
            op_timeout: self.op_timeout,
        }
    }

    /// Time between two operations of one client.
    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs_f64(self.clients as f64 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            workload: Workload::Register,
            seed: 1,
            clients: 10,
            servers: vec![Server { name: "n1".into(), addr: ([127, 0, 0, 1], 2181).into() }],
            source: None,
            session_timeout: Duration::from_secs(4),
            op_timeout: Duration::from_secs(1),
            rate: 500.0,
            keys: vec!["/r0".into()],
        }
    }

    #[test]
    fn each_missing_part_is_named() {
        assert_eq!(config().validate(), Ok(()));
        let broken = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            config.validate().expect_err("broken on purpose")
        };
        assert_eq!(broken(|c| c.servers.clear()), ConfigError::NoServers);
        assert_eq!(broken(|c| c.keys.clear()), ConfigError::NoKeys);
        assert_eq!(broken(|c| c.clients = 0), ConfigError::NoClients);
        assert_eq!(broken(|c| c.rate = 0.0), ConfigError::Rate(0.0));
        assert!(matches!(broken(|c| c.rate = f64::NAN), ConfigError::Rate(_)));
    }

    #[test]
    fn clients_share_the_rate() {
        assert_eq!(config().period(), Duration::from_millis(20));
    }
}

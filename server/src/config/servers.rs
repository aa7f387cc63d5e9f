//! The servers of the ensemble, and which of them this is.

use std::collections::BTreeMap;
use std::fs;

use zab::ServerId;

use super::lines::Lines;
use super::{Config, ConfigError};

/// Where a server of the ensemble listens: `server.N=host:quorumPort:electionPort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Host name or address.
    pub host: String,
    /// Learners connect here to a leader.
    pub quorum_port: u16,
    /// Votes arrive here.
    pub election_port: u16,
}

impl Lines<'_> {
    pub(super) fn servers(&self) -> Result<BTreeMap<ServerId, ServerAddress>, ConfigError> {
        let mut servers = BTreeMap::new();
        for (number, line, value) in self.with_prefix("server.") {
            let id = number.parse().ok().filter(|id| (1..=254).contains(id)).ok_or_else(|| {
                self.at(line, format!("server.{number}: the id is a number from 1 to 254"))
            })?;
            let address = server_address(value)
                .map_err(|what| self.at(line, format!("server.{number}={value}: {what}")))?;
            if servers.insert(id, address).is_some() {
                return Err(self.at(line, format!("server id {id} is given twice")));
            }
        }
        self.distinct_ports(&servers)?;
        Ok(servers)
    }

    fn distinct_ports(
        &self,
        servers: &BTreeMap<ServerId, ServerAddress>,
    ) -> Result<(), ConfigError> {
        let mut taken = BTreeMap::new();
        for (id, address) in servers {
            for port in [address.quorum_port, address.election_port] {
                if let Some(other) = taken.insert((&address.host, port), id) {
                    let host = &address.host;
                    return Err(self.wrong(format!(
                        "server.{other} and server.{id} both claim {host}:{port}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// This server's number, from `dataDir/myid`.
pub(super) fn read_my_id(config: &Config) -> Result<ServerId, ConfigError> {
    let path = config.data_dir.join("myid");
    let text =
        fs::read_to_string(&path).map_err(|error| ConfigError::Io { path: path.clone(), error })?;
    let wrong = |what: String| ConfigError::File { path: path.clone(), what };
    let id: ServerId =
        text.trim().parse().ok().filter(|id| (1..=254).contains(id)).ok_or_else(|| {
            wrong(format!("expected a number from 1 to 254, found {:?}", text.trim()))
        })?;
    match config.servers.contains_key(&id) {
        true => Ok(id),
        false => Err(wrong(format!("this is server {id}, but zoo.cfg has no line server.{id}=…"))),
    }
}

/// `host:quorumPort:electionPort[:participant]`, optionally followed by `;clientPort`.
fn server_address(text: &str) -> Result<ServerAddress, String> {
    let main = text.split_once(';').map_or(text, |(main, _)| main);
    let mut parts = main.rsplitn(4, ':').collect::<Vec<_>>();
    parts.reverse();
    if let Some(role) = parts.last()
        && role.parse::<u16>().is_err()
    {
        match *role {
            "participant" => {
                parts.pop();
            }
            "observer" => return Err("observers are not supported yet".to_owned()),
            other => return Err(format!("expected a port or participant, found {other:?}")),
        }
    } else {
        let mut again = main.rsplitn(3, ':').collect::<Vec<_>>();
        again.reverse();
        parts = again;
    }
    let [host, quorum, election] = parts.as_slice() else {
        return Err("expected host:quorumPort:electionPort".to_owned());
    };
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    let port = |text: &str, name: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("{name}: expected a port from 1 to 65535, found {text:?}"))
    };
    Ok(ServerAddress {
        host: host.trim_matches(['[', ']']).to_owned(),
        quorum_port: port(quorum, "quorumPort")?,
        election_port: port(election, "electionPort")?,
    })
}

//! The servers of the ensemble, and which of them this is.

use std::collections::BTreeMap;
use std::fs;

use zab::ServerId;

use super::address::distinct_ports;
use super::lines::Lines;
use super::{Config, ConfigError, ServerAddress};

impl Lines<'_> {
    pub(super) fn servers(&self) -> Result<BTreeMap<ServerId, ServerAddress>, ConfigError> {
        let mut servers = BTreeMap::new();
        for (number, line, value) in self.with_prefix("server.") {
            let id = number.parse().ok().filter(|id| (1..=254).contains(id)).ok_or_else(|| {
                self.at(line, format!("server.{number}: the id is a number from 1 to 254"))
            })?;
            let address = value
                .parse()
                .map_err(|what| self.at(line, format!("server.{number}={value}: {what}")))?;
            if servers.insert(id, address).is_some() {
                return Err(self.at(line, format!("server id {id} is given twice")));
            }
        }
        distinct_ports(&servers).map_err(|what| self.wrong(what))?;
        Ok(servers)
    }

    /// `peerType` says again what the server's own line says.
    pub(super) fn peer_type(&self) -> Result<(), ConfigError> {
        match self.entry("peerType") {
            None | Some((_, "participant" | "observer")) => Ok(()),
            Some((line, other)) => {
                let what = format!("peerType: expected participant or observer, found {other:?}");
                Err(self.at(line, what))
            }
        }
    }
}

/// The servers of `dynamicConfigFile`, if there is one: they stand there or in the file itself.
pub(super) fn read_dynamic(config: &mut Config) -> Result<(), ConfigError> {
    let Some(path) = config.dynamic_config_file.clone() else { return Ok(()) };
    match fs::read_to_string(&path) {
        Ok(text) if config.servers.is_empty() => {
            let text = text.replace("\r\n", "\n");
            config.servers = Lines::split(&path, &text)?.servers()?;
            Ok(())
        }
        Err(error) if config.servers.is_empty() => Err(ConfigError::Io { path, error }),
        // What the file itself says goes first; this one is only written.
        Ok(_) | Err(_) => Ok(()),
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

//! Reads a ZooKeeper configuration file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wire::frame::FourLetter;
use zab::ServerId;

use crate::{BreakerSettings, Mutant};

/// What a `zoo.cfg` says. Keys and defaults are ZooKeeper's (Administrator's Guide,
/// "Configuration Parameters").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This server: the number in `dataDir/myid`; 1 when standalone.
    pub id: ServerId,
    /// `tickTime`, milliseconds.
    pub tick_ms: u64,
    /// `initLimit`, ticks.
    pub init_limit: u32,
    /// `syncLimit`, ticks.
    pub sync_limit: u32,
    /// `dataDir`.
    pub data_dir: PathBuf,
    /// `clientPortAddress`; every address when absent.
    pub client_address: Option<String>,
    /// `clientPort`.
    pub client_port: u16,
    /// `server.N`; empty when standalone.
    pub servers: BTreeMap<ServerId, ServerAddress>,
    /// `minSessionTimeout`, milliseconds; twice the tick.
    pub min_session_ms: u64,
    /// `maxSessionTimeout`, milliseconds; twenty times the tick.
    pub max_session_ms: u64,
    /// `snapCount`: transactions between snapshots.
    pub snap_count: u64,
    /// `commitLogCount`: committed transactions kept in memory for learners that lag.
    pub commit_log_count: usize,
    /// `jute.maxbuffer`: the largest request, bytes.
    pub max_buffer: usize,
    /// `maxClientCnxns`: connections from one address; 60, and 0 is no limit.
    pub max_client_cnxns: usize,
    /// `globalOutstandingLimit`: requests of all clients that may wait for an answer; 1000. Past
    /// it, no more are read.
    pub max_outstanding: usize,
    /// `circuitBreaker.*`, if `circuitBreaker.enabled=true`; off by default.
    pub breaker: Option<BreakerSettings>,
    /// `4lw.commands.whitelist`: names with commas, or `*` for all. `srvr`, `mntr` and `ruok` are
    /// answered always (ZooKeeper: only `srvr`).
    pub four_letter_words: BTreeSet<FourLetter>,
    /// `admin.serverAddress` and `admin.serverPort` (every address, 8080), if
    /// `admin.enableServer=true`; off by default (as in ZooKeeper from 3.10 on).
    pub admin: Option<(String, u16)>,
    /// `metricsProvider.httpHost` (every address) and `metricsProvider.httpPort`; without a port,
    /// and without the Prometheus provider as `metricsProvider.className` (7000 then), off.
    pub metrics: Option<(String, u16)>,
    /// `extendedTypesEnabled`: whether clients may create znodes with a time to live.
    pub extended_types: bool,
    /// `znode.container.checkIntervalMs`: between two looks for containers and times to live that
    /// have run out, milliseconds.
    pub container_check_ms: u64,
    /// `DigestAuthenticationProvider.superDigest`: the superuser, as `user:hash`; none when absent.
    pub super_digest: Option<String>,
    /// `mutant`: a planted defect; refused unless the command line names it too.
    pub mutant: Option<Mutant>,
    /// Keys that mean something to ZooKeeper but nothing here, with their lines.
    pub ignored: Vec<(usize, String)>,
}

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

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line is wrong.
    #[error("{path}:{line}: {what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        what: String,
    },
    /// The file as a whole is wrong.
    #[error("{path}: {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is expected.
        what: String,
    },
}

impl Config {
    /// Reads `path`, and `dataDir/myid` where the file names an ensemble.
    ///
    /// # Errors
    /// [`ConfigError`], naming file, line and key.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError::Io { path: path.to_owned(), error })?;
        let mut config = Config::parse(path, &text)?;
        if !config.servers.is_empty() {
            config.id = read_my_id(&config)?;
        }
        Ok(config)
    }

    /// The servers whose votes count.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<ServerId> {
        match self.servers.is_empty() {
            true => BTreeSet::from([self.id]),
            false => self.servers.keys().copied().collect(),
        }
    }

    /// Reads the text of a `zoo.cfg`; the id is 1 until `myid` is read.
    fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let lines = Lines::split(path, text)?;
        let tick_ms = lines.number("tickTime", 3000, 1..=600_000)?;
        let config = Config {
            id: 1,
            tick_ms,
            init_limit: lines.number("initLimit", 10, 1..=100_000)? as u32,
            sync_limit: lines.number("syncLimit", 5, 1..=100_000)? as u32,
            data_dir: PathBuf::from(lines.required("dataDir")?),
            client_address: lines.get("clientPortAddress").map(str::to_owned),
            client_port: lines.number("clientPort", 2181, 1..=65_535)? as u16,
            servers: lines.servers()?,
            min_session_ms: lines.number("minSessionTimeout", tick_ms * 2, 1..=86_400_000)?,
            max_session_ms: lines.number("maxSessionTimeout", tick_ms * 20, 1..=86_400_000)?,
            snap_count: lines.number("snapCount", 100_000, 2..=1 << 40)?,
            commit_log_count: lines.number("commitLogCount", 500, 1..=1 << 30)? as usize,
            max_buffer: lines.number("jute.maxbuffer", 0xf_ffff, 1024..=1 << 30)? as usize,
            max_client_cnxns: lines.number("maxClientCnxns", 60, 0..=1 << 30)? as usize,
            max_outstanding: lines.number("globalOutstandingLimit", 1000, 1..=1 << 30)? as usize,
            breaker: lines.breaker()?,
            four_letter_words: lines.four_letter_words()?,
            admin: lines.admin()?,
            metrics: lines.metrics()?,
            extended_types: lines.flag("extendedTypesEnabled")?,
            container_check_ms: lines.number(
                "znode.container.checkIntervalMs",
                60_000,
                1..=1 << 40,
            )?,
            super_digest: lines.get("DigestAuthenticationProvider.superDigest").map(str::to_owned),
            mutant: lines.mutant()?,
            ignored: lines.ignored(),
        };
        if config.min_session_ms > config.max_session_ms {
            return Err(lines.wrong("minSessionTimeout is larger than maxSessionTimeout"));
        }
        Ok(config)
    }
}

fn read_my_id(config: &Config) -> Result<ServerId, ConfigError> {
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

/// The `key=value` lines of a file.
struct Lines<'a> {
    path: &'a Path,
    entries: BTreeMap<&'a str, (usize, &'a str)>,
}

const KNOWN: &[&str] = &[
    "tickTime",
    "initLimit",
    "syncLimit",
    "dataDir",
    "clientPortAddress",
    "clientPort",
    "minSessionTimeout",
    "maxSessionTimeout",
    "snapCount",
    "commitLogCount",
    "jute.maxbuffer",
    "maxClientCnxns",
    "globalOutstandingLimit",
    "circuitBreaker.enabled",
    "circuitBreaker.requestVolumeThreshold",
    "circuitBreaker.failureRatio",
    "circuitBreaker.minimumResponseTime",
    "circuitBreaker.sleepWindowSize",
    "circuitBreaker.openCircuitDuration",
    "4lw.commands.whitelist",
    "admin.enableServer",
    "admin.serverAddress",
    "admin.serverPort",
    "metricsProvider.className",
    "metricsProvider.httpHost",
    "metricsProvider.httpPort",
    "extendedTypesEnabled",
    "znode.container.checkIntervalMs",
    "DigestAuthenticationProvider.superDigest",
    "mutant",
];

impl<'a> Lines<'a> {
    fn split(path: &'a Path, text: &'a str) -> Result<Lines<'a>, ConfigError> {
        let mut lines = Lines { path, entries: BTreeMap::new() };
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| lines.at(number, format!("expected key=value, found {line:?}")))?;
            let key = key.trim();
            if let Some((first, _)) = lines.entries.insert(key, (number, value.trim())) {
                return Err(lines.at(number, format!("{key} is set already in line {first}")));
            }
        }
        Ok(lines)
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.entries.get(key).map(|(_, value)| *value)
    }

    fn required(&self, key: &str) -> Result<&'a str, ConfigError> {
        self.get(key).ok_or_else(|| self.wrong(format!("{key} is missing")))
    }

    fn number(
        &self,
        key: &str,
        default: u64,
        allowed: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let Some((line, value)) = self.entries.get(key) else { return Ok(default) };
        value.parse().ok().filter(|number| allowed.contains(number)).ok_or_else(|| {
            let (low, high) = (allowed.start(), allowed.end());
            self.at(
                *line,
                format!("{key}: expected a number from {low} to {high}, found {value:?}"),
            )
        })
    }

    fn mutant(&self) -> Result<Option<Mutant>, ConfigError> {
        let Some((line, value)) = self.entries.get("mutant") else { return Ok(None) };
        value.parse().map(Some).map_err(|error| self.at(*line, format!("mutant: {error}")))
    }

    fn four_letter_words(&self) -> Result<BTreeSet<FourLetter>, ConfigError> {
        let mut words = BTreeSet::from([FourLetter::Srvr, FourLetter::Mntr, FourLetter::Ruok]);
        let Some((line, value)) = self.entries.get("4lw.commands.whitelist") else {
            return Ok(words);
        };
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match FourLetter::ALL.iter().find(|word| word.word() == name) {
                _ if name == "*" => words.extend(FourLetter::ALL),
                Some(word) => _ = words.insert(*word),
                None => {
                    let all: Vec<&str> = FourLetter::ALL.iter().map(|word| word.word()).collect();
                    let all = all.join(", ");
                    let what =
                        format!("4lw.commands.whitelist: no {name:?}; there are {all} and *");
                    return Err(self.at(*line, what));
                }
            }
        }
        Ok(words)
    }

    fn breaker(&self) -> Result<Option<BreakerSettings>, ConfigError> {
        let key = |name: &str| format!("circuitBreaker.{name}");
        let settings = BreakerSettings {
            volume: self.number(&key("requestVolumeThreshold"), 100, 1..=1 << 20)? as usize,
            failure_permille: self.ratio(&key("failureRatio"), 500)?,
            late_ms: self.number(&key("minimumResponseTime"), 500, 1..=3_600_000)?,
            sleep_ms: self.number(&key("sleepWindowSize"), 60, 1..=86_400)? * 1000,
            open_ms: self.number(&key("openCircuitDuration"), 300, 1..=86_400)? * 1000,
        };
        if settings.open_ms < settings.sleep_ms {
            return Err(self.wrong(
                "circuitBreaker.openCircuitDuration is shorter than circuitBreaker.sleepWindowSize",
            ));
        }
        Ok(self.flag("circuitBreaker.enabled")?.then_some(settings))
    }

    /// A number above 0 and up to 1, in thousandths.
    fn ratio(&self, key: &str, default_permille: u32) -> Result<u32, ConfigError> {
        let Some((line, value)) = self.entries.get(key) else { return Ok(default_permille) };
        let ratio = value.parse::<f64>().ok().filter(|ratio| *ratio >= 0.001 && *ratio <= 1.0);
        let ratio = ratio.ok_or_else(|| {
            let what = format!("{key}: expected a number from 0.001 to 1, found {value:?}");
            self.at(*line, what)
        })?;
        Ok((ratio * 1000.0).round() as u32)
    }

    fn admin(&self) -> Result<Option<(String, u16)>, ConfigError> {
        let port = self.number("admin.serverPort", 8080, 1..=65_535)? as u16;
        let host = self.get("admin.serverAddress").unwrap_or("0.0.0.0");
        Ok(self.flag("admin.enableServer")?.then(|| (host.to_owned(), port)))
    }

    fn metrics(&self) -> Result<Option<(String, u16)>, ConfigError> {
        let port = self.number("metricsProvider.httpPort", 7000, 1..=65_535)? as u16;
        let host = self.get("metricsProvider.httpHost").unwrap_or("0.0.0.0");
        let class = self.get("metricsProvider.className");
        let asked = match class {
            Some(class) => class.ends_with("PrometheusMetricsProvider"),
            None => self.get("metricsProvider.httpPort").is_some(),
        };
        Ok(asked.then(|| (host.to_owned(), port)))
    }

    /// `true` or `false`; false when absent.
    fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        let Some((line, value)) = self.entries.get(key) else { return Ok(false) };
        match *value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.at(*line, format!("{key}: expected true or false, found {value:?}"))),
        }
    }

    fn servers(&self) -> Result<BTreeMap<ServerId, ServerAddress>, ConfigError> {
        let mut servers = BTreeMap::new();
        for (key, (line, value)) in &self.entries {
            let Some(number) = key.strip_prefix("server.") else { continue };
            let id = number.parse().ok().filter(|id| (1..=254).contains(id)).ok_or_else(|| {
                self.at(*line, format!("{key}: the id is a number from 1 to 254"))
            })?;
            let address = server_address(value)
                .map_err(|what| self.at(*line, format!("{key}={value}: {what}")))?;
            if servers.insert(id, address).is_some() {
                return Err(self.at(*line, format!("server id {id} is given twice")));
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

    fn ignored(&self) -> Vec<(usize, String)> {
        self.entries
            .iter()
            .filter(|(key, _)| !KNOWN.contains(key) && !key.starts_with("server."))
            .map(|(key, (line, _))| (*line, (*key).to_owned()))
            .collect()
    }

    fn at(&self, line: usize, what: String) -> ConfigError {
        ConfigError::Line { path: self.path.to_owned(), line, what }
    }

    fn wrong(&self, what: impl Into<String>) -> ConfigError {
        ConfigError::File { path: self.path.to_owned(), what: what.into() }
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

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/tmp/zk\nclientPort=2181\n\
        server.1=10.0.0.1:2888:3888\nserver.2=10.0.0.2:2888:3888:participant\n\
        server.3=zoo3:2888:3888;2181\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("zoo.cfg"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_of_the_documentation_is_read() {
        let config = parse(THREE).unwrap();
        assert_eq!(config.voters(), BTreeSet::from([1, 2, 3]));
        assert_eq!((config.tick_ms, config.init_limit, config.sync_limit), (2000, 10, 5));
        assert_eq!((config.min_session_ms, config.max_session_ms), (4000, 40_000));
        assert_eq!(config.servers[&3].host, "zoo3");
        assert_eq!(config.servers[&2].election_port, 3888);
    }

    #[test]
    fn a_duplicate_id_is_refused() {
        let text = THREE.to_owned() + "server.1=10.0.0.4:2888:3888\n";
        assert_eq!(parse(&text).unwrap_err(), "zoo.cfg:9: server.1 is set already in line 6");
        let text = THREE.to_owned() + "server.01=10.0.0.4:2888:3888\n";
        assert!(parse(&text).unwrap_err().contains("server id 1 is given twice"));
    }

    #[test]
    fn two_servers_on_one_port_are_refused() {
        let text = THREE.to_owned() + "server.4=10.0.0.1:2888:3889\n";
        assert!(parse(&text).unwrap_err().contains("server.1 and server.4 both claim"));
    }

    #[test]
    fn wrong_values_name_line_and_key() {
        for (line, expected) in [
            (
                "tickTime=fast",
                "zoo.cfg:2: tickTime: expected a number from 1 to 600000, found \"fast\"",
            ),
            ("clientPort=70000", "zoo.cfg:2: clientPort: expected a number"),
            ("nonsense", "zoo.cfg:2: expected key=value"),
            ("server.x=h:1:2", "zoo.cfg:2: server.x: the id is a number"),
            ("server.1=h:1", "zoo.cfg:2: server.1=h:1: expected host:quorumPort:electionPort"),
            ("server.1=h:1:0", "electionPort: expected a port"),
            ("server.1=h:1:2:observer", "observers are not supported yet"),
            ("extendedTypesEnabled=yes", "extendedTypesEnabled: expected true or false"),
            ("mutant=X99", "no mutant is called"),
            (
                "circuitBreaker.failureRatio=1.5",
                "zoo.cfg:2: circuitBreaker.failureRatio: expected a number from 0.001 to 1",
            ),
            ("circuitBreaker.sleepWindowSize=301", "openCircuitDuration is shorter than"),
            ("admin.enableServer=yes", "zoo.cfg:2: admin.enableServer: expected true or false"),
            ("4lw.commands.whitelist=stat,sta", "zoo.cfg:2: 4lw.commands.whitelist: no \"sta\""),
        ] {
            let error = parse(&format!("dataDir=/d\n{line}\n")).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
        assert_eq!(parse("tickTime=2000\n").unwrap_err(), "zoo.cfg: dataDir is missing");
    }

    #[test]
    fn keys_of_zookeeper_that_mean_nothing_here_are_listed() {
        let config = parse("dataDir=/d\nautopurge.purgeInterval=1\n").unwrap();
        assert_eq!(config.ignored, [(2, "autopurge.purgeInterval".to_owned())]);
    }

    #[test]
    fn what_operators_reach_is_configured_as_in_zookeeper() {
        let config = parse("dataDir=/d\n").unwrap();
        assert_eq!((config.max_client_cnxns, config.max_outstanding), (60, 1000));
        assert_eq!((&config.admin, &config.metrics), (&None, &None));
        assert_eq!(config.four_letter_words.len(), 3);
        let text = "dataDir=/d\n4lw.commands.whitelist=stat, wchs\nadmin.enableServer=true\n\
            admin.serverPort=81\nmetricsProvider.httpPort=70\nmaxClientCnxns=0\n";
        let config = parse(text).unwrap();
        assert_eq!(config.admin, Some(("0.0.0.0".to_owned(), 81)));
        assert_eq!(config.metrics, Some(("0.0.0.0".to_owned(), 70)));
        assert_eq!((config.max_client_cnxns, config.four_letter_words.len()), (0, 5));
        assert_eq!(config.ignored, []);
        let all = parse("dataDir=/d\n4lw.commands.whitelist=*\n").unwrap();
        assert_eq!(all.four_letter_words.len(), FourLetter::ALL.len());
    }

    #[test]
    fn my_id_must_be_in_the_list() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zoo.cfg");
        let text = THREE.replace("/tmp/zk", &dir.path().display().to_string());
        fs::write(&path, text).unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("myid"));
        fs::write(dir.path().join("myid"), "7\n").unwrap();
        assert!(Config::read(&path).unwrap_err().to_string().contains("no line server.7"));
        fs::write(dir.path().join("myid"), "2\n").unwrap();
        assert_eq!(Config::read(&path).unwrap().id, 2);
    }
}

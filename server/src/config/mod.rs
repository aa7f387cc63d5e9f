//! Reads a ZooKeeper configuration file.

mod address;
#[cfg(test)]
mod fuzz;
mod lines;
mod operators;
mod servers;
#[cfg(test)]
mod tests;
mod tls;
mod unmet;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wire::frame::FourLetter;
use zab::ServerId;

use crate::{BreakerSettings, Mutant};

pub use address::ServerAddress;
pub(crate) use address::distinct_ports;
use lines::Lines;
use servers::{read_dynamic, read_my_id};
pub use tls::{ClientCertificates, PemFile, QuorumTls, SecurePort};

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
    /// `secureClientPort`: TLS for clients, beside `clientPort`.
    pub secure: Option<SecurePort>,
    /// `sslQuorum=true`: TLS between servers.
    pub quorum_tls: Option<QuorumTls>,
    /// `server.N`; empty when standalone.
    pub servers: BTreeMap<ServerId, ServerAddress>,
    /// `reconfigEnabled`: whether clients may change the members; false when absent.
    pub reconfig_enabled: bool,
    /// `standaloneEnabled`: whether a reconfiguration must leave two participants; true when
    /// absent.
    pub standalone_enabled: bool,
    /// `dynamicConfigFile`: lines `server.N`, read if the configuration itself has none, and
    /// written after a reconfiguration.
    pub dynamic_config_file: Option<PathBuf>,
    /// `minSessionTimeout`, milliseconds; twice the tick.
    pub min_session_ms: u64,
    /// `maxSessionTimeout`, milliseconds; twenty times the tick.
    pub max_session_ms: u64,
    /// `snapCount`: transactions between snapshots.
    pub snap_count: u64,
    /// `commitLogCount`: committed transactions kept in memory for learners that lag.
    pub commit_log_count: usize,
    /// `autopurge.snapRetainCount`: snapshots kept, and the log since the oldest of them; 3, which
    /// is also the least.
    pub snapshots_kept: usize,
    /// `maxBatchSize`: writes that share one sync of the log at most; 1000.
    pub max_batch: usize,
    /// `flushDelay`: how long a sync waits for more writes to share it, milliseconds; 0.
    pub flush_delay_ms: u64,
    /// `fsync.warningthresholdms`: a sync that takes longer is logged; 1000.
    pub fsync_warning_ms: u64,
    /// `jute.maxbuffer`: the largest request, bytes.
    pub max_buffer: usize,
    /// `maxClientCnxns`: connections from one address; 60, and 0 is no limit.
    pub max_client_cnxns: usize,
    /// `maxCnxns`: connections of all clients; 0 is as many as the system allows.
    pub max_cnxns: usize,
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
    /// `readonlymode.enabled`: whether clients that ask for it may read while there is no quorum.
    pub read_only_mode: bool,
    /// `enforceQuota`: whether writes past a hard limit of a quota are refused.
    pub enforce_quota: bool,
    /// `znode.container.checkIntervalMs`: between two looks for containers and times to live that
    /// have run out, milliseconds.
    pub container_check_ms: u64,
    /// `znode.container.maxPerMinute`: how many of them one look deletes at most; 10000.
    pub container_max: usize,
    /// `X509AuthenticationProvider.superUser`: the subject of a certificate whose holder is a
    /// superuser; none when absent.
    pub x509_super_user: Option<String>,
    /// `DigestAuthenticationProvider.superDigest`: the superuser, as `user:hash`; none when absent.
    pub super_digest: Option<String>,
    /// The file as it was read.
    pub text: String,
    /// `trace`: every step of the protocol is recorded in `trace.jsonl`; off by default.
    pub trace: bool,
    /// `traceDir`: where; `dataDir` when absent.
    pub trace_dir: Option<PathBuf>,
    /// `gate`: nothing happens but what standard input orders, a [`zab::Command`] a line; off by
    /// default.
    pub gate: bool,
    /// `mutant`: a planted defect; refused unless the command line names it too.
    pub mutant: Option<Mutant>,
    /// What means something to ZooKeeper but nothing here.
    pub ignored: Vec<Ignored>,
}

/// A key that nothing is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The line, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
    /// What stands for it here, if something does.
    pub reason: Option<&'static str>,
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
    /// A file that a key names cannot be used.
    #[error("{key}={path}: {what}")]
    Store {
        /// The key of the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
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
        read_dynamic(&mut config)?;
        if !config.servers.is_empty() {
            config.id = read_my_id(&config)?;
        }
        // The server's own line may say where its clients connect.
        if Lines::split(path, &text)?.get("clientPort").is_none()
            && let Some((host, port)) =
                config.servers.get(&config.id).and_then(|own| own.client.clone())
        {
            (config.client_address, config.client_port) = (Some(host), port);
        }
        Ok(config)
    }

    /// [`Config::text`] without what is secret in it, for whoever asks.
    #[must_use]
    pub fn shown_text(&self) -> String {
        let shown = |line: &str| match line.split_once('=') {
            Some((key, _)) if key.contains("superDigest") || key.contains("password") => {
                format!("{key}=***\n")
            }
            _ => format!("{line}\n"),
        };
        self.text.lines().map(shown).collect()
    }

    /// The session timeout that a client gets, milliseconds, if it asks for this one.
    #[must_use]
    pub fn session_timeout_ms(&self, asked_ms: i32) -> i32 {
        let asked = u64::try_from(asked_ms).unwrap_or(0);
        let granted = asked.clamp(self.min_session_ms, self.max_session_ms);
        i32::try_from(granted).unwrap_or(i32::MAX)
    }

    /// Reads the text of a `zoo.cfg`; the id is 1 until `myid` is read.
    fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let lines = Lines::split(path, text)?;
        lines.refuse_what_must_not_be_ignored()?;
        lines.peer_type()?;
        let tick_ms = lines.number("tickTime", 3000, 1..=600_000)?;
        let config = Config {
            id: 1,
            tick_ms,
            init_limit: lines.number("initLimit", 10, 1..=100_000)? as u32,
            sync_limit: lines.number("syncLimit", 5, 1..=100_000)? as u32,
            data_dir: PathBuf::from(lines.required("dataDir")?),
            client_address: lines.get("clientPortAddress").map(str::to_owned),
            client_port: lines.number("clientPort", 2181, 1..=65_535)? as u16,
            secure: lines.secure_port()?,
            quorum_tls: lines.quorum_tls()?,
            servers: lines.servers()?,
            reconfig_enabled: lines.flag("reconfigEnabled")?,
            standalone_enabled: lines.flag_or("standaloneEnabled", true)?,
            dynamic_config_file: lines.get("dynamicConfigFile").map(PathBuf::from),
            min_session_ms: lines.number_or_minus_one(
                "minSessionTimeout",
                tick_ms * 2,
                1..=86_400_000,
            )?,
            max_session_ms: lines.number_or_minus_one(
                "maxSessionTimeout",
                tick_ms * 20,
                1..=86_400_000,
            )?,
            snap_count: lines.property("snapCount", 100_000, 2..=1 << 40)?,
            commit_log_count: lines.number("commitLogCount", 500, 1..=1 << 30)? as usize,
            snapshots_kept: lines.number("autopurge.snapRetainCount", 3, 3..=1 << 30)? as usize,
            max_batch: lines.property("maxBatchSize", 1000, 1..=1 << 20)? as usize,
            flush_delay_ms: lines.property("flushDelay", 0, 0..=10_000)?,
            fsync_warning_ms: lines.property("fsync.warningthresholdms", 1000, 0..=1 << 40)?,
            max_buffer: lines.property("jute.maxbuffer", 0xf_ffff, 1024..=1 << 30)? as usize,
            max_client_cnxns: lines.number("maxClientCnxns", 60, 0..=1 << 30)? as usize,
            max_cnxns: lines.property("maxCnxns", 0, 0..=1 << 30)? as usize,
            max_outstanding: lines.property("globalOutstandingLimit", 1000, 1..=1 << 30)? as usize,
            breaker: lines.breaker()?,
            four_letter_words: lines.four_letter_words()?,
            admin: lines.admin()?,
            metrics: lines.metrics()?,
            extended_types: lines.flag("extendedTypesEnabled")?,
            read_only_mode: lines.flag("readonlymode.enabled")?,
            enforce_quota: lines.flag("enforceQuota")?,
            container_check_ms: lines.property(
                "znode.container.checkIntervalMs",
                60_000,
                1..=1 << 40,
            )?,
            container_max: lines.property("znode.container.maxPerMinute", 10_000, 1..=1 << 30)?
                as usize,
            x509_super_user: lines.get("X509AuthenticationProvider.superUser").map(str::to_owned),
            super_digest: lines.get("DigestAuthenticationProvider.superDigest").map(str::to_owned),
            text: text.to_owned(),
            trace: lines.flag("trace")?,
            trace_dir: lines.get("traceDir").map(PathBuf::from),
            gate: lines.flag("gate")?,
            mutant: lines.mutant()?,
            ignored: lines.ignored(),
        };
        if config.min_session_ms > config.max_session_ms {
            return Err(lines.wrong("minSessionTimeout is larger than maxSessionTimeout"));
        }
        Ok(config)
    }
}

//! Keys of ZooKeeper that this server does nothing with: which of them it must refuse, and why the
//! others need not trouble anybody.

use super::ConfigError;
use super::lines::Lines;

/// With one of these set to true, a server that ignored it would be less safe than its operator
/// thinks.
const REFUSED: [&str; 11] = [
    "enforce.auth.enabled",
    "quorum.auth.enableSasl",
    "quorum.auth.learnerRequireSasl",
    "quorum.auth.serverRequireSasl",
    "sessionRequireClientSASLAuth",
    "ssl.clientHostnameVerification",
    "ssl.crl",
    "ssl.ocsp",
    "ssl.quorum.clientHostnameVerification",
    "ssl.quorum.crl",
    "ssl.quorum.ocsp",
];

/// What stands for a key here.
const REASONS: [(&str, &str); 16] = [
    ("autopurge.purgeInterval", "old snapshots and logs go with each new snapshot"),
    ("authProvider.1", "there are the schemes digest, ip and x509"),
    ("dataLogDir", "the log is kept in dataDir"),
    ("digest.enabled", "states are always compared"),
    ("electionAlg", "there is one"),
    ("forceSync", "every write is synced before it is acknowledged"),
    ("leaderServes", "the leader serves clients"),
    ("localSessionsEnabled", "every session is the ensemble's"),
    ("portUnification", "a port takes TLS or plain connections, never both"),
    ("preAllocSize", "log files grow as they are written"),
    ("serverCnxnFactory", "there is one kind of sockets"),
    ("skipACL", "access control lists always count"),
    ("snapshot.trust.empty", "a log without its snapshot is never trusted"),
    ("ssl.keyStore.password", "keys in PEM files are not encrypted"),
    ("ssl.trustStore.password", "certificates in PEM files are not encrypted"),
    ("syncEnabled", "observers keep logs and snapshots"),
];

/// Why nothing is lost by ignoring a key, where that can be said.
pub(super) fn reason(key: &str) -> Option<&'static str> {
    REASONS.iter().find(|(name, _)| *name == key).map(|(_, reason)| *reason)
}

impl Lines<'_> {
    pub(super) fn refuse_what_must_not_be_ignored(&self) -> Result<(), ConfigError> {
        for key in REFUSED {
            if let Some((line, value)) = self.entry(key)
                && value.eq_ignore_ascii_case("true")
            {
                let what = format!(
                    "{key}: this server cannot do that; it would be less safe than it seems"
                );
                return Err(self.at(line, what));
            }
        }
        Ok(())
    }
}

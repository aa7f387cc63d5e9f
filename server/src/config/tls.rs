//! TLS: where the keys are, and who must show one.

use std::path::PathBuf;

use super::ConfigError;
use super::lines::Lines;

/// A file of PEM sections that a key of the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFile {
    /// The key of the configuration, for messages.
    pub key: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// `secureClientPort`: TLS for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurePort {
    /// `secureClientPortAddress`; every address when absent.
    pub address: Option<String>,
    /// `secureClientPort`.
    pub port: u16,
    /// `ssl.keyStore.location`: our certificate chain and its key.
    pub key_store: PemFile,
    /// `ssl.trustStore.location` and `ssl.clientAuth`; `None` where no certificate is asked for.
    pub clients: Option<ClientCertificates>,
}

/// Which certificates of clients are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// `ssl.trustStore.location`: the authorities that may have signed them.
    pub trust_store: PemFile,
    /// Whether a client may show none (`ssl.clientAuth=want`).
    pub optional: bool,
}

/// `sslQuorum=true`: TLS between servers, each with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumTls {
    /// `ssl.quorum.keyStore.location`: our certificate chain and its key.
    pub key_store: PemFile,
    /// `ssl.quorum.trustStore.location`: the authorities that may have signed those of the others.
    pub trust_store: PemFile,
    /// `ssl.quorum.hostnameVerification`: whether the certificate of a server that we call must be
    /// for its host in `server.N`; true.
    pub verify_host: bool,
}

impl Lines<'_> {
    pub(super) fn secure_port(&self) -> Result<Option<SecurePort>, ConfigError> {
        let address = self.get("secureClientPortAddress").map(str::to_owned);
        if self.get("secureClientPort").is_none() {
            return Ok(None);
        }
        let port = self.number("secureClientPort", 0, 1..=65_535)? as u16;
        let key_store = self.store("ssl.keyStore.location")?;
        Ok(Some(SecurePort { address, port, key_store, clients: self.client_certificates()? }))
    }

    fn client_certificates(&self) -> Result<Option<ClientCertificates>, ConfigError> {
        let optional = match self.entry("ssl.clientAuth") {
            None | Some((_, "need")) => false,
            Some((_, "want")) => true,
            Some((_, "none")) => {
                self.get("ssl.trustStore.location");
                return Ok(None);
            }
            Some((line, other)) => {
                let what = format!("ssl.clientAuth: expected need, want or none, found {other:?}");
                return Err(self.at(line, what));
            }
        };
        let trust_store = self.store("ssl.trustStore.location")?;
        Ok(Some(ClientCertificates { trust_store, optional }))
    }

    pub(super) fn quorum_tls(&self) -> Result<Option<QuorumTls>, ConfigError> {
        if !self.flag("sslQuorum")? {
            return Ok(None);
        }
        Ok(Some(QuorumTls {
            key_store: self.store("ssl.quorum.keyStore.location")?,
            trust_store: self.store("ssl.quorum.trustStore.location")?,
            verify_host: self.flag_or("ssl.quorum.hostnameVerification", true)?,
        }))
    }

    fn store(&self, key: &'static str) -> Result<PemFile, ConfigError> {
        let path = self.required(key)?;
        if path.is_empty() {
            return Err(self.wrong(format!("{key} is empty")));
        }
        Ok(PemFile { key, path: path.into() })
    }
}

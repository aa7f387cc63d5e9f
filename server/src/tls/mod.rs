//! TLS 1.2 and 1.3 with rustls: what is shown, and who is believed.

mod door;
mod host;
mod pem;
mod subject;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::warn;

use crate::ConfigError;
use crate::config::{PemFile, SecurePort};

pub(crate) use door::{Door, Duplex, Stream};
pub(crate) use subject::subject;

/// What clients meet on `secureClientPort`.
///
/// # Errors
/// [`ConfigError`], naming the key and the file that cannot be used.
pub(crate) fn client_acceptor(port: &SecurePort) -> Result<TlsAcceptor, ConfigError> {
    let verifier = match &port.clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(clients) => verifier(&clients.trust_store, clients.optional)?,
    };
    acceptor(&port.key_store, verifier)
}

fn acceptor(
    key_store: &PemFile,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<TlsAcceptor, ConfigError> {
    let own = SingleCertAndKey::from(pem::own(key_store)?);
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(own));
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Judges the certificate of whoever calls; `optional`: it may show none.
fn verifier(
    trust_store: &PemFile,
    optional: bool,
) -> Result<Arc<dyn ClientCertVerifier>, ConfigError> {
    let roots = pem::trusted(trust_store)?;
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = if optional { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|error| pem::refuse(trust_store, error.to_string()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Those between servers.
pub(crate) static REFUSALS: Refusals = Refusals::new();

/// Logs who was refused and why, ten times in ten seconds at most, so that strangers cannot fill
/// the disk.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// When the ten seconds began, and how often somebody was refused since.
    recent: Mutex<Option<(Instant, u32)>>,
}

const PERIOD: Duration = Duration::from_secs(10);
const PER_PERIOD: u32 = 10;

impl Refusals {
    pub(crate) const fn new() -> Refusals {
        Refusals { recent: Mutex::new(None) }
    }

    /// Logs the error if TLS itself failed, and not the connection below it; in TLS 1.3 a caller
    /// that was refused learns of it when it reads. `who`: the other side.
    pub(crate) fn log(&self, who: &dyn std::fmt::Display, error: &io::Error) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if inner.is_some() && self.is_due() {
            warn!(%who, %error, "TLS: no connection");
        }
    }

    fn is_due(&self) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, n) = recent
            .filter(|(since, _)| since.elapsed() < PERIOD)
            .unwrap_or_else(|| (Instant::now(), 0));
        *recent = Some((since, n + 1));
        n < PER_PERIOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_log() {
        let refusals = Refusals::new();
        assert_eq!((0..100).filter(|_| refusals.is_due()).count(), PER_PERIOD as usize);
    }
}

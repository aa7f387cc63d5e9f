//! TLS 1.2 and 1.3 with rustls: what is shown, and who is believed.

mod door;
mod host;
mod pem;
mod subject;

use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::warn;

use crate::ConfigError;
use crate::config::{PemFile, SecurePort};
use crate::seldom::Seldom;

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

/// Logs who was refused and why.
#[derive(Debug)]
pub(crate) struct Refusals(Seldom);

impl Refusals {
    pub(crate) const fn new() -> Refusals {
        Refusals(Seldom::new())
    }

    /// Logs the error if TLS itself failed, and not the connection below it; in TLS 1.3 a caller
    /// that was refused learns of it when it reads. `who`: the other side.
    pub(crate) fn log(&self, who: &dyn std::fmt::Display, error: &io::Error) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if inner.is_some() && self.0.may() {
            warn!(%who, %error, "TLS: no connection");
        }
    }
}

//! How servers reach one another: plainly, or each with a certificate.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::host::AnyHost;
use super::{REFUSALS, acceptor, pem, provider, verifier};
use crate::ConfigError;
use crate::config::QuorumTls;

/// Makes connections between servers.
#[derive(Clone)]
pub(crate) struct Door {
    tls: Option<(TlsConnector, TlsAcceptor)>,
}

/// A connection between servers.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection whose kind does not matter.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Stream {
    /// For what is small or rare: its kind is looked up at each call.
    pub(crate) fn any(&mut self) -> &mut dyn Duplex {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.as_mut(),
        }
    }
}

impl Stream {
    /// The port of the end that called: both ends know it. None when the connection is gone.
    pub(crate) fn caller_port(&self, called: bool) -> Option<u16> {
        let stream = match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        let address = if called { stream.local_addr() } else { stream.peer_addr() };
        address.ok().map(|address| address.port())
    }
}

impl Door {
    /// # Errors
    /// [`ConfigError`], naming the key and the file that cannot be used.
    pub(crate) fn new(tls: Option<&QuorumTls>) -> Result<Door, ConfigError> {
        let tls = match tls {
            None => None,
            Some(tls) => {
                let callers = verifier(&tls.trust_store, false)?;
                Some((connector(tls)?, acceptor(&tls.key_store, callers)?))
            }
        };
        Ok(Door { tls })
    }

    /// Calls a server.
    pub(crate) async fn call(&self, host: &str, port: u16) -> io::Result<Stream> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some((connector, _)) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = connector.connect(name, stream).await;
        let stream =
            stream.inspect_err(|error| REFUSALS.log(&format_args!("{host}:{port}"), error))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    /// Answers whoever called.
    pub(crate) async fn answer(&self, stream: TcpStream) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        let Some((_, acceptor)) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let from = stream.peer_addr()?;
        let stream = acceptor.accept(stream).await;
        let stream = stream.inspect_err(|error| REFUSALS.log(&from, error))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

fn connector(tls: &QuorumTls) -> Result<TlsConnector, ConfigError> {
    let own = SingleCertAndKey::from(pem::own(&tls.key_store)?);
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need")
        .dangerous()
        .with_custom_certificate_verifier(servers(tls)?)
        .with_client_cert_resolver(Arc::new(own));
    Ok(TlsConnector::from(Arc::new(config)))
}

fn servers(tls: &QuorumTls) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let roots = pem::trusted(&tls.trust_store)?;
    let strict = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider())
        .build()
        .map_err(|error| pem::refuse(&tls.trust_store, error.to_string()))?;
    match tls.verify_host {
        true => Ok(strict),
        false => Ok(Arc::new(AnyHost::new(roots, provider(), strict))),
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("tls", &self.tls.is_some()).finish()
    }
}

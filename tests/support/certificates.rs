//! Certificates made for one test.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::client::dial;

/// Signs certificates, and leaves them as files in a directory.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
    name: String,
}

/// What a certificate is for.
#[derive(Clone, Copy)]
pub(crate) struct Holder<'a> {
    /// Its common name, and the name of its file.
    pub(crate) name: &'a str,
    /// The host or address that it is valid for.
    pub(crate) host: &'a str,
    pub(crate) expired: bool,
}

/// Valid for every server of a test, which are all on this address.
pub(crate) fn holder(name: &str) -> Holder<'_> {
    Holder { name, host: "127.0.0.1", expired: false }
}

impl Authority {
    pub(crate) fn new(name: &str, directory: &Path) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("ring makes keys");
        let own = params.self_signed(&key).expect("sound parameters");
        let authority = Authority {
            issuer: Issuer::new(params, key),
            directory: directory.to_owned(),
            name: name.to_owned(),
        };
        fs::write(authority.certificate(), own.pem()).expect("a scratch directory");
        authority
    }

    /// The file of its own certificate: a trust store.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join(format!("{}.pem", self.name))
    }

    /// Signs a certificate. The file, with the private key: a key store.
    pub(crate) fn sign(&self, holder: Holder<'_>) -> PathBuf {
        let mut params = CertificateParams::new([holder.host.to_owned()]).expect("a host");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "operators");
        params.distinguished_name.push(DnType::CommonName, holder.name);
        if holder.expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().expect("ring makes keys");
        let signed = params.signed_by(&key, &self.issuer).expect("sound parameters");
        let path = self.directory.join(format!("{}-{}.pem", self.name, holder.name));
        fs::write(&path, signed.pem() + &key.serialize_pem()).expect("a scratch directory");
        path
    }
}

/// A TLS connection that shows the certificate of a key store, if any. The handshake is made when
/// it is first used.
pub(crate) fn dial_tls(
    addr: SocketAddr,
    trust_store: &Path,
    key_store: Option<&Path>,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trust_store).expect("made here")).expect("made here");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots);
    let config = match key_store {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let certificate = CertificateDer::from_pem_file(path).expect("made here");
            let key = PrivateKeyDer::from_pem_file(path).expect("made here");
            builder.with_client_auth_cert(vec![certificate], key).expect("they belong together")
        }
    };
    let tls = ClientConnection::new(Arc::new(config), addr.ip().into()).expect("sound settings");
    Ok(StreamOwned::new(tls, dial(addr)?))
}

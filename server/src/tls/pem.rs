//! Keys and certificates in PEM files.

use std::fs;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore};

use super::provider;
use crate::ConfigError;
use crate::config::PemFile;

/// Our own certificate, those between it and its authority, and its private key.
pub(super) fn own(file: &PemFile) -> Result<Arc<CertifiedKey>, ConfigError> {
    let text = read(file)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| refuse(file, no_key(&text)))?;
    let chain = certificates(file, &text)?;
    let key = provider()
        .key_provider
        .load_private_key(key)
        .map_err(|error| refuse(file, format!("its private key: {error}")))?;
    let own = CertifiedKey::new(chain, key);
    match own.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(refuse(file, "its private key is not that of its first certificate"))
        }
        // Whether the certificate is good is for the other side to judge.
        _ => Ok(Arc::new(own)),
    }
}

/// The authorities whose signatures count.
pub(super) fn trusted(file: &PemFile) -> Result<Arc<RootCertStore>, ConfigError> {
    let text = read(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, &text)? {
        roots.add(certificate).map_err(|error| refuse(file, error.to_string()))?;
    }
    Ok(Arc::new(roots))
}

/// The error that names the key and the file.
pub(super) fn refuse(file: &PemFile, what: impl Into<String>) -> ConfigError {
    let PemFile { key, path } = file;
    ConfigError::Store { key, path: path.clone(), what: what.into() }
}

fn read(file: &PemFile) -> Result<Vec<u8>, ConfigError> {
    let bytes = fs::read(&file.path).map_err(|error| refuse(file, error.to_string()))?;
    if !contains(&bytes, "-----BEGIN ") {
        let what = "this is not PEM text; other formats (JKS, PKCS12) are not read. To convert: \
            keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12; \
            openssl pkcs12 -in NEW.p12 -nodes -out NEW.pem";
        return Err(refuse(file, what));
    }
    Ok(bytes)
}

fn certificates(file: &PemFile, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Err(error) => Err(refuse(file, error.to_string())),
        Ok(found) if found.is_empty() => Err(refuse(file, "there is no CERTIFICATE section")),
        Ok(found) => Ok(found),
    }
}

fn no_key(text: &[u8]) -> &'static str {
    match contains(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        true => {
            "its private key is encrypted; to decrypt it: openssl pkcs8 -in OLD -out NEW, and \
             protect the file by its permissions"
        }
        false => {
            "there is no readable PRIVATE KEY section; the key belongs into the same file as its \
             certificate chain"
        }
    }
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

//! TLS by rustls, from files in PEM.

use std::path::PathBuf;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::TlsFiles;

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is missing or not what it should be.
    #[error("`{}` is not a readable PEM file of the kind expected: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it; never its content.
        what: String,
    },
    /// The key does not belong to the certificate, or neither can be used.
    #[error("the certificate and key cannot be used together: {0}")]
    Pair(rustls::Error),
}

/// Reads a certificate chain and its key. TLS 1.2 and 1.3 only.
///
/// # Errors
/// [`TlsError`] with the file and what is wrong.
pub fn config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let unreadable = |path: &PathBuf, what: String| TlsError::File { path: path.clone(), what };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&files.cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(unreadable(&files.cert, "it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, error.to_string()))?;
    ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Pair)
}

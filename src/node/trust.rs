//! Whose word on a server's name is taken, where it is not that of the public authorities.

use std::fs;
use std::path::{Path, PathBuf};

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// A file that holds no certificates.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {why}", file.display())]
pub struct NoCertificates {
    file: PathBuf,
    why: String,
}

/// Has a client believe the certificates in a PEM file, and no others: those of
/// authorities, or those of the servers themselves.
///
/// # Errors
/// The file cannot be read, or there is no certificate in it.
pub fn trusting(file: &Path) -> Result<TlsConfig, NoCertificates> {
    let unfit = |why: String| NoCertificates { file: file.to_owned(), why };
    let text = fs::read(file).map_err(|error| unfit(error.to_string()))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(unfit("no certificate in it; give a PEM file".to_owned()));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_its_name() {
        let ground = tempfile::tempdir().unwrap();
        let file = ground.path().join("ca.pem");
        let refusal = || trusting(&file).unwrap_err().to_string();
        assert!(refusal().starts_with(&format!("`{}`: ", file.display())));
        for text in ["", "nothing of the kind", "-----BEGIN CERTIFICATE-----\nAA"] {
            fs::write(&file, text).unwrap();
            assert!(refusal().ends_with("no certificate in it; give a PEM file"), "{text}");
        }
    }
}

//! The certificate of a listener with TLS. Changed files are read again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::files;

/// A long chain and its key.
const MOST_BYTES: u64 = 1 << 20;

/// A certificate chain and its key, as they are in their files.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Files>);

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// As of the last time that the files were good.
    current: ArcSwap<ServerConfig>,
    /// What was read last, good or not.
    seen: ArcSwap<[Stamp; 2]>,
}

/// Tells whether a file has changed.
type Stamp = Option<(SystemTime, u64)>;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadTls {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{} has no {what} in PEM format", path.display())]
    Pem { path: PathBuf, what: &'static str },
    #[error("{} and {} do not belong together: {error}", certificate.display(), key.display())]
    Pair { certificate: PathBuf, key: PathBuf, error: rustls::Error },
}

impl Tls {
    /// Reads a certificate chain and its key, both in PEM format.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Tls, BadTls> {
        let seen = ArcSwap::from_pointee([stamp(certificate), stamp(key)]);
        let current = ArcSwap::new(load(certificate, key)?);
        Ok(Tls(Arc::new(Files { certificate: certificate.to_owned(), key: key.to_owned(), current, seen })))
    }

    /// Reads the files again if they have changed. New connections use the new certificate; files
    /// that are not good leave it as it is.
    pub(crate) fn refresh(&self) {
        let Files { certificate, key, current, seen } = &*self.0;
        let stamps = [stamp(certificate), stamp(key)];
        if **seen.load() == stamps {
            return;
        }
        match load(certificate, key) {
            Ok(config) => {
                tracing::info!("{}: the new certificate is in use", certificate.display());
                current.store(config);
            }
            // Often only one of the two files is new so far.
            Err(error) => tracing::error!("{error}; the certificate stays as it was"),
        }
        seen.store(Arc::new(stamps));
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.0.current.load_full()
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = files::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, BadTls> {
    let read = |path: &Path| {
        files::read(path, MOST_BYTES).map_err(|error| BadTls::Unreadable { path: path.to_owned(), error })
    };
    let no = |path: &Path, what| BadTls::Pem { path: path.to_owned(), what };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| no(certificate, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| no(key, "private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("ring has the default versions").with_no_client_auth();
    let mut config = builder.with_single_cert(chain, private).map_err(|error| BadTls::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        error,
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn a_certificate_needs_its_own_key() {
        let directory = tempfile::tempdir().unwrap();
        let ((one, one_key), (_, two_key)) = (write(directory.path(), "one"), write(directory.path(), "two"));
        assert!(Tls::read(&one, &one_key).is_ok());
        assert!(matches!(Tls::read(&one, &two_key), Err(BadTls::Pair { .. })));
        assert!(matches!(Tls::read(&one_key, &one_key), Err(BadTls::Pem { what: "certificate", .. })));
        assert!(matches!(Tls::read(&one, &one), Err(BadTls::Pem { what: "private key", .. })));
        assert!(matches!(Tls::read(&directory.path().join("none"), &one), Err(BadTls::Unreadable { .. })));
    }

    #[test]
    fn changed_files_are_read_again_when_both_are_good() {
        let directory = tempfile::tempdir().unwrap();
        let ((one, one_key), (two, two_key)) = (write(directory.path(), "one"), write(directory.path(), "two"));
        let tls = Tls::read(&one, &one_key).unwrap();
        let first = tls.config();
        tls.refresh();
        assert!(Arc::ptr_eq(&first, &tls.config()));
        fs::write(&one, fs::read_to_string(&two).unwrap() + "\n").unwrap();
        tls.refresh();
        assert!(Arc::ptr_eq(&first, &tls.config()));
        fs::write(&one_key, fs::read_to_string(&two_key).unwrap() + "\n").unwrap();
        tls.refresh();
        assert!(!Arc::ptr_eq(&first, &tls.config()));
    }
}

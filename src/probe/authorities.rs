//! Certificate authorities: verifies the certificates of checks with `verify_certificate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::files;

use super::certificate::Certificate;

/// Certificate authorities from PEM files.
#[derive(Clone, Debug)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    /// The same in DER: a server may have one of them as its own certificate.
    certificates: Arc<[CertificateDer<'static>]>,
}

impl Default for Authorities {
    /// No authorities: no certificate is valid.
    fn default() -> Authorities {
        Authorities { roots: Arc::new(RootCertStore::empty()), certificates: Arc::default() }
    }
}

/// Why the certificate authorities could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// A file could not be read, or is not PEM.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// A file contains no usable authority.
    #[error("{path}: the file contains no certificate authority")]
    Empty {
        /// The file.
        path: String,
    },
}

/// The systems' default bundles: Debian, Red Hat, Alpine and the BSDs.
const SYSTEM_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A bundle of all public authorities is smaller than 1 MiB.
const LARGEST_FILE: u64 = 16 << 20;

impl Authorities {
    /// The authorities in these files. Without files, those of the system; if the system has no
    /// readable bundle, there are none.
    pub fn read(files: &[PathBuf]) -> Result<Authorities, AuthoritiesError> {
        if !files.is_empty() {
            return Authorities::of(files.iter().map(PathBuf::as_path));
        }
        Ok(SYSTEM_FILES.iter().find_map(|path| Authorities::of([Path::new(path)]).ok()).unwrap_or_default())
    }

    fn of<'p>(files: impl IntoIterator<Item = &'p Path>) -> Result<Authorities, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        let mut all = Vec::new();
        for file in files {
            let path = file.display().to_string();
            let unreadable = |reason: String| AuthoritiesError::Unreadable { path: path.clone(), reason };
            let text = files::read(file, LARGEST_FILE).map_err(|error| unreadable(error.to_string()))?;
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
                .collect::<Result<_, pem::Error>>()
                .map_err(|error| unreadable(error.to_string()))?;
            let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
            if usable == 0 {
                return Err(AuthoritiesError::Empty { path });
            }
            all.extend(certificates);
        }
        Ok(Authorities { roots: Arc::new(roots), certificates: all.into() })
    }

    /// Whether there are any authorities.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}

/// Verifies chains as webpki does. A certificate that is itself one of the authorities needs no
/// chain: webpki rejects it (a CA as end entity, or version 1), but OpenSSL and thus `curl
/// --cacert` accept it if it is valid now and for the name.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None` without authorities: then no certificate is valid.
    chains: Option<Arc<WebPkiServerVerifier>>,
    authorities: Authorities,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(authorities: &Authorities, provider: &Arc<CryptoProvider>) -> Verifier {
        let roots = Arc::clone(&authorities.roots);
        Verifier {
            chains: WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build().ok(),
            authorities: authorities.clone(),
            algorithms: provider.signature_verification_algorithms,
        }
    }

    /// The certificate, if it is one of the authorities.
    fn authority<'c>(&self, der: &'c CertificateDer<'c>) -> Option<Certificate<'c>> {
        if self.authorities.certificates.contains(der) { Certificate::read(der) } else { None }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(authority) = self.authority(end_entity) {
            authority.verify_time(now)?;
            authority.verify_name(server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let chains = self.chains.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.authority(cert) {
            Some(authority) => verify_signature(&authority, message, dss, &self.algorithms),
            None => rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.authority(cert) {
            Some(authority) => {
                let key = authority.public_key_info().to_der().ok_or(CertificateError::BadEncoding)?;
                let key = SubjectPublicKeyInfoDer::from(key);
                verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
            }
            None => rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The signature check that rustls does for TLS 1.2, also for certificates of version 1, whose key
/// rustls does not parse.
fn verify_signature(
    certificate: &Certificate<'_>,
    message: &[u8],
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let public_key = certificate.public_key_info();
    let algorithm = public_key.algorithm().ok_or(CertificateError::BadEncoding)?;
    let of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let mut of_key =
        of_scheme.flat_map(|(_, all)| *all).filter(|verifier| verifier.public_key_alg_id().as_ref() == algorithm);
    if of_key.any(|verifier| verifier.verify_signature(public_key.key(), message, signed.signature()).is_ok()) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

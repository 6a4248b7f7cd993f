//! TLS for HTTPS checks: certificates are not judged unless the check wants it, but their names decide whether SNI stays.
//!
//! Expired, self-signed, for another name: all pass (Developer Guide). With SNI, a certificate without the name that we
//! sent stops the handshake, and the probe repeats it once without SNI, after which no name is looked at (API EnableSNI).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::files;

/// Whether the domain name goes into the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerNameIndication {
    /// It goes, and the certificate must have it.
    Sent,
    /// It does not, and the certificate's names do not matter.
    Omitted,
}

/// Whose certificates are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody's, as Route 53 has it.
    Anybody,
    /// Those that the authorities vouch for, within their time and for the name, or the address where there is none.
    Authorities,
}

/// Certificate authorities, as they stand in PEM files.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<RootCertStore>);

impl Default for Authorities {
    /// Nobody is trusted.
    fn default() -> Authorities {
        Authorities(Arc::new(RootCertStore::empty()))
    }
}

/// Why there are no certificate authorities.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// A file cannot be read, or is no PEM.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file has none that can be used.
    #[error("{path}: there is no certificate of an authority in it")]
    Empty {
        /// Which.
        path: String,
    },
}

/// Where systems keep what they trust: Debian, Red Hat, Alpine and the BSDs.
const SYSTEM_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A bundle of every authority that there is has less than 1 MiB.
const LARGEST_FILE: u64 = 16 << 20;

impl Authorities {
    /// Those of these files; without any, the system's, and where the system has none that can be read, nobody is trusted.
    pub fn read(files: &[PathBuf]) -> Result<Authorities, AuthoritiesError> {
        if !files.is_empty() {
            return Authorities::of(files.iter().map(PathBuf::as_path));
        }
        Ok(SYSTEM_FILES.iter().find_map(|path| Authorities::of([Path::new(path)]).ok()).unwrap_or_default())
    }

    fn of<'p>(files: impl IntoIterator<Item = &'p Path>) -> Result<Authorities, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        for file in files {
            let path = file.display().to_string();
            let unreadable = |reason: String| AuthoritiesError::Unreadable { path: path.clone(), reason };
            let text = files::read(file, LARGEST_FILE).map_err(|error| unreadable(error.to_string()))?;
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
                .collect::<Result<_, pem::Error>>()
                .map_err(|error| unreadable(error.to_string()))?;
            let (usable, _) = roots.add_parsable_certificates(certificates);
            if usable == 0 {
                return Err(AuthoritiesError::Empty { path });
            }
        }
        Ok(Authorities(Arc::new(roots)))
    }

    /// Whether anybody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The ways of shaking hands that serve all checks.
pub(super) struct Connectors {
    with_sni: TlsConnector,
    without_sni: TlsConnector,
    judging_with_sni: TlsConnector,
    judging_without_sni: TlsConnector,
}

impl Connectors {
    pub(super) fn new(authorities: &Authorities) -> Result<Connectors, Error> {
        let connector = |config: ClientConfig| TlsConnector::from(Arc::new(config));
        Ok(Connectors {
            with_sni: connector(client_config(ServerNameIndication::Sent)?),
            without_sni: connector(client_config(ServerNameIndication::Omitted)?),
            judging_with_sni: connector(judging_config(ServerNameIndication::Sent, authorities)?),
            judging_without_sni: connector(judging_config(ServerNameIndication::Omitted, authorities)?),
        })
    }

    pub(super) fn get(&self, sni: ServerNameIndication, trust: Trust) -> &TlsConnector {
        match (sni, trust) {
            (ServerNameIndication::Sent, Trust::Anybody) => &self.with_sni,
            (ServerNameIndication::Omitted, Trust::Anybody) => &self.without_sni,
            (ServerNameIndication::Sent, Trust::Authorities) => &self.judging_with_sni,
            (ServerNameIndication::Omitted, Trust::Authorities) => &self.judging_without_sni,
        }
    }
}

impl fmt::Debug for Connectors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connectors")
    }
}

/// TLS that judges certificates; without any authority, none is good.
fn judging_config(sni: ServerNameIndication, authorities: &Authorities) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(&authorities.0))
        .with_no_client_auth();
    config.enable_sni = sni == ServerNameIndication::Sent;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// TLS by ring, versions 1.2 and 1.3 (rustls has no older ones). Nothing is remembered from handshake to handshake:
/// each probe shows whether a newcomer would get through.
pub(super) fn client_config(sni: ServerNameIndication) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { sni }))
        .with_no_client_auth();
    config.enable_sni = sni == ServerNameIndication::Sent;
    config.resumption = Resumption::disabled();
    Ok(config)
}

#[derive(Debug)]
struct AnyCertificate {
    sni: ServerNameIndication,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // An IP address is never sent as SNI (RFC 6066, section 3), so there is no name to look for.
        let name_sent = self.sni == ServerNameIndication::Sent && matches!(server_name, ServerName::DnsName(_));
        if name_sent && !has_name(end_entity, server_name) {
            return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// Everything that a server may sign with, old things too.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}

/// The name is in the Subject Alternative Names or is the Common Name: "includes a domain name in the Common Name field
/// and possibly several more in the Subject Alternative Names field" (Developer Guide, EnableSNI).
fn has_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let in_alternative_names = ParsedCertificate::try_from(certificate)
        .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok());
    in_alternative_names || common_name(certificate).is_some_and(|common| matches_name(common, &name.to_str()))
}

fn matches_name(pattern: &[u8], name: &str) -> bool {
    let name = name.trim_end_matches('.').as_bytes();
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let Some(parent) = pattern.strip_prefix(b"*") else { return false };
    let below = name.iter().position(|&octet| octet == b'.').map(|dot| &name[dot..]);
    below.is_some_and(|below| below.eq_ignore_ascii_case(parent))
}

/// The subject's Common Name (RFC 5280, section 4.1): rustls looks at Subject Alternative Names only.
fn common_name<'c>(certificate: &'c CertificateDer<'_>) -> Option<&'c [u8]> {
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    const VERSION: u8 = 0xa0;
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03]; // 2.5.4.3

    let (_, certificate, _) = der(certificate)?;
    let (_, mut fields, _) = der(certificate)?; // tbsCertificate
    if fields.first() == Some(&VERSION) {
        fields = der(fields)?.2;
    }
    for _serial_signature_issuer_validity in 0..4 {
        fields = der(fields)?.2;
    }
    let (SEQUENCE, mut subject, _) = der(fields)? else { return None };
    let mut found = None;
    while let Some((SET, mut attributes, others)) = der(subject) {
        subject = others;
        while let Some((SEQUENCE, attribute, others)) = der(attributes) {
            attributes = others;
            let (_, kind, value) = der(attribute)?;
            if kind == COMMON_NAME {
                found = Some(der(value)?.1); // of several the last, the most specific, counts
            }
        }
    }
    found
}

/// Tag, content and what follows, of one value in DER.
fn der(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Three octets of length are more than any certificate has.
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(alternative: &[&str], common: &str) -> CertificateDer<'static> {
        let names: Vec<String> = alternative.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Laboratory");
        params.distinguished_name.push(DnType::CommonName, common);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_name_may_stand_in_either_place() {
        let cases: [(&[&str], &str, bool); 7] = [
            (&["app.lab.test"], "x", true),
            (&["*.lab.test"], "x", true),
            (&["other.test"], "x", false),
            (&["other.test"], "App.lab.test", true),
            (&[], "app.lab.test", true),
            (&[], "*.lab.test", true),
            (&[], "*.test", false),
        ];
        let name = ServerName::try_from("app.lab.test").unwrap();
        for (alternative, common, expected) in cases {
            assert_eq!(has_name(&certificate(alternative, common), &name), expected, "{alternative:?} {common}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_fault(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = common_name(&CertificateDer::from(octets));
        }

        #[test]
        fn a_damaged_certificate_is_read_without_a_fault(at in 0usize..400, value in any::<u8>(), cut in 0usize..400) {
            let mut octets = certificate(&["a.test"], "app.lab.test").to_vec();
            let length = octets.len();
            octets[at % length] = value;
            octets.truncate(length - cut % length);
            let _ = has_name(&CertificateDer::from(octets), &ServerName::try_from("app.lab.test").unwrap());
        }
    }
}

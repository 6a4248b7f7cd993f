//! TLS for HTTPS checks: certificates are not verified unless the check has `verify_certificate`,
//! but their names matter with SNI.
//!
//! Expired, self-signed, for another name: all pass (Developer Guide). With SNI, a certificate
//! without the name in the SNI fails the handshake. The probe then repeats it once without SNI and
//! does not compare names (API EnableSNI).

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::authorities::{Authorities, Verifier};
use super::certificate;

/// Whether the domain name is sent in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerNameIndication {
    /// It is sent, and the certificate must have it.
    Sent,
    /// It is not sent, and the certificate's names are ignored.
    Omitted,
}

/// Which certificates are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// All, as with Route 53.
    AnyCertificate,
    /// Those signed by the authorities, valid now and for the name, or for the address without a
    /// name.
    Authorities,
}

/// The TLS configurations that all checks share.
pub(super) struct Connectors {
    with_sni: TlsConnector,
    without_sni: TlsConnector,
    verifying_with_sni: TlsConnector,
    verifying_without_sni: TlsConnector,
}

impl Connectors {
    pub(super) fn new(authorities: &Authorities) -> Result<Connectors, Error> {
        let connector = |config: ClientConfig| TlsConnector::from(Arc::new(config));
        Ok(Connectors {
            with_sni: connector(client_config(ServerNameIndication::Sent)?),
            without_sni: connector(client_config(ServerNameIndication::Omitted)?),
            verifying_with_sni: connector(verifying_config(ServerNameIndication::Sent, authorities)?),
            verifying_without_sni: connector(verifying_config(ServerNameIndication::Omitted, authorities)?),
        })
    }

    pub(super) fn get(&self, sni: ServerNameIndication, trust: Trust) -> &TlsConnector {
        match (sni, trust) {
            (ServerNameIndication::Sent, Trust::AnyCertificate) => &self.with_sni,
            (ServerNameIndication::Omitted, Trust::AnyCertificate) => &self.without_sni,
            (ServerNameIndication::Sent, Trust::Authorities) => &self.verifying_with_sni,
            (ServerNameIndication::Omitted, Trust::Authorities) => &self.verifying_without_sni,
        }
    }
}

impl fmt::Debug for Connectors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connectors")
    }
}

/// TLS with verification; without authorities no certificate is valid.
fn verifying_config(sni: ServerNameIndication, authorities: &Authorities) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    config(sni, &provider, Arc::new(Verifier::new(authorities, &provider)))
}

/// TLS that accepts any certificate.
pub(super) fn client_config(sni: ServerNameIndication) -> Result<ClientConfig, Error> {
    config(sni, &Arc::new(rustls::crypto::ring::default_provider()), Arc::new(AnyCertificate { sni }))
}

/// TLS with ring, versions 1.2 and 1.3 (rustls has no older ones). Sessions are not resumed: each
/// probe shows whether a new client can connect.
fn config(
    sni: ServerNameIndication,
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
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
        // An IP address is never sent as SNI (RFC 6066, section 3), so there is no name to compare.
        let name_sent = self.sni == ServerNameIndication::Sent && matches!(server_name, ServerName::DnsName(_));
        if name_sent && !certificate::mentions(end_entity, server_name) {
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

    /// All signature schemes that a server may use, including obsolete ones.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names in backquotes of the row of docs/health.md that begins so.
    fn documented(row: &str) -> BTreeSet<String> {
        let page = include_str!("../../docs/health.md");
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("| {row} | "))).expect("a row of the page");
        line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn named(names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        names.into_iter().map(|name| name.replace("TLS13_", "TLS_")).collect()
    }

    #[test]
    fn the_page_lists_what_tls_offers() {
        let config = client_config(ServerNameIndication::Sent).unwrap();
        let provider = config.crypto_provider();
        let suites = |version: rustls::ProtocolVersion| {
            let all = provider.cipher_suites.iter().filter(move |suite| suite.version().version == version);
            named(all.map(|suite| format!("{:?}", suite.suite())))
        };
        assert_eq!(documented("Cipher suites of TLS 1.3"), suites(rustls::ProtocolVersion::TLSv1_3));
        assert_eq!(documented("Cipher suites of TLS 1.2"), suites(rustls::ProtocolVersion::TLSv1_2));
        let groups = provider.kx_groups.iter().map(|group| format!("{:?}", group.name()));
        assert_eq!(documented("Key exchange groups"), named(groups));
        let schemes = |all: Vec<SignatureScheme>| named(all.into_iter().map(|scheme| format!("{scheme:?}")));
        let verified = schemes(provider.signature_verification_algorithms.supported_schemes());
        assert_eq!(documented("Signatures"), verified);
        let any = schemes(AnyCertificate { sni: ServerNameIndication::Sent }.supported_verify_schemes());
        let more: BTreeSet<String> = any.difference(&verified).cloned().collect();
        assert!(any.is_superset(&verified));
        assert_eq!(documented("Signatures, certificates not verified"), more);
    }
}

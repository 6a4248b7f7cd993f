//! Parses the parts of a certificate (RFC 5280, section 4.1) that rustls does not: names in the
//! Common Name, and certificates of version 1.

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// Whether either place has the name: "includes a domain name in the Common Name field and
/// possibly several more in the Subject Alternative Names field" (Developer Guide, EnableSNI).
pub(super) fn mentions(der: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    has_alternative_name(der, name) || Certificate::read(der).is_some_and(|it| it.has_common_name(name))
}

/// A certificate that x509-cert can parse.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'c> {
    der: &'c CertificateDer<'c>,
    /// `Raw` also accepts serial numbers that are longer than RFC 5280 permits: home-made
    /// authorities have them, and nothing here uses them.
    parsed: CertificateInner<Raw>,
}

impl<'c> Certificate<'c> {
    /// `None` if the bytes are not a certificate.
    pub(super) fn read(der: &'c CertificateDer<'c>) -> Option<Certificate<'c>> {
        Some(Certificate { der, parsed: CertificateInner::from_der(der).ok()? })
    }

    /// The key of its owner, with its algorithm.
    pub(super) fn public_key_info(&self) -> PublicKeyInfo<'_> {
        PublicKeyInfo(self.parsed.tbs_certificate().subject_public_key_info())
    }

    /// Whether the certificate is valid at this time. Both ends belong to the validity.
    pub(super) fn verify_time(&self, now: UnixTime) -> Result<(), CertificateError> {
        let validity = self.parsed.tbs_certificate().validity();
        if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
            Err(CertificateError::NotValidYet)
        } else if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
            Err(CertificateError::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether a Subject Alternative Name matches the name or, if there is none at all, the Common
    /// Name (RFC 6125, section 6.4.4).
    pub(super) fn verify_name(&self, name: &ServerName<'_>) -> Result<(), CertificateError> {
        let named = if self.has_alternative_names() {
            has_alternative_name(self.der, name)
        } else {
            self.has_common_name(name)
        };
        if named { Ok(()) } else { Err(CertificateError::NotValidForName) }
    }

    fn has_alternative_names(&self) -> bool {
        let extensions = self.parsed.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
        extensions.iter().any(|extension| extension.extn_id == SubjectAltName::OID)
    }

    /// Compares with the last of several Common Names, which is the most specific.
    fn has_common_name(&self, name: &ServerName<'_>) -> bool {
        let common =
            self.parsed.tbs_certificate().subject().iter().filter(|attribute| attribute.oid == COMMON_NAME).last();
        common.is_some_and(|attribute| matches_name(attribute.value.value(), &name.to_str()))
    }
}

/// A `SubjectPublicKeyInfo`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicKeyInfo<'c>(&'c SubjectPublicKeyInfoOwned);

impl PublicKeyInfo<'_> {
    /// All of it, in DER.
    pub(super) fn to_der(self) -> Option<Vec<u8>> {
        self.0.to_der().ok()
    }

    /// The algorithm in DER, without the outer tag and length, as rustls names algorithms.
    pub(super) fn algorithm(self) -> Option<Vec<u8>> {
        let mut der = self.0.algorithm.oid.to_der().ok()?;
        if let Some(parameters) = &self.0.algorithm.parameters {
            parameters.encode_to_vec(&mut der).ok()?;
        }
        Some(der)
    }

    /// The key itself.
    pub(super) fn key(&self) -> &[u8] {
        self.0.subject_public_key.raw_bytes()
    }
}

fn has_alternative_name(der: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(der).is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok())
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn a_name_is_mentioned_in_either_place_and_valid_in_one() {
        let cases: [(&[&str], &str, bool, bool); 8] = [
            (&["app.lab.test"], "x", true, true),
            (&["*.lab.test"], "x", true, true),
            (&["other.test"], "x", false, false),
            (&["other.test"], "App.lab.test", true, false),
            (&["192.0.2.1"], "App.lab.test", true, false),
            (&[], "app.lab.test", true, true),
            (&[], "*.lab.test", true, true),
            (&[], "*.test", false, false),
        ];
        let name = ServerName::try_from("app.lab.test").unwrap();
        for (alternative, common, mentioned, valid) in cases {
            let octets = certificate(alternative, common);
            let certificate = Certificate::read(&octets).unwrap();
            assert_eq!(mentions(&octets, &name), mentioned, "{alternative:?} {common}");
            assert_eq!(certificate.verify_name(&name).is_ok(), valid, "{alternative:?} {common}");
        }
    }

    #[test]
    fn both_ends_belong_to_the_validity() {
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2060, 1, 1);
        let octets = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
        let certificate = Certificate::read(&octets).unwrap();
        let at = |seconds| certificate.verify_time(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        let (first, last) = (1_577_836_800, 2_840_140_800);
        assert_eq!([at(first - 1), at(last + 1)], [Err(CertificateError::NotValidYet), Err(CertificateError::Expired)]);
        assert_eq!([at(first), at(last)], [Ok(()), Ok(())]);
    }

    /// Everything that a check does with a certificate. The result is the endpoint's fault; a panic
    /// or an endless loop would be ours.
    fn read_everything(octets: Vec<u8>) -> bool {
        let name = ServerName::try_from("app.lab.test").unwrap();
        let octets = CertificateDer::from(octets);
        let _ = mentions(&octets, &name);
        let Some(certificate) = Certificate::read(&octets) else { return false };
        let _ = (certificate.verify_time(UnixTime::now()), certificate.verify_name(&name));
        let key = certificate.public_key_info();
        let _ = (key.to_der(), key.algorithm(), key.key().len());
        true
    }

    fn with_length(tag: u8, length: &[u8], content: &[u8]) -> Vec<u8> {
        [&[tag], length, content].concat()
    }

    #[test]
    fn a_certificate_cut_anywhere_is_no_certificate() {
        let whole = certificate(&["a.test"], "app.lab.test");
        assert!(read_everything(whole.to_vec()));
        for length in 0..whole.len() {
            assert!(!read_everything(whole[..length].to_vec()), "{length} of {} bytes", whole.len());
        }
        assert!(!read_everything([&whole[..], &[0]].concat()), "a byte too many");
    }

    #[test]
    fn lengths_that_lie_are_no_certificate() {
        let whole = certificate(&["a.test"], "app.lab.test");
        let lengths: [&[u8]; 6] = [
            &[0x80],
            &[0x83, 0xff, 0xff, 0xff],
            &[0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xff],
        ];
        for length in lengths {
            assert!(!read_everything(with_length(0x30, length, &whole[4..])), "{length:x?}");
            // At every place inside, most of which are lengths of something, or become one.
            for at in 1..whole.len() {
                read_everything([&whole[..at], length, &whole[at + 1..]].concat());
                let mut replaced = whole.to_vec();
                let end = whole.len().min(at + length.len());
                replaced[at..end].copy_from_slice(&length[..end - at]);
                read_everything(replaced);
            }
        }
    }

    #[test]
    fn values_nested_without_end_are_no_certificate() {
        // Sequences, sets, and the explicit tags of version and extensions.
        for tag in [0x30, 0x31, 0xa0, 0xa3] {
            let mut nested = Vec::new();
            while nested.len() < 60_000 {
                let length = u16::try_from(nested.len()).unwrap().to_be_bytes();
                nested = with_length(tag, &[0x82, length[0], length[1]], &nested);
            }
            assert!(!read_everything(nested.clone()), "{tag:x}");
            let length = u16::try_from(nested.len()).unwrap().to_be_bytes();
            assert!(
                !read_everything(with_length(0x30, &[0x82, length[0], length[1]], &nested)),
                "{tag:x} in a sequence"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_fault(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            read_everything(octets);
        }

        #[test]
        fn a_damaged_certificate_is_read_without_a_fault(at in 0usize..400, value in any::<u8>(), cut in 0usize..400) {
            let mut octets = certificate(&["a.test"], "app.lab.test").to_vec();
            let length = octets.len();
            octets[at % length] = value;
            octets.truncate(length - cut % length);
            read_everything(octets);
        }
    }
}

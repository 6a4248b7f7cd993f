//! Parses the parts of a certificate (RFC 5280, section 4.1) that rustls does not: names in the
//! Common Name, and certificates of version 1.

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// Explicit tags of the optional fields.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03]; // 2.5.4.3
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11]; // 2.5.29.17

/// The parts of a certificate, in DER.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'c> {
    der: &'c CertificateDer<'c>,
    validity: &'c [u8],
    subject: &'c [u8],
    /// The whole `SubjectPublicKeyInfo`, with its tag and length.
    pub(super) public_key_info: &'c [u8],
    extensions: &'c [u8],
}

impl<'c> Certificate<'c> {
    /// `None` if the bytes are not a certificate.
    pub(super) fn read(der: &'c CertificateDer<'c>) -> Option<Certificate<'c>> {
        let (_, certificate, _) = value(der)?;
        let (_, mut fields, _) = value(certificate)?; // tbsCertificate
        if fields.first() == Some(&VERSION) {
            fields = value(fields)?.2;
        }
        for _serial_signature_issuer in 0..3 {
            fields = value(fields)?.2;
        }
        let (SEQUENCE, validity, fields) = value(fields)? else { return None };
        let (SEQUENCE, subject, key_and_rest) = value(fields)? else { return None };
        let (SEQUENCE, _, mut rest) = value(key_and_rest)? else { return None };
        let public_key_info = &key_and_rest[..key_and_rest.len() - rest.len()];
        let mut extensions: &[u8] = &[];
        while let Some((tag, content, others)) = value(rest) {
            rest = others;
            if tag == EXTENSIONS {
                extensions = value(content)?.1;
            }
        }
        Some(Certificate { der, validity, subject, public_key_info, extensions })
    }

    /// The algorithm and the key, without the count of unused bits.
    pub(super) fn public_key(&self) -> Option<(&'c [u8], &'c [u8])> {
        let (_, info, _) = value(self.public_key_info)?;
        let (SEQUENCE, algorithm, key) = value(info)? else { return None };
        let (&_unused_bits, key) = value(key)?.1.split_first()?;
        Some((algorithm, key))
    }

    /// Whether the certificate is valid at this time.
    pub(super) fn verify_time(&self, now: UnixTime) -> Result<(), CertificateError> {
        let mut times = values(self.validity).map(|(tag, content)| time(tag, content));
        let (Some(Some(first)), Some(Some(last))) = (times.next(), times.next()) else {
            return Err(CertificateError::BadEncoding);
        };
        let now = i64::try_from(now.as_secs()).ok().and_then(|now| jiff::Timestamp::from_second(now).ok());
        let now = now.ok_or(CertificateError::BadEncoding)?.strftime("%Y%m%d%H%M%SZ").to_string();
        if now < first {
            Err(CertificateError::NotValidYet)
        } else if now > last {
            Err(CertificateError::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether a Subject Alternative Name matches the name or, if there is none at all, the Common
    /// Name (RFC 6125, section 6.4.4).
    pub(super) fn verify_name(&self, name: &ServerName<'_>) -> Result<(), CertificateError> {
        let named =
            if self.has_alternative_names() { self.has_alternative_name(name) } else { self.has_common_name(name) };
        if named { Ok(()) } else { Err(CertificateError::NotValidForName) }
    }

    /// Whether either place has the name: "includes a domain name in the Common Name field and
    /// possibly several more in the Subject Alternative Names field" (Developer Guide, EnableSNI).
    pub(super) fn mentions(&self, name: &ServerName<'_>) -> bool {
        self.has_alternative_name(name) || self.has_common_name(name)
    }

    fn has_alternative_name(&self, name: &ServerName<'_>) -> bool {
        ParsedCertificate::try_from(self.der)
            .is_ok_and(|parsed| rustls::client::verify_server_name(&parsed, name).is_ok())
    }

    fn has_alternative_names(&self) -> bool {
        let is_names = |extension| value(extension).is_some_and(|(_, kind, _)| kind == SUBJECT_ALTERNATIVE_NAME);
        values(self.extensions).any(|(_, extension)| is_names(extension))
    }

    fn has_common_name(&self, name: &ServerName<'_>) -> bool {
        self.common_name().is_some_and(|common| matches_name(common, &name.to_str()))
    }

    /// The last of several, which is the most specific.
    fn common_name(&self) -> Option<&'c [u8]> {
        let sets = values(self.subject).filter(|(tag, _)| *tag == SET);
        let attributes = sets.flat_map(|(_, set)| values(set));
        let pairs = attributes.filter_map(|(_, attribute)| {
            let (_, kind, text) = value(attribute)?;
            Some((kind, value(text)?.1))
        });
        pairs.filter(|(kind, _)| *kind == COMMON_NAME).map(|(_, text)| text).last()
    }
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

/// The time as `YYYYMMDDHHMMSSZ`, which sorts chronologically. Both kinds end in `Z` and have
/// seconds (RFC 5280, section 4.1.2.5); a two-digit year means 1950 to 2049.
fn time(tag: u8, content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    let text = match tag {
        GENERALIZED_TIME => text.to_owned(),
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        _ => return None,
    };
    let digits = text.strip_suffix('Z')?;
    (digits.len() == 14 && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(text)
}

/// Tag and content of each value in concatenated DER.
fn values(mut octets: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = value(octets)?;
        octets = rest;
        Some((tag, content))
    })
}

/// Tag, content and remainder of one DER value.
fn value(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // No certificate needs more than three length octets.
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
            assert_eq!(certificate.mentions(&name), mentioned, "{alternative:?} {common}");
            assert_eq!(certificate.verify_name(&name).is_ok(), valid, "{alternative:?} {common}");
        }
    }

    #[test]
    fn times_are_read_in_both_forms() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000001Z", Some("19700101000001Z")),
            (UTC_TIME, "491231235959Z", Some("20491231235959Z")),
            (UTC_TIME, "500101000000Z", Some("19500101000000Z")),
            (GENERALIZED_TIME, "99991231235959Z", Some("99991231235959Z")),
            (UTC_TIME, "7001010000Z", None),
            (GENERALIZED_TIME, "20500101000000+0100", None),
            (SEQUENCE, "20500101000000Z", None),
        ] {
            assert_eq!(time(tag, text.as_bytes()).as_deref(), expected, "{text}");
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

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_fault(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Certificate::read(&CertificateDer::from(octets)).map(|certificate| certificate.common_name().is_some());
        }

        #[test]
        fn a_damaged_certificate_is_read_without_a_fault(at in 0usize..400, value in any::<u8>(), cut in 0usize..400) {
            let mut octets = certificate(&["a.test"], "app.lab.test").to_vec();
            let length = octets.len();
            octets[at % length] = value;
            octets.truncate(length - cut % length);
            let name = ServerName::try_from("app.lab.test").unwrap();
            if let Some(certificate) = Certificate::read(&CertificateDer::from(octets)) {
                let _ = (certificate.mentions(&name), certificate.verify_time(UnixTime::now()), certificate.public_key());
            }
        }
    }
}

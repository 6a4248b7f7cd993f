//! The types about certificates and keys: CAA, DS, TLSA and SSHFP.

use super::DataError;
use super::fields::{Fields, print_hex, print_string};
use super::text::{Tokens, expect_length};

const OCTET: std::ops::RangeInclusive<u32> = 0..=255;

/// The longest CAA tag that other software accepts (RFC 6844 section 5.1 allows 1 to 15
/// characters).
const MAX_TAG_OCTETS: usize = 15;

/// CAA: `flags tag "value"` (RFC 8659 section 4.1).
pub(super) fn parse_caa(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let flags = tokens.integer::<u8>("flags", OCTET)?;
    let tag = tokens.word("tag")?;
    if !tag.bytes().all(|octet| octet.is_ascii_alphanumeric()) || tag.len() > MAX_TAG_OCTETS {
        return Err(DataError::new(format!("the tag must be 1 to {MAX_TAG_OCTETS} letters and digits, not `{tag}`"))
            .with_hint("known tags are `issue`, `issuewild` and `iodef`"));
    }
    let length = u8::try_from(tag.len()).expect("a tag is at most 15 octets");
    let mut wire = vec![flags, length];
    wire.extend(tag.as_bytes());
    wire.extend(tokens.string("value")?);
    Ok(wire)
}

pub(super) fn print_caa(fields: &mut Fields<'_>) -> String {
    let flags = fields.octet();
    let tag = fields.string().iter().copied().map(char::from).collect::<String>();
    format!("{flags} {tag} {}", print_string(fields.rest()))
}

/// DS: `key-tag algorithm digest-type digest` (RFC 4034 section 5.3).
pub(super) fn parse_ds(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let mut wire = tokens.integer::<u16>("key tag", 0..=65_535)?.to_be_bytes().to_vec();
    wire.push(tokens.integer("algorithm", OCTET)?);
    let digest_type = tokens.integer::<u8>("digest type", OCTET)?;
    let digest = tokens.hex("digest")?;
    // IANA, "DS RR Type Digest Algorithms"; the length for other digest types is unknown.
    match digest_type {
        1 => expect_length(&digest, "digest", "a SHA-1", 20)?,
        2 => expect_length(&digest, "digest", "a SHA-256", 32)?,
        3 | 5 => expect_length(&digest, "digest", "a GOST", 32)?,
        4 => expect_length(&digest, "digest", "a SHA-384", 48)?,
        6 => expect_length(&digest, "digest", "an SM3", 32)?,
        _ => {}
    }
    wire.push(digest_type);
    wire.extend(digest);
    Ok(wire)
}

pub(super) fn print_ds(fields: &mut Fields<'_>) -> String {
    format!("{} {} {} {}", fields.short(), fields.octet(), fields.octet(), print_hex(fields.rest()))
}

/// TLSA: `usage selector matching-type data` (RFC 6698 section 2.2).
pub(super) fn parse_tlsa(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let usage = tokens.integer("certificate usage", 0..=3)?;
    let selector = tokens.integer("selector", 0..=1)?;
    let matching_type = tokens.integer("matching type", 0..=2)?;
    let data = tokens.hex("certificate association data")?;
    match matching_type {
        1 => expect_length(&data, "certificate association", "a SHA-256", 32)?,
        2 => expect_length(&data, "certificate association", "a SHA-512", 64)?,
        _ => {}
    }
    Ok([&[usage, selector, matching_type][..], &data].concat())
}

pub(super) fn print_tlsa(fields: &mut Fields<'_>) -> String {
    format!("{} {} {} {}", fields.octet(), fields.octet(), fields.octet(), print_hex(fields.rest()))
}

/// SSHFP: `algorithm type fingerprint` (RFC 4255 section 3.2).
pub(super) fn parse_sshfp(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let algorithm = tokens.integer::<u8>("algorithm", OCTET)?;
    if !matches!(algorithm, 1..=4 | 6) {
        return Err(DataError::new(format!("the algorithm must be 1, 2, 3, 4 or 6, not `{algorithm}`"))
            .with_hint("1 is RSA, 2 DSA, 3 ECDSA, 4 Ed25519, 6 Ed448"));
    }
    let fingerprint_type =
        tokens.integer("fingerprint type", 1..=2).map_err(|error| error.or_hint("1 is SHA-1, 2 is SHA-256"))?;
    let fingerprint = tokens.hex("fingerprint")?;
    match fingerprint_type {
        1 => expect_length(&fingerprint, "fingerprint", "a SHA-1", 20)?,
        _ => expect_length(&fingerprint, "fingerprint", "a SHA-256", 32)?,
    }
    Ok([&[algorithm, fingerprint_type][..], &fingerprint].concat())
}

pub(super) fn print_sshfp(fields: &mut Fields<'_>) -> String {
    format!("{} {} {}", fields.octet(), fields.octet(), print_hex(fields.rest()))
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::{Caa, Ds, Sshfp, Tlsa};
    use crate::model::data::tests::{bad, good};

    #[test]
    fn a_caa_has_flags_a_tag_and_a_quoted_value() {
        good(Caa, r#"0 issue "ca.lab.test""#, r#"0 issue "ca.lab.test""#, b"\0\x05issueca.lab.test");
        good(Caa, r#"128 Tbs "\073""#, r#"128 Tbs ";""#, b"\x80\x03Tbs;");
        good(Caa, r#"0 issue """#, r#"0 issue """#, b"\0\x05issue");
        let value = b"\0\x05issueca.lab.test; policy=ev";
        good(Caa, r#"0 issue "ca.lab.test\; policy=ev""#, r#"0 issue "ca.lab.test; policy=ev""#, value);
        bad(Caa, "0 issue ca.lab.test", "the value should be enclosed in quotation marks", r#"write "ca.lab.test""#);
        bad(Caa, r#"0 issue-wild "a""#, "letters and digits", "issuewild");
        bad(Caa, r#"0 abcdefghijklmnop "a""#, "1 to 15", "");
        bad(Caa, r#"256 issue "a""#, "between 0 and 255", "");
        bad(Caa, r#"0 issue "a" "b""#, "unexpected", "");
        bad(Caa, r#"0 issue"a""#, "quotation mark inside the tag", "");
        bad(Caa, &format!(r#"0 issue "{}""#, "a".repeat(256)), "256 characters", "");
    }

    #[test]
    fn a_digest_has_the_length_of_its_type() {
        for (digest_type, octets) in [(1, 20), (2, 32), (3, 32), (4, 48), (5, 32), (6, 32), (0, 1), (200, 7)] {
            let text = format!("60485 13 {digest_type} {}", "2b".repeat(octets));
            good(Ds, &text, &text, &[&[0xec, 0x45, 13, digest_type][..], &vec![0x2b; octets]].concat());
            if (1..=6).contains(&digest_type) {
                let short = format!("60485 13 {digest_type} {}", "2b".repeat(octets - 1));
                bad(
                    Ds,
                    &short,
                    &format!("must have {} hexadecimal digits, not {}", octets * 2, octets * 2 - 2),
                    "copied completely",
                );
            }
        }
        bad(Ds, "1 13 2 abc", "odd number of hexadecimal digits: 3", "");
        bad(Ds, "1 13 2 xy", "`x` is not a hexadecimal digit", "");
        bad(Ds, "1 13 2", "the digest is missing", "");
        bad(
            Ds,
            "1 13 1 2bb183af 5f225881",
            "a SHA-1 digest must have 40 hexadecimal digits, not 16",
            "digest was copied",
        );
        bad(Ds, "1 13 1 2bb183af ; sep", "`;` is not a hexadecimal digit", "");
        let digest = "2bb183af5f22588179a53b0a98631fad1a292118";
        let blanks = digest.replace("5f22", " \t5f22 ").replace("2118", " 2 118");
        good(Ds, &format!("60485 5 1 {blanks}"), &format!("60485 5 1 {digest}"), &{
            let octets: Vec<u8> =
                (0..20).map(|at| u8::from_str_radix(&digest[at * 2..at * 2 + 2], 16).unwrap()).collect();
            [&[0xec, 0x45, 5, 1][..], &octets].concat()
        });
        bad(Ds, "65536 13 2 ab", "the key tag must be", "");
    }

    #[test]
    fn a_tlsa_knows_its_numbers() {
        let sha256 = format!("3 1 1 {}", "d2".repeat(32));
        good(Tlsa, &sha256, &sha256, &[&[3, 1, 1][..], &[0xd2; 32]].concat());
        let sha512 = format!("0 0 2 {}", "d2".repeat(64));
        good(Tlsa, &sha512, &sha512, &[&[0, 0, 2][..], &[0xd2; 64]].concat());
        good(Tlsa, "2 0 0 3082AB", "2 0 0 3082ab", &[2, 0, 0, 0x30, 0x82, 0xab]);
        bad(Tlsa, "4 0 0 ab", "the certificate usage must be an integer between 0 and 3", "");
        bad(Tlsa, "3 2 0 ab", "the selector must be an integer between 0 and 1", "");
        bad(Tlsa, "3 1 3 ab", "the matching type must be an integer between 0 and 2", "");
        bad(Tlsa, "3 1 1 ab", "a SHA-256 certificate association must have 64 hexadecimal digits, not 2", "");
        bad(Tlsa, "3 1 2 ab", "a SHA-512 certificate association must have 128 hexadecimal digits, not 2", "");
    }

    #[test]
    fn an_sshfp_knows_its_numbers() {
        let sha1 = format!("1 1 {}", "09".repeat(20));
        good(Sshfp, &sha1, &sha1, &[&[1, 1][..], &[9; 20]].concat());
        let sha256 = format!("6 2 {}", "09".repeat(32));
        good(Sshfp, &sha256, &sha256, &[&[6, 2][..], &[9; 32]].concat());
        for algorithm in ["0", "5", "7"] {
            bad(Sshfp, &format!("{algorithm} 1 {}", "09".repeat(20)), "1, 2, 3, 4 or 6", "Ed25519");
        }
        bad(Sshfp, &format!("1 3 {}", "09".repeat(20)), "between 1 and 2", "SHA-256");
        bad(
            Sshfp,
            &format!("1 1 {}", "09".repeat(32)),
            "a SHA-1 fingerprint must have 40 hexadecimal digits, not 64",
            "",
        );
        bad(
            Sshfp,
            &format!("1 2 {}", "09".repeat(20)),
            "a SHA-256 fingerprint must have 64 hexadecimal digits, not 40",
            "",
        );
    }
}

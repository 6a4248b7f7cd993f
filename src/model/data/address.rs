//! A and AAAA: one address.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::DataError;
use super::fields::Fields;
use super::text::Tokens;

/// `192.0.2.1` (RFC 1035 section 3.4.1).
pub(super) fn parse_a(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let word = tokens.word("IPv4 address")?;
    match ipv4(word) {
        Some(address) => Ok(address.octets().to_vec()),
        None => Err(DataError::new(format!("`{word}` is not a valid IPv4 address")).with_hint(ipv4_hint(word))),
    }
}

pub(super) fn print_a(fields: &mut Fields<'_>) -> String {
    Ipv4Addr::from(fields.long()).to_string()
}

/// `2001:db8::1` in any form of RFC 4291 section 2.2.
pub(super) fn parse_aaaa(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    let word = tokens.word("IPv6 address")?;
    match word.parse::<Ipv6Addr>() {
        Ok(address) => Ok(address.octets().to_vec()),
        Err(_) => Err(DataError::new(format!("`{word}` is not a valid IPv6 address")).with_hint(ipv6_hint(word))),
    }
}

pub(super) fn print_aaaa(fields: &mut Fields<'_>) -> String {
    let octets: [u8; 16] = fields.take(16).try_into().expect("sixteen octets were taken");
    Ipv6Addr::from(octets).to_string()
}

/// A dotted quad without leading zeros: some programs read those as octal, so they are ambiguous.
pub(super) fn ipv4(word: &str) -> Option<Ipv4Addr> {
    word.parse().ok()
}

fn ipv4_hint(word: &str) -> String {
    let stripped = word.split('.').map(without_leading_zeros).collect::<Vec<_>>().join(".");
    if stripped != word && ipv4(&stripped).is_some() {
        return format!("write it without leading zeros: `{stripped}`");
    }
    if word.parse::<Ipv6Addr>().is_ok() {
        return "use a record of type AAAA for an IPv6 address".to_owned();
    }
    if word.contains('/') {
        return "an address has no prefix length".to_owned();
    }
    if word.chars().any(|character| character.is_ascii_alphabetic()) {
        return "use a record of type CNAME, or an alias of type A, for a name".to_owned();
    }
    "an IPv4 address is four numbers between 0 and 255, such as `192.0.2.1`".to_owned()
}

fn without_leading_zeros(part: &str) -> &str {
    let stripped = part.trim_start_matches('0');
    if stripped.is_empty() && !part.is_empty() { "0" } else { stripped }
}

fn ipv6_hint(word: &str) -> String {
    if ipv4(word).is_some() {
        return "use a record of type A for an IPv4 address".to_owned();
    }
    if word.contains('/') {
        return "an address has no prefix length".to_owned();
    }
    if word.contains('%') {
        return "an address in DNS has no zone index (`%…`)".to_owned();
    }
    "an IPv6 address is up to eight groups of hexadecimal digits, such as `2001:db8::1`".to_owned()
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::{A, Aaaa};
    use crate::model::data::tests::{bad, good};

    #[test]
    fn an_ipv4_address_is_a_dotted_quad() {
        good(A, "192.0.2.1", "192.0.2.1", &[192, 0, 2, 1]);
        good(A, " 0.0.0.0 ", "0.0.0.0", &[0; 4]);
        bad(A, "", "missing", "192.0.2.1");
        bad(A, "192.0.2", "`192.0.2` is not a valid IPv4 address", "four numbers");
        bad(A, "192.0.2.256", "not a valid IPv4 address", "four numbers");
        bad(A, "192.0.02.001", "not a valid IPv4 address", "`192.0.2.1`");
        bad(A, "000.0.0.1", "not a valid IPv4 address", "`0.0.0.1`");
        bad(A, "2001:db8::1", "not a valid IPv4 address", "AAAA");
        bad(A, "192.0.2.1/32", "not a valid IPv4 address", "prefix length");
        bad(A, "www.lab.test.", "not a valid IPv4 address", "CNAME");
        bad(A, "192.0.2.1 192.0.2.2", "unexpected `192.0.2.2`", "");
        bad(A, "\"192.0.2.1\"", "without quotation marks", "");
    }

    #[test]
    fn an_ipv6_address_has_any_form_of_rfc_4291() {
        let wire = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        good(Aaaa, "2001:db8::1", "2001:db8::1", &wire);
        good(Aaaa, "2001:0DB8:0:0:0:0:0:1", "2001:db8::1", &wire);
        good(Aaaa, "::ffff:192.0.2.1", "::ffff:192.0.2.1", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
        bad(Aaaa, "2001:db8::1::", "not a valid IPv6 address", "eight groups");
        bad(Aaaa, "192.0.2.1", "not a valid IPv6 address", "type A");
        bad(Aaaa, "fe80::1%eth0", "not a valid IPv6 address", "zone index");
        bad(Aaaa, "2001:db8::/32", "not a valid IPv6 address", "prefix length");
    }
}

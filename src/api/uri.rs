//! Percent-encoding in paths and queries (RFC 3986 section 2.1).

use std::fmt::Write as _;

/// Decodes `%2F`, and `+` stays. A `%` without two hexadecimal digits stays too.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let octet = (first == b'%').then(|| after.first_chunk::<2>().and_then(hex)).flatten();
        decoded.push(octet.unwrap_or(first));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    decoded
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

/// Encodes all but the unreserved characters (RFC 3986 section 2.3), with upper-case digits.
pub(super) fn encode(octets: &[u8], into: &mut String) {
    for &octet in octets {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => into.push(octet.into()),
            _ => {
                let _ = write!(into, "%{octet:02X}");
            }
        }
    }
}

/// The names and values of a query, not decoded.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The text of a component. Octets that are not UTF-8 are replaced: no name or id has them.
pub(super) fn text(component: &str) -> String {
    String::from_utf8_lossy(&decode(component)).into_owned()
}

/// The text of a value in a query, in which `+` may be a space (HTML,
/// application/x-www-form-urlencoded).
pub(super) fn query_text(value: &str) -> String {
    text(&value.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_the_reverse_of_encoding() {
        let all: Vec<u8> = (0..=255).collect();
        let mut encoded = String::new();
        encode(&all, &mut encoded);
        assert!(encoded.contains("%00") && encoded.contains("%2F") && encoded.contains("~%7F"));
        assert_eq!(decode(&encoded), all);
        for odd in ["%", "%2", "%zz", "%+1", "a%", "%é"] {
            assert_eq!(decode(odd), odd.as_bytes());
        }
        assert_eq!(query_text("a+b%2B"), "a b+");
    }
}

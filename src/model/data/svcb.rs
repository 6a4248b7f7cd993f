//! SVCB and HTTPS: the location and parameters of a service.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::fields::{Fields, print_string};
use super::text::{Tokens, integer};
use super::{DataError, address};

/// The parameters that Route 53 accepts (Developer Guide, "HTTPS record type"), by their numbers
/// (IANA, "Service Parameter Keys"). `mandatory` (0) and the generic `keyNNNNN` are not among them.
const KEYS: [(&str, u16); 8] = [
    ("alpn", ALPN),
    ("no-default-alpn", NO_DEFAULT_ALPN),
    ("port", PORT),
    ("ipv4hint", IPV4HINT),
    ("ech", ECH),
    ("ipv6hint", IPV6HINT),
    ("dohpath", DOHPATH),
    ("ohttp", OHTTP),
];

const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const DOHPATH: u16 = 7;
const OHTTP: u16 = 8;

/// `priority target [key=value …]` (RFC 9460 section 2.1). On the wire the parameters are in the
/// order of their numbers (section 2.2).
pub(super) fn parse_svcb(tokens: &mut Tokens<'_>) -> Result<Vec<u8>, DataError> {
    // Route 53 accepts half the range of the RFC.
    let priority = tokens.integer::<u16>("priority", 0..=32_767)?;
    let mut wire = priority.to_be_bytes().to_vec();
    wire.extend(tokens.name("target")?);
    let parameters = parse_parameters(tokens)?;
    if priority == 0 && !parameters.is_empty() {
        return Err(DataError::new("a record of priority 0 cannot have parameters")
            .with_hint("priority 0 makes it an alias of its target; give it a priority from 1 to use parameters"));
    }
    if parameters.contains_key(&NO_DEFAULT_ALPN) && !parameters.contains_key(&ALPN) {
        return Err(DataError::new("`no-default-alpn` is allowed only together with `alpn`"));
    }
    for (number, value) in parameters {
        wire.extend(number.to_be_bytes());
        let length = u16::try_from(value.len()).expect("a value of 4000 characters has fewer octets");
        wire.extend(length.to_be_bytes());
        wire.extend(value);
    }
    Ok(wire)
}

fn parse_parameters(tokens: &mut Tokens<'_>) -> Result<BTreeMap<u16, Vec<u8>>, DataError> {
    let mut parameters = BTreeMap::new();
    while !tokens.is_at_end() {
        let (key, value) = tokens.parameter()?;
        let number = number_of(key)?;
        if parameters.insert(number, parse_value(key, number, value)?).is_some() {
            return Err(DataError::new(format!("the parameter `{key}` is given twice")));
        }
    }
    Ok(parameters)
}

fn number_of(key: &str) -> Result<u16, DataError> {
    if let Some(&(_, number)) = KEYS.iter().find(|(known, _)| *known == key) {
        return Ok(number);
    }
    let diagnostic = match key.strip_prefix("key") {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            format!("Route 53 does not accept generic parameters such as `{key}`")
        }
        _ if key == "mandatory" => "Route 53 does not accept the parameter `mandatory`".to_owned(),
        _ => format!("`{key}` is not a parameter that Route 53 supports"),
    };
    Err(DataError::new(diagnostic).with_hint(format!("the parameters are {}", KEYS.map(|(known, _)| known).join(", "))))
}

fn parse_value(key: &str, number: u16, value: Option<Vec<u8>>) -> Result<Vec<u8>, DataError> {
    if matches!(number, NO_DEFAULT_ALPN | OHTTP) {
        return match value {
            None => Ok(Vec::new()),
            Some(_) => Err(DataError::new(format!("the parameter `{key}` cannot have a value"))
                .with_hint(format!("write `{key}`"))),
        };
    }
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(DataError::new(format!("the parameter `{key}` needs a value")));
    };
    match number {
        ALPN => parse_alpn(&value),
        PORT => Ok(integer::<u16>(&String::from_utf8_lossy(&value), key, 0..=65_535)?.to_be_bytes().to_vec()),
        IPV4HINT => parse_hint(&value, "IPv4", |word| address::ipv4(word).map(|address| address.octets().to_vec())),
        IPV6HINT => {
            parse_hint(&value, "IPv6", |word| word.parse::<Ipv6Addr>().ok().map(|address| address.octets().to_vec()))
        }
        ECH => BASE64_STANDARD.decode(&value).map_err(|_| DataError::new("the value of `ech` must be Base64")),
        _ => parse_dohpath(value),
    }
}

/// A list of protocol ids. Within an id `\,` is a comma and `\\` a backslash (RFC 9460 appendix
/// A.1); that is a second layer under the string's own escapes, so in a record a comma is written
/// `\\,`.
fn parse_alpn(value: &[u8]) -> Result<Vec<u8>, DataError> {
    let mut ids = vec![Vec::new()];
    let mut octets = value.iter().copied();
    while let Some(octet) = octets.next() {
        let id = ids.last_mut().expect("there is always an id");
        match octet {
            b',' => ids.push(Vec::new()),
            b'\\' => match octets.next() {
                Some(escaped @ (b',' | b'\\')) => id.push(escaped),
                _ => return Err(DataError::new("in `alpn` a backslash must be followed by `,` or a backslash")),
            },
            _ => id.push(octet),
        }
    }
    let mut wire = Vec::new();
    for id in ids {
        let length = u8::try_from(id.len()).ok().filter(|&length| length > 0);
        wire.push(length.ok_or_else(|| {
            DataError::new("a protocol in `alpn` must have 1 to 255 characters")
                .with_hint("write protocols like `alpn=\"h2,h3\"`, with one comma and no space between them")
        })?);
        wire.extend(id);
    }
    Ok(wire)
}

fn parse_hint(value: &[u8], family: &str, read: fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, DataError> {
    let mut wire = Vec::new();
    for word in String::from_utf8_lossy(value).split(',') {
        let octets = read(word).ok_or_else(|| {
            DataError::new(format!("`{word}` is not a valid {family} address"))
                .with_hint("addresses are separated by one comma and no space")
        })?;
        wire.extend(octets);
    }
    Ok(wire)
}

/// "A URI Template … in relative form", with the variable `dns` (RFC 9461 section 5).
fn parse_dohpath(value: Vec<u8>) -> Result<Vec<u8>, DataError> {
    let template = std::str::from_utf8(&value).unwrap_or_default();
    if template.starts_with('/') && template.contains("dns") && template.contains('{') {
        return Ok(value);
    }
    Err(DataError::new("the value of `dohpath` must be a path with the variable `dns`")
        .with_hint("such as `dohpath=\"/dns-query{?dns}\"`"))
}

pub(super) fn print_svcb(fields: &mut Fields<'_>) -> String {
    let mut text = format!("{} {}", fields.short(), fields.name());
    while !fields.is_at_end() {
        let (number, length) = (fields.short(), fields.short());
        let key = KEYS.iter().find(|(_, known)| *known == number).map_or("", |(key, _)| key);
        text.push(' ');
        text.push_str(key);
        text.push_str(&print_value(number, fields.take(usize::from(length))));
    }
    text
}

fn print_value(number: u16, value: &[u8]) -> String {
    let mut fields = Fields::new(value);
    match number {
        ALPN => format!("={}", print_alpn(&mut fields)),
        PORT => format!("={}", fields.short()),
        IPV4HINT => format!(
            "={}",
            print_hint(value.chunks_exact(4), |chunk| {
                <[u8; 4]>::try_from(chunk).map(|octets| Ipv4Addr::from(octets).to_string())
            })
        ),
        IPV6HINT => format!(
            "={}",
            print_hint(value.chunks_exact(16), |chunk| {
                <[u8; 16]>::try_from(chunk).map(|octets| Ipv6Addr::from(octets).to_string())
            })
        ),
        ECH => format!("={}", BASE64_STANDARD.encode(value)),
        DOHPATH => format!("={}", print_string(value)),
        _ => String::new(),
    }
}

fn print_alpn(fields: &mut Fields<'_>) -> String {
    let mut list = Vec::new();
    while !fields.is_at_end() {
        if !list.is_empty() {
            list.push(b',');
        }
        for &octet in fields.string() {
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(octet);
        }
    }
    print_string(&list)
}

fn print_hint<'v, E>(chunks: impl Iterator<Item = &'v [u8]>, print: fn(&[u8]) -> Result<String, E>) -> String {
    chunks.filter_map(|chunk| print(chunk).ok()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use crate::model::RecordType::{Https, Svcb};
    use crate::model::data::tests::{bad, good};

    #[test]
    fn a_service_has_a_priority_a_target_and_parameters() {
        for record_type in [Svcb, Https] {
            let wire = b"\0\x10\x03lab\x04test\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\x03\x28";
            good(record_type, r#"16 lab.test alpn="h2,h3" port=808"#, r#"16 lab.test. alpn="h2,h3" port=808"#, wire);
            good(record_type, "0 pool.lab.test.", "0 pool.lab.test.", b"\0\0\x04pool\x03lab\x04test\0");
            good(record_type, "1 .", "1 .", b"\0\x01\0");
            bad(record_type, "32768 .", "between 0 and 32767", "");
            bad(record_type, "0 . port=1", "priority 0 cannot have parameters", "alias");
            bad(record_type, "1 pool", "`pool` has no dot", "absolute");
            bad(record_type, "1", "the target is missing", "");
        }
    }

    #[test]
    fn parameters_are_sorted_by_their_numbers() {
        let wire = b"\0\x01\0\0\x01\0\x03\x02h2\0\x02\0\0\0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02\0\x05\0\x01\xff\
                     \0\x06\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x07\0\x10/dns-query{?dns}\0\x08\0\0";
        let text = "1 . ohttp dohpath=/dns-query{?dns} ipv6hint=2001:db8::1 ech=\"/w==\" ipv4hint=192.0.2.1,192.0.2.2 \
                    no-default-alpn alpn=h2";
        let canonical = "1 . alpn=\"h2\" no-default-alpn ipv4hint=192.0.2.1,192.0.2.2 ech=/w== ipv6hint=2001:db8::1 \
                         dohpath=\"/dns-query{?dns}\" ohttp";
        good(Svcb, text, canonical, wire);
    }

    #[test]
    fn a_protocol_with_a_comma_is_escaped_twice() {
        // RFC 9460 appendix D.2, figure 10.
        let text = r#"16 foo.test. alpn="f\\\\oo\\,bar,h2""#;
        good(Svcb, text, text, b"\0\x10\x03foo\x04test\0\0\x01\0\x0c\x08f\\oo,bar\x02h2");
        bad(Svcb, r#"1 . alpn="a\\b""#, "must be followed by", "");
        // Without the second layer the comma separates list elements.
        good(Svcb, r#"1 . alpn="h2\,h3""#, r#"1 . alpn="h2,h3""#, b"\0\x01\0\0\x01\0\x06\x02h2\x02h3");
        for list in ["\",\"", "\"h2,\"", "\",h2\"", "\"\"", ""] {
            assert!(crate::model::RecordData::parse(Svcb, &format!("1 . alpn={list}")).is_err(), "{list}");
        }
        bad(Svcb, &format!("1 . alpn={}", "a".repeat(256)), "1 to 255", "");
    }

    #[test]
    fn an_escaped_character_stands_for_itself_with_quotation_marks_and_without() {
        let wire = b"\0\x01\0\0\x07\0\x10/dns-query{?dns}";
        for value in [r"/dns\-query\{?dns\}", r#""/dns\-query\{?dns\}""#] {
            good(Svcb, &format!("1 . dohpath={value}"), r#"1 . dohpath="/dns-query{?dns}""#, wire);
        }
        let spaced = b"\0\x01\0\0\x01\0\x04\x03a b";
        good(Svcb, r"1 . alpn=a\ b", r#"1 . alpn="a b""#, spaced);
        bad(Svcb, r"1 . alpn=a\8", "three octal digits", "");
    }

    #[test]
    fn unknown_doubled_and_misplaced_parameters_are_refused() {
        bad(Https, "1 . mandatory=alpn alpn=h2", "does not accept the parameter `mandatory`", "alpn, no-default-alpn");
        bad(Https, "1 . key65333=x", "does not accept generic parameters such as `key65333`", "alpn");
        bad(Https, "1 . key=x", "`key` is not a parameter", "alpn");
        bad(Https, "1 . ALPN=h2", "`ALPN` is not a parameter", "alpn");
        bad(Https, "1 . port=1 port=1", "`port` is given twice", "");
        bad(Https, "1 . no-default-alpn", "only together with `alpn`", "");
        bad(Https, "1 . alpn=h2 no-default-alpn=1", "cannot have a value", "write `no-default-alpn`");
        bad(Https, "1 . ohttp=\"\"", "cannot have a value", "write `ohttp`");
        bad(Https, "1 . alpn = h2", "`alpn` needs a value", "");
        bad(Https, "1 . =h2", "is not a parameter", "key=value");
        bad(Https, "1 . \"alpn=h2\"", "is not a parameter", "key=value");
        bad(Https, "1 . alpn=\"h2\"port=1", "a space must follow the value of `alpn`", "");
        bad(Https, "1 . alpn=h2\"", "a space must follow the value of `alpn`", "");
        bad(Https, "1 . alpn=\"h2", "not closed", "");
        bad(Https, "1 . port=65536", "between 0 and 65535", "");
        bad(Https, "1 . port=\\377", "between 0 and 65535", "");
        bad(Https, "1 . ipv4hint=192.0.2.1,", "`` is not a valid IPv4 address", "comma");
        bad(Https, "1 . ipv6hint=192.0.2.1", "not a valid IPv6 address", "");
        // Only canonical Base64, with its padding (RFC 4648 section 4).
        for text in ["***", "Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Z===", "====", "Zm8-"] {
            bad(Https, &format!("1 . ech={text}"), "must be Base64", "");
        }
        bad(Https, "1 . dohpath=dns-query{?dns}", "a path with the variable `dns`", "/dns-query{?dns}");
        bad(Https, "1 . dohpath=/dns-query", "a path with the variable `dns`", "/dns-query{?dns}");
    }
}

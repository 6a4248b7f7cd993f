//! Formats a record: the line of Route 53, or JSON with the same fields.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ResponseCode;

use super::record::Record;

/// The version in both formats (Developer Guide, "Public DNS query logging").
const VERSION: &str = "1.0";
/// The placeholder for an absent field.
const NOTHING: &str = "-";

/// The line of Route 53: version, time, hosted zone, name, type, response code, protocol, edge,
/// resolver, client subnet.
pub(super) fn route53(record: &Record<'_>, edge: &str, out: &mut String) {
    let zone = if record.zone_id.is_empty() { NOTHING } else { record.zone_id };
    let Record { qtype, response_code, transport, resolver, .. } = record;
    let code = ResponseCode(*response_code);
    let _ = write!(out, "{VERSION} {} {zone} ", time(record));
    write_name(record.name, out);
    let _ = write!(out, " {qtype} {code} {transport} {edge} {resolver} ");
    match record.subnet {
        Some((address, prefix)) => _ = writeln!(out, "{address}/{prefix}"),
        None => _ = writeln!(out, "{NOTHING}"),
    }
}

/// The same fields as one JSON object per line. An absent field is null.
pub(super) fn json(record: &Record<'_>, edge: &str, out: &mut String) {
    let mut name = String::new();
    write_name(record.name, &mut name);
    let shape = Shape {
        version: VERSION,
        timestamp: time(record),
        hosted_zone_id: Some(record.zone_id).filter(|id| !id.is_empty()),
        query_name: (!record.name.is_empty()).then_some(name.as_str()),
        query_type: record.qtype.to_string(),
        response_code: ResponseCode(record.response_code).to_string(),
        protocol: record.transport.to_string(),
        edge_location: edge,
        resolver_ip: record.resolver.to_string(),
        edns_client_subnet: record.subnet.map(|(address, prefix)| format!("{address}/{prefix}")),
    };
    out.push_str(&serde_json::to_string(&shape).expect("strings are valid JSON"));
    out.push('\n');
}

/// A string as one field. A character that cannot be part of a field becomes `_`.
pub(super) fn word(text: &str) -> String {
    let word: String = text.chars().map(|letter| if letter.is_ascii_graphic() { letter } else { '_' }).collect();
    if word.is_empty() { NOTHING.to_owned() } else { word }
}

#[derive(Serialize)]
struct Shape<'r> {
    version: &'static str,
    timestamp: String,
    hosted_zone_id: Option<&'r str>,
    query_name: Option<&'r str>,
    query_type: String,
    response_code: String,
    protocol: String,
    edge_location: &'r str,
    resolver_ip: String,
    edns_client_subnet: Option<String>,
}

/// UTC with milliseconds, `2017-12-13T08:16:02.130Z`.
fn time(record: &Record<'_>) -> String {
    let at = i64::try_from(record.at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", at.unwrap_or_default())
}

/// The name as received, without the final dot. A character other than a letter, a digit, `-` or
/// `_` is an octal escape, as everywhere in Route 53, so no name can imitate another field or line.
fn write_name(name: &[u8], out: &mut String) {
    if name.is_empty() {
        out.push_str(NOTHING);
        return;
    }
    let (mut rest, mut is_first) = (name, true);
    while let Some((&length, after)) = rest.split_first()
        && length > 0
        && let Some((label, next)) = after.split_at_checked(usize::from(length))
    {
        if !is_first {
            out.push('.');
        }
        for &octet in label {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(octet)),
                _ => _ = write!(out, "\\{octet:03o}"),
            }
        }
        (rest, is_first) = (next, false);
    }
    if is_first {
        out.push('.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PrefixLength, QueryType};
    use crate::query_logging::log::record::tests::record;
    use crate::requestor::Transport;

    fn line(record: &Record<'_>) -> String {
        let mut out = String::new();
        route53(record, "FRA6", &mut out);
        out
    }

    /// The example of the Developer Guide, with another name.
    #[test]
    fn a_line_reads_as_route_53_writes_it() {
        assert_eq!(
            line(&record()),
            "1.0 2017-12-13T08:16:02.130Z Z123412341234 wWw.lab.test A NOERROR UDP FRA6 192.168.1.1 -\n"
        );
        let subnet = Some(("198.51.100.0".parse().unwrap(), PrefixLength(24)));
        let other = Record { subnet, qtype: QueryType(28), response_code: 3, transport: Transport::Tcp, ..record() };
        assert_eq!(
            line(&other),
            "1.0 2017-12-13T08:16:02.130Z Z123412341234 wWw.lab.test AAAA NXDOMAIN TCP FRA6 192.168.1.1 198.51.100.0/24\n"
        );
    }

    #[test]
    fn what_is_not_there_is_a_dash_or_null() {
        let nothing = Record { zone_id: "", name: &[], qtype: QueryType(65_280), response_code: 1, ..record() };
        assert_eq!(line(&nothing), "1.0 2017-12-13T08:16:02.130Z - - TYPE65280 FORMERR UDP FRA6 192.168.1.1 -\n");
        let mut out = String::new();
        json(&nothing, "FRA6", &mut out);
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(
            value["hosted_zone_id"].is_null() && value["query_name"].is_null() && value["edns_client_subnet"].is_null()
        );
    }

    #[test]
    fn no_name_can_pretend_to_be_a_line() {
        let name = b"\x08a b\n.\"\\\xff\x01x\0";
        let text = line(&Record { name, ..record() });
        assert!(text.contains(" a\\040b\\012\\056\\042\\134\\377.x A "), "{text}");
        assert_eq!((text.lines().count(), text.split(' ').count()), (1, 10));
        assert!(line(&Record { name: b"\0", ..record() }).contains(" Z123412341234 . A "));
        // The record is shorter than its length fields say.
        assert!(line(&Record { name: b"\x05ab", ..record() }).contains(" . A "));
    }

    #[test]
    fn json_has_the_same_fields() {
        let mut out = String::new();
        json(&record(), "FRA6", &mut out);
        assert_eq!(
            out,
            "{\"version\":\"1.0\",\"timestamp\":\"2017-12-13T08:16:02.130Z\",\"hosted_zone_id\":\"Z123412341234\",\
             \"query_name\":\"wWw.lab.test\",\"query_type\":\"A\",\"response_code\":\"NOERROR\",\"protocol\":\"UDP\",\
             \"edge_location\":\"FRA6\",\"resolver_ip\":\"192.168.1.1\",\"edns_client_subnet\":null}\n"
        );
    }

    #[test]
    fn an_edge_is_one_word() {
        assert_eq!(word("lab 1\n"), "lab_1_");
        assert_eq!(word(""), "-");
    }
}

//! `[[health_check]]` of the types http, https and tcp: what is asked, and what counts as healthy.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use super::super::document::Findings;
use super::super::table::{At, NumberOrText, Table};
use super::super::value;
use super::health_check::flag;
use crate::model::{
    AddressFamily, EndpointCheck, EndpointProtocol, EndpointTarget, HttpRequest, Name, Secret, StatusRange, Timeouts,
};

/// API ResourcePath, FullyQualifiedDomainName, SearchString.
const MAX_TEXT_CHARACTERS: usize = 255;
/// API RequestInterval, FailureThreshold.
const REQUEST_INTERVAL: Duration = Duration::from_secs(30);
const FAILURE_THRESHOLD: u8 = 3;
/// More than people write by hand.
const MAX_STATUS_RANGES: usize = 20;
const MAX_HEADERS: usize = 20;
/// A token of a few kilobytes is a long one, and many servers read no more than 8 KiB of headers.
const MAX_HEADER_CHARACTERS: usize = 4096;
/// Headers that are not the user's, and why.
const OWN_HEADERS: [(&str, &str); 8] = [
    ("Host", "it is `fqdn`, or else the address"),
    ("Accept-Encoding", "only gzip and deflate can be searched"),
    ("Connection", "each probe has a connection of its own"),
    ("Keep-Alive", "each probe has a connection of its own"),
    ("Upgrade", "the answer would not be HTTP"),
    ("Content-Length", "a check sends no body"),
    ("Transfer-Encoding", "a check sends no body"),
    ("Expect", "a check sends no body"),
];

/// What stands in for the endpoint of a deleted check; it is disabled, so nobody ever asks (RFC 6761 section 6.4).
pub(super) fn nothing_to_ask() -> EndpointCheck {
    EndpointCheck {
        protocol: EndpointProtocol::Tcp,
        target: EndpointTarget::Domain("deleted.invalid".to_owned()),
        port: 80,
        request_interval: REQUEST_INTERVAL,
        failure_threshold: FAILURE_THRESHOLD,
        recovery_threshold: FAILURE_THRESHOLD,
        measure_latency: false,
        address_family: AddressFamily::default(),
        timeouts: Timeouts::default(),
    }
}

/// Reads a check of one of these types; `None` stands for one that could not be read, or that was not said.
pub(super) fn read(table: &Table<'_>, kind: Option<&str>, findings: &mut Findings<'_>) -> Option<EndpointCheck> {
    let target = read_target(table, kind, findings);
    let request = read_request(table, findings);
    let port = read_port(table, kind, findings);
    let enable_sni = flag(table, "enable_sni", true, findings);
    let judge_certificate = flag(table, "judge_certificate", false, findings);
    if kind == Some("tcp") {
        check_tcp(table, findings);
    }
    if kind != Some("https") {
        let tls = [("enable_sni", enable_sni), ("judge_certificate", judge_certificate)];
        warn_of_tls(table, tls, findings);
    }
    let address_family = read_family(table, findings);
    let timeouts = read_timeouts(table, kind, findings);
    let request_interval = table.duration("request_interval", findings);
    let failure_threshold = threshold(table, "failure_threshold", FAILURE_THRESHOLD, findings);
    let recovery_threshold = threshold(table, "recovery_threshold", failure_threshold, findings);
    let measure_latency = flag(table, "measure_latency", false, findings);
    let protocol = match kind? {
        "http" => EndpointProtocol::Http(request?),
        "https" => EndpointProtocol::Https { request: request?, enable_sni, judge_certificate },
        _ => EndpointProtocol::Tcp,
    };
    Some(EndpointCheck {
        protocol,
        target: target?,
        port: port?,
        request_interval: request_interval.map_or(REQUEST_INTERVAL, |interval| interval.value),
        failure_threshold,
        recovery_threshold,
        measure_latency,
        address_family,
        timeouts,
    })
}

fn threshold(table: &Table<'_>, key: &str, default: u8, findings: &mut Findings<'_>) -> u8 {
    let written = table.integer(key, findings);
    written.and_then(|number| u8::try_from(number.value).ok()).unwrap_or(default)
}

fn read_target(table: &Table<'_>, kind: Option<&str>, findings: &mut Findings<'_>) -> Option<EndpointTarget> {
    let address = table.text("ip_address", findings).and_then(|text| read_address(&text, findings));
    let domain = table.text("fqdn", findings).and_then(|text| read_domain(&text, findings));
    let (has_address, has_domain) = (table.has("ip_address"), table.has("fqdn"));
    if !has_address && !has_domain && table.is_whole(findings) {
        let fault = findings.error(table.span.clone(), "a health check needs `ip_address`, `fqdn` or both");
        fault.label("whom does it ask?").hint("such as ip_address = \"127.0.53.11\"");
    }
    if kind == Some("tcp") && has_address && has_domain {
        let message = "TCP health checks that have IP address must not have a fully qualified domain name specified.";
        let fault = findings.error(table.key_span("fqdn"), message);
        fault.label("beside `ip_address`").hint("a TCP check sends nothing, so there is nobody to tell the name");
    }
    if has_address {
        let fully_qualified_domain_name = domain;
        return Some(EndpointTarget::Address { ip_address: address?, fully_qualified_domain_name });
    }
    domain.map(EndpointTarget::Domain)
}

fn read_address(written: &At<&str>, findings: &mut Findings<'_>) -> Option<IpAddr> {
    if written.value.parse::<IpAddr>().is_err() && Name::parse(written.value).is_ok_and(|name| name.label_count() > 0) {
        let fault = findings.error(written.span.clone(), format!("`{}` is no IP address", written.value));
        fault.label("expected an IPv4 or IPv6 address").hint("a domain name is an `fqdn`");
        return None;
    }
    let address = value::address(written, findings)?;
    if address.is_unspecified() || address.is_multicast() {
        let fault = findings.error(written.span.clone(), format!("nobody can be asked at `{address}`"));
        fault.label("not the address of a host");
        return None;
    }
    Some(address)
}

/// Becomes a Host header, a server name and a DNS question: a host name, and nothing that could end a header.
fn read_domain(written: &At<&str>, findings: &mut Findings<'_>) -> Option<String> {
    let text = written.value;
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let is_name = Name::parse(text).is_ok_and(|name| name != Name::root());
    if text.parse::<IpAddr>().is_ok() {
        let fault = findings.error(written.span.clone(), format!("`{text}` is an address, not a domain name"));
        fault.label("not a domain name").hint(format!("write ip_address = \"{text}\""));
        return None;
    }
    if !is_name || text.len() > MAX_TEXT_CHARACTERS || !text.bytes().all(legal) {
        let fault = findings.error(written.span.clone(), format!("`{text}` is no host's domain name"));
        fault.label("expected letters, digits, `-`, `_` and dots");
        return None;
    }
    Some(text.to_owned())
}

/// API Port: 80 and 443; there is no port that a TCP check could mean by saying nothing.
fn read_port(table: &Table<'_>, kind: Option<&str>, findings: &mut Findings<'_>) -> Option<u16> {
    let written = table.integer("port", findings);
    if table.has("port") {
        return written.and_then(|port| u16::try_from(port.value).ok());
    }
    match kind? {
        "http" => Some(80),
        "https" => Some(443),
        _ => {
            table.require("port", "a TCP check needs a port, such as port = 5432", findings);
            None
        }
    }
}

fn read_request(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<HttpRequest> {
    let path = table.text("resource_path", findings);
    let search_string = table.text("search_string", findings);
    let mark = findings.mark();
    if let Some(path) = &path {
        check_path(path, findings);
    }
    if let Some(text) = &search_string {
        let count = text.value.chars().count();
        if !(1..=MAX_TEXT_CHARACTERS).contains(&count) {
            let message = format!("`search_string` has 1 to {MAX_TEXT_CHARACTERS} characters");
            findings.error(text.span.clone(), message).label(format!("{count} characters"));
        }
    }
    let expected_status = read_statuses(table, findings);
    let request_headers = read_headers(table, findings);
    if findings.has_error_since(mark) {
        return None;
    }
    let path = path.map_or("/", |path| path.value);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let search_string = search_string.map(|text| text.value.to_owned());
    let resource_path = format!("{slash}{path}");
    Some(HttpRequest { resource_path, search_string, expected_status, request_headers })
}

fn check_path(path: &At<&str>, findings: &mut Findings<'_>) {
    let count = path.value.chars().count();
    if count > MAX_TEXT_CHARACTERS {
        let message = format!("`resource_path` has at most {MAX_TEXT_CHARACTERS} characters");
        findings.error(path.span.clone(), message).label(format!("{count} characters"));
    }
    // It becomes part of the request line (RFC 9112 section 3).
    if !path.value.bytes().all(|octet| octet.is_ascii_graphic()) || path.value.contains('#') {
        let fault = findings.error(path.span.clone(), "`resource_path` must stand as it goes over the wire");
        fault.label("a space, a `#`, a control character or a letter beyond ASCII").hint("write such octets as `%20`");
    }
}

/// Beyond Route 53, which asks IPv4 only.
fn read_family(table: &Table<'_>, findings: &mut Findings<'_>) -> AddressFamily {
    let Some(written) = table.choice("address_family", findings) else { return AddressFamily::default() };
    if table.has("ip_address") {
        let fault = findings.warning(written.span, "`address_family` changes nothing beside `ip_address`");
        fault.label("it is for the addresses of a name");
    }
    if written.value == "ipv6" { AddressFamily::Ipv6 } else { AddressFamily::Ipv4 }
}

fn read_timeouts(table: &Table<'_>, kind: Option<&str>, findings: &mut Findings<'_>) -> Timeouts {
    let mut timeout = |key: &str| table.duration(key, findings).map(|duration| duration.value);
    let timeouts = Timeouts {
        connect: timeout("connect_timeout"),
        response: timeout("response_timeout"),
        body: timeout("body_timeout"),
    };
    if table.has("body_timeout") && !table.has("search_string") && kind != Some("tcp") {
        let fault = findings.warning(table.key_span("body_timeout"), "`body_timeout` changes nothing here");
        fault.label("without a `search_string` no body is read");
    }
    timeouts
}

/// Such as `["200-299", 404]`.
fn read_statuses(table: &Table<'_>, findings: &mut Findings<'_>) -> Vec<StatusRange> {
    let Some(written) = table.numbers_and_texts("expected_status", findings) else { return Vec::new() };
    if written.is_empty() && !findings.is_broken(&table.span_of("expected_status")) {
        let fault = findings.error(table.span_of("expected_status"), "`expected_status` must name at least one status");
        fault.label("nothing would be good").hint("leave it out to expect 200 to 399");
    }
    if written.len() > MAX_STATUS_RANGES {
        let message = format!("`expected_status` has at most {MAX_STATUS_RANGES} entries");
        findings.error(table.span_of("expected_status"), message).label(format!("{} of them", written.len()));
    }
    written.iter().filter_map(|status| read_status(status, findings)).collect()
}

fn read_status(written: &At<NumberOrText<'_>>, findings: &mut Findings<'_>) -> Option<StatusRange> {
    let status = |text: &str| text.parse().ok().filter(|_| text.len() == 3);
    let range = match written.value {
        NumberOrText::Number(number) => u16::try_from(number).ok().map(|status| (status, status)),
        NumberOrText::Text(text) => match text.split_once('-') {
            Some((first, last)) => status(first.trim()).zip(status(last.trim())),
            None => status(text).map(|status| (status, status)),
        },
    };
    match range {
        // What comes before 200 is never the last word (RFC 9110 section 15.2).
        Some((first, last)) if 200 <= first && first <= last && last <= 599 => Some(StatusRange { first, last }),
        _ => {
            let fault = findings.error(written.span.clone(), "no HTTP status and no range of them");
            fault.label("expected 200 to 599, such as 404 or \"200-299\"");
            None
        }
    }
}

fn read_headers(table: &Table<'_>, findings: &mut Findings<'_>) -> Vec<(String, Secret)> {
    let Some(written) = table.named_text("request_headers", findings) else { return Vec::new() };
    if written.len() > MAX_HEADERS {
        let message = format!("`request_headers` has at most {MAX_HEADERS} headers");
        findings.error(table.span_of("request_headers"), message).label(format!("{} of them", written.len()));
    }
    let mut seen = HashSet::new();
    for (name, value) in &written {
        if !check_header(name, value, findings) {
            continue;
        }
        if !seen.insert(name.value.to_ascii_lowercase()) {
            findings
                .error(name.span.clone(), format!("the header `{}` stands twice", name.value))
                .label("the second time");
        }
    }
    written.into_iter().map(|(name, value)| (name.value.to_owned(), value.value.into())).collect()
}

fn check_header(name: &At<&str>, value: &At<&str>, findings: &mut Findings<'_>) -> bool {
    // RFC 9110 section 5.6.2.
    let in_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    if name.value.is_empty() || name.value.len() > MAX_TEXT_CHARACTERS || !name.value.bytes().all(in_token) {
        let fault = findings.error(name.span.clone(), format!("`{}` is no name of a header", name.value));
        fault.label("expected letters, digits, `-` and the like");
        return false;
    }
    if let Some((_, why)) = OWN_HEADERS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.value)) {
        let fault = findings.error(name.span.clone(), format!("the header `{}` is the check's own", name.value));
        fault.label(*why);
        return false;
    }
    // RFC 9110 section 5.5; what is beyond ASCII means something else to everybody.
    let is_plain = value.value.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
    if !is_plain || value.value.len() > MAX_HEADER_CHARACTERS || value.value.trim() != value.value {
        let fault = findings.error(value.span.clone(), format!("no value for the header `{}`", name.value));
        fault.label(format!("expected at most {MAX_HEADER_CHARACTERS} printable ASCII characters"));
        return false;
    }
    true
}

/// In the words of Route 53's InvalidInput, also of keys that it does not have.
fn check_tcp(table: &Table<'_>, findings: &mut Findings<'_>) {
    for (key, words) in [
        ("resource_path", "a resource path"),
        ("search_string", "a search string"),
        ("expected_status", "expected statuses"),
        ("request_headers", "request headers"),
        ("response_timeout", "a response timeout"),
        ("body_timeout", "a body timeout"),
    ] {
        if table.has(key) {
            let fault =
                findings.error(table.key_span(key), format!("TCP health checks must not have {words} specified."));
            fault.label("a TCP check only connects").hint("type = \"http\" asks for a path and reads the answer");
        }
    }
}

fn warn_of_tls(table: &Table<'_>, tls: [(&str, bool); 2], findings: &mut Findings<'_>) {
    for (key, _) in tls.into_iter().filter(|(key, value)| *value && table.has(key)) {
        let fault = findings.warning(table.key_span(key), format!("`{key}` changes nothing without TLS"));
        fault.label("only https checks have it");
    }
}

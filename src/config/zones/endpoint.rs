//! `[[health_check]]` of the types http, https and tcp: the endpoint, the request and what passes.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use super::super::document::Diagnostics;
use super::super::table::{At, NumberOrString, Table};
use super::super::value;
use super::definition::flag;
use crate::model::{
    AddressFamily, CHECKER_REGIONS, EndpointCheck, EndpointProtocol, EndpointTarget, HttpRequest, MIN_CHECKER_REGIONS,
    Name, Region, Secret, StatusRange, Timeouts,
};

/// API ResourcePath, FullyQualifiedDomainName, SearchString.
const MAX_TEXT_CHARACTERS: usize = 255;
/// API RequestInterval, FailureThreshold.
const REQUEST_INTERVAL: Duration = Duration::from_secs(30);
const FAILURE_THRESHOLD: u8 = 3;
/// More than users write by hand.
const MAX_STATUS_RANGES: usize = 20;
const MAX_HEADERS: usize = 20;
/// Long tokens have a few kilobytes, and many servers accept at most 8 KiB of headers.
const MAX_HEADER_CHARACTERS: usize = 4096;
/// Headers that users cannot set, and why.
const OWN_HEADERS: [(&str, &str); 8] = [
    ("Host", "it is `fqdn`, or else the address"),
    ("Accept-Encoding", "only gzip and deflate can be decoded"),
    ("Connection", "each probe has its own connection"),
    ("Keep-Alive", "each probe has its own connection"),
    ("Upgrade", "the response would not be HTTP"),
    ("Content-Length", "a check sends no body"),
    ("Transfer-Encoding", "a check sends no body"),
    ("Expect", "a check sends no body"),
];

/// A placeholder endpoint for a deleted check, which is never probed (RFC 6761 section 6.4).
pub(super) fn placeholder() -> EndpointCheck {
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
        regions: Vec::new(),
    }
}

/// Reads a check of one of these types. `kind` is `None` when the type is missing or unreadable.
pub(super) fn read(table: &Table<'_>, kind: Option<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<EndpointCheck> {
    let target = read_target(table, kind, diagnostics);
    let request = read_request(table, diagnostics);
    let port = read_port(table, kind, diagnostics);
    let enable_sni = flag(table, "enable_sni", true, diagnostics);
    let verify_certificate = flag(table, "verify_certificate", false, diagnostics);
    if kind == Some("tcp") {
        check_tcp(table, diagnostics);
    }
    if kind != Some("https") {
        let tls = [("enable_sni", enable_sni), ("verify_certificate", verify_certificate)];
        warn_of_tls(table, tls, diagnostics);
    }
    let address_family = read_family(table, diagnostics);
    let timeouts = read_timeouts(table, kind, diagnostics);
    let request_interval = table.duration("request_interval", diagnostics);
    let failure_threshold = threshold(table, "failure_threshold", FAILURE_THRESHOLD, diagnostics);
    let recovery_threshold = threshold(table, "recovery_threshold", failure_threshold, diagnostics);
    let regions = read_regions(table, diagnostics);
    let measure_latency = flag(table, "measure_latency", false, diagnostics);
    let protocol = match kind? {
        "http" => EndpointProtocol::Http(request?),
        "https" => EndpointProtocol::Https { request: request?, enable_sni, verify_certificate },
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
        regions,
    })
}

fn threshold(table: &Table<'_>, key: &str, default: u8, diagnostics: &mut Diagnostics<'_>) -> u8 {
    let written = table.integer(key, diagnostics);
    written.and_then(|number| u8::try_from(number.value).ok()).unwrap_or(default)
}

fn read_target(table: &Table<'_>, kind: Option<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<EndpointTarget> {
    let address = table.string("ip_address", diagnostics).and_then(|text| read_address(&text, diagnostics));
    let domain = table.string("fqdn", diagnostics).and_then(|text| read_domain(&text, diagnostics));
    let (has_address, has_domain) = (table.has("ip_address"), table.has("fqdn"));
    let is_misspelt = table.is_misspelt("ip_address") || table.is_misspelt("fqdn");
    if !has_address && !has_domain && !is_misspelt && table.is_whole(diagnostics) {
        let diagnostic = diagnostics.error(table.span.clone(), "a health check needs `ip_address`, `fqdn` or both");
        diagnostic.label("no endpoint").hint("such as ip_address = \"127.0.53.11\"");
    }
    if kind == Some("tcp") && has_address && has_domain {
        let message = "TCP health checks that have IP address must not have a fully qualified domain name specified.";
        let diagnostic = diagnostics.error(table.key_span("fqdn"), message);
        diagnostic.label("together with `ip_address`").hint("a TCP check sends no data, so it has no use for the name");
    }
    if has_address {
        let fully_qualified_domain_name = domain;
        return Some(EndpointTarget::Address { ip_address: address?, fully_qualified_domain_name });
    }
    domain.map(EndpointTarget::Domain)
}

fn read_address(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<IpAddr> {
    if written.value.parse::<IpAddr>().is_err() && Name::parse(written.value).is_ok_and(|name| name.label_count() > 0) {
        let diagnostic =
            diagnostics.error(written.span.clone(), format!("`{}` is not a valid IP address", written.value));
        diagnostic.label("expected an IPv4 or IPv6 address").hint("write a domain name as `fqdn`");
        return None;
    }
    let address = value::address(written, diagnostics)?;
    if address.is_unspecified() || address.is_multicast() {
        let diagnostic = diagnostics.error(written.span.clone(), format!("`{address}` cannot be probed"));
        diagnostic.label("not the address of a host");
        return None;
    }
    Some(address)
}

/// Reads a host name. It is used in the Host header, in the TLS handshake and in DNS queries, so it
/// must not contain characters that end a header.
fn read_domain(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let text = written.value;
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let is_name = Name::parse(text).is_ok_and(|name| name != Name::root());
    if text.parse::<IpAddr>().is_ok() {
        let diagnostic = diagnostics.error(written.span.clone(), format!("`{text}` is an address, not a domain name"));
        diagnostic.label("not a domain name").hint(format!("write ip_address = \"{text}\""));
        return None;
    }
    if !is_name || text.len() > MAX_TEXT_CHARACTERS || !text.bytes().all(legal) {
        let diagnostic = diagnostics.error(written.span.clone(), format!("`{text}` is not a valid host name"));
        diagnostic.label("expected letters, digits, `-`, `_` and dots");
        return None;
    }
    Some(text.to_owned())
}

/// API Port: the default is 80 for HTTP and 443 for HTTPS. A TCP check has no default.
fn read_port(table: &Table<'_>, kind: Option<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<u16> {
    let written = table.integer("port", diagnostics);
    if table.has("port") {
        return written.and_then(|port| u16::try_from(port.value).ok());
    }
    match kind? {
        "http" => Some(80),
        "https" => Some(443),
        _ => {
            table.require("port", "a TCP check needs a port, such as port = 5432", diagnostics);
            None
        }
    }
}

fn read_request(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<HttpRequest> {
    let path = table.string("resource_path", diagnostics);
    let search_string = table.string("search_string", diagnostics);
    let mark = diagnostics.mark();
    if let Some(path) = &path {
        check_path(path, diagnostics);
    }
    if let Some(text) = &search_string {
        let count = text.value.chars().count();
        if !(1..=MAX_TEXT_CHARACTERS).contains(&count) {
            let message = format!("`search_string` must have 1 to {MAX_TEXT_CHARACTERS} characters");
            diagnostics.error(text.span.clone(), message).label(format!("{count} characters"));
        }
    }
    let expected_status = read_statuses(table, diagnostics);
    let request_headers = read_headers(table, diagnostics);
    if diagnostics.has_error_since(mark) {
        return None;
    }
    let resource_path = path.map(|path| {
        let slash = if path.value.starts_with('/') { "" } else { "/" };
        format!("{slash}{}", path.value)
    });
    let search_string = search_string.map(|text| text.value.to_owned());
    Some(HttpRequest { resource_path, search_string, expected_status, request_headers })
}

fn check_path(path: &At<&str>, diagnostics: &mut Diagnostics<'_>) {
    let count = path.value.chars().count();
    if count > MAX_TEXT_CHARACTERS {
        let message = format!("`resource_path` must have at most {MAX_TEXT_CHARACTERS} characters");
        diagnostics.error(path.span.clone(), message).label(format!("{count} characters"));
    }
    // It becomes part of the request line (RFC 9112 section 3).
    if !path.value.bytes().all(|octet| octet.is_ascii_graphic()) || path.value.contains('#') {
        let diagnostic = diagnostics.error(path.span.clone(), "`resource_path` must be percent-encoded");
        diagnostic.label("a space, a `#`, a control character or a non-ASCII character").hint("write a space as `%20`");
    }
}

/// API HealthCheckRegionList.
fn read_regions(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<Region> {
    let Some(written) = table.strings("regions", diagnostics) else { return Vec::new() };
    let mut regions = Vec::new();
    for name in &written {
        match Region::from_name(name.value).filter(|_| CHECKER_REGIONS.contains(&name.value)) {
            Some(region) if !regions.contains(&region) => regions.push(region),
            Some(_) => {
                diagnostics
                    .error(name.span.clone(), format!("the region `{}` is given twice", name.value))
                    .label("the second time");
            }
            None => {
                let message = format!("Route 53 has no health checkers in `{}`", name.value);
                let diagnostic = diagnostics.error(name.span.clone(), message);
                diagnostic.label("unknown region").hint(format!("expected {}", CHECKER_REGIONS.join(", ")));
            }
        }
    }
    if written.len() < MIN_CHECKER_REGIONS {
        let message = format!("`regions` must have at least {MIN_CHECKER_REGIONS} regions");
        let diagnostic = diagnostics.error(table.span_of("regions"), message);
        diagnostic.label(format!("{} regions", written.len())).hint("leave it out for all regions");
    }
    regions
}

/// An extension: Route 53 probes names over IPv4 only.
fn read_family(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> AddressFamily {
    let Some(written) = table.choice("address_family", diagnostics) else { return AddressFamily::default() };
    if table.has("ip_address") {
        let diagnostic = diagnostics.warning(written.span, "`address_family` has no effect with `ip_address`");
        diagnostic.label("it applies only to addresses of `fqdn`");
    }
    if written.value == "ipv6" { AddressFamily::Ipv6 } else { AddressFamily::Ipv4 }
}

fn read_timeouts(table: &Table<'_>, kind: Option<&str>, diagnostics: &mut Diagnostics<'_>) -> Timeouts {
    let mut timeout = |key: &str| table.duration(key, diagnostics).map(|duration| duration.value);
    let timeouts = Timeouts {
        connect: timeout("connect_timeout"),
        response: timeout("response_timeout"),
        body: timeout("body_timeout"),
    };
    if table.has("body_timeout") && !table.has("search_string") && kind != Some("tcp") {
        let diagnostic = diagnostics.warning(table.key_span("body_timeout"), "`body_timeout` has no effect here");
        diagnostic.label("without `search_string` the body is not read");
    }
    timeouts
}

/// Such as `["200-299", 404]`.
fn read_statuses(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<StatusRange> {
    let Some(written) = table.numbers_and_strings("expected_status", diagnostics) else { return Vec::new() };
    if written.is_empty() && !diagnostics.is_broken(&table.span_of("expected_status")) {
        let diagnostic =
            diagnostics.error(table.span_of("expected_status"), "`expected_status` must name at least one status");
        diagnostic.label("no status would pass").hint("leave it out for 200 to 399");
    }
    if written.len() > MAX_STATUS_RANGES {
        let message = format!("`expected_status` must have at most {MAX_STATUS_RANGES} entries");
        diagnostics.error(table.span_of("expected_status"), message).label(format!("{} entries", written.len()));
    }
    written.iter().filter_map(|status| read_status(status, diagnostics)).collect()
}

fn read_status(written: &At<NumberOrString<'_>>, diagnostics: &mut Diagnostics<'_>) -> Option<StatusRange> {
    let status = |text: &str| text.parse().ok().filter(|_| text.len() == 3);
    let range = match written.value {
        NumberOrString::Number(number) => u16::try_from(number).ok().map(|status| (status, status)),
        NumberOrString::String(text) => match text.split_once('-') {
            Some((first, last)) => status(first.trim()).zip(status(last.trim())),
            None => status(text).map(|status| (status, status)),
        },
    };
    match range {
        // A status below 200 is never final (RFC 9110 section 15.2).
        Some((first, last)) if 200 <= first && first <= last && last <= 599 => Some(StatusRange { first, last }),
        _ => {
            let diagnostic = diagnostics.error(written.span.clone(), "not an HTTP status or a range of statuses");
            diagnostic.label("expected 200 to 599, such as 404 or \"200-299\"");
            None
        }
    }
}

fn read_headers(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<(String, Secret)> {
    let Some(written) = table.named_strings("request_headers", diagnostics) else { return Vec::new() };
    if written.len() > MAX_HEADERS {
        let message = format!("`request_headers` must have at most {MAX_HEADERS} headers");
        diagnostics.error(table.span_of("request_headers"), message).label(format!("{} entries", written.len()));
    }
    let mut seen = HashSet::new();
    for (name, value) in &written {
        if !check_header(name, value, diagnostics) {
            continue;
        }
        if !seen.insert(name.value.to_ascii_lowercase()) {
            diagnostics
                .error(name.span.clone(), format!("the header `{}` is given twice", name.value))
                .label("the second time");
        }
    }
    written.into_iter().map(|(name, value)| (name.value.to_owned(), value.value.into())).collect()
}

fn check_header(name: &At<&str>, value: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> bool {
    // RFC 9110 section 5.6.2.
    let in_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    if name.value.is_empty() || name.value.len() > MAX_TEXT_CHARACTERS || !name.value.bytes().all(in_token) {
        let diagnostic = diagnostics.error(name.span.clone(), format!("`{}` is not a valid header name", name.value));
        diagnostic.label("expected letters, digits, `-` and other token characters");
        return false;
    }
    if let Some((_, why)) = OWN_HEADERS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.value)) {
        let diagnostic =
            diagnostics.error(name.span.clone(), format!("the header `{}` is set by the check itself", name.value));
        diagnostic.label(*why);
        return false;
    }
    // RFC 9110 section 5.5. The meaning of non-ASCII values differs between servers.
    let is_plain = value.value.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
    if !is_plain || value.value.len() > MAX_HEADER_CHARACTERS || value.value.trim() != value.value {
        let diagnostic =
            diagnostics.error(value.span.clone(), format!("invalid value for the header `{}`", name.value));
        diagnostic.label(format!("expected at most {MAX_HEADER_CHARACTERS} printable ASCII characters"));
        return false;
    }
    true
}

/// Uses the sentence of Route 53's InvalidInput, also for keys that Route 53 does not have.
fn check_tcp(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) {
    for (key, words) in [
        ("resource_path", "a resource path"),
        ("search_string", "a search string"),
        ("expected_status", "expected statuses"),
        ("request_headers", "request headers"),
        ("response_timeout", "a response timeout"),
        ("body_timeout", "a body timeout"),
    ] {
        if table.has(key) {
            let diagnostic =
                diagnostics.error(table.key_span(key), format!("TCP health checks must not have {words} specified."));
            diagnostic
                .label("a TCP check only connects")
                .hint("type = \"http\" requests a path and reads the response");
        }
    }
}

fn warn_of_tls(table: &Table<'_>, tls: [(&str, bool); 2], diagnostics: &mut Diagnostics<'_>) {
    for (key, _) in tls.into_iter().filter(|(key, value)| *value && table.has(key)) {
        let diagnostic = diagnostics.warning(table.key_span(key), format!("`{key}` has no effect without TLS"));
        diagnostic.label("only https checks use TLS");
    }
}

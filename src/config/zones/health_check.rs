//! `[[health_check]]`: what is asked, and what counts as healthy.

use std::net::IpAddr;
use std::time::Duration;

use super::super::document::Findings;
use super::super::table::{At, Table};
use super::super::{id, value};
use super::collection::read_uuid;
use super::file::Defined;
use crate::model::{
    EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck, HealthCheckId, HealthCheckKind, HttpRequest, Name,
};

/// As long as the tag that names a check in Route 53 (API TagValue).
const MAX_NAME_CHARACTERS: usize = 256;
/// API ResourcePath, FullyQualifiedDomainName, SearchString.
const MAX_TEXT_CHARACTERS: usize = 255;
/// API RequestInterval, FailureThreshold.
const REQUEST_INTERVAL: Duration = Duration::from_secs(30);
const FAILURE_THRESHOLD: u8 = 3;

/// Keys of checks that ask an endpoint.
const ENDPOINT_KEYS: [&str; 4] = ["type", "ip_address", "fqdn", "port"];
/// Types that Route 53 has and this server has not yet.
const LATER: [&str; 3] = ["calculated", "metric", "manual"];

/// Reads a check; `None` when it has no name.
pub(super) fn read(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<Defined<HealthCheck>> {
    let mark = findings.mark();
    table.require("name", "such as name = \"blue\"; records say health_check = \"blue\"", findings);
    let name = table.text("name", findings);
    let id = read_uuid(table, findings);
    let deleted = flag(table, "deleted", false, findings);
    let disabled = flag(table, "disabled", false, findings);
    let inverted = flag(table, "inverted", false, findings);
    let endpoint = if deleted && !ENDPOINT_KEYS.iter().any(|key| table.has(key)) {
        Some(nothing_to_ask())
    } else {
        read_endpoint(table, findings)
    };
    let name = name?.map(str::to_owned);
    check_name(&name, findings);
    let id = id.unwrap_or_else(|| At::new(id::health_check_id(&name.value).0, name.span.clone()));
    let is_faulty = findings.has_error_since(mark) || !table.is_whole(findings);
    let check = endpoint.filter(|_| !is_faulty).map(|endpoint| HealthCheck {
        id: HealthCheckId(id.value.clone()),
        name: name.value.clone(),
        // A deleted check counts as healthy, whatever it was: never probed, never turned around.
        inverted: inverted && !deleted,
        disabled: disabled || deleted,
        kind: HealthCheckKind::Endpoint(endpoint),
    });
    Some(Defined { name, id, value: check })
}

/// What stands in for the endpoint of a deleted check; it is disabled, so nobody ever asks (RFC 6761 section 6.4).
fn nothing_to_ask() -> EndpointCheck {
    EndpointCheck {
        protocol: EndpointProtocol::Tcp,
        target: EndpointTarget::Domain("deleted.invalid".to_owned()),
        port: 80,
        request_interval: REQUEST_INTERVAL,
        failure_threshold: FAILURE_THRESHOLD,
        recovery_threshold: FAILURE_THRESHOLD,
        measure_latency: false,
    }
}

fn check_name(name: &At<String>, findings: &mut Findings<'_>) {
    let count = name.value.chars().count();
    if !(1..=MAX_NAME_CHARACTERS).contains(&count) {
        let message = format!("the name of a health check has 1 to {MAX_NAME_CHARACTERS} characters");
        findings.error(name.span.clone(), message).label(format!("{count} characters"));
    }
}

fn flag(table: &Table<'_>, key: &str, default: bool, findings: &mut Findings<'_>) -> bool {
    table.boolean(key, findings).map_or(default, |flag| flag.value)
}

fn read_endpoint(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<EndpointCheck> {
    if refuse_type(table, findings) {
        return None;
    }
    table.require("type", "\"http\", \"https\" or \"tcp\"", findings);
    let kind = table.choice("type", findings).map(|kind| kind.value);
    let target = read_target(table, kind, findings);
    let request = read_request(table, findings);
    let port = read_port(table, kind, findings);
    let enable_sni = flag(table, "enable_sni", true, findings);
    match kind {
        Some("tcp") => check_tcp(table, findings),
        Some("http") | None => warn_of_sni(table, enable_sni, findings),
        _ => {}
    }
    let request_interval = table.duration("request_interval", findings);
    let failure_threshold = threshold(table, "failure_threshold", FAILURE_THRESHOLD, findings);
    let recovery_threshold = threshold(table, "recovery_threshold", failure_threshold, findings);
    let measure_latency = flag(table, "measure_latency", false, findings);
    let protocol = match kind? {
        "http" => EndpointProtocol::Http(request?),
        "https" => EndpointProtocol::Https { request: request?, enable_sni },
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
    })
}

/// Types that are somebody's, but not ours.
fn refuse_type(table: &Table<'_>, findings: &mut Findings<'_>) -> bool {
    // Anything but a text is the business of `choice`.
    let mark = findings.mark();
    let Some(written) = table.text("type", findings) else {
        findings.forget_since(mark);
        return false;
    };
    if LATER.contains(&written.value) {
        let fault = findings.error(written.span, format!("`{}` health checks are not supported yet", written.value));
        fault.label("expected `http`, `https` or `tcp`");
        return true;
    }
    if matches!(written.value, "HTTP_STR_MATCH" | "HTTPS_STR_MATCH" | "http_str_match" | "https_str_match") {
        let plain = written.value[..written.value.len() - "_STR_MATCH".len()].to_ascii_lowercase();
        let fault = findings.error(written.span, format!("unknown type `{}`", written.value));
        fault.label("expected `http`, `https` or `tcp`");
        fault.hint(format!("write type = \"{plain}\" and a `search_string`"));
        return true;
    }
    false
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
    if findings.has_error_since(mark) {
        return None;
    }
    let path = path.map_or("/", |path| path.value);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let search_string = search_string.map(|text| text.value.to_owned());
    Some(HttpRequest { resource_path: format!("{slash}{path}"), search_string })
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

/// In the words of Route 53's InvalidInput.
fn check_tcp(table: &Table<'_>, findings: &mut Findings<'_>) {
    for (key, name) in [("resource_path", "resource path"), ("search_string", "search string")] {
        if table.has(key) {
            let fault =
                findings.error(table.key_span(key), format!("TCP health checks must not have a {name} specified."));
            fault.label("a TCP check only connects").hint("type = \"http\" asks for a path and reads the answer");
        }
    }
    warn_of_sni(table, flag(table, "enable_sni", false, findings), findings);
}

fn warn_of_sni(table: &Table<'_>, enable_sni: bool, findings: &mut Findings<'_>) {
    if table.has("enable_sni") && enable_sni {
        let fault = findings.warning(table.key_span("enable_sni"), "`enable_sni` changes nothing without TLS");
        fault.label("only https checks have it");
    }
}

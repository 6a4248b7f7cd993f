//! `[admin]`: the host names and the public URL of the admin server.

use std::net::Ipv6Addr;

use super::document::Diagnostics;
use super::table::Table;

/// The longest name, and the longest label, in text form (RFC 1035 section 2.3.4).
const NAME_OCTETS: usize = 253;
const LABEL_OCTETS: usize = 63;

/// The URL at which a proxy serves the admin pages, as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// The `Origin` header: `https://ops.example.net`, with the port unless it is the scheme's
    /// default.
    pub origin: String,
    /// The `Host` header, without the port.
    pub host: String,
}

/// Names in lower case, without the trailing dot.
pub(super) fn read_allowed_hosts(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for written in table.strings("allowed_hosts", diagnostics).unwrap_or_default() {
        let name = absolute(written.value);
        if is_name(&name) {
            hosts.push(name);
        } else {
            let diagnostic = diagnostics.error(written.span, format!("`{}` is not a host name", written.value));
            diagnostic.label("expected only a host name").hint(
                "such as \"dns1.example.net\", without scheme, port, path or wildcard; IP addresses are always allowed",
            );
        }
    }
    hosts
}

pub(super) fn read_public_url(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<PublicUrl> {
    let written = table.string("public_url", diagnostics)?;
    let url = public_url(written.value);
    if url.is_none() {
        let diagnostic = diagnostics.error(written.span, "`public_url` must be an HTTP or HTTPS URL");
        diagnostic
            .label("expected a URL")
            .hint("such as \"https://ops.example.net/dns/\", without user, query or fragment");
    }
    url
}

/// The scheme, host and port of an HTTP or HTTPS URL.
pub(super) fn origin(written: &str) -> Option<String> {
    public_url(written).map(|url| url.origin)
}

fn public_url(written: &str) -> Option<PublicUrl> {
    let (scheme, rest) = written.split_once("://")?;
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains(['?', '#']) || path.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let end_of_v6 = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[end_of_v6..].split_once(':') {
        Some((_, port)) => (&authority[..authority.len() - port.len() - 1], port_number(port)?),
        None => (authority, default_port),
    };
    let host = absolute(host);
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if !v6.map_or_else(|| is_name(&host), |v6| v6.parse::<Ipv6Addr>().is_ok()) {
        return None;
    }
    let origin = if port == default_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
    Some(PublicUrl { origin, host })
}

fn port_number(written: &str) -> Option<u16> {
    written.bytes().all(|digit| digit.is_ascii_digit()).then(|| written.parse().ok())?
}

fn absolute(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_name(name: &str) -> bool {
    let is_good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let is_label = |label: &str| (1..=LABEL_OCTETS).contains(&label.len()) && label.bytes().all(is_good);
    name.len() <= NAME_OCTETS && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_make_of_the_address() {
        for (written, origin, host) in [
            ("https://ops.example.net/dns/", "https://ops.example.net", "ops.example.net"),
            ("https://ops.example.net", "https://ops.example.net", "ops.example.net"),
            ("https://OPS.Example.net.:443/", "https://ops.example.net", "ops.example.net"),
            ("https://ops.example.net:8443/a/b", "https://ops.example.net:8443", "ops.example.net"),
            ("http://ops.example.net:80/", "http://ops.example.net", "ops.example.net"),
            ("http://ops.example.net:443/", "http://ops.example.net:443", "ops.example.net"),
            ("http://192.0.2.1:8080/", "http://192.0.2.1:8080", "192.0.2.1"),
            ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443", "[2001:db8::1]"),
        ] {
            let wanted = PublicUrl { origin: origin.to_owned(), host: host.to_owned() };
            assert_eq!(public_url(written), Some(wanted), "{written}");
        }
        for written in [
            "",
            "ops.example.net",
            "//ops.example.net",
            "ftp://ops.example.net",
            "https://",
            "https:///dns/",
            "https://user@ops.example.net/",
            "https://user:secret@ops.example.net/",
            "https://ops.example.net:/",
            "https://ops.example.net:99999/",
            "https://ops.example.net:+80/",
            "https://ops.example.net/?a",
            "https://a?b",
            "https://ops.example.net/#a",
            "https://ops example.net/",
            "https://ops.example.net/a b",
            "https://[::1]x/",
            "https://[1]/",
            "https://*.example.net/",
            "https://öps.example.net/",
            "https://a..b/",
        ] {
            assert_eq!(public_url(written), None, "{written}");
        }
    }
}

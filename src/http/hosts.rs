//! Refuses requests from web pages of other sites. A user's browser runs their scripts, and it
//! reaches loopback and the local network.
//!
//! - DNS rebinding: a page lets its own name point to this server, and the Host header has that
//!   name. So the host must be an address, `localhost`, a name without a dot (which cannot be
//!   registered), or a name from the settings.
//! - CSRF: a page sends requests to other hosts without seeing the responses. Browsers send an
//!   `Origin` header with them, and a foreign `Origin` is refused.
//! - Images and scripts: a page causes requests without an `Origin` header. It cannot read the
//!   responses, but the server works for them. Browsers mark such requests (Fetch Metadata Request
//!   Headers, W3C). From other sites only a link is allowed.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Request, StatusCode, Version, header};

/// The longest label of a name (RFC 1035 section 2.3.4).
const LABEL_OCTETS: usize = 63;

/// The hosts of a listener, in addition to those that are always allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    names: Vec<String>,
    origin: Option<String>,
}

/// Why a request is refused.
pub(crate) type Refusal = (StatusCode, &'static str);

impl Hosts {
    /// These names, and the origin at which a proxy publishes the server, for example
    /// `https://ops.example.net`.
    #[must_use]
    pub(crate) fn new(names: Vec<String>, origin: Option<String>) -> Hosts {
        Hosts { names, origin }
    }

    /// Refuses a request to another host or from a web page of another site, with a status and a
    /// reason.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let host = host_of(request)?;
        if !host.is_none_or(|host| self.is_good(host)) {
            let why = "the Host header must be an IP address, localhost, a name without a dot, or a name that the \
                       settings allow";
            return Err((StatusCode::FORBIDDEN, why));
        }
        if request.headers().get_all(header::ORIGIN).iter().any(|origin| self.is_foreign(host, origin.as_bytes())) {
            return Err((StatusCode::FORBIDDEN, "requests from web pages of other origins are refused"));
        }
        if is_from_other_site(request.headers()) {
            return Err((StatusCode::FORBIDDEN, "web pages of other sites can only link to this server"));
        }
        Ok(())
    }

    /// True for hosts such as `127.0.0.1:8053`, `[::1]`, `localhost:8053`, `fiftythree`, and names
    /// of the settings.
    fn is_good(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        if let Some(rest) = name.strip_prefix('[') {
            return rest.strip_suffix(']').is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok());
        }
        let absolute = name.strip_suffix('.').unwrap_or(name);
        let is_named = |good: &str| absolute.eq_ignore_ascii_case(good);
        // A single label with a dot at its end is a top-level domain, and some of those have
        // addresses.
        is_label(name)
            || name.parse::<Ipv4Addr>().is_ok()
            || is_named("localhost")
            || self.names.iter().any(|n| is_named(n))
    }

    fn is_foreign(&self, host: Option<&str>, origin: &[u8]) -> bool {
        let is_own = host.is_some_and(|host| {
            origin.strip_prefix(b"http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_bytes()))
        });
        let is_public = self.origin.as_ref().is_some_and(|public| origin.eq_ignore_ascii_case(public.as_bytes()));
        !is_own && !is_public
    }
}

/// The requested host. HTTP/1.1 needs exactly one Host header (RFC 9112 section 3.2); the host in
/// an absolute target replaces it (section 3.2.2). HTTP/1.0 has none: no browser uses it, but the
/// checks of some load balancers do.
fn host_of<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    let bad = |why| (StatusCode::BAD_REQUEST, why);
    let mut headers = request.headers().get_all(header::HOST).iter();
    let host = headers.next().map(|host| host.to_str().map_err(|_| bad("the Host header is not ASCII"))).transpose()?;
    if headers.next().is_some() {
        return Err(bad("there is more than one Host header"));
    }
    if host.is_none() && request.version() >= Version::HTTP_11 {
        return Err(bad("there is no Host header"));
    }
    Ok(request.uri().authority().map(axum::http::uri::Authority::as_str).or(host))
}

/// `None` if the part after the colon is not a port.
fn without_port(host: &str) -> Option<&str> {
    let end_of_v6 = host.rfind(']').map_or(0, |at| at + 1);
    let Some((_, port)) = host[end_of_v6..].split_once(':') else { return Some(host) };
    let is_port = port.is_empty() || (port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok());
    is_port.then(|| &host[..host.len() - port.len() - 1])
}

fn is_label(name: &str) -> bool {
    let is_good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    (1..=LABEL_OCTETS).contains(&name.len()) && name.bytes().all(is_good)
}

/// True if a page of another site, or of another port of this host, caused the request. Links that
/// a user follows are allowed, frames are not.
fn is_from_other_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let is_from_elsewhere = matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"));
    let is_followed = text("sec-fetch-mode") == Some("navigate")
        && text("sec-fetch-dest").is_none_or(|destination| destination == "document");
    is_from_elsewhere && !is_followed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(
            vec!["dns1.example.net".to_owned(), "ops.example.net".to_owned()],
            Some("https://ops.example.net".to_owned()),
        )
    }

    #[test]
    fn good_hosts_are_addresses_single_labels_and_names_of_the_settings() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8053",
            "192.0.2.1:80",
            "127.0.0.1:",
            "[::1]:8053",
            "[::1]",
            "[2001:db8::1]:1",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "localhost.:8053",
            "fiftythree",
            "fiftythree:8053",
            "my_service-1:65535",
            "dns1.example.net",
            "DNS1.Example.NET:8053",
            "dns1.example.net.",
            "ops.example.net:443",
        ] {
            assert!(hosts().is_good(host), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_not_good() {
        let long = "x".repeat(64);
        for host in [
            "",
            ":8053",
            ".",
            "evil.test",
            "evil.test:8053",
            "127.0.0.1.evil.test",
            "localhost.evil.test:80",
            "fiftythree.",
            "127.0.0.1.",
            "[::1]evil.test",
            "[::1]evil.test:8053",
            "[::1].evil.test",
            "evil.test[::1]",
            "evil.test]:80",
            "[evil]",
            "[evil.test]",
            "[127.0.0.1]",
            "[::1",
            "::1]",
            "::1",
            "[::1]]",
            "[[::1]]",
            "[]",
            "[fe80::1%eth0]",
            "localhost:80x",
            "localhost:+80",
            "localhost:65536",
            "localhost:80:80",
            "[::1]:evil.test",
            "user@localhost",
            "evil.test@localhost",
            "user:secret@127.0.0.1",
            "evil.test/localhost",
            "evil%2etest",
            "evil.test\\",
            "local host",
            "xdns1.example.net",
            "dns1.example.net.evil.test",
            "dns1.example.net..",
            "1.2.3",
            "0177.0.0.1",
            &long,
        ] {
            assert!(!hosts().is_good(host), "{host}");
        }
    }

    type Headers<'h> = &'h [(&'h str, &'h [u8])];

    /// The status of a request with these headers; 200 if it is allowed.
    fn status(target: &str, version: Version, headers: Headers<'_>) -> u16 {
        let mut request = Request::builder().uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let checked = hosts().check(&request.body(()).unwrap());
        checked.map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn there_is_one_host_header_and_the_target_counts_before_it() {
        let (v0, v1) = (Version::HTTP_10, Version::HTTP_11);
        let cases: &[(u16, &str, Version, Headers<'_>)] = &[
            (200, "/", v1, &[("host", b"localhost")]),
            (403, "/", v1, &[("host", b"")]),
            (400, "/", v1, &[]),
            (200, "/", v0, &[]),
            (403, "/", v0, &[("host", b"evil.test")]),
            (400, "/", v1, &[("host", b"localhost"), ("host", b"localhost")]),
            (400, "/", v0, &[("host", b"localhost"), ("host", b"evil.test")]),
            (400, "/", v1, &[("host", b"local\xe9")]),
            (403, "http://evil.test/", v1, &[("host", b"localhost")]),
            (200, "http://localhost:8053/", v1, &[("host", b"evil.test")]),
            (400, "http://localhost/", v1, &[]),
            (403, "http://user@localhost/", v1, &[("host", b"localhost")]),
            (403, "http://[::1]evil.test/", v1, &[("host", b"localhost")]),
        ];
        for (wanted, target, version, headers) in cases {
            assert_eq!(status(target, *version, headers), *wanted, "{target} {version:?} {headers:?}");
        }
    }

    #[test]
    fn an_origin_is_the_host_itself_or_the_public_one() {
        let origin =
            |host: &str, origin: &[u8]| status("/", Version::HTTP_11, &[("host", host.as_bytes()), ("origin", origin)]);
        assert_eq!(origin("127.0.0.1:8053", b"http://127.0.0.1:8053"), 200);
        assert_eq!(origin("LocalHost:8053", b"http://localhost:8053"), 200);
        // Whether the proxy passes the host on or not.
        assert_eq!(origin("ops.example.net", b"https://ops.example.net"), 200);
        assert_eq!(origin("127.0.0.1:8053", b"https://ops.example.net"), 200);
        for foreign in [
            &b"http://evil.test"[..],
            b"null",
            b"",
            b"http://127.0.0.1:8080",
            b"https://127.0.0.1:8053",
            b"\xff",
            b"https://ops.example.net:8443",
            b"https://ops.example.net.evil.test",
            b"http://ops.example.net",
        ] {
            assert_eq!(origin("127.0.0.1:8053", foreign), 403, "{}", String::from_utf8_lossy(foreign));
        }
        let two: Headers<'_> =
            &[("host", b"localhost"), ("origin", b"http://localhost"), ("origin", b"http://evil.test")];
        assert_eq!(status("/", Version::HTTP_11, two), 403);
        assert_eq!(status("/", Version::HTTP_10, &[("origin", b"http://localhost")]), 403);
    }

    #[test]
    fn other_sites_may_link_and_nothing_else() {
        let is_dragged = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)));
            is_from_other_site(&pairs.collect())
        };
        assert!(!is_dragged(&[]), "programs send no such headers");
        for site in ["none", "same-origin"] {
            assert!(!is_dragged(&[("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")]), "{site}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(is_dragged(&[("sec-fetch-site", site)]), "{site}");
            for mode in ["no-cors", "cors", "websocket"] {
                assert!(is_dragged(&[("sec-fetch-site", site), ("sec-fetch-mode", mode)]), "{site} {mode}");
            }
            let link = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            assert!(!is_dragged(&link), "{site}");
            let frame = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
            assert!(is_dragged(&frame), "{site}");
        }
    }
}

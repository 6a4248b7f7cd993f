//! Keeps web pages out: a person's browser runs strangers' scripts, and it reaches loopback.
//!
//! - A page may let its own name point to 127.0.0.1 (DNS rebinding): the Host header then has that name. So only addresses
//!   and `localhost` are good hosts.
//! - A page may send requests to other hosts without seeing the answers (CSRF): browsers let it do so unasked only with
//!   the content types of forms. So a change is JSON, or a DELETE, and comes from no foreign origin.
//! - A page may make a browser ask for things without an Origin header, as images or scripts: it sees nothing, but the server
//!   works. Browsers say so themselves (Fetch Metadata Request Headers, W3C): only a person may come from elsewhere, by a link.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal;

pub(super) async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(host) = text(headers, header::HOST).filter(|host| is_good(host)) else {
        return refusal(StatusCode::FORBIDDEN, "the Host header must be an IP address or localhost");
    };
    if is_foreign(host, text(headers, header::ORIGIN)) {
        return refusal(StatusCode::FORBIDDEN, "web pages of other origins are not let in");
    }
    if is_dragged(headers) {
        return refusal(StatusCode::FORBIDDEN, "web pages of other sites may link to this server and nothing else");
    }
    if request.method() == Method::POST && !is_json(text(headers, header::CONTENT_TYPE)) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json");
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `127.0.0.1:8053`, `[::1]`, `localhost:8053`.
fn is_good(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn is_foreign(host: &str, origin: Option<&str>) -> bool {
    origin.is_some_and(|origin| origin.strip_prefix("http://") != Some(host))
}

/// Whether another site's page asks, or one of another port of this host; following a link is a person's own doing, what
/// fills a frame is not.
fn is_dragged(headers: &HeaderMap) -> bool {
    let is_from_elsewhere = matches!(text(headers, "sec-fetch-site"), Some("cross-site" | "same-site"));
    let is_followed = text(headers, "sec-fetch-mode") == Some("navigate")
        && text(headers, "sec-fetch-dest").is_none_or(|destination| destination == "document");
    is_from_elsewhere && !is_followed
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_good_hosts() {
        for host in ["127.0.0.1", "127.0.0.1:8053", "[::1]:8053", "[::1]", "localhost", "LOCALHOST:1", "192.0.2.1:80"] {
            assert!(is_good(host), "{host}");
        }
        for host in ["", "evil.test", "evil.test:8053", "127.0.0.1.evil.test", "localhost.evil.test:80", "[evil]"] {
            assert!(!is_good(host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_foreign() {
        assert!(!is_foreign("127.0.0.1:8053", None));
        assert!(!is_foreign("127.0.0.1:8053", Some("http://127.0.0.1:8053")));
        for origin in ["http://evil.test", "null", "http://127.0.0.1:8080", "https://127.0.0.1:8053"] {
            assert!(is_foreign("127.0.0.1:8053", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn other_sites_may_link_and_nothing_else() {
        let is_dragged = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)));
            is_dragged(&pairs.collect())
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

    #[test]
    fn forms_are_no_json() {
        assert!(is_json(Some("application/json; charset=utf-8")));
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            assert!(!is_json(content_type), "{content_type:?}");
        }
    }
}

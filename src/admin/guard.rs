//! Keeps web pages out: a person's browser runs strangers' scripts, and it reaches loopback.
//!
//! - A page may let its own name point to 127.0.0.1 (DNS rebinding): the Host header then has that name. So only addresses
//!   and `localhost` are good hosts.
//! - A page may send requests to other hosts without seeing the answers (CSRF): browsers let it do so unasked only with
//!   the content types of forms. So a change is JSON, or a DELETE, and comes from no foreign origin.

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
    if request.method() == Method::POST && !is_json(text(headers, header::CONTENT_TYPE)) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json");
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
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
    fn forms_are_no_json() {
        assert!(is_json(Some("application/json; charset=utf-8")));
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            assert!(!is_json(content_type), "{content_type:?}");
        }
    }
}

//! Requires `application/json` for every POST. Without a preflight, browsers let other sites' pages
//! send only the content types of forms (CSRF). The other rules against web pages are in
//! [`crate::http`].

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal;

pub(super) async fn guard(request: Request, next: Next) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if request.method() == Method::POST && !is_json(content_type) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json");
    }
    next.run(request).await
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_no_json() {
        assert!(is_json(Some("application/json; charset=utf-8")));
        for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            assert!(!is_json(content_type), "{content_type:?}");
        }
    }
}

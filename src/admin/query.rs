//! The query parameters of a request. Those that a route does not have are errors, so that a
//! misspelt one is not ignored.

use axum::extract::{FromRequestParts, Query as QueryString};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::refusal;

/// Query parameters. A wrong one is a 400 response with an error as JSON.
pub(super) struct Query<T>(pub(super) T);

/// For a route without parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, Response> {
        match QueryString::try_from_uri(&parts.uri) {
            Ok(QueryString(parameters)) => Ok(Query(parameters)),
            Err(rejection) => Err(refusal(StatusCode::BAD_REQUEST, &in_words(&rejection.body_text()))),
        }
    }
}

/// For example `unknown parameter `paln`, expected one of …`.
fn in_words(error: &str) -> String {
    let error = error.strip_prefix("Failed to deserialize query string: ").unwrap_or(error);
    let kinds = ["missing", "duplicate", "unknown"];
    let known = kinds.iter().find_map(|kind| Some((kind, error.split_once(&format!("{kind} field "))?.1)));
    known
        .map_or_else(|| error.to_owned(), |(kind, rest)| format!("{kind} parameter {rest}"))
        .replace(", there are no fields", "; there are none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Parameters {
        id: String,
        #[serde(default)]
        plan: bool,
    }

    fn error<T: DeserializeOwned>(query: &str) -> String {
        let uri = format!("/v1/undo?{query}").parse().unwrap();
        match QueryString::<T>::try_from_uri(&uri) {
            Ok(_) => panic!("{query} is accepted"),
            Err(rejection) => in_words(&rejection.body_text()),
        }
    }

    #[test]
    fn errors_name_the_parameter() {
        for (query, expected) in [
            ("", "missing parameter `id`"),
            ("id=a&id=b", "duplicate parameter `id`"),
            ("id=a&paln=true", "unknown parameter `paln`, expected `id` or `plan`"),
            ("id=a&plan=yes", "plan: provided string was not `true` or `false`"),
        ] {
            assert_eq!(error::<Parameters>(query), expected, "{query}");
        }
        assert_eq!(error::<NoParameters>("plan=true"), "unknown parameter `plan`; there are none");
    }
}

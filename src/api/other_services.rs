//! Requests for other AWS services. They come here when `AWS_ENDPOINT_URL` is set, which is for all
//! services.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, header};

use super::caller::{ACCOUNT, Caller};
use super::errors::{ApiError, Code};
use super::reply::{self, RequestId};
use super::uri;
use super::xml::Writer;

const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// STS GetCallerIdentity is answered, because Terraform's AWS provider asks it first. Every other
/// request gets an error that says how it does not come here.
pub(super) fn answer(service: &str, caller: &Caller, head: &Parts, body: &[u8], id: &RequestId) -> Response<Body> {
    if service == "sts" && is_caller_identity(head, body) {
        return document(caller, id);
    }
    let message = format!(
        "this is the Route 53 API of fiftythree, which has no service '{service}': set AWS_ENDPOINT_URL_ROUTE_53 instead of \
         AWS_ENDPOINT_URL, so that only requests for Route 53 come here"
    );
    let content_type = head.headers.get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes).unwrap_or_default();
    if content_type.starts_with(b"application/x-amz-json") {
        let body = serde_json::json!({ "__type": "InvalidAction", "message": message }).to_string();
        return reply::document(StatusCode::BAD_REQUEST, id, "application/x-amz-json-1.1", body);
    }
    reply::error(&ApiError::new(Code::InvalidAction, message), id)
}

fn is_caller_identity(head: &Parts, body: &[u8]) -> bool {
    let is_action = |text: &str| uri::pairs(text).any(|pair| pair == ("Action", "GetCallerIdentity"));
    head.uri.query().is_some_and(is_action) || std::str::from_utf8(body).is_ok_and(is_action)
}

/// STS API reference, GetCallerIdentity.
fn document(caller: &Caller, id: &RequestId) -> Response<Body> {
    let mut xml = Writer::root("GetCallerIdentityResponse", STS_NAMESPACE);
    xml.parent("GetCallerIdentityResult", |xml| {
        xml.element("Arn", caller.arn());
        xml.element("UserId", &caller.access_key_id);
        xml.element("Account", ACCOUNT);
    });
    xml.parent("ResponseMetadata", |xml| xml.element("RequestId", id.text()));
    reply::document(StatusCode::OK, id, "text/xml", xml.finish())
}

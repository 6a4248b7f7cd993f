//! The HTTP responses: documents, the envelope of errors, and the headers that every response has.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::errors::ApiError;
use super::xml::{NAMESPACE, Writer};

/// The id of a response, which clients show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(String);

impl RequestId {
    /// A random UUID (RFC 9562 section 5.4).
    pub(super) fn random() -> RequestId {
        let bits = fastrand::u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let digits = format!("{bits:032x}");
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        RequestId(parts.join("-"))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// A response with a document.
pub(super) fn document(status: StatusCode, id: &RequestId, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-amzn-requestid", HeaderValue::try_from(id.text()).expect("a UUID is ASCII"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An error in the envelope of REST services (API reference, "REST Error Responses"). `Receiver`
/// means that the server failed.
pub(super) fn error(error: &ApiError, id: &RequestId) -> Response<Body> {
    error_in(NAMESPACE, error, id)
}

/// The same in this namespace.
pub(super) fn error_in(namespace: &str, error: &ApiError, id: &RequestId) -> Response<Body> {
    let fault = if error.status().is_server_error() { "Receiver" } else { "Sender" };
    let mut xml = Writer::root("ErrorResponse", namespace);
    xml.parent("Error", |xml| {
        xml.element("Type", fault);
        xml.element("Code", error.code_name());
        xml.element("Message", error.message());
        if !error.entries().is_empty() {
            xml.list("Errors", "ProtectionError", error.entries(), |xml, entry| {
                xml.element("RecordName", &entry.name);
                xml.element("RecordType", &entry.record_type);
                xml.element("Code", entry.code);
                xml.element("Message", &entry.message);
            });
        }
    });
    xml.element("RequestId", id.text());
    document(error.status(), id, "text/xml", xml.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::errors::Code;

    async fn shown(response: Response<Body>) -> (u16, String) {
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_error_has_the_envelope_that_sdks_read() {
        let id = RequestId("r-1".to_owned());
        let (status, body) = shown(error(&ApiError::new(Code::NoSuchHostedZone, "No <Z1>"), &id)).await;
        assert_eq!(status, 404);
        assert_eq!(
            body,
            "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error>\
             <Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>No &lt;Z1&gt;</Message></Error>\
             <RequestId>r-1</RequestId></ErrorResponse>"
        );
        let busy = shown(error(&ApiError::new(Code::ServiceUnavailable, "later"), &id)).await;
        assert!(busy.0 == 503 && busy.1.contains("<Type>Receiver</Type>"));
    }

    #[test]
    fn ids_are_uuids_of_version_4() {
        let id = RequestId::random();
        let parts: Vec<_> = id.text().split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&id.text()[14..15], "4");
        assert!("89ab".contains(&id.text()[19..20]));
        assert_ne!(id, RequestId::random());
    }
}

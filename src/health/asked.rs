//! What an endpoint check requests, written out in full, secrets included. It is used only to
//! compute the hash that identifies a check's saved results, and is never displayed.

use std::fmt;

use crate::model::{EndpointProtocol, HttpRequest};

/// A protocol with all its settings. The form is part of the state directory's format: if it
/// changes, every saved result belongs to a different question.
pub(super) struct AskedInFull<'p>(pub(super) &'p EndpointProtocol);

struct Request<'r>(&'r HttpRequest);

impl fmt::Debug for AskedInFull<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            EndpointProtocol::Tcp => f.write_str("Tcp"),
            EndpointProtocol::Http(request) => f.debug_tuple("Http").field(&Request(request)).finish(),
            EndpointProtocol::Https { request, enable_sni, verify_certificate } => f
                .debug_struct("Https")
                .field("request", &Request(request))
                .field("enable_sni", enable_sni)
                // The key's first name: state directories were written with it.
                .field("judge_certificate", verify_certificate)
                .finish(),
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HttpRequest { resource_path, search_string, expected_status, request_headers } = self.0;
        let headers: Vec<(&str, &str)> =
            request_headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        f.debug_struct("HttpRequest")
            .field("resource_path", resource_path)
            .field("search_string", search_string)
            .field("expected_status", expected_status)
            .field("request_headers", &headers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StatusRange;

    #[test]
    fn the_form_is_that_of_the_first_state_directories() {
        let request = HttpRequest {
            resource_path: "/health".to_owned(),
            search_string: Some("\"ok\"".to_owned()),
            expected_status: vec![StatusRange { first: 200, last: 299 }],
            request_headers: vec![("Authorization".to_owned(), "Bearer abc".into())],
        };
        let http = EndpointProtocol::Http(request.clone());
        let words = "HttpRequest { resource_path: \"/health\", search_string: Some(\"\\\"ok\\\"\"), \
                     expected_status: [StatusRange { first: 200, last: 299 }], \
                     request_headers: [(\"Authorization\", \"Bearer abc\")] }";
        assert_eq!(format!("{:?}", AskedInFull(&http)), format!("Http({words})"));
        assert!(!format!("{http:?}").contains("abc"));
        let https = EndpointProtocol::Https { request, enable_sni: true, verify_certificate: false };
        let expected = format!("Https {{ request: {words}, enable_sni: true, judge_certificate: false }}");
        assert_eq!(format!("{:?}", AskedInFull(&https)), expected);
        assert_eq!(format!("{:?}", AskedInFull(&EndpointProtocol::Tcp)), "Tcp");
    }
}

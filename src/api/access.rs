//! Who may send requests.
//!
//! A request has a well-formed signature (Signature Version 4). It has to be right, unless the
//! client's address is trusted. A web page can send requests to loopback through a user's browser,
//! but without a preflight it cannot set the `Authorization` header, and this server never answers
//! a preflight. The further rules for requests whose signature is not verified do not rely on that
//! alone.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{Method, Request, header};
use ipnet::IpNet;

use crate::health::Timestamp;
use crate::http::Hosts;

use super::caller::{Caller, Rights};
use super::errors::{ApiError, Code};
use super::keys::Keys;
use super::signature::{Form, Signature};

/// Where AWS answers for Route 53 (AWS General Reference, "Amazon Route 53 endpoints and quotas").
/// A user may let these names point here.
const ENDPOINTS: [&str; 5] = [
    "route53.amazonaws.com",
    "route53.global.api.aws",
    "route53-fips.amazonaws.com",
    "route53.amazonaws.com.cn",
    "route53.us-gov.amazonaws.com",
];
/// What browsers let a form send to another site without a preflight (Fetch, "CORS-safelisted
/// request-header").
const FORM_TYPES: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// The rules.
#[derive(Debug)]
pub(crate) struct Access {
    keys: Keys,
    trust: Vec<IpNet>,
    hosts: Hosts,
}

/// A request that may be answered.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) caller: Caller,
    /// The service that the request is for, such as `route53`.
    pub(super) service: String,
}

impl Access {
    /// `trust` are the networks of clients that are not verified; without it, loopback is trusted
    /// while there are no keys. `allowed_hosts` are names of this server.
    pub(crate) fn new(keys: Keys, trust: Option<&[IpNet]>, allowed_hosts: &[String]) -> Access {
        let default = || if keys.exist() { Vec::new() } else { loopback() };
        let trust = trust.map_or_else(default, <[IpNet]>::to_vec);
        let names = ENDPOINTS.iter().map(ToString::to_string).chain(allowed_hosts.iter().cloned());
        Access { keys, trust, hosts: Hosts::new(names.collect(), None) }
    }

    /// True if clients of this address need no key.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trust.iter().any(|network| network.contains(&address))
    }

    /// Reads changed keys.
    pub(crate) fn refresh(&self) {
        self.keys.refresh();
    }

    /// The caller of a request, or why it is refused.
    pub(super) fn admit(&self, head: &Parts, body: &[u8], peer: IpAddr, now: Timestamp) -> Result<Admitted, ApiError> {
        let signature = Signature::of(head)?;
        let key = self.keys.find(&signature.access_key_id);
        let is_verified = || key.as_ref().is_some_and(|key| signature.verify(&key.secret, head, body, now).is_ok());
        let caller = if self.trusts(peer) {
            // No page has the secret of a key.
            if !is_verified() {
                self.check_unverified(head, body, &signature)?;
            }
            Caller { access_key_id: signature.access_key_id, rights: Rights::Write, zones: None }
        } else {
            let key = key.ok_or_else(|| {
                ApiError::new(Code::InvalidClientTokenId, "The security token included in the request is invalid.")
            })?;
            signature.verify(&key.secret, head, body, now)?;
            key.caller()
        };
        Ok(Admitted { caller, service: signature.service })
    }

    fn check_unverified(&self, head: &Parts, body: &[u8], signature: &Signature) -> Result<(), ApiError> {
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers.clone();
        self.hosts.check(&request).map_err(|(_, why)| denied(why))?;
        let has_other = |name: &str, allowed: &str| head.headers.get_all(name).iter().any(|value| value != allowed);
        if head.headers.contains_key(header::ORIGIN) || has_other("sec-fetch-site", "none") {
            return Err(denied("web pages may not call the API"));
        }
        if matches!(signature.form, Form::Presigned { .. }) && head.method != Method::GET {
            return Err(denied("a presigned request whose signature is not verified must be a GET"));
        }
        // STS has forms as requests; the one that is answered changes nothing.
        if !body.is_empty() && signature.service != "sts" && is_form(head) {
            return Err(denied(
                "a Content-Type that web pages can send (text/plain or a form's) needs a signature with a key of this \
                 server; application/xml does not",
            ));
        }
        Ok(())
    }
}

fn is_form(head: &Parts) -> bool {
    head.headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        let essence = value.as_bytes().split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        FORM_TYPES.iter().any(|form| essence.eq_ignore_ascii_case(form.as_bytes()))
    })
}

fn denied(why: &str) -> ApiError {
    ApiError::new(Code::AccessDenied, why)
}

fn loopback() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128"].map(|network| network.parse().expect("these are networks")).to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LOOPBACK: &str = "127.0.0.1";

    fn access(with_key: bool, trust: Option<&[&str]>) -> Access {
        let keys = Keys::read(None, |name| with_key.then(|| name.to_owned())).unwrap();
        let trust: Option<Vec<IpNet>> =
            trust.map(|trust| trust.iter().map(|network| network.parse().unwrap()).collect());
        Access::new(keys, trust.as_deref(), &["dns1.example.net".to_owned()])
    }

    const DIGITS: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    /// A request with a well-formed signature that nothing verifies.
    fn request(
        method: &str,
        headers: &[(&str, &str)],
        body: &str,
        access: &Access,
        peer: &str,
    ) -> Result<(), ApiError> {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/route53/aws4_request, SignedHeaders=host, \
             Signature={DIGITS}"
        );
        let mut request = Request::builder().method(method).uri("/2013-04-01/hostedzone");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:4566");
        }
        request = request.header("authorization", authorization).header("x-amz-date", "20260101T000000Z");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        access.admit(&head, body.as_bytes(), peer.parse().unwrap(), Timestamp(Duration::ZERO)).map(drop)
    }

    fn code(outcome: Result<(), ApiError>) -> Option<Code> {
        outcome.err().map(|error| error.code())
    }

    #[test]
    fn loopback_is_trusted_while_there_are_no_keys() {
        for (with_key, trust, peer, expected) in [
            (false, None, LOOPBACK, None),
            (false, None, "::1", None),
            (false, None, "::ffff:127.0.0.1", None),
            (false, None, "192.0.2.1", Some(Code::InvalidClientTokenId)),
            (true, None, LOOPBACK, Some(Code::InvalidClientTokenId)),
            (true, Some(&["127.0.0.0/8"][..]), LOOPBACK, None),
            (false, Some(&[]), LOOPBACK, Some(Code::InvalidClientTokenId)),
            (false, Some(&["192.0.2.0/24"]), "192.0.2.1", None),
            (false, Some(&["192.0.2.0/24"]), LOOPBACK, Some(Code::InvalidClientTokenId)),
        ] {
            let access = access(with_key, trust);
            assert_eq!(code(request("GET", &[], "", &access, peer)), expected, "{with_key} {trust:?} {peer}");
        }
    }

    #[test]
    fn web_pages_are_refused_where_signatures_are_not_verified() {
        let access = access(false, None);
        for (method, headers, allowed) in [
            ("GET", &[("sec-fetch-site", "none")][..], true),
            ("GET", &[("sec-fetch-site", "same-origin")], false),
            ("GET", &[("sec-fetch-site", "cross-site")], false),
            ("GET", &[("origin", "http://127.0.0.1:4566")], false),
            ("GET", &[("origin", "null")], false),
            ("GET", &[("host", "evil.test")], false),
            ("GET", &[("host", "route53.amazonaws.com")], true),
            ("GET", &[("host", "dns1.example.net:4566")], true),
            ("POST", &[("content-type", "application/xml")], true),
            ("POST", &[], true),
            ("POST", &[("content-type", "text/plain;charset=UTF-8")], false),
            ("POST", &[("content-type", "Application/X-WWW-Form-Urlencoded")], false),
            ("POST", &[("content-type", "multipart/form-data; boundary=x")], false),
        ] {
            let outcome = request(method, headers, "<x/>", &access, LOOPBACK);
            assert_eq!(code(outcome), (!allowed).then_some(Code::AccessDenied), "{method} {headers:?}");
        }
        assert_eq!(request("GET", &[("content-type", "text/plain")], "", &access, LOOPBACK), Ok(()));
    }

    #[test]
    fn a_presigned_request_that_is_not_verified_is_a_get() {
        let access = access(false, None);
        let presigned = |method: &str| {
            let query = format!(
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fx%2Froute53%2Faws4_request&\
                 X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature={DIGITS}"
            );
            let request = Request::builder().method(method).uri(format!("/2013-04-01/hostedzone?{query}"));
            let head = request.header("host", "localhost").body(()).unwrap().into_parts().0;
            code(access.admit(&head, b"", LOOPBACK.parse().unwrap(), Timestamp(Duration::ZERO)).map(drop))
        };
        assert_eq!(presigned("GET"), None);
        assert_eq!(presigned("POST"), Some(Code::AccessDenied));
        assert_eq!(presigned("DELETE"), Some(Code::AccessDenied));
    }
}

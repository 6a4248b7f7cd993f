//! Signed requests to a server of the API (IAM User Guide, "Create a signed AWS API request").

use axum::http::{HeaderValue, Method, Request, Uri, header, request::Parts};

use super::router::Version;
use super::signature::{self, Scope};
use super::uri;
use crate::health::Timestamp;
use crate::model::Secret;

/// A key of the API.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    /// Of temporary keys.
    pub(crate) session_token: Option<Secret>,
}

/// A request, not yet signed.
#[derive(Clone, Debug)]
pub(crate) struct Call<'c> {
    pub(crate) method: Method,
    /// After the version, such as `/hostedzone`.
    pub(crate) path: &'c str,
    pub(crate) query: &'c [(&'c str, String)],
    /// Empty for none.
    pub(crate) body: String,
}

/// Why there is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadRequest(String);

impl Call<'_> {
    /// The signed request to the server at `endpoint`, such as `https://route53.amazonaws.com`.
    pub(crate) fn signed(
        &self,
        endpoint: &str,
        key: &Credentials,
        region: &str,
        now: Timestamp,
    ) -> Result<Request<String>, BadRequest> {
        let bad = |what: &str| BadRequest(format!("{what} cannot be sent in a request"));
        let mut url = format!("{}{}{}", endpoint.trim_end_matches('/'), Version::Current.path(), self.path);
        for (at, (name, value)) in self.query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url += &format!("{name}=");
            uri::encode(value.as_bytes(), &mut url);
        }
        let url: Uri = url.parse().map_err(|_| bad(&url))?;
        let host = url.authority().map(|authority| authority.as_str().to_owned()).ok_or_else(|| bad(endpoint))?;
        let request = Request::builder().method(self.method.clone()).uri(url).header(header::HOST, host);
        let request = request.body(self.body.clone()).map_err(|_| bad(endpoint))?;
        let (mut head, body) = request.into_parts();
        if !body.is_empty() {
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        sign(&mut head, body.as_bytes(), key, region, now).ok_or_else(|| bad("the key"))?;
        Ok(Request::from_parts(head, body))
    }
}

/// Adds the headers of the signature; `None` for a key that no header can have.
fn sign(head: &mut Parts, body: &[u8], key: &Credentials, region: &str, now: Timestamp) -> Option<()> {
    let scope = Scope { access_key_id: &key.access_key_id, region, service: "route53", now };
    head.headers.insert("x-amz-date", HeaderValue::try_from(scope.time()).ok()?);
    if let Some(token) = &key.session_token {
        let mut token = HeaderValue::try_from(token.reveal()).ok()?;
        token.set_sensitive(true);
        head.headers.insert("x-amz-security-token", token);
    }
    let authorization = signature::authorization(head, body, &scope, &key.secret_access_key);
    head.headers.insert(header::AUTHORIZATION, HeaderValue::try_from(authorization).ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::signature::Signature;

    /// The server's own check accepts what is signed here.
    #[test]
    fn what_is_signed_verifies() {
        let now = Timestamp(Duration::from_secs(1_800_000_000));
        let query = [("name", "a b+c/d*~é.lab.test.".to_owned()), ("maxitems", "300".to_owned())];
        for (token, body) in [(None, ""), (Some(Secret::from("token")), "<ListTagsForResourcesRequest/>")] {
            let key = Credentials {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret_access_key: Secret::from("secret"),
                session_token: token,
            };
            let call = Call { method: Method::POST, path: "/tags/hostedzone", query: &query, body: body.to_owned() };
            let request = call.signed("http://127.0.0.1:4566/", &key, "us-east-1", now).unwrap();
            let (head, body) = request.into_parts();
            assert_eq!(head.uri.path(), "/2013-04-01/tags/hostedzone");
            let signature = Signature::of(&head).unwrap();
            assert_eq!(signature.access_key_id, "AKIDEXAMPLE");
            assert_eq!(signature.verify(&Secret::from("secret"), &head, body.as_bytes(), now), Ok(()));
            assert!(signature.verify(&Secret::from("other"), &head, body.as_bytes(), now).is_err());
        }
    }
}

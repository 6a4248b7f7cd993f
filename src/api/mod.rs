//! The Route 53 API: its listener, who may call it, its operations, and the shapes of its requests.
//!
//! ```text
//!  http ── access: signature, trust, web pages ── router ── rights ── xml ── operations ── reply
//! ```
//!
//! - [`access`]: who may send requests (`signature`, `keys`), and as which `caller`.
//! - [`operation`]: the 74 operations of the API, as its model has them; `router` finds the one
//!   that a request is for.
//! - [`xml`]: the elements of a request and of a response; `constraints` and `lengths` have what
//!   the model allows in texts.
//! - `batch_shape`, `record_set_xml`, `health_check`: the largest shapes, and what they mean.
//! - [`operations`]: what the operations do, one file for each area.
//! - [`change_batch`]: a ChangeBatch as the `aws` command line writes it, as JSON.
//! - [`client`]: signed requests to another server.
//! - [`documents`]: objects as elements of the API, for commands that read and write them.

mod access;
mod batch_shape;
mod caller;
pub(crate) mod change_batch;
pub(crate) mod client;
mod constraints;
pub(crate) mod documents;
mod errors;
mod health_check;
pub(crate) mod ids;
mod keys;
mod lengths;
mod listing;
mod operation;
mod operations;
mod other_services;
mod record_set_xml;
mod reply;
mod request;
mod router;
mod signature;
mod throttling;
mod time;
mod uri;
mod value_problem;
mod xml;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::net::TcpListener;

use crate::health::Timestamp;
use crate::http::{self, Class, Front, Limits, Peer, Tls};
use crate::model::StrictRule;

pub(crate) use access::Access;
use errors::{ApiError, Code};
pub(crate) use keys::{KEY_ID_VARIABLE, Keys};
use operation::Input;
pub(crate) use operations::{Context, QueryLog};
use reply::RequestId;
use request::Outcome;
use xml::{Element, ElementOrder};

/// Most open connections of all listeners; each needs a file descriptor. Half of them can serve a
/// request at a time. One client can have 96 requests at a time:
/// boto3 opens 10 connections, but programs start several clients.
pub(crate) const CONNECTIONS: usize = 256;
/// Largest request body in bytes. The largest batch has 1000 changes; with names and set
/// identifiers of ordinary length each has about 500 bytes, with the longest about 2000.
const BODY_OCTETS: usize = 2 << 20;

/// What all requests share.
pub(crate) struct Api {
    /// Who may send requests.
    pub(crate) access: Access,
    /// What operations use.
    pub(crate) context: Context,
    /// Reads the clock.
    pub(crate) now: fn() -> Timestamp,
}

/// Serves the API on `listener` until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, api: Arc<Api>, tls: Option<Tls>, connections: usize) {
    let router = Router::new().fallback(answer).with_state((api, Scheme::of(tls.as_ref())));
    let front = Front { limits: Limits { connections, body: BODY_OCTETS }, hosts: None, class_of, refusal, tls };
    http::serve(listener, router, front).await;
}

/// The scheme of URLs in responses.
#[derive(Clone, Copy, Debug)]
struct Scheme(&'static str);

impl Scheme {
    fn of(tls: Option<&Tls>) -> Scheme {
        Scheme(if tls.is_some() { "https" } else { "http" })
    }
}

fn class_of(_: &str) -> Class {
    Class::Ordinary
}

/// The error response for a request that the listener does not accept.
fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => Code::RequestEntityTooLarge,
        StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
        StatusCode::SERVICE_UNAVAILABLE => Code::ServiceUnavailable,
        _ => Code::MalformedInput,
    };
    reply::error(&ApiError::new(code, why), &RequestId::random())
}

async fn answer(
    State((api, scheme)): State<(Arc<Api>, Scheme)>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request<Body>,
) -> Response<Body> {
    let id = RequestId::random();
    let (head, body) = request.into_parts();
    // The listener has read it already.
    let Ok(body) = axum::body::to_bytes(body, BODY_OCTETS).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    };
    api.respond(&head, &body, peer, scheme, &id).await.unwrap_or_else(|error| {
        tracing::debug!("{} {} of {peer}: {error}", head.method, head.uri.path());
        reply::error_in(router::namespace(head.uri.path()), &error, &id)
    })
}

impl Api {
    async fn respond(
        &self,
        head: &Parts,
        body: &[u8],
        peer: IpAddr,
        scheme: Scheme,
        id: &RequestId,
    ) -> Result<Response<Body>, ApiError> {
        let admitted = self.access.admit(head, body, peer, (self.now)())?;
        if admitted.service != "route53" {
            return Ok(other_services::answer(&admitted.service, &admitted.caller, head, body, id));
        }
        let request = self.read(head, body, admitted.caller, scheme)?;
        let status = StatusCode::from_u16(request.operation.status()).expect("a status of the model");
        let outcome: Outcome = operations::run(&self.context, &request).await;
        let request::Response { location, body } = outcome?;
        let namespace = router::namespace(head.uri.path());
        // The root element has it first.
        let body = if namespace == xml::NAMESPACE { body } else { body.replacen(xml::NAMESPACE, namespace, 1) };
        let mut response = reply::document(status, id, "text/xml", body);
        if let Some(url) = location.and_then(|url| HeaderValue::try_from(url).ok()) {
            response.headers_mut().insert(header::LOCATION, url);
        }
        Ok(response)
    }

    /// Turns what was sent into a request of an operation.
    fn read(
        &self,
        head: &Parts,
        body: &[u8],
        caller: caller::Caller,
        scheme: Scheme,
    ) -> Result<request::Request, ApiError> {
        let route = router::route(&head.method, head.uri.path())?;
        caller.check(route.operation, &route.path)?;
        self.context.throttle_request(route.operation)?;
        let order = match self.context.keeps(StrictRule::ElementOrder) {
            true => ElementOrder::Reference,
            false => ElementOrder::Any,
        };
        let name = route.operation.name();
        let body = match route.operation.input() {
            Input::OptionalBody if body.is_empty() => {
                Some(Element::new(&format!("{name}Request"), String::new(), vec![]))
            }
            Input::OptionalBody | Input::Body => Some(document(body, order, name)?),
            Input::Empty => None,
        };
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        Ok(request::Request {
            submission: OnceLock::new(),
            operation: route.operation,
            ids: route.ids,
            query: router::query(head.uri.query().unwrap_or_default()),
            body,
            caller,
            base_url: format!("{}://{host}{}", scheme.0, route.version.path()),
        })
    }
}

/// The body of an operation: an element `<Operation>Request`.
fn document(body: &[u8], order: ElementOrder, operation: &str) -> Result<Element, ApiError> {
    let malformed = |why: String| ApiError::new(Code::MalformedInput, why);
    let root = Element::read_in(body, order).map_err(|error| malformed(format!("Invalid XML ; {error}")))?;
    match root.name().strip_suffix("Request") {
        Some(name) if name == operation => Ok(root),
        _ => Err(malformed(format!("{} is not valid, expected {operation}Request", root.name()))),
    }
}

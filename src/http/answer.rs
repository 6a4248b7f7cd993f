//! One request: checks its host, reads its body, takes a slot in the table, and calls the routes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::service::TowerToHyperService;

use super::connection_table::ConnectionEntry;
use super::{Front, Peer, QUICK};

/// Time limit for a request's body.
const BODY: Duration = Duration::from_secs(10);

const TOO_LONG: &str = "the body is too long";

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Service {
    router: TowerToHyperService<Router>,
    front: Arc<Front>,
    peer: Peer,
    entry: Arc<ConnectionEntry>,
}

impl Service {
    pub(super) fn new(
        router: TowerToHyperService<Router>,
        front: Arc<Front>,
        peer: Peer,
        entry: ConnectionEntry,
    ) -> Service {
        Service { router, front, peer, entry: Arc::new(entry) }
    }

    pub(super) fn entry(&self) -> Arc<ConnectionEntry> {
        Arc::clone(&self.entry)
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Answer> {
        let class = (self.front.class_of)(request.uri().path());
        let whole = match self.front.hosts.as_ref().map_or(Ok(()), |hosts| hosts.check(&request)) {
            Ok(()) => self.whole(request).await,
            Err((status, why)) => Err((self.front.refusal)(status, why)),
        };
        let (mut response, entry) = match whole {
            Err(refusal) => (refusal, None),
            Ok(request) if self.entry.begin(class) => (self.route(request).await, Some(self.entry())),
            Ok(_) => (self.busy(), None),
        };
        if self.entry.is_crowded() {
            // Another connection needs the slot of this idle one.
            close(&mut response);
        }
        response.map(|body| Answer { body, entry })
    }

    async fn route(&self, request: Request<Body>) -> Response<Body> {
        hyper::service::Service::call(&self.router, request).await.unwrap_or_else(|never| match never {})
    }

    /// Reads the body. Until it is complete, the connection counts as one without a whole request.
    async fn whole(&self, request: Request<Incoming>) -> Result<Request<Body>, Response<Body>> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(self.peer);
        let most = self.front.limits.body;
        let time = if self.entry.arrived_crowded() { QUICK } else { BODY };
        if body.size_hint().lower() > most as u64 {
            return Err(self.cut_short(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG));
        }
        let collected = tokio::time::timeout(time, Limited::new(body, most).collect());
        let (status, why) = match collected.await {
            Ok(Ok(body)) => return Ok(Request::from_parts(parts, Body::from(body.to_bytes()))),
            Ok(Err(error)) if error.is::<LengthLimitError>() => (StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG),
            Ok(Err(_)) => (StatusCode::BAD_REQUEST, "the body could not be read"),
            Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        };
        Err(self.cut_short(status, why))
    }

    /// An error response that closes the connection, since the rest of the body would be read as
    /// the next request.
    fn cut_short(&self, status: StatusCode, why: &str) -> Response<Body> {
        let mut refusal = (self.front.refusal)(status, why);
        close(&mut refusal);
        refusal
    }

    fn busy(&self) -> Response<Body> {
        (self.front.refusal)(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once: try again later")
    }
}

fn close(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            // One segment can carry hundreds of requests. Yield, so that other connections are
            // served in between.
            tokio::task::yield_now().await;
            Ok(service.answer(request).await)
        })
    }
}

/// The body of a response. When hyper has taken its last frame, only writing is left.
pub(super) struct Answer {
    body: Body,
    entry: Option<Arc<ConnectionEntry>>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(entry) = &self.entry {
            entry.answered();
        }
    }
}

//! A small web server for health checks. It answers GET with a fixed text, and with 503 between
//! `POST /fail` and `POST /recover`.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, ORIGIN, SERVER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::http::Hosts;

/// Open connections of a backend; more wait to be accepted. A lab has some probes and a few people.
pub(super) const CONNECTIONS: usize = 32;
/// How long a connection may take to send the head of a request, and how long an idle one is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after accept(2) failed because the process has no file descriptor left.
const RETRY: Duration = Duration::from_millis(100);
/// The status of a failing backend. Route 53's checks accept 2xx and 3xx.
const FAILING: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// The responses of a backend to GET.
#[derive(Clone, Debug)]
pub(crate) struct Responses {
    /// The `Server` header of every response.
    pub(crate) server: HeaderValue,
    /// The body while it is healthy.
    pub(crate) healthy: Bytes,
    /// The status while it is healthy.
    pub(crate) status: StatusCode,
    /// The body while it is failing; the status is then 503.
    pub(crate) failing: Bytes,
    /// The time before each response.
    pub(crate) delay: Duration,
}

/// The state of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendState {
    /// It gives its normal response.
    Healthy,
    /// It answers 503.
    Failing,
}

/// Called with the new state after `POST /fail` and `POST /recover`.
pub(crate) type OnChange = Box<dyn Fn(BackendState) + Send + Sync>;

/// A backend.
pub(crate) struct Backend {
    responses: Responses,
    is_failing: AtomicBool,
    on_change: OnChange,
}

impl Backend {
    /// A healthy backend.
    pub(crate) fn new(responses: Responses, on_change: OnChange) -> Backend {
        Backend { responses, is_failing: AtomicBool::new(false), on_change }
    }

    /// Serves until the future is dropped, which also closes every connection.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let backend = Arc::new(self);
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            while connections.try_join_next().is_some() {}
            let stream = accept(&listener).await;
            let backend = Arc::clone(&backend);
            connections.spawn(async move {
                backend.serve_connection(stream).await;
                drop(slot);
            });
        }
    }

    async fn serve_connection(self: Arc<Backend>, stream: TcpStream) {
        let service = service_fn(move |request| {
            let backend = Arc::clone(&self);
            async move { Ok::<_, Infallible>(backend.respond(&request).await) }
        });
        let mut connection = hyper::server::conn::http1::Builder::new();
        connection.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        // An error is about this connection, which is closed.
        let _ = connection.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn respond(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, path @ ("/fail" | "/recover")) => match refuse_foreign_page(request) {
                Some((status, why)) => self.response(status, format!("{why}\n").into()),
                None if path == "/fail" => self.change(BackendState::Failing),
                None => self.change(BackendState::Healthy),
            },
            (&Method::GET | &Method::HEAD, _) => self.get().await,
            _ => self.response(StatusCode::METHOD_NOT_ALLOWED, "only GET, POST /fail and POST /recover\n".into()),
        }
    }

    async fn get(&self) -> Response<Full<Bytes>> {
        let Responses { healthy, status, failing, delay, .. } = &self.responses;
        tokio::time::sleep(*delay).await;
        match self.is_failing.load(Ordering::Relaxed) {
            true => self.response(FAILING, failing.clone()),
            false => self.response(*status, healthy.clone()),
        }
    }

    fn change(&self, state: BackendState) -> Response<Full<Bytes>> {
        self.is_failing.store(state == BackendState::Failing, Ordering::Relaxed);
        (self.on_change)(state);
        let text = match state {
            BackendState::Healthy => "healthy again\n",
            BackendState::Failing => "failing: the response to GET is 503 until POST /recover\n",
        };
        self.response(StatusCode::OK, text.into())
    }

    fn response(&self, status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(SERVER, self.responses.server.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

/// Refuses a POST from a web page of another site. Browsers send `Origin` with every POST. Other
/// programs do not, and may use any host name.
fn refuse_foreign_page<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    if !request.headers().contains_key(ORIGIN) {
        return None;
    }
    Hosts::default().check(request).err()
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client has already closed the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn start() -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
        let responses = Responses {
            server: HeaderValue::from_static("blue"),
            healthy: "hello\n".into(),
            status: StatusCode::OK,
            failing: "broken\n".into(),
            delay: Duration::ZERO,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, tokio::spawn(Backend::new(responses, Box::new(|_| {})).serve(listener)))
    }

    async fn ask_with(stream: &mut TcpStream, request: &str, headers: &str) -> String {
        let head = format!("{request} HTTP/1.1\r\nHost: app.lab.test:8080\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let octets = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..octets]).into_owned()
    }

    async fn ask(stream: &mut TcpStream, request: &str) -> String {
        ask_with(stream, request, "").await
    }

    #[tokio::test]
    async fn it_answers_503_from_fail_to_recover() {
        let (address, _serving) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let healthy = ask(&mut stream, "GET /health").await;
        assert!(healthy.starts_with("HTTP/1.1 200") && healthy.contains("server: blue"), "{healthy}");
        assert!(healthy.ends_with("hello\n"), "{healthy}");
        assert!(ask(&mut stream, "POST /fail").await.starts_with("HTTP/1.1 200"));
        let failing = ask(&mut stream, "GET /health").await;
        assert!(failing.starts_with("HTTP/1.1 503") && failing.ends_with("broken\n"), "{failing}");
        assert!(ask(&mut stream, "POST /recover").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "GET /").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "DELETE /").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn only_post_changes_it_and_not_from_a_page_of_another_site() {
        let (address, _serving) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut stream, "GET /fail").await.starts_with("HTTP/1.1 200"));
        for headers in [
            "Origin: http://evil.test\r\n",
            "Origin: null\r\n",
            // DNS rebinding: the page's own name points to this address.
            "Origin: http://app.lab.test:8080\r\nSec-Fetch-Site: same-origin\r\n",
        ] {
            let refused = ask_with(&mut stream, "POST /fail", headers).await;
            assert!(refused.starts_with("HTTP/1.1 403"), "{headers}: {refused}");
        }
        assert!(ask(&mut stream, "GET /").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn its_end_closes_connections_and_frees_the_port() {
        let (address, serving) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream, "GET /").await;
        serving.abort();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut [0; 16])).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        assert!(TcpStream::connect(address).await.is_err());
        TcpListener::bind(address).await.unwrap();
    }
}

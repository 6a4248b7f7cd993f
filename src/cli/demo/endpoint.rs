//! A small web server that answers with its name and can be set to fail. When it ends, it closes every
//! connection.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The most connections; more wait to be accepted. A lab has some probes and a few users.
const CONNECTIONS: usize = 256;
/// How long a connection may take to send the head of a request, and how long an idle one is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after an error of `accept`, for example without a free file descriptor.
const RETRY: Duration = Duration::from_millis(100);
/// The status of a failing endpoint: unhealthy for Route 53's checks (2xx and 3xx are healthy).
const FAILING: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// How an endpoint answers while it is healthy.
#[derive(Clone, Debug)]
pub(super) struct EndpointBehaviour {
    /// Its name: the `Server` header.
    pub(super) name: HeaderValue,
    /// The body of every response to GET.
    pub(super) body: Bytes,
    /// The status of every response to GET.
    pub(super) status: StatusCode,
    /// The delay before each response.
    pub(super) delay: Duration,
}

/// The state of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointState {
    /// It answers as configured.
    Healthy,
    /// It answers 503.
    Failing,
}

/// Called when the state changes.
pub(super) type Observer = Box<dyn Fn(EndpointState) + Send + Sync>;

/// An endpoint: how it answers, and whether it is to fail.
pub(super) struct Endpoint {
    behaviour: EndpointBehaviour,
    failing: AtomicBool,
    observer: Observer,
}

impl Endpoint {
    /// A healthy endpoint. `observer` is called when that changes.
    pub(super) fn new(behaviour: EndpointBehaviour, observer: Observer) -> Endpoint {
        Endpoint { behaviour, failing: AtomicBool::new(false), observer }
    }

    /// Answers on this listener. Dropping the future ends it and closes every connection.
    pub(super) async fn serve(self: Arc<Endpoint>, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            while connections.try_join_next().is_some() {}
            let stream = accept(&listener).await;
            let endpoint = Arc::clone(&self);
            connections.spawn(async move {
                endpoint.serve_connection(stream).await;
                drop(slot);
            });
        }
    }

    /// Answers the requests of one connection. Errors of the connection are ignored.
    async fn serve_connection(self: Arc<Endpoint>, stream: TcpStream) {
        let service = service_fn(move |request| {
            let endpoint = Arc::clone(&self);
            async move { Ok::<_, Infallible>(endpoint.respond(&request).await) }
        });
        let mut connection = hyper::server::conn::http1::Builder::new();
        connection.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        let _ = connection.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn respond(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/fail") => self.set_state(EndpointState::Failing),
            (&Method::POST, "/recover") => self.set_state(EndpointState::Healthy),
            (&Method::GET | &Method::HEAD, _) => self.answer().await,
            _ => self.response(StatusCode::METHOD_NOT_ALLOWED, "GET anything; POST /fail or /recover\n".into()),
        }
    }

    /// The response to a GET.
    async fn answer(&self) -> Response<Full<Bytes>> {
        tokio::time::sleep(self.behaviour.delay).await;
        match self.failing.load(Ordering::Relaxed) {
            true => self.response(FAILING, "failing, as requested\n".into()),
            false => self.response(self.behaviour.status, self.behaviour.body.clone()),
        }
    }

    fn set_state(&self, state: EndpointState) -> Response<Full<Bytes>> {
        self.failing.store(state == EndpointState::Failing, Ordering::Relaxed);
        (self.observer)(state);
        let text = match state {
            EndpointState::Healthy => "has recovered\n",
            EndpointState::Failing => "fails from now on\n",
        };
        self.response(StatusCode::OK, text.into())
    }

    fn response(&self, status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(SERVER, self.behaviour.name.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client closed the connection before it was accepted.
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
        let behaviour = EndpointBehaviour {
            name: HeaderValue::from_static("blue"),
            body: "hello\n".into(),
            status: StatusCode::OK,
            delay: Duration::ZERO,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = Arc::new(Endpoint::new(behaviour, Box::new(|_| {})));
        (address, tokio::spawn(endpoint.serve(listener)))
    }

    async fn ask(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: lab\r\n\r\n").as_bytes()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let size = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..size]).into_owned()
    }

    #[tokio::test]
    async fn it_answers_with_its_name_except_between_fail_and_recover() {
        let (address, _serving) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let healthy = ask(&mut stream, "GET /health").await;
        assert!(
            healthy.starts_with("HTTP/1.1 200") && healthy.contains("server: blue") && healthy.ends_with("hello\n"),
            "{healthy}"
        );
        assert!(ask(&mut stream, "POST /fail").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "GET /health").await.starts_with("HTTP/1.1 503"));
        assert!(ask(&mut stream, "POST /recover").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "GET /").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "DELETE /").await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn aborting_it_closes_connections_and_frees_the_port() {
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

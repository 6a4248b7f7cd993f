//! A small web server that answers with its name and can be set to fail. Its end closes every
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

/// Connections at once; more wait to be accepted. A lab has some probes and a few people.
const CONNECTIONS: usize = 256;
/// How long a connection may take to send the head of a request, and how long an idle one is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// When the system has no file for another connection, it is tried again after this.
const RETRY: Duration = Duration::from_millis(100);
/// What a failing endpoint says: Route 53's checks take it for unhealthy (2xx and 3xx are fine).
const FAILING: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// What an endpoint says while it is well.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// What it calls itself: the `Server` header.
    pub(super) name: HeaderValue,
    /// The body of every response to GET.
    pub(super) body: Bytes,
    /// The status of every response to GET.
    pub(super) status: StatusCode,
    /// How long it thinks about each.
    pub(super) delay: Duration,
}

/// How an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It says what it was made to say.
    Well,
    /// It says 503.
    Failing,
}

/// Who hears of moods that change.
pub(super) type Listener = Box<dyn Fn(Mood) + Send + Sync>;

/// An endpoint: how it answers, and whether it is to fail.
pub(super) struct Endpoint {
    manner: Manner,
    failing: AtomicBool,
    tell: Listener,
}

impl Endpoint {
    /// One that is well. `tell` hears when that changes.
    pub(super) fn new(manner: Manner, tell: Listener) -> Endpoint {
        Endpoint { manner, failing: AtomicBool::new(false), tell }
    }

    /// Answers on this listener. Dropping the future ends it and closes every connection.
    pub(super) async fn serve(self: Arc<Endpoint>, listener: TcpListener) {
        let turns = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let turn = Arc::clone(&turns).acquire_owned().await.expect("the semaphore is never closed");
            while connections.try_join_next().is_some() {}
            let stream = accept(&listener).await;
            let endpoint = Arc::clone(&self);
            connections.spawn(async move {
                endpoint.converse(stream).await;
                drop(turn);
            });
        }
    }

    /// Answers the requests of one connection. How it ends is the client's affair.
    async fn converse(self: Arc<Endpoint>, stream: TcpStream) {
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
            (&Method::POST, "/fail") => self.turn(Mood::Failing),
            (&Method::POST, "/recover") => self.turn(Mood::Well),
            (&Method::GET | &Method::HEAD, _) => self.say().await,
            _ => self.response(StatusCode::METHOD_NOT_ALLOWED, "GET anything; POST /fail or /recover\n".into()),
        }
    }

    /// What health checks and visitors hear.
    async fn say(&self) -> Response<Full<Bytes>> {
        tokio::time::sleep(self.manner.delay).await;
        match self.failing.load(Ordering::Relaxed) {
            true => self.response(FAILING, "failing, as it was told to\n".into()),
            false => self.response(self.manner.status, self.manner.body.clone()),
        }
    }

    fn turn(&self, mood: Mood) -> Response<Full<Bytes>> {
        self.failing.store(mood == Mood::Failing, Ordering::Relaxed);
        (self.tell)(mood);
        let text = match mood {
            Mood::Well => "is well again\n",
            Mood::Failing => "fails from now on\n",
        };
        self.response(StatusCode::OK, text.into())
    }

    fn response(&self, status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(SERVER, self.manner.name.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // A client that went away at once is no reason to wait; a system without files is.
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
        let manner = Manner {
            name: HeaderValue::from_static("blue"),
            body: "hello\n".into(),
            status: StatusCode::OK,
            delay: Duration::ZERO,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = Arc::new(Endpoint::new(manner, Box::new(|_| {})));
        (address, tokio::spawn(endpoint.serve(listener)))
    }

    async fn ask(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: lab\r\n\r\n").as_bytes()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let octets = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..octets]).into_owned()
    }

    #[tokio::test]
    async fn it_says_its_name_until_it_is_told_to_fail_and_again_when_told_to_recover() {
        let (address, _serving) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let well = ask(&mut stream, "GET /health").await;
        assert!(
            well.starts_with("HTTP/1.1 200") && well.contains("server: blue") && well.ends_with("hello\n"),
            "{well}"
        );
        assert!(ask(&mut stream, "POST /fail").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "GET /health").await.starts_with("HTTP/1.1 503"));
        assert!(ask(&mut stream, "POST /recover").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "GET /").await.starts_with("HTTP/1.1 200"));
        assert!(ask(&mut stream, "DELETE /").await.starts_with("HTTP/1.1 405"));
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

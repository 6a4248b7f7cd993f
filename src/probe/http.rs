//! An HTTP or HTTPS check: one request, Route 53's deadlines, a verdict on status and string.
//!
//! ```text
//!  ├── connect, TLS ──┤── status ──┤── body, only when a string is searched ──┤
//!        4 s               2 s                       2 s
//! ```
//!
//! One connection of hyper's a probe, driven by the probe itself: no task, no pool, no cookies, no session tickets
//! (docs/decisions/0033-endpoint-checks-through-hyper.md). Nothing outlives the probe, and dropping it closes its connection.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, Connection};
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::{HealthCheckId, HttpRequest};

use super::body::Search;
use super::bounded::Bounded;
use super::errors::{Unmade, is_wrong_name, of_exchange};
use super::tls::{Connectors, ServerNameIndication, Trust};
use super::{Durations, Finding, Step, Timings};

/// Response headers may have as much (Developer Guide).
const MOST_HEADER_OCTETS: usize = 16_384;

/// What is read before a head is given up: the headers, and as much again for the status line and what came with them.
const MOST_BUFFERED_OCTETS: usize = 2 * MOST_HEADER_OCTETS;

/// One header for each 32 octets of [`MOST_HEADER_OCTETS`]; a response with more is not taken for HTTP.
const MOST_HEADERS: usize = 512;

/// How the endpoint is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// `http://`
    Plain,
    /// `https://`
    Tls(ServerNameIndication, Trust),
}

/// One check, ready to be asked again and again.
#[derive(Debug)]
pub(super) struct HttpProbe {
    request: Request<Empty<Bytes>>,
    transport: Transport,
    /// What the handshake is told when it is not the address.
    server_name: Option<ServerName<'static>>,
    expected: HttpRequest,
}

/// How long the steps took so far, of a probe that may be broken off at any of them. Nobody else ever holds the lock: it is
/// there because a probe may wake up on another thread.
#[derive(Debug, Default)]
struct Steps(Mutex<Durations>);

impl Steps {
    fn note(&self, note: impl FnOnce(&mut Durations)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn durations(self, total: Duration) -> Durations {
        Durations { total, ..self.0.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// Why an exchange ended before its verdict.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("a step took too long")]
    TimedOut(Step),
    #[error(transparent)]
    Stream(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

impl HttpProbe {
    /// `name` is the check's domain name, `address` the literal one; one of them at least is there.
    pub(super) fn new(
        id: &HealthCheckId,
        transport: Transport,
        request: &HttpRequest,
        name: Option<&str>,
        address: Option<IpAddr>,
        port: u16,
    ) -> HttpProbe {
        let name = name.map(|name| name.trim_end_matches('.'));
        let mut prepared = Request::new(Empty::new());
        *prepared.uri_mut() =
            target(&request.resource_path).parse().expect("every octet that may not stand is escaped");
        *prepared.headers_mut() = headers(id, transport, name, address, port);
        for (header, value) in &request.request_headers {
            // The configuration has let through only what can stand in a header.
            let (Ok(header), Ok(value)) = (header.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                continue;
            };
            prepared.headers_mut().insert(header, value);
        }
        let server_name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        HttpProbe { request: prepared, transport, server_name, expected: request.clone() }
    }

    /// Asks once.
    pub(super) async fn probe(
        &self,
        connectors: &Connectors,
        address: SocketAddr,
        timings: &Timings,
    ) -> Result<(Finding, Durations), Unmade> {
        let start = Instant::now();
        let steps = Steps::default();
        let result = match self.transport {
            Transport::Plain => self.ask(connect(address, &steps), timings, &steps).await,
            // Boxed: it is large, and most probes are plain.
            Transport::Tls(sni, trust) => {
                let connecting = self.connect_securely(connectors, sni, trust, address, &steps);
                Box::pin(self.ask(connecting, timings, &steps)).await
            }
        };
        let durations = steps.durations(start.elapsed());
        let finding = match result {
            Ok(finding) => finding,
            Err(Broken::TimedOut(step)) => Finding::TimedOut(step),
            Err(Broken::Stream(error)) => of_exchange(&error)?,
            Err(Broken::Http(error)) => of_exchange(&error)?,
        };
        Ok((finding, durations))
    }

    /// The clock for the status starts when the connection stands, TLS included.
    async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connecting: impl Future<Output = Result<S, Broken>>,
        timings: &Timings,
        steps: &Steps,
    ) -> Result<Finding, Broken> {
        let start = Instant::now();
        let stream = within(start + timings.connect, Step::Connect, connecting).await?;
        let connected = Instant::now();
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(MOST_HEADERS)
            .max_buf_size(MOST_BUFFERED_OCTETS)
            .handshake(TokioIo::new(Bounded::new(stream)))
            .await?;
        let mut connection = Some(connection);
        let answering = driven(&mut connection, sender.send_request(self.request.clone()));
        let response = within(connected + timings.status, Step::Status, answering).await?;
        let answered = Instant::now();
        steps.note(|durations| durations.first_byte = Some(answered - connected));
        let judging = driven(&mut connection, self.judge(response));
        within(answered + timings.body, Step::Body, judging).await
    }

    /// With SNI first, when the check sends it, and once without if the certificate is for other names (API EnableSNI);
    /// both handshakes share the time for connecting.
    async fn connect_securely(
        &self,
        connectors: &Connectors,
        sni: ServerNameIndication,
        trust: Trust,
        address: SocketAddr,
        steps: &Steps,
    ) -> Result<TlsStream<TcpStream>, Broken> {
        match self.shake_hands(connectors.get(sni, trust), address, steps).await {
            Err(Broken::Stream(error)) if trust == Trust::Anybody && is_wrong_name(&error) => {
                self.shake_hands(connectors.get(ServerNameIndication::Omitted, trust), address, steps).await
            }
            result => result,
        }
    }

    async fn shake_hands(
        &self,
        connector: &TlsConnector,
        address: SocketAddr,
        steps: &Steps,
    ) -> Result<TlsStream<TcpStream>, Broken> {
        let stream = connect(address, steps).await?;
        // The request follows the end of the handshake at once; Nagle's algorithm would hold it back for an acknowledgement.
        stream.set_nodelay(true)?;
        let name = self.server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
        let start = Instant::now();
        let stream = connector.connect(name, stream).await?;
        steps.note(|durations| durations.tls_handshake = Some(start.elapsed()));
        Ok(stream)
    }

    async fn judge(&self, response: Response<Incoming>) -> Result<Finding, Broken> {
        let code = response.status().as_u16();
        if header_octets(response.headers()) > MOST_HEADER_OCTETS {
            return Ok(Finding::Protocol(format!("more than {MOST_HEADER_OCTETS} bytes of headers")));
        }
        // A redirect, too, can be good; its target is not this endpoint.
        if !self.expected.expects(code) {
            return Ok(Finding::BadStatus(code));
        }
        let Some(string) = &self.expected.search_string else {
            return Ok(Finding::GoodStatus(code));
        };
        search(response, string.as_bytes()).await
    }
}

async fn connect(address: SocketAddr, steps: &Steps) -> Result<TcpStream, Broken> {
    let start = Instant::now();
    let stream = TcpStream::connect(address).await?;
    steps.note(|durations| {
        *durations = Durations { connect: Some(start.elapsed()), ..Durations::default() };
    });
    Ok(stream)
}

async fn within<T>(deadline: Instant, step: Step, work: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    timeout_at(deadline, work).await.unwrap_or(Err(Broken::TimedOut(step)))
}

/// What `work` comes to while the connection, on which it waits, moves on. A connection that ends hands its error to `work`.
async fn driven<S: AsyncRead + AsyncWrite + Unpin, T, E: Into<Broken>>(
    connection: &mut Option<Connection<TokioIo<Bounded<S>>, Empty<Bytes>>>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Broken> {
    let mut work = pin!(work);
    let result = poll_fn(|context| {
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        let Some(moving) = connection else { return Poll::Pending };
        if Pin::new(moving).poll(context).is_ready() {
            *connection = None;
        }
        work.as_mut().poll(context)
    });
    result.await.map_err(Into::into)
}

/// Reads until the string is there or cannot come any more: of a body without end only the beginning.
async fn search(response: Response<Incoming>, string: &[u8]) -> Result<Finding, Broken> {
    let code = response.status().as_u16();
    let mut search = Search::new(string, response.headers());
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(octets) = frame.data_ref() else { continue };
        match search.read(octets) {
            Ok(Some(found)) => return Ok(verdict(found, code)),
            Ok(None) => {}
            Err(error) => return Ok(Finding::Protocol(error.to_string())),
        }
    }
    Ok(search.end().map_or_else(|error| Finding::Protocol(error.to_string()), |found| verdict(found, code)))
}

fn verdict(found: bool, code: u16) -> Finding {
    if found { Finding::GoodStatus(code) } else { Finding::StringMissing(code) }
}

/// Each header as it stands on the wire: name, colon, blank, value, line end.
fn header_octets(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// The path as it goes into the request line, octets that may not stand there as `%xx` (RFC 3986, section 2; the braces and
/// the like are let through by nobody in particular, and a `#` would begin a fragment, which is never sent).
fn target(path: &str) -> String {
    let mut target = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        target.push('/');
    }
    for octet in path.bytes() {
        if octet.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&octet) {
            target.push(octet.into());
        } else {
            target.push_str(&format!("%{octet:02X}"));
        }
    }
    target
}

/// As Route 53's health checkers send them.
fn headers(
    id: &HealthCheckId,
    transport: Transport,
    name: Option<&str>,
    address: Option<IpAddr>,
    port: u16,
) -> HeaderMap {
    let own = |value: String| HeaderValue::from_bytes(value.as_bytes()).ok();
    // A name that cannot stand in a header is left out.
    let host =
        own(host_header(transport, name, address, port)).or_else(|| own(host_header(transport, None, address, port)));
    let all = [
        (HOST, host),
        (USER_AGENT, own(user_agent(id))),
        (ACCEPT, Some(HeaderValue::from_static("*/*"))),
        (ACCEPT_ENCODING, Some(HeaderValue::from_static("identity,gzip,deflate"))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The domain name, else the address; the port unless it is the usual one of the kind of check
/// (API FullyQualifiedDomainName).
fn host_header(transport: Transport, name: Option<&str>, address: Option<IpAddr>, port: u16) -> String {
    let host = match (name, address) {
        (Some(name), _) => name.to_owned(),
        (None, Some(IpAddr::V6(address))) => format!("[{address}]"),
        (None, Some(IpAddr::V4(address))) => address.to_string(),
        (None, None) => String::new(),
    };
    match (transport, port) {
        (Transport::Plain, 80) | (Transport::Tls(..), 443) => host,
        _ => format!("{host}:{port}"),
    }
}

/// Our own name in Route 53's form (docs/decisions/0031-user-agent.md).
fn user_agent(id: &HealthCheckId) -> String {
    format!("fiftythree-health-check (ref {})", id.0)
}

//! An HTTP or HTTPS check: one request with Route 53's deadlines; status and string decide the
//! result.
//!
//! ```text
//!  ├── connect, TLS ──┤── status ──┤── body, only when a string is searched ──┤
//!        4 s               2 s                       2 s
//! ```
//!
//! Each probe has its own connection, which it drives itself: no task, no pool, no cookies, no
//! session tickets. No state outlives the probe, and dropping it closes the connection
//! (docs/decisions/0038-endpoint-checks-read-http-themselves.md).

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::{HealthCheckId, HttpRequest};

use super::body::{Found, Search};
use super::errors::{ExchangeError, ProbeNotRun, is_wrong_name};
use super::exchange::Exchange;
use super::framing::BodyReader;
use super::head::{Head, HeadReader};
use super::tls::{Connectors, ServerNameIndication, Trust};
use super::{Durations, Finding, ProbePhase, Timings};

/// The protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// `http://`
    Plain,
    /// `https://`
    Tls(ServerNameIndication, Trust),
}

/// One check, prepared for repeated probes.
#[derive(Debug)]
pub(super) struct HttpProbe {
    /// The request in wire format.
    request: Box<[u8]>,
    transport: Transport,
    /// The server name for the handshake if it is not the address.
    server_name: Option<ServerName<'static>>,
    expected: HttpRequest,
}

/// The durations of the steps so far; a probe may be cancelled in any of them. The lock is never
/// contended. It exists because a probe can move between threads.
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

impl HttpProbe {
    /// `name` is the check's domain name, `address` its IP address. At least one of them is set.
    pub(super) fn new(
        id: &HealthCheckId,
        transport: Transport,
        request: &HttpRequest,
        name: Option<&str>,
        address: Option<IpAddr>,
        port: u16,
    ) -> HttpProbe {
        let name = name.map(|name| name.trim_end_matches('.'));
        let mut headers = headers(id, transport, name, address, port);
        for (header, value) in &request.request_headers {
            // The configuration accepts only valid header values.
            let (Ok(header), Ok(value)) = (header.parse::<HeaderName>(), HeaderValue::from_str(value.reveal())) else {
                continue;
            };
            headers.insert(header, value);
        }
        let server_name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let prepared = request_octets(request.path(), &headers);
        HttpProbe { request: prepared, transport, server_name, expected: request.clone() }
    }

    /// Probes once.
    pub(super) async fn probe(
        &self,
        connectors: &Connectors,
        address: SocketAddr,
        timings: &Timings,
    ) -> Result<(Finding, Durations), ProbeNotRun> {
        let start = Instant::now();
        let steps = Steps::default();
        let result = match self.transport {
            Transport::Plain => self.ask(connect(address, &steps), timings, &steps).await,
            // Boxed because it is large and most probes do not use TLS.
            Transport::Tls(sni, trust) => {
                let connecting = self.connect_securely(connectors, sni, trust, address, &steps);
                Box::pin(self.ask(connecting, timings, &steps)).await
            }
        };
        let durations = steps.durations(start.elapsed());
        let finding = result.or_else(ExchangeError::finding)?;
        Ok((finding, durations))
    }

    /// The deadline for the status starts when the connection is established, TLS included.
    async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        connecting: impl Future<Output = Result<S, ExchangeError>>,
        timings: &Timings,
        steps: &Steps,
    ) -> Result<Finding, ExchangeError> {
        let start = Instant::now();
        let stream = within(start + timings.connect, ProbePhase::Connect, connecting).await?;
        let connected = Instant::now();
        let mut exchange = Exchange::new(stream, &self.request);
        let head = within(connected + timings.status, ProbePhase::Status, read_head(&mut exchange)).await?;
        let answered = Instant::now();
        steps.note(|durations| durations.first_byte = Some(answered - connected));
        within(answered + timings.body, ProbePhase::Body, self.judge(&head, &mut exchange)).await
    }

    /// Connects with SNI first, if the check sends it, and once more without SNI if the certificate
    /// is for other names (API EnableSNI). Both handshakes share the connect deadline.
    async fn connect_securely(
        &self,
        connectors: &Connectors,
        sni: ServerNameIndication,
        trust: Trust,
        address: SocketAddr,
        steps: &Steps,
    ) -> Result<TlsStream<TcpStream>, ExchangeError> {
        match self.shake_hands(connectors.get(sni, trust), address, steps).await {
            Err(ExchangeError::Stream(error)) if trust == Trust::AnyCertificate && is_wrong_name(&error) => {
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
    ) -> Result<TlsStream<TcpStream>, ExchangeError> {
        let stream = connect(address, steps).await?;
        // The request follows the handshake at once; Nagle's algorithm would delay it until an
        // acknowledgement arrives.
        stream.set_nodelay(true)?;
        let name = self.server_name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
        let start = Instant::now();
        let stream = connector.connect(name, stream).await.map_err(ExchangeError::in_handshake)?;
        steps.note(|durations| durations.tls_handshake = Some(start.elapsed()));
        Ok(stream)
    }

    async fn judge<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        head: &Head,
        exchange: &mut Exchange<'_, S>,
    ) -> Result<Finding, ExchangeError> {
        let code = head.status;
        // A redirect can pass too; its target is another endpoint.
        if !self.expected.expects(code) {
            return Ok(Finding::BadStatus(code));
        }
        let Some(string) = &self.expected.search_string else {
            return Ok(Finding::GoodStatus(code));
        };
        Ok(match search(head, exchange, string.as_bytes()).await? {
            Found::Yes => Finding::GoodStatus(code),
            Found::No => Finding::StringMissing(code),
            Found::Undecodable(why) => Finding::Undecodable(code, why),
        })
    }
}

async fn connect(address: SocketAddr, steps: &Steps) -> Result<TcpStream, ExchangeError> {
    let start = Instant::now();
    let stream = TcpStream::connect(address).await?;
    steps.note(|durations| {
        *durations = Durations { connect: Some(start.elapsed()), ..Durations::default() };
    });
    Ok(stream)
}

async fn within<T>(
    deadline: Instant,
    step: ProbePhase,
    work: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    timeout_at(deadline, work).await.unwrap_or(Err(ExchangeError::TimedOut(step)))
}

async fn read_head<S: AsyncRead + AsyncWrite + Unpin>(exchange: &mut Exchange<'_, S>) -> Result<Head, ExchangeError> {
    let mut reader = HeadReader::default();
    loop {
        let mut octets = exchange.received().await?;
        let complete = octets.is_empty() || reader.read(&mut octets)?;
        let left = octets.len();
        exchange.keep(left);
        if complete {
            return reader.finish()?.ok_or(ExchangeError::Closed);
        }
    }
}

/// Reads until the string is found or cannot be found any more. Of an endless body only the
/// beginning is read.
async fn search<S: AsyncRead + AsyncWrite + Unpin>(
    head: &Head,
    exchange: &mut Exchange<'_, S>,
    string: &[u8],
) -> Result<Found, ExchangeError> {
    let mut search = Search::new(string, &head.codings);
    let mut body = BodyReader::new(head.framing);
    while !body.is_complete() {
        let mut octets = exchange.received().await?;
        if octets.is_empty() {
            if body.may_end() {
                break;
            }
            return Err(ExchangeError::Closed);
        }
        while !octets.is_empty() && !body.is_complete() {
            if let Some(found) = search.read(body.read(&mut octets)?) {
                return Ok(found);
            }
        }
        exchange.keep(0);
    }
    Ok(search.end())
}

/// The request line and the headers (RFC 9112, section 2.1).
fn request_octets(path: &str, headers: &HeaderMap) -> Box<[u8]> {
    let mut octets = format!("GET {} HTTP/1.1\r\n", target(path)).into_bytes();
    for (name, value) in headers {
        octets.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    octets.extend(b"\r\n");
    octets.into_boxed_slice()
}

/// The path for the request line, with characters that are not allowed there as `%xx` (RFC 3986,
/// section 2). That includes `#`, which would begin a fragment: fragments are never sent.
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

/// The headers that Route 53's health checkers send.
fn headers(
    id: &HealthCheckId,
    transport: Transport,
    name: Option<&str>,
    address: Option<IpAddr>,
    port: u16,
) -> HeaderMap {
    let own = |value: String| HeaderValue::from_bytes(value.as_bytes()).ok();
    // A name that is not a valid header value is omitted.
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

/// The domain name, otherwise the address, with the port unless it is the default of the protocol
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

/// This program's name in Route 53's form (docs/decisions/0031-user-agent.md).
fn user_agent(id: &HealthCheckId) -> String {
    format!("fiftythree-health-check (ref {})", id.0)
}

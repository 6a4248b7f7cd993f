//! An HTTP or HTTPS check: one request, Route 53's deadlines, a verdict on status and string.
//!
//! ```text
//!  ├── connect, TLS ──┤── status ──┤── body, only when a string is searched ──┤
//!        4 s               2 s                       2 s
//! ```
//!
//! A connection a probe, driven by the probe itself: no task, no pool, no cookies, no session tickets. Nothing outlives the
//! probe, and dropping it closes its connection (docs/decisions/0038-endpoint-checks-read-http-themselves.md).

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
use super::errors::{Broken, Unmade, is_wrong_name};
use super::exchange::Exchange;
use super::framing::BodyReader;
use super::head::{Head, HeadReader};
use super::tls::{Connectors, ServerNameIndication, Trust};
use super::{Durations, Finding, Step, Timings};

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
    /// As it goes over the wire.
    request: Box<[u8]>,
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
        let mut headers = headers(id, transport, name, address, port);
        for (header, value) in &request.request_headers {
            // The configuration has let through only what can stand in a header.
            let (Ok(header), Ok(value)) = (header.parse::<HeaderName>(), HeaderValue::from_str(value.reveal())) else {
                continue;
            };
            headers.insert(header, value);
        }
        let server_name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let prepared = request_octets(&request.resource_path, &headers);
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
        let finding = result.or_else(Broken::finding)?;
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
        let mut exchange = Exchange::new(stream, &self.request);
        let head = within(connected + timings.status, Step::Status, read_head(&mut exchange)).await?;
        let answered = Instant::now();
        steps.note(|durations| durations.first_byte = Some(answered - connected));
        within(answered + timings.body, Step::Body, self.judge(&head, &mut exchange)).await
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
        let stream = connector.connect(name, stream).await.map_err(Broken::in_handshake)?;
        steps.note(|durations| durations.tls_handshake = Some(start.elapsed()));
        Ok(stream)
    }

    async fn judge<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        head: &Head,
        exchange: &mut Exchange<'_, S>,
    ) -> Result<Finding, Broken> {
        let code = head.status;
        // A redirect, too, can be good; its target is not this endpoint.
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

async fn read_head<S: AsyncRead + AsyncWrite + Unpin>(exchange: &mut Exchange<'_, S>) -> Result<Head, Broken> {
    let mut reader = HeadReader::default();
    loop {
        let mut octets = exchange.received().await?;
        let complete = octets.is_empty() || reader.read(&mut octets)?;
        let left = octets.len();
        exchange.keep(left);
        if complete {
            return reader.finish()?.ok_or(Broken::Closed);
        }
    }
}

/// Reads until the string is there or cannot come any more: of a body without end only the beginning.
async fn search<S: AsyncRead + AsyncWrite + Unpin>(
    head: &Head,
    exchange: &mut Exchange<'_, S>,
    string: &[u8],
) -> Result<Found, Broken> {
    let mut search = Search::new(string, &head.codings);
    let mut body = BodyReader::new(head.framing);
    while !body.is_complete() {
        let mut octets = exchange.received().await?;
        if octets.is_empty() {
            if body.may_end() {
                break;
            }
            return Err(Broken::Closed);
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

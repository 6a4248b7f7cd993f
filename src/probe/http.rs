//! An HTTP or HTTPS check: one request, Route 53's deadlines, a verdict on status and string.
//!
//! ```text
//!  ├── connect, TLS ──┤── status ──┤── body, only when a string is searched ──┤
//!        4 s               2 s                       2 s
//! ```
//!
//! Four clients serve all checks: two send SNI, two do not, and one of each two judges certificates. What differs from probe to probe (the address, resolved
//! beforehand) and what a probe must learn from beneath reqwest (when the connection stands) travels in a task-local
//! [`Route`]: without a pool reqwest connects within the task that asks. Nothing outlives the probe: no pool, no cookies,
//! no session tickets, and dropping the exchange closes its connection.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Response, Url};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::{Instant, sleep_until, timeout_at};
use tower::util::MapResponseLayer;

use crate::model::{HealthCheckId, HttpRequest};

use super::errors::{Unmade, is_wrong_name, of_http};
use super::tls::{Authorities, ServerNameIndication, Trust, client_config, judging_config};
use super::{Durations, Finding, Step, Timings};

/// "The entire string must appear in the first 5,120 bytes of the response body" (API SearchString).
const SEARCHED_OCTETS: usize = 5120;

/// Response headers may have as much (Developer Guide); the program reads no more than 408 KiB of them.
const MOST_HEADER_OCTETS: usize = 16_384;

/// One header for each 32 octets of [`MOST_HEADER_OCTETS`]; a response with more is not taken for HTTP.
const MOST_HEADERS: usize = 512;

tokio::task_local! {
    static ROUTE: Arc<Route>;
}

/// What one exchange knows that its client does not.
#[derive(Debug)]
struct Route {
    address: SocketAddr,
    /// When the connection stood, TLS included.
    connected: OnceLock<Instant>,
}

/// The HTTP clients of all checks.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    with_sni: Client,
    without_sni: Client,
    judging_with_sni: Client,
    judging_without_sni: Client,
}

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
    request: Request,
    sni: ServerNameIndication,
    trust: Trust,
    expected: HttpRequest,
}

/// How far an exchange came.
struct Head {
    answer: Answer,
    connected: Option<Instant>,
}

enum Answer {
    Response(Response),
    Failed(reqwest::Error),
    TimedOut(Step),
}

impl Clients {
    pub(super) fn new(authorities: &Authorities) -> Result<Clients, reqwest::Error> {
        let client = |tls: ClientConfig| {
            Client::builder()
                .tls_backend_preconfigured(tls)
                .http1_only()
                .http1_max_headers(MOST_HEADERS)
                // A redirect is itself the success (Developer Guide); its target is not this endpoint.
                .redirect(Policy::none())
                // The environment's proxy is for the user's programs; a check asks the endpoint itself.
                .no_proxy()
                .pool_max_idle_per_host(0)
                .retry(reqwest::retry::never())
                .referer(false)
                .dns_resolver(Arc::new(AddressOfRoute))
                .connector_layer(MapResponseLayer::new(note_that_it_stands))
                .default_headers(headers())
                .build()
        };
        Ok(Clients {
            with_sni: client(client_config(ServerNameIndication::Sent))?,
            without_sni: client(client_config(ServerNameIndication::Omitted))?,
            judging_with_sni: client(judging_config(ServerNameIndication::Sent, authorities))?,
            judging_without_sni: client(judging_config(ServerNameIndication::Omitted, authorities))?,
        })
    }

    fn get(&self, sni: ServerNameIndication, trust: Trust) -> &Client {
        match (sni, trust) {
            (ServerNameIndication::Sent, Trust::Anybody) => &self.with_sni,
            (ServerNameIndication::Omitted, Trust::Anybody) => &self.without_sni,
            (ServerNameIndication::Sent, Trust::Authorities) => &self.judging_with_sni,
            (ServerNameIndication::Omitted, Trust::Authorities) => &self.judging_without_sni,
        }
    }
}

/// As Route 53's health checkers send them.
fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("*/*")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity,gzip,deflate")),
    ])
}

/// Says that every name has the address of the probe that asks.
struct AddressOfRoute;

impl Resolve for AddressOfRoute {
    fn resolve(&self, _name: Name) -> Resolving {
        let address = ROUTE.with(|route| route.address);
        Box::pin(std::future::ready(Ok(Box::new(std::iter::once(address)) as Addrs)))
    }
}

fn note_that_it_stands<C>(connection: C) -> C {
    ROUTE.with(|route| *route.connected.get_or_init(Instant::now));
    connection
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
        let mut prepared = Request::new(Method::GET, url(transport, name, port, &request.resource_path));
        let host = host_header(transport, name, address, port);
        for (header, value) in [(HOST, host), (USER_AGENT, user_agent(id))] {
            // What cannot stand in a header is left to reqwest's own default.
            if let Ok(value) = HeaderValue::from_str(&value) {
                prepared.headers_mut().insert(header, value);
            }
        }
        for (header, value) in &request.request_headers {
            // The configuration has let through only what can stand in a header.
            let (Ok(header), Ok(value)) = (header.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
                continue;
            };
            prepared.headers_mut().insert(header, value);
        }
        let (sni, trust) = match transport {
            Transport::Tls(sni, trust) => (sni, trust),
            Transport::Plain => (ServerNameIndication::Omitted, Trust::Anybody),
        };
        HttpProbe { request: prepared, sni, trust, expected: request.clone() }
    }

    /// Asks once.
    pub(super) async fn probe(
        &self,
        clients: &Clients,
        address: SocketAddr,
        timings: &Timings,
    ) -> Result<(Finding, Durations), Unmade> {
        let start = Instant::now();
        let head = self.ask(clients, address, start + timings.connect, timings.status).await;
        let since = |from: Instant| from.elapsed();
        let connect = head.connected.map(|connected| connected - start);
        let mut durations = Durations { connect, ..Durations::default() };
        let finding = match head.answer {
            Answer::TimedOut(step) => Finding::TimedOut(step),
            Answer::Failed(error) => of_http(&error)?,
            Answer::Response(response) => {
                durations.first_byte = head.connected.map(since);
                self.judge(response, timings.body).await?
            }
        };
        durations.total = since(start);
        Ok((finding, durations))
    }

    /// With SNI first, when the check sends it, and once without if the certificate is for other names (API EnableSNI);
    /// both handshakes share the time for connecting.
    async fn ask(&self, clients: &Clients, address: SocketAddr, connect_by: Instant, status_within: Duration) -> Head {
        let head =
            exchange(clients.get(self.sni, self.trust), self.request(address), address, connect_by, status_within)
                .await;
        match &head.answer {
            Answer::Failed(error) if self.trust == Trust::Anybody && is_wrong_name(error) => {
                exchange(&clients.without_sni, self.request(address), address, connect_by, status_within).await
            }
            _ => head,
        }
    }

    fn request(&self, address: SocketAddr) -> Request {
        let mut request = self.request.try_clone().expect("a request without a body can be cloned");
        if request.url().domain().is_none() {
            request.url_mut().set_ip_host(address.ip()).expect("a URL of http or https can have any host");
        }
        request
    }

    async fn judge(&self, response: Response, body_within: Duration) -> Result<Finding, Unmade> {
        let code = response.status().as_u16();
        if header_octets(response.headers()) > MOST_HEADER_OCTETS {
            return Ok(Finding::Protocol(format!("more than {MOST_HEADER_OCTETS} bytes of headers")));
        }
        if !self.expected.expects(code) {
            return Ok(Finding::BadStatus(code));
        }
        let Some(string) = &self.expected.search_string else {
            return Ok(Finding::GoodStatus(code));
        };
        match timeout_at(Instant::now() + body_within, has_string(response, string.as_bytes())).await {
            Ok(Ok(true)) => Ok(Finding::GoodStatus(code)),
            Ok(Ok(false)) => Ok(Finding::StringMissing(code)),
            Ok(Err(error)) => of_http(&error),
            Err(_) => Ok(Finding::TimedOut(Step::Body)),
        }
    }
}

/// Sends the request; the clock for the status starts when the connection stands.
async fn exchange(
    client: &Client,
    request: Request,
    address: SocketAddr,
    connect_by: Instant,
    status_within: Duration,
) -> Head {
    let route = Arc::new(Route { address, connected: OnceLock::new() });
    let mut exchange = Box::pin(ROUTE.scope(Arc::clone(&route), client.execute(request)));
    let mut clock = pin!(sleep_until(connect_by));
    let mut step = Step::Connect;
    let answer = poll_fn(|context| {
        if let Poll::Ready(result) = exchange.as_mut().poll(context) {
            return Poll::Ready(result.map_or_else(Answer::Failed, Answer::Response));
        }
        if let (Step::Connect, Some(&connected)) = (step, route.connected.get()) {
            step = Step::Status;
            clock.as_mut().reset(connected + status_within);
        }
        clock.as_mut().poll(context).map(|()| Answer::TimedOut(step))
    })
    .await;
    Head { answer, connected: route.connected.get().copied() }
}

/// Reads until the string is there or cannot come any more: of a body without end only the beginning.
async fn has_string(mut response: Response, string: &[u8]) -> Result<bool, reqwest::Error> {
    let mut read: Vec<u8> = Vec::new();
    while read.len() < SEARCHED_OCTETS {
        // The string may begin in what was read before.
        let begin = read.len().saturating_sub(string.len().saturating_sub(1));
        let Some(chunk) = response.chunk().await? else { return Ok(string.is_empty()) };
        read.extend(chunk.iter().take(SEARCHED_OCTETS - read.len()));
        if contains(&read[begin..], string) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(octets: &[u8], string: &[u8]) -> bool {
    string.is_empty() || octets.windows(string.len()).any(|window| window == string)
}

/// Each header as it stands on the wire: name, colon, blank, value, line end.
fn header_octets(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// A URL with the name where there is one that can be asked for, else with an address that each probe replaces by its own.
fn url(transport: Transport, name: Option<&str>, port: u16, path: &str) -> Url {
    let (scheme, slash) = (scheme(transport), if path.starts_with('/') { "" } else { "/" });
    let unnamed = Url::parse(&format!("{scheme}://0.0.0.0:{port}{slash}{path}"))
        .expect("what follows the host and its slash can be any text");
    let mut named = unnamed.clone();
    if named.set_host(name).is_ok() && named.domain().is_some_and(|name| ServerName::try_from(name).is_ok()) {
        named
    } else {
        unnamed
    }
}

fn scheme(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "http",
        Transport::Tls(..) => "https",
    }
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

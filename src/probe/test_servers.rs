//! Tests of probes against servers that misbehave.
//!
//! Each test runs a real server on loopback. The deadline under test is a few tenths of a second;
//! all other limits are generous, so that a busy machine does not fail a test.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SigningKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{Acceptor, ResolvesServerCert};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::model::{HealthCheckId, HttpRequest, StatusRange};

use super::http::{HttpProbe, Transport};
use super::tls::ServerNameIndication::{Omitted, Sent};
use super::tls::{Connectors, Trust};
use super::{Authorities, Durations, Finding, ProbePhase, Timings};

/// The deadline under test.
const DEADLINE: Duration = Duration::from_millis(300);
/// The limit for a whole probe, including delays on a loaded machine.
const IN_TIME: Duration = Duration::from_secs(20);

/// For tests in which nothing should time out.
pub(super) fn patient() -> Timings {
    let long = Duration::from_secs(60);
    Timings { resolve: long, connect: long, status: long, body: long, tcp_connect: long }
}

/// For tests in which one step should time out and no other, however loaded the machine is.
fn short(step: ProbePhase) -> Timings {
    match step {
        ProbePhase::Connect => Timings { connect: DEADLINE, ..patient() },
        ProbePhase::Status => Timings { status: DEADLINE, ..patient() },
        ProbePhase::Body => Timings { body: DEADLINE, ..patient() },
    }
}

/// A server on loopback that counts its open connections.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) open: Arc<AtomicUsize>,
    pub(super) accepted: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Server {
    pub(super) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Server
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, all) = (Arc::clone(&open), Arc::clone(&accepted));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                all.fetch_add(1, Ordering::SeqCst);
                let (serving, counted) = (serve(stream), Arc::clone(&counted));
                tokio::spawn(async move {
                    serving.await;
                    counted.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { address, open, accepted, accepting: accepting.abort_handle() }
    }

    /// Refuses connections from now on.
    pub(super) fn stop(&self) {
        self.accepting.abort();
    }

    /// Reads the request, sends these bytes, and keeps the connection open until the client closes
    /// it.
    pub(super) async fn answering(response: impl Into<Vec<u8>>) -> Server {
        let response: Arc<[u8]> = response.into().into();
        Server::start(move |stream| {
            let response = Arc::clone(&response);
            async move { answer(stream, &response).await }
        })
        .await
    }

    /// Waits until all connections of the probe are closed.
    pub(super) async fn assert_that_nothing_is_left(&self) {
        let start = Instant::now();
        while self.open.load(Ordering::SeqCst) > 0 {
            assert!(start.elapsed() < IN_TIME, "a connection was left open");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: &[u8]) {
    read_request(&mut stream).await;
    let _ = stream.write_all(response).await;
    until_closed(stream).await;
}

pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(octet) = stream.read_u8().await else { break };
        request.push(octet);
    }
    String::from_utf8(request).unwrap()
}

pub(super) async fn until_closed(mut stream: impl AsyncRead + Unpin) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|octets| octets > 0) {}
}

pub(super) fn request(search_string: Option<&str>) -> HttpRequest {
    let search_string = search_string.map(str::to_owned);
    HttpRequest { search_string, ..HttpRequest::default() }
}

pub(super) fn id() -> HealthCheckId {
    HealthCheckId("0123".to_owned())
}

async fn run(probe: HttpProbe, server: &Server, timings: Timings) -> (Finding, Durations) {
    let start = Instant::now();
    let connectors = Connectors::new(&Authorities::default()).unwrap();
    let result = probe.probe(&connectors, server.address, &timings).await.unwrap();
    assert!(start.elapsed() < IN_TIME, "no result in time");
    server.assert_that_nothing_is_left().await;
    result
}

pub(super) async fn plain(server: &Server, search_string: Option<&str>, timings: Timings) -> Finding {
    let (ip, port) = (server.address.ip(), server.address.port());
    let probe = HttpProbe::new(&id(), Transport::Plain, &request(search_string), None, Some(ip), port);
    run(probe, server, timings).await.0
}

async fn saw(response: impl Into<Vec<u8>>) -> Finding {
    plain(&Server::answering(response).await, None, patient()).await
}

async fn searched(response: impl Into<Vec<u8>>, string: &str) -> Finding {
    plain(&Server::answering(response).await, Some(string), patient()).await
}

fn ok_with_body(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

// What is asked.

#[tokio::test]
async fn the_request_is_the_one_that_route_53_sends() {
    let (sender, mut requests) = tokio::sync::mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            sender.send(read_request(&mut stream).await).await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            until_closed(stream).await;
        }
    })
    .await;
    let (ip, port) = (server.address.ip(), server.address.port());
    let http = HttpRequest { resource_path: Some("/health?deep=1&x=%20".to_owned()), ..HttpRequest::default() };
    for (name, host) in [(Some("App.lab.test"), "App.lab.test"), (Some("127.1"), "127.1"), (None, "127.0.0.1")] {
        let probe = HttpProbe::new(&id(), Transport::Plain, &http, name, Some(ip), port);
        let (finding, durations) = run(probe, &server, patient()).await;
        assert_eq!(finding, Finding::GoodStatus(200));
        assert!(durations.connect.unwrap() <= durations.total && durations.first_byte.unwrap() <= durations.total);
        let request = requests.recv().await.unwrap();
        let (first, headers) = request.split_once("\r\n").unwrap();
        assert_eq!(first, "GET /health?deep=1&x=%20 HTTP/1.1");
        let mut headers: Vec<String> = headers.trim_end().lines().map(str::to_owned).collect();
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                "accept-encoding: identity,gzip,deflate".to_owned(),
                "accept: */*".to_owned(),
                format!("host: {host}:{port}"),
                "user-agent: fiftythree-health-check (ref 0123)".to_owned(),
            ]
        );
    }
}

#[tokio::test]
async fn a_path_is_sent_as_it_is_written() {
    let (sender, mut requests) = tokio::sync::mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            sender.send(read_request(&mut stream).await).await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            until_closed(stream).await;
        }
    })
    .await;
    let cases = [
        ("", "/"),
        ("a", "/a"),
        ("/a/../b//c", "/a/../b//c"),
        ("//a", "//a"),
        ("/%2e?x=[1]&y=%", "/%2e?x=[1]&y=%"),
        ("/a b#c<d>{e}\"\\^`|\u{7f}ü", "/a%20b%23c%3Cd%3E%7Be%7D%22%5C%5E%60%7C%7F%C3%BC"),
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
    ];
    for (path, target) in cases {
        let http = HttpRequest { resource_path: Some(path.to_owned()), ..HttpRequest::default() };
        let (ip, port) = (server.address.ip(), server.address.port());
        run(HttpProbe::new(&id(), Transport::Plain, &http, None, Some(ip), port), &server, patient()).await;
        assert_eq!(requests.recv().await.unwrap().lines().next().unwrap(), format!("GET {target} HTTP/1.1"));
    }
}

// What is good.

#[tokio::test]
async fn from_200_to_399_is_good() {
    for (code, good) in [(200, true), (204, true), (302, true), (399, true), (400, false), (404, false), (503, false)] {
        let expected = if good { Finding::GoodStatus(code) } else { Finding::BadStatus(code) };
        assert_eq!(saw(format!("HTTP/1.1 {code} Any\r\n\r\n")).await, expected);
    }
}

#[tokio::test]
async fn a_redirect_is_good_and_not_followed() {
    let server = Server::answering("HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\nover there").await;
    assert_eq!(plain(&server, None, patient()).await, Finding::GoodStatus(302));
    assert_eq!(plain(&server, Some("over there"), patient()).await, Finding::GoodStatus(302));
    assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn provisional_answers_come_before_the_real_one() {
    assert_eq!(
        saw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").await,
        Finding::GoodStatus(200)
    );
}

#[tokio::test]
async fn http_1_0_is_good_enough() {
    assert_eq!(saw("HTTP/1.0 200 OK\r\n\r\n").await, Finding::GoodStatus(200));
}

#[tokio::test]
async fn the_string_must_lie_whole_in_the_first_5120_bytes() {
    // A string of six bytes at 5119 to 5125, counted from 1.
    for (before, good) in [(0, true), (5113, true), (5114, true), (5115, false), (5118, false), (9000, false)] {
        let body = [vec![b'.'; before], b"needle".to_vec(), vec![b'.'; 20_000]].concat();
        let expected = if good { Finding::GoodStatus(200) } else { Finding::StringMissing(200) };
        assert_eq!(searched(ok_with_body(&body), "needle").await, expected, "{before} bytes before it");
    }
}

#[tokio::test]
async fn the_string_is_searched_as_it_is_written() {
    assert_eq!(searched(ok_with_body(b"all is Well"), "well").await, Finding::StringMissing(200));
    assert_eq!(searched(ok_with_body(b""), "well").await, Finding::StringMissing(200));
    assert_eq!(
        searched(b"HTTP/1.1 500 Bad\r\nContent-Length: 4\r\n\r\nwell".to_vec(), "well").await,
        Finding::BadStatus(500)
    );
}

#[tokio::test]
async fn a_string_in_pieces_is_found() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        stream.set_nodelay(true).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for octet in "haystack needle".chars() {
            let _ = stream.write_all(format!("1\r\n{octet}\r\n").as_bytes()).await;
            sleep(Duration::from_millis(2)).await;
        }
        until_closed(stream).await;
    })
    .await;
    assert_eq!(plain(&server, Some("needle"), patient()).await, Finding::GoodStatus(200));
}

/// `zcat`-readable: one stored block. Its checksum is never reached, since the string comes first.
fn stored(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    [&[1], &length.to_le_bytes()[..], &(!length).to_le_bytes(), body].concat()
}

fn encoded(coding: &str, head: &[u8], body: &[u8], checksum: &[u8]) -> Vec<u8> {
    let body = [head, &stored(body), checksum].concat();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

#[tokio::test]
async fn compressed_bodies_are_searched_as_what_they_were() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    // gzip ends in CRC-32 and length, zlib in Adler-32, of `a needle`.
    let body = b"a needle";
    let gzip_end = [crc32(body).to_le_bytes(), 8u32.to_le_bytes()].concat();
    assert_eq!(searched(encoded("gzip", &gzip, body, &gzip_end), "needle").await, Finding::GoodStatus(200));
    assert_eq!(searched(encoded("gzip", &gzip, body, &gzip_end), "thread").await, Finding::StringMissing(200));
    let zlib_end = adler32(body).to_be_bytes();
    assert_eq!(searched(encoded("deflate", &[0x78, 0x01], body, &zlib_end), "needle").await, Finding::GoodStatus(200));
    let garbage = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nneedle".to_vec();
    let damaged = Finding::Undecodable(200, "its gzip data are damaged or cut short".to_owned());
    assert_eq!(searched(garbage, "needle").await, damaged);
    let br = Finding::Undecodable(200, "it is encoded as br".to_owned());
    assert_eq!(searched(encoded("br", b"", b"hay", b""), "needle").await, br);
}

fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |sum, &octet| {
        (0..8).fold(sum ^ u32::from(octet), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

fn adler32(octets: &[u8]) -> u32 {
    let (a, b) = octets.iter().fold((1u32, 0u32), |(a, b), &octet| {
        let a = (a + u32::from(octet)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

#[tokio::test]
async fn other_statuses_may_be_expected() {
    let expected_status = vec![StatusRange { first: 200, last: 299 }, StatusRange { first: 404, last: 404 }];
    let http = HttpRequest { expected_status, ..request(Some("well")) };
    for (code, good) in [(200, true), (302, false), (404, true), (500, false)] {
        let body = format!("HTTP/1.1 {code} Any\r\nContent-Length: 4\r\n\r\nwell");
        let server = Server::answering(body).await;
        let ip = server.address.ip();
        let probe = HttpProbe::new(&id(), Transport::Plain, &http, None, Some(ip), server.address.port());
        let expected = if good { Finding::GoodStatus(code) } else { Finding::BadStatus(code) };
        assert_eq!(run(probe, &server, patient()).await.0, expected);
    }
}

#[tokio::test]
async fn headers_of_the_users_own_are_sent_and_may_replace_ours() {
    let (sender, mut requests) = tokio::sync::mpsc::channel(1);
    let server = Server::start(move |mut stream| {
        let sender = sender.clone();
        async move {
            sender.send(read_request(&mut stream).await).await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            until_closed(stream).await;
        }
    })
    .await;
    let headers = [("Authorization", "Bearer a b"), ("user-agent", "lab")];
    let request_headers = headers.map(|(name, value)| (name.to_owned(), value.into())).to_vec();
    let http = HttpRequest { request_headers, ..request(None) };
    let ip = server.address.ip();
    let probe = HttpProbe::new(&id(), Transport::Plain, &http, None, Some(ip), server.address.port());
    assert_eq!(run(probe, &server, patient()).await.0, Finding::GoodStatus(200));
    let request = requests.recv().await.unwrap().to_ascii_lowercase();
    let sent: Vec<&str> = request.lines().filter(|line| line.starts_with("auth") || line.starts_with("user")).collect();
    assert_eq!(sent.len(), 2, "{request}");
    assert!(sent.contains(&"authorization: bearer a b") && sent.contains(&"user-agent: lab"), "{request}");
}

// What never ends.

#[tokio::test]
async fn silence_after_the_connection_is_a_status_that_did_not_come() {
    let server = Server::start(until_closed).await;
    assert_eq!(plain(&server, None, short(ProbePhase::Status)).await, Finding::TimedOut(ProbePhase::Status));
}

#[tokio::test]
async fn a_head_that_stops_in_the_middle_times_out() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-").await;
    assert_eq!(plain(&server, None, short(ProbePhase::Status)).await, Finding::TimedOut(ProbePhase::Status));
}

#[tokio::test]
async fn a_head_that_drips_times_out() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        for octet in b"HTTP/1.1 200 OK\r\nA: ".iter().chain(std::iter::repeat(&b'a')) {
            if stream.write_all(&[*octet]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(plain(&server, None, short(ProbePhase::Status)).await, Finding::TimedOut(ProbePhase::Status));
}

#[tokio::test]
async fn provisional_answers_without_end_time_out() {
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(plain(&server, None, short(ProbePhase::Status)).await, Finding::TimedOut(ProbePhase::Status));
}

#[tokio::test]
async fn a_body_that_stops_or_drips_times_out_only_where_a_string_is_searched() {
    let stops = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome").await;
    let drips = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").await;
        while stream.write_all(b".").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    for server in [stops, drips] {
        assert_eq!(plain(&server, Some("needle"), short(ProbePhase::Body)).await, Finding::TimedOut(ProbePhase::Body));
        assert_eq!(plain(&server, None, patient()).await, Finding::GoodStatus(200));
    }
}

#[tokio::test]
async fn of_ten_gigabytes_only_the_beginning_is_read() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let server = Server::start(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n").await;
            while let Ok(octets) = stream.write(&[b'.'; 65_536]).await {
                counted.fetch_add(octets, Ordering::SeqCst);
            }
        }
    })
    .await;
    assert_eq!(plain(&server, Some("needle"), patient()).await, Finding::StringMissing(200));
    assert_eq!(plain(&server, None, patient()).await, Finding::GoodStatus(200));
    // The limit is what fits into the buffers of two sockets, not what the server would like to
    // send.
    assert!(sent.load(Ordering::SeqCst) < 100_000_000);
}

#[tokio::test]
async fn headers_may_have_16_kib_and_no_more() {
    let head = |octets: usize| format!("HTTP/1.1 200 OK\r\nBig: {}\r\n\r\n", "a".repeat(octets));
    assert_eq!(saw(head(16_000)).await, Finding::GoodStatus(200));
    assert!(matches!(saw(head(16_400)).await, Finding::Protocol(_)));
    assert_eq!(saw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(400))).await, Finding::GoodStatus(200));
    assert_eq!(saw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(2700))).await, Finding::GoodStatus(200));
    assert!(matches!(saw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(2800))).await, Finding::Protocol(_)));
    let endless = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nBig: ").await;
        while stream.write_all(&[b'a'; 4096]).await.is_ok() {}
    })
    .await;
    assert!(matches!(plain(&endless, None, patient()).await, Finding::Protocol(_)));
}

/// Sends this repeatedly until the probe closes the connection, and counts the bytes sent.
async fn endless(first: &'static [u8], again: &'static [u8]) -> (Server, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let server = Server::start(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(first).await;
            let many = again.repeat(16_384 / again.len());
            while stream.write_all(&many).await.is_ok() {
                counted.fetch_add(many.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    (server, sent)
}

#[tokio::test]
async fn what_never_ends_is_given_up_after_128_kib() {
    const DEFLATED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n\x78\x01";
    let cases: [(&[u8], &[u8], Option<&str>); 4] = [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", None),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", Some("needle")),
        // Empty deflate blocks: a body without content that never ends.
        (DEFLATED, b"\x00\x00\x00\xff\xff", Some("needle")),
    ];
    for (first, again, string) in cases {
        let (server, sent) = endless(first, again).await;
        let finding = plain(&server, string, patient()).await;
        assert!(matches!(&finding, Finding::Protocol(why) if why.contains("128 KiB")), "{again:?}: {finding:?}");
        // What fits into the buffers of two sockets besides.
        assert!(sent.load(Ordering::SeqCst) < 20_000_000, "{again:?}");
    }
}

#[tokio::test]
async fn interim_responses_before_the_answer_are_skipped() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    for interims in [1, 20, 1000] {
        let answer = [interim.repeat(interims).as_bytes(), &ok_with_body(b"some needle")].concat();
        assert_eq!(searched(answer, "needle").await, Finding::GoodStatus(200), "{interims}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_of_one_byte_is_within_the_bound() {
    let chunks: String = "a".repeat(5119).chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}1\r\n!\r\n0\r\n\r\n");
    assert_eq!(searched(answer, "a!").await, Finding::GoodStatus(200));
}

// What ends too early.

#[tokio::test]
async fn a_connection_closed_too_early_is_a_failure() {
    for cut in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK"] {
        let server = Server::start(move |mut stream| async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(cut.as_bytes()).await;
        })
        .await;
        assert_eq!(plain(&server, None, patient()).await, Finding::Closed, "{cut:?}");
    }
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome").await;
    })
    .await;
    assert_eq!(plain(&server, Some("needle"), patient()).await, Finding::Closed);
    assert_eq!(plain(&server, Some("some"), patient()).await, Finding::GoodStatus(200));
}

#[tokio::test]
async fn a_reset_is_a_failure() {
    let server = Server::start(|stream| async move {
        // Closed with the request unread: the kernel resets.
        stream.readable().await.unwrap();
    })
    .await;
    assert_eq!(plain(&server, None, patient()).await, Finding::Closed);
}

#[tokio::test]
async fn what_is_not_http_is_a_failure() {
    for nonsense in
        ["SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{1}\u{2}\u{3}", "HTTP/3.0 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n"]
    {
        let finding = saw(nonsense).await;
        assert!(matches!(finding, Finding::Protocol(_)), "{nonsense:?}: {finding:?}");
    }
}

#[tokio::test]
async fn a_closed_port_is_a_refusal() {
    let server = Server::answering("").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let probe = HttpProbe::new(&id(), Transport::Plain, &request(None), None, Some(address.ip()), address.port());
    let server = Server { address, ..server };
    assert_eq!(run(probe, &server, patient()).await.0, Finding::Refused);
}

// TLS.

/// What a TLS server insists on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Insists {
    Nothing,
    Name,
    NoName,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate {
    alternative: &'static str,
    common: &'static str,
    expired: bool,
}

pub(super) const GOOD: Certificate = Certificate { alternative: "app.lab.test", common: "x", expired: false };

/// Answers `200 OK` with the requested server name in the body.
async fn tls_server(certificate: Certificate, insists: Insists) -> Server {
    let config = server_config(certificate, rustls::DEFAULT_VERSIONS);
    Server::start(move |stream| {
        let config = Arc::clone(&config);
        async move {
            let Ok(hello) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
            let name = hello.client_hello().server_name().map(str::to_owned);
            let refused = match insists {
                Insists::Nothing => false,
                Insists::Name => name.is_none(),
                Insists::NoName => name.is_some(),
            };
            // A configuration without a certificate answers with the alert `access_denied`.
            let config = if refused { Arc::new(without_certificate()) } else { config };
            let Ok(stream) = hello.into_stream(config).await else { return };
            let name = name.unwrap_or_else(|| "no name".to_owned());
            answer(stream, &ok_with_body(format!("asked for {name}").as_bytes())).await;
        }
    })
    .await
}

pub(super) fn server_config(
    certificate: Certificate,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new(vec![certificate.alternative.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, certificate.common);
    if certificate.expired {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Arc::new(server_builder(versions).with_single_cert(chain, key).unwrap())
}

fn without_certificate() -> ServerConfig {
    #[derive(Debug)]
    struct NoCertificate;
    impl ResolvesServerCert for NoCertificate {
        fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
            None
        }
    }
    server_builder(rustls::DEFAULT_VERSIONS).with_cert_resolver(Arc::new(NoCertificate))
}

fn server_builder(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
}

pub(super) async fn secure(
    server: &Server,
    sni: super::tls::ServerNameIndication,
    name: Option<&str>,
    string: Option<&str>,
    timings: Timings,
) -> Finding {
    let (ip, port) = (server.address.ip(), server.address.port());
    let probe =
        HttpProbe::new(&id(), Transport::Tls(sni, Trust::AnyCertificate), &request(string), name, Some(ip), port);
    run(probe, server, timings).await.0
}

#[tokio::test]
async fn certificates_are_not_judged() {
    let certificates = [
        GOOD,
        Certificate { expired: true, ..GOOD },
        Certificate { alternative: "other.test", ..GOOD },
        Certificate { alternative: "other.test", common: "app.lab.test", expired: true },
    ];
    for certificate in certificates {
        let server = tls_server(certificate, Insists::Nothing).await;
        for (sni, name) in [(Sent, Some("app.lab.test")), (Omitted, Some("app.lab.test")), (Sent, None)] {
            let finding = secure(&server, sni, name, None, patient()).await;
            assert_eq!(finding, Finding::GoodStatus(200), "{certificate:?} {sni:?} {name:?}");
        }
    }
}

#[tokio::test]
async fn tls_1_2_is_good_enough() {
    let config = server_config(GOOD, &[&rustls::version::TLS12]);
    let server = Server::start(move |stream| {
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            answer(stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    })
    .await;
    assert_eq!(secure(&server, Sent, Some("app.lab.test"), None, patient()).await, Finding::GoodStatus(200));
}

#[tokio::test]
async fn the_name_goes_into_the_handshake_only_when_it_shall() {
    let server = tls_server(GOOD, Insists::Nothing).await;
    let cases = [
        (Sent, Some("app.lab.test"), "asked for app.lab.test"),
        (Omitted, Some("app.lab.test"), "asked for no name"),
        (Sent, None, "asked for no name"),
    ];
    for (sni, name, body) in cases {
        assert_eq!(secure(&server, sni, name, Some(body), patient()).await, Finding::GoodStatus(200), "{body}");
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_certificate_for_other_names_is_met_once_more_without_a_name() {
    let other = Certificate { alternative: "other.test", ..GOOD };
    let server = tls_server(other, Insists::Nothing).await;
    let finding = secure(&server, Sent, Some("app.lab.test"), Some("asked for no name"), patient()).await;
    assert_eq!(finding, Finding::GoodStatus(200));
    assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_server_that_refuses_the_handshake_fails_with_its_alert() {
    let alert = Finding::Tls("SSL alert access_denied".to_owned());
    let server = tls_server(GOOD, Insists::Name).await;
    assert_eq!(secure(&server, Omitted, Some("app.lab.test"), None, patient()).await, alert);
    assert_eq!(secure(&server, Sent, Some("app.lab.test"), None, patient()).await, Finding::GoodStatus(200));
    // Only a certificate for other names is retried; an alert is final.
    let server = tls_server(GOOD, Insists::NoName).await;
    assert_eq!(secure(&server, Sent, Some("app.lab.test"), None, patient()).await, alert);
    assert_eq!(secure(&server, Omitted, Some("app.lab.test"), None, patient()).await, Finding::GoodStatus(200));
}

#[tokio::test]
async fn the_handshake_has_a_time_of_its_own() {
    let slow = Duration::from_millis(120);
    let config = server_config(GOOD, rustls::ALL_VERSIONS);
    let server = Server::start(move |stream| {
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        async move {
            sleep(slow).await;
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            let _ = stream.read(&mut [0; 1000]).await;
        }
    })
    .await;
    let (ip, port) = (server.address.ip(), server.address.port());
    let probe = HttpProbe::new(
        &id(),
        Transport::Tls(Sent, Trust::AnyCertificate),
        &request(None),
        Some("app.lab.test"),
        Some(ip),
        port,
    );
    let (finding, durations) = run(probe, &server, patient()).await;
    assert_eq!(finding, Finding::GoodStatus(200));
    let (connect, handshake) = (durations.connect.unwrap(), durations.tls_handshake.unwrap());
    assert!(connect < slow && handshake >= slow && connect + handshake <= durations.total, "{durations:?}");
}

#[tokio::test]
async fn a_handshake_that_hangs_times_out_as_a_connection() {
    let server = Server::start(until_closed).await;
    let finding = secure(&server, Sent, Some("app.lab.test"), None, short(ProbePhase::Connect)).await;
    assert_eq!(finding, Finding::TimedOut(ProbePhase::Connect));
    // Also if the first handshake succeeds and the second, without the name, hangs.
    let config = server_config(Certificate { alternative: "other.test", ..GOOD }, rustls::DEFAULT_VERSIONS);
    let server = Server::start(move |stream| {
        let config = Arc::clone(&config);
        async move {
            let Ok(hello) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
            if hello.client_hello().server_name().is_none() {
                until_closed(hello.io).await;
                return;
            }
            let _ = hello.into_stream(config).await;
        }
    })
    .await;
    let finding = secure(&server, Sent, Some("app.lab.test"), None, short(ProbePhase::Connect)).await;
    assert_eq!(finding, Finding::TimedOut(ProbePhase::Connect));
}

#[tokio::test]
async fn silence_after_the_handshake_is_a_status_that_did_not_come() {
    let config = server_config(GOOD, rustls::DEFAULT_VERSIONS);
    let server = Server::start(move |stream| {
        let config = Arc::clone(&config);
        async move {
            let Ok(hello) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
            let Ok(stream) = hello.into_stream(config).await else { return };
            until_closed(stream).await;
        }
    })
    .await;
    let finding = secure(&server, Sent, Some("app.lab.test"), None, short(ProbePhase::Status)).await;
    assert_eq!(finding, Finding::TimedOut(ProbePhase::Status));
}

#[tokio::test]
async fn a_plain_server_on_the_tls_port_is_a_failure() {
    let server = Server::start(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        until_closed(stream).await;
    })
    .await;
    let finding = secure(&server, Sent, Some("app.lab.test"), None, patient()).await;
    assert_eq!(
        finding,
        Finding::Tls(
            "SSL handshake failed: the endpoint did not answer in TLS; it may speak plain HTTP on this port."
                .to_owned()
        )
    );
    let closes = Server::start(|mut stream| async move {
        let _ = stream.read_u8().await;
    })
    .await;
    let closed = "The connection was closed by the endpoint during the SSL handshake.";
    let finding = secure(&closes, Sent, Some("app.lab.test"), None, patient()).await;
    assert_eq!(finding, Finding::Tls(closed.to_owned()));
}

/// A record of TLS (RFC 8446, section 5.1).
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3], &u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
}

/// The answer to a ClientHello with these choices (RFC 8446, section 4.1.3).
fn server_hello(version: [u8; 2], random: [u8; 32], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let body = [&version[..], &random, &[0], &suite, &[0], &length, extensions].concat();
    record(22, &[&[2, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat())
}

#[tokio::test]
async fn the_reason_of_a_failed_handshake_is_named() {
    let alert = |code: u8| record(21, &[2, code]);
    let tls_1_2 = |suite, extensions| server_hello([3, 3], [7; 32], suite, extensions);
    let cases = [
        (alert(40), "SSL alert handshake_failure: the endpoint accepts none of the cipher suites, "),
        (alert(70), "SSL alert protocol_version: the endpoint does not accept TLS 1.2 or 1.3."),
        (alert(71), "SSL alert insufficient_security: the endpoint accepts none of the cipher suites, "),
        (alert(112), "SSL alert unrecognized_name: the endpoint does not serve the server name that was sent"),
        (alert(116), "SSL alert certificate_required: the endpoint requires a client certificate."),
        (
            server_hello([3, 2], [7; 32], [0xc0, 0x13], &[]),
            "SSL handshake failed: the endpoint offers only TLS 1.1 or older.",
        ),
        // TLS_RSA_WITH_AES_128_CBC_SHA.
        (tls_1_2([0, 0x2f], &[]), "SSL handshake failed: the endpoint chose a cipher suite that was not offered."),
        (b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec(), "SSL handshake failed: the endpoint did not answer in TLS; "),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "SSL handshake failed: the endpoint did not answer in TLS; "),
        (Vec::new(), "The connection was closed by the endpoint during the SSL handshake."),
    ];
    for (answer, expected) in cases {
        let server = Server::start(move |mut stream| {
            let answer = answer.clone();
            async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                until_closed(stream).await;
            }
        })
        .await;
        let finding = secure(&server, Sent, Some("app.lab.test"), None, patient()).await;
        assert!(matches!(&finding, Finding::Tls(why) if why.starts_with(expected)), "{expected} {finding:?}");
    }
}

/// A server whose certificate is signed by a test authority, and that authority.
async fn vouched_server(names: &[&str], expired: bool) -> (Server, Authorities) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "The laboratory's authority");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let authorities = Authorities::read(&[file.path().to_owned()]).unwrap();
    let issuer = Issuer::new(params, key);

    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    if expired {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = Arc::new(server_builder(rustls::DEFAULT_VERSIONS).with_single_cert(chain, key).unwrap());
    let server = Server::start(move |stream| {
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            answer(stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    })
    .await;
    (server, authorities)
}

async fn judged(
    server: &Server,
    authorities: &Authorities,
    sni: super::tls::ServerNameIndication,
    name: Option<&str>,
) -> Finding {
    let (ip, port) = (server.address.ip(), server.address.port());
    let transport = Transport::Tls(sni, Trust::Authorities);
    let probe = HttpProbe::new(&id(), transport, &request(None), name, Some(ip), port);
    let connectors = Connectors::new(authorities).unwrap();
    let finding = probe.probe(&connectors, server.address, &patient()).await.unwrap().0;
    server.assert_that_nothing_is_left().await;
    finding
}

#[tokio::test]
async fn certificates_are_judged_for_who_wants_it() {
    let good = Finding::GoodStatus(200);
    let bad = |finding: &Finding| matches!(finding, Finding::Tls(why) if why.starts_with("SSL handshake failed: "));
    let (server, authorities) = vouched_server(&["app.lab.test", "127.0.0.1"], false).await;
    for (sni, name) in [(Sent, Some("app.lab.test")), (Omitted, Some("app.lab.test")), (Sent, None)] {
        assert_eq!(judged(&server, &authorities, sni, name).await, good, "{sni:?} {name:?}");
    }
    // With a certificate for another name there is no second handshake.
    let before = server.accepted.load(Ordering::SeqCst);
    for sni in [Sent, Omitted] {
        let finding = judged(&server, &authorities, sni, Some("other.test")).await;
        assert!(bad(&finding), "{finding:?}");
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), before + 2);
    // Without authorities no certificate is valid.
    assert!(bad(&judged(&server, &Authorities::default(), Sent, Some("app.lab.test")).await));
    let (expired, authorities) = vouched_server(&["app.lab.test"], true).await;
    let finding = judged(&expired, &authorities, Sent, Some("app.lab.test")).await;
    assert!(matches!(&finding, Finding::Tls(why) if why.contains("xpired")), "{finding:?}");
    let itself = tls_server(GOOD, Insists::Nothing).await;
    assert!(bad(&judged(&itself, &authorities, Sent, Some("app.lab.test")).await));
}

/// One value of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match (high, low) {
        (0, 0..=0x7f) => vec![low],
        (0, _) => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], &length[..], content].concat()
}

/// Concatenated DER values.
fn parts(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while !octets.is_empty() {
        let (head, length) = match octets[1] {
            0x82 => (4, usize::from(u16::from_be_bytes([octets[2], octets[3]]))),
            0x81 => (3, usize::from(octets[2])),
            short => (2, usize::from(short)),
        };
        let (part, rest) = octets.split_at(head + length);
        parts.push(part);
        octets = rest;
    }
    parts
}

fn content(part: &[u8]) -> &[u8] {
    match part[1] {
        0x82 => &part[4..],
        0x81 => &part[3..],
        _ => &part[2..],
    }
}

/// The same certificate in version 1, without extensions, as `openssl x509 -req -signkey` makes
/// them.
fn version_1(certificate: &[u8], key: &KeyPair) -> Vec<u8> {
    let whole = parts(content(certificate));
    let fields: Vec<&[u8]> =
        parts(content(whole[0])).into_iter().filter(|field| ![0xa0, 0xa3].contains(&field[0])).collect();
    let to_sign = der(0x30, &fields.concat());
    let signature = [&[0], &key.sign(&to_sign).unwrap()[..]].concat();
    der(0x30, &[&to_sign[..], whole[1], &der(0x03, &signature)].concat())
}

/// The properties of a self-signed certificate.
#[derive(Clone, Copy, Debug)]
struct SelfSigned {
    alternative: &'static [&'static str],
    common: &'static str,
    is_authority: bool,
    version_1: bool,
    years: (i32, i32),
    /// The server does not have its private key.
    forged: bool,
}

/// A server with such a certificate and one version of TLS, and an authority that is the same
/// certificate.
async fn self_signed_server(wanted: SelfSigned, version: &'static SupportedProtocolVersion) -> (Server, Authorities) {
    let names: Vec<String> = wanted.alternative.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, wanted.common);
    params.not_before = rcgen::date_time_ymd(wanted.years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(wanted.years.1, 1, 1);
    if wanted.is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let mut octets = params.self_signed(&key).unwrap().der().to_vec();
    if wanted.version_1 {
        octets = version_1(&octets, &key);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let block = rustls::pki_types::CertificateDer::from(octets.clone());
    std::fs::write(file.path(), pem(&block)).unwrap();
    let authorities = Authorities::read(&[file.path().to_owned()]).unwrap();
    let key = if wanted.forged { KeyPair::generate().unwrap() } else { key };
    let signing = rustls::crypto::ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into()));
    let certified = rustls::sign::CertifiedKey::new(vec![block], signing.unwrap());
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let config = Arc::new(server_builder(std::slice::from_ref(&version)).with_cert_resolver(Arc::new(resolver)));
    let server = Server::start(move |stream| {
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            answer(stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    })
    .await;
    (server, authorities)
}

fn pem(certificate: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for three in certificate.chunks(3) {
        let word = three.iter().fold(0u32, |word, &octet| word << 8 | u32::from(octet)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { digit.into() } else { '=' });
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}

const SELF_SIGNED: SelfSigned = SelfSigned {
    alternative: &["app.lab.test", "127.0.0.1"],
    common: "other.test",
    is_authority: true,
    version_1: false,
    years: (2020, 2999),
    forged: false,
};

#[tokio::test]
async fn a_self_signed_certificate_may_be_its_own_authority() {
    let by_common_name = SelfSigned { alternative: &[], common: "app.lab.test", ..SELF_SIGNED };
    let good = [
        SELF_SIGNED,
        SelfSigned { is_authority: false, ..SELF_SIGNED },
        SelfSigned { alternative: &["*.lab.test"], ..SELF_SIGNED },
        by_common_name,
        SelfSigned { version_1: true, ..by_common_name },
    ];
    let expired = "SSL handshake failed: the certificate has expired.";
    let early = "SSL handshake failed: the certificate is not valid yet.";
    let other = "SSL handshake failed: the certificate is for another name.";
    let forged = "SSL handshake failed: the signature does not match the certificate.";
    let bad = [
        (SelfSigned { years: (2001, 2002), ..SELF_SIGNED }, expired),
        (SelfSigned { years: (2001, 2002), version_1: true, ..by_common_name }, expired),
        (SelfSigned { years: (2998, 2999), ..SELF_SIGNED }, early),
        (SelfSigned { alternative: &["other.test"], common: "app.lab.test", ..SELF_SIGNED }, other),
        (SelfSigned { common: "other.test", ..by_common_name }, other),
        (SelfSigned { common: "other.test", version_1: true, ..by_common_name }, other),
        (SelfSigned { forged: true, ..SELF_SIGNED }, forged),
        (SelfSigned { forged: true, version_1: true, ..by_common_name }, forged),
    ];
    let good = good.map(|wanted| (wanted, None));
    let cases = good.into_iter().chain(bad.map(|(wanted, why)| (wanted, Some(why))));
    for (wanted, why) in cases {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (server, authorities) = self_signed_server(wanted, version).await;
            let finding = judged(&server, &authorities, Sent, Some("app.lab.test")).await;
            let expected = why.map_or(Finding::GoodStatus(200), |why| Finding::Tls(why.to_owned()));
            assert_eq!(finding, expected, "{wanted:?} {version:?}");
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_good_for_itself_alone() {
    for wanted in [SELF_SIGNED, SelfSigned { is_authority: false, ..SELF_SIGNED }] {
        let (server, authorities) = self_signed_server(wanted, &rustls::version::TLS13).await;
        assert_eq!(judged(&server, &authorities, Sent, None).await, Finding::GoodStatus(200));
        let (another, _) = self_signed_server(wanted, &rustls::version::TLS13).await;
        let finding = judged(&another, &authorities, Sent, Some("app.lab.test")).await;
        assert!(matches!(&finding, Finding::Tls(why) if why.starts_with("SSL handshake failed: ")), "{finding:?}");
    }
}

#[test]
fn authorities_come_from_pem_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let read = || Authorities::read(&[file.path().to_owned()]).map(|_| ());
    assert!(read().unwrap_err().to_string().ends_with("the file contains no certificate authority"));
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(read().is_err());
    assert!(Authorities::read(&["/nowhere/ca.pem".into()]).unwrap_err().to_string().starts_with("/nowhere/ca.pem: "));
    // The system may have none; both outcomes are valid.
    Authorities::read(&[]).unwrap();
}

// Names that cannot be asked for.

#[tokio::test]
async fn a_name_that_is_no_host_name_still_leads_to_the_address() {
    let server = Server::answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let ip: IpAddr = server.address.ip();
    for name in ["a b", "a/b@c", "2130706433", "*.lab.test", "", "app.lab.test."] {
        let probe =
            HttpProbe::new(&id(), Transport::Plain, &request(None), Some(name), Some(ip), server.address.port());
        assert_eq!(run(probe, &server, patient()).await.0, Finding::GoodStatus(200), "{name:?}");
    }
}

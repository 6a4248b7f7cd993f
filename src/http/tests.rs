//! A front with routes of its own, over loopback and over pipes: who connects, is slow, does not
//! read, and who is answered.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::connection::{STALL, Socket};
use super::*;
use tokio::time::Instant;

/// Far above what anything here takes: only a fault makes a test wait this long, or a machine that
/// is very busy.
const TIMEOUT: Duration = Duration::from_secs(30);
/// More than a socket and a pipe hold.
const LARGE: usize = 8 * 1024 * 1024;

impl Socket for DuplexStream {
    fn discard_unsent(&self) {}
}

fn front(connections: usize) -> Front {
    let class_of = |path: &str| match path {
        "/alive" => Class::Essential,
        "/stream" => Class::Stream,
        _ => Class::Ordinary,
    };
    let refusal = |status: StatusCode, why: &str| (status, why.to_owned()).into_response();
    Front { limits: Limits { connections, body: 1000 }, hosts: Some(Hosts::default()), class_of, refusal, tls: None }
}

/// Says something every second.
struct Ticks(tokio::time::Interval);

impl axum::body::HttpBody for Ticks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b"tick\n")))))
    }
}

fn router() -> Router {
    let ticks = || async { Body::new(Ticks(tokio::time::interval(Duration::from_secs(1)))) };
    Router::new()
        .route("/alive", get(|| async { "alive" }))
        .route("/small", get(|| async { "small" }))
        .route("/large", get(|| async { vec![b'x'; LARGE] }))
        .route("/echo", post(|body: String| async { body }))
        .route("/stream", get(ticks))
}

/// One that listens.
async fn listen(connections: usize) -> SocketAddr {
    let listener = bind((HERE, 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, router(), front(connections)));
    address
}

/// A connection over a pipe, among so many others.
fn connect(others: usize) -> (DuplexStream, Vec<ConnectionEntry>) {
    let table = Arc::new(Mutex::new(Table::new(front(16).limits)));
    let others = (0..others)
        .map(|i| ConnectionEntry::take(&table, [192, 0, 2, u8::try_from(i).unwrap()].into()).unwrap())
        .collect();
    let entry = ConnectionEntry::take(&table, [127, 0, 0, 1].into()).unwrap();
    let (client, server) = duplex(1024);
    let service =
        Service::new(TowerToHyperService::new(router()), Arc::new(front(16)), Peer([127, 0, 0, 1].into()), entry);
    tokio::spawn(connection::serve(server, service));
    (client, others)
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends this from an address of loopback; a connection that is closed at once is not a fault.
async fn send(address: SocketAddr, from: [u8; 4], text: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let _ = stream.write_all(text.as_bytes()).await;
    stream
}

/// The status of what comes next, and whether the connection goes on.
async fn status(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<(u16, bool)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    Some((head.split(' ').nth(1).unwrap().parse().unwrap(), !head.contains("connection: close")))
}

/// Asks and reads the status.
async fn ask(address: SocketAddr, from: [u8; 4], path: &str) -> Option<u16> {
    let answered = async { status(&mut send(address, from, &request(path)).await).await };
    Some(tokio::time::timeout(TIMEOUT, answered).await.expect("there is no answer")?.0)
}

/// Waits until it is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, waited).await.expect("it never came to that");
}

const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [127, 0, 0, 2];

/// What a busy machine may need besides the one second that is promised.
const PROMPT: Duration = Duration::from_secs(10);

/// Slow clients at once: as many as the limit of open files lets a test have.
#[cfg(target_os = "linux")]
fn slow_clients() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = 2048.min(maximum.unwrap_or(u64::MAX));
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
    }
    if wanted < 2048 { 500 } else { 1000 }
}

#[cfg(not(target_os = "linux"))]
fn slow_clients() -> usize {
    100
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_requests_are_answered_whoever_does_not_read_and_whoever_is_slow() {
    let address = listen(64).await;
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(send(address, HERE, &request("/large").repeat(20)).await);
    }
    for i in 0..slow_clients() {
        held.push(send(address, HERE, "GET /alive HTTP/1.1\r\nHost: local").await);
        if i % 50 == 0 {
            let began = Instant::now();
            // From their address too.
            assert_eq!(ask(address, HERE, "/alive").await, Some(200));
            assert_eq!(ask(address, THERE, "/alive").await, Some(200));
            assert_eq!(ask(address, THERE, "/small").await, Some(200));
            assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
        }
    }
    // A connection that does not read is closed for a new one.
    assert_eq!(ask(address, HERE, "/small").await, Some(200));
}

#[tokio::test]
async fn streams_have_slots_of_their_own_and_one_address_never_has_all() {
    let address = listen(16).await;
    let mut streams = Vec::new();
    for (from, wanted) in [(HERE, 200), (HERE, 200), (HERE, 200), (HERE, 503), (THERE, 200), (THERE, 503)] {
        let mut stream = send(address, from, &request("/stream")).await;
        assert_eq!(status(&mut stream).await.unwrap().0, wanted);
        if wanted == 200 {
            streams.push(stream);
        }
    }
    assert_eq!(ask(address, HERE, "/small").await, Some(200));
    assert_eq!(ask(address, HERE, "/alive").await, Some(200));
    drop(streams.pop());
    until(async || ask(address, THERE, "/stream").await == Some(200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_has_to_come_in_time_and_quickly_where_there_are_many() {
    for (others, seconds) in [(0, 30), (13, 1)] {
        let (mut client, _others) = connect(others);
        let began = Instant::now();
        // A few bytes now and then do not renew it.
        let dripped = async {
            while client.write_all(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        dripped.await;
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_stays_until_it_has_asked_nothing_for_long() {
    let (mut client, _) = connect(0);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(29)).await;
        client.write_all(request("/small").as_bytes()).await.unwrap();
        assert_eq!(status(&mut client).await, Some((200, true)));
        client.read_exact(&mut [0; 5]).await.unwrap();
    }
    let began = Instant::now();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn among_many_a_connection_ends_with_its_answer() {
    let (mut client, _others) = connect(13);
    client.write_all(request("/small").as_bytes()).await.unwrap();
    assert_eq!(status(&mut client).await, Some((200, false)));
}

#[tokio::test(start_paused = true)]
async fn a_body_has_to_come_in_time_and_to_fit() {
    let post = |length: usize| format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    for (others, seconds) in [(0, 10), (13, 1)] {
        let (mut client, _others) = connect(others);
        client.write_all((post(10) + "half").as_bytes()).await.unwrap();
        let began = Instant::now();
        assert_eq!(status(&mut client).await, Some((408, false)));
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    let (mut client, _) = connect(0);
    client.write_all((post(4) + "half").as_bytes()).await.unwrap();
    assert_eq!(status(&mut client).await, Some((200, true)));
    let chunked = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
    for (text, wanted) in [
        (post(1001), 413),
        (format!("{chunked}{chunk}0\r\n\r\n"), 200),
        (format!("{chunked}{chunk}1\r\nx\r\n0\r\n\r\n"), 413),
        (format!("{chunked}nonsense\r\n"), 400),
    ] {
        let (client, _) = connect(0);
        let (mut reader, mut writer) = tokio::io::split(client);
        tokio::spawn(async move { writer.write_all(text.as_bytes()).await });
        assert_eq!(status(&mut reader).await.unwrap().0, wanted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_nobody_reads_is_given_up() {
    for path in ["/large", "/stream"] {
        let (mut client, _) = connect(0);
        client.write_all(request(path).as_bytes()).await.unwrap();
        // The stream takes a while to fill the pipe.
        tokio::time::sleep(Duration::from_secs(200) + STALL).await;
        let mut rest = Vec::new();
        let began = Instant::now();
        let _ = client.read_to_end(&mut rest).await;
        assert!(rest.len() <= 1024 && began.elapsed() < QUICK, "{path}: {} after {:?}", rest.len(), began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_read_in_drips_is_given_up_and_a_stream_is_not() {
    for (path, is_given_up) in [("/large", true), ("/stream", false)] {
        let (mut client, _) = connect(0);
        client.write_all(request(path).as_bytes()).await.unwrap();
        let mut chunk = [0; 64];
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(600) && client.read(&mut chunk).await.is_ok_and(|bytes| bytes > 0) {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let wanted = if is_given_up { 120..250 } else { 600..610 };
        assert!(wanted.contains(&began.elapsed().as_secs()), "{path}: {:?}", began.elapsed());
    }
}

/// Has no files for the first hundred connections.
struct Full(AtomicUsize);

impl Listener for Full {
    type Socket = ();

    async fn next(&self) -> io::Result<((), SocketAddr)> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err(io::ErrorKind::ConnectionAborted.into()),
            // EMFILE; like ENFILE, ENOBUFS and ENOMEM it has no kind of its own.
            1..=100 => Err(io::Error::from_raw_os_error(24)),
            101 => Ok(((), (HERE, 1).into())),
            _ => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_accepting_end_nothing_and_do_not_spin() {
    let table = Arc::new(Mutex::new(Table::new(front(16).limits)));
    let idle = ConnectionEntry::take(&table, HERE.into()).unwrap();
    let (full, began) = (Full(AtomicUsize::new(0)), AtomicUsize::new(0));
    let start = Instant::now();
    let accepting = accept(&full, &table, |(), _, _| {
        began.fetch_add(1, Ordering::Relaxed);
    });
    assert!(tokio::time::timeout(Duration::from_secs(60), accepting).await.is_err(), "it goes on for ever");
    assert_eq!((full.0.load(Ordering::Relaxed), began.load(Ordering::Relaxed)), (103, 1));
    assert_eq!(start.elapsed().as_secs(), 60);
    // A connection that waited gave its file.
    idle.closed().await;
}

//! Tests that probes accept the endpoints that curl accepts.
//!
//! The expected outcomes are those of curl 7.88.1: `curl -sS --compressed -w '%{http_code}' …` with
//! a server that sends the bytes and closes its side of the connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;

use super::Authorities;
use super::Finding;
use super::http::{HttpProbe, Transport};
use super::test_servers::{
    GOOD, Server, id, patient, plain, read_request, request, secure, server_config, until_closed,
};
use super::tls::Connectors;
use super::tls::ServerNameIndication::Sent;

/// curl's result for a response.
#[derive(Clone, Copy, Debug)]
enum Curl {
    /// It prints the body, `needle`, and this status.
    Found(u16),
    /// It succeeds with another body.
    Missing(u16),
    /// It prints this status, and fails in the body before the needle.
    ExchangeError(u16),
    /// No valid response.
    Refused,
}

use Curl::{ExchangeError, Found, Missing, Refused};

/// Status lines, followed by [`REST`].
const STATUS_LINES: &[(&[u8], Curl)] = &[
    (b"HTTP/1.1 200 OK", Found(200)),
    (b"HTTP/1.1 200", Found(200)),
    (b"HTTP/1.1 200 ", Found(200)),
    (b"HTTP/1.0 200 OK", Found(200)),
    (b"http/1.1 200 OK", Found(200)),
    (b"Http/1.1 200 OK", Found(200)),
    (b"HTTP/1.1  200 OK", Found(200)),
    (b"HTTP/1.1\t200 OK", Refused),
    (b"HTTP/1.1 200  OK", Found(200)),
    (b"HTTP/1.1 200\tOK", Found(200)),
    (b"HTTP/0.9 200 OK", Refused),
    (b"HTTP/2 200 OK", Found(200)),
    (b"HTTP/2 200", Found(200)),
    (b"HTTP/2.0 200 OK", Found(200)),
    (b"HTTP/3 200 OK", Refused),
    (b"HTTP/1 200 OK", Refused),
    (b"HTTP/1.10 200 OK", Refused),
    (b"HTTP/01.1 200 OK", Refused),
    (b"HTTP/1.1 0200 OK", Refused),
    (b"HTTP/1.1 2000 OK", Refused),
    (b"HTTP/1.1 20 OK", Refused),
    (b"HTTP/1.1 200OK", Found(200)),
    (b"HTTP/1.1 200-OK", Found(200)),
    (b"HTTP 200 OK", Refused),
    (b"HTTP/1.1 abc OK", Refused),
    (b"HTTP/1.1 -200 OK", Refused),
    (b"HTTP/1.1 000 OK", Refused),
    (b"HTTP/1.1 600 Odd", Found(600)),
    (b"HTTP/1.1 999 Odd", Found(999)),
    (b"ICY 200 OK", Refused),
    (b" HTTP/1.1 200 OK", Refused),
    (b"HTTP/1.1 200 OK \xc3\xbc", Found(200)),
    (b"HTTP/1.1 200 O\x01K", Found(200)),
    (b"HTTP/1.1 200 O\x7fK", Found(200)),
    (b"HTTP/1.1 200 O\0K", Refused),
    (b"HTTP/1.1 200 O\rK", Found(200)),
    (b"\xef\xbb\xbfHTTP/1.1 200 OK", Refused),
    (b"HTTPS/1.1 200 OK", Refused),
    (b"RTSP/1.0 200 OK", Refused),
];

/// Header lines between a good status line and [`REST`].
const HEADER_LINES: &[(&[u8], Curl)] = &[
    (b"X: a\r\n b", Found(200)),
    (b"X: a\r\n\tb", Found(200)),
    (b"X:\r\n a", Found(200)),
    (b"X: a\r\n \r\n b", Found(200)),
    (b"X: a\n b", Found(200)),
    (b"X : a", Found(200)),
    (b"X\t: a", Found(200)),
    (b"X  \t : a", Found(200)),
    (b"X:a", Found(200)),
    (b"X:", Found(200)),
    (b": a", Found(200)),
    (b"X", Refused),
    (b"X Y: a", Found(200)),
    (b"X Y", Refused),
    (b"X(Y): a", Found(200)),
    (b"X\xe9: a", Found(200)),
    (b"X\x01: a", Found(200)),
    (b"X\0: a", Refused),
    (b"X: \x01", Found(200)),
    (b"X: a\x7fb", Found(200)),
    (b"X: a\0b", Refused),
    (b"X: a\rb", Found(200)),
    (b"X: \xff\xfe", Found(200)),
    (b"\xc3\xbc: a", Found(200)),
    (b" X: a", Refused),
    (b"\tX: a", Refused),
    (b"{\"json\": 1}", Found(200)),
    (b"<html>", Refused),
    (b"/path: x", Found(200)),
    (b"Set-Cookie: a\x01=b; path=/", Found(200)),
    (b"@#$", Refused),
    (b"[x]: y", Found(200)),
    (b"X: a\x0bb", Found(200)),
    (b"Connection : close", Found(200)),
];

/// Whole responses.
const RESPONSES: &[(&[u8], Curl)] = &[
    (b"\rHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\nContent-Length: 6\n\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\nContent-Length: 6\r\n\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\rContent-Length: 6\r\rneedle", Refused),
    (b"HTTP/1.1 200 OK\r\r\nContent-Length: 6\r\r\n\r\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 6\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6, 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 7\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6, 7\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: +6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -6\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6abc\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6 \r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length : 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 06\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0x6\r\n\r\nneedle", Missing(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nneedle", Missing(200)),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6;x\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\0\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\r\nContent-Length: \"6\"\r\n\r\nneedle", Refused),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6.0\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;q=1\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked;q=1\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", ExchangeError(200)),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\nneedle", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\nContent-Length: 6\r\n\r\nneedle", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nnee\n3\ndle\n0\n\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nnee\r\n3 ; c\r\ndle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;a=\"b;c\"\r\nneedle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6  \r\nneedle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\t\r\nneedle\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 6\r\nneedle\r\n0\r\n\r\n", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000006\r\nneedle\r\n000\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle\r\n0\r\nX: y\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle\r\n0\r\nX y\x01\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle\r\n0\r\nX: y\r\n z\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle\r\n0\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nneedle", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nneedle0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nneedle\r\n0\r\n\r\n", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nneedle", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x6\r\nneedle\r\n0\r\n\r\n", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nneedle", ExchangeError(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nneedle....\r\n0\r\n\r\n", Found(200)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-6\r\nneedle\r\n0\r\n\r\n", ExchangeError(200)),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 199 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.0 102 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Found(200)),
    (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", Found(101)),
    (b"HTTP/1.1 100 Continue\r\n\r\n", Refused),
    (b"HTTP/1.1 204 None\r\nContent-Length: 6\r\n\r\nneedle", Missing(204)),
    (b"HTTP/1.1 304 None\r\nContent-Length: 6\r\n\r\nneedle", Missing(304)),
    (b"HTTP/1.1 205 Reset\r\nContent-Length: 6\r\n\r\nneedle", Found(205)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedlexxx", Found(200)),
    (b"HTTP/1.1 200 OK\r\nX: y\r\n", Missing(200)),
    (b"HTTP/1.1 200 OK\r\n", Missing(200)),
    (b"HTTP/1.1 200 OK", Refused),
    (b"HTTP/1.1 200 OK\r\nX: y", Missing(200)),
    (b"needle", Refused),
    (b"HTTP/1.1 400 Bad\r\nContent-Length: 6\r\n\r\nneedle", Found(400)),
];

/// What follows the lines of the first two tables.
const REST: &[u8] = b"\r\nContent-Length: 6\r\n\r\nneedle";

/// Accepted here although curl rejects them, each for a reason.
const BEYOND_CURL: &[(&[u8], &str)] = &[
    (b"HTTP/1.2 200 OK\r\nContent-Length: 6\r\n\r\nneedle", "any minor version is HTTP/1 (RFC 9110, section 2.5)"),
    (b"HTTP/1.9 200 OK\r\nContent-Length: 6\r\n\r\nneedle", "the same"),
    (b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", "robustness (RFC 9112, section 2.2)"),
    (b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", "the same"),
    (b"\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle", "the same"),
    (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 6\r\n\r\nneedle", "folded (RFC 9112, section 5.2)"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n",
        "white space before the colon, which curl only overreads",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n",
        "folded (RFC 9112, section 5.2)",
    ),
    (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n",
        "white space before the colon, which curl only overreads",
    ),
    (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n3\r\nnee\r\n3\r\ndle\r\n0\r\n\r\n",
        "folded (RFC 9112, section 5.2)",
    ),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\nneedle", "searched as it is"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\nContent-Length: 6\r\n\r\nneedle", "searched as it is"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nneedle", "searched as it is"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\nContent-Length: 6\r\n\r\nneedle", "searched as it is"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000000000000000006\r\nneedle\r\n0\r\n\r\n",
        "zeros need no room",
    ),
];

/// The server of the tables.
async fn sending(response: Vec<u8>) -> Server {
    let response: Arc<[u8]> = response.into();
    Server::start(move |mut stream| {
        let response = Arc::clone(&response);
        async move {
            read_request(&mut stream).await;
            let _ = stream.write_all(&response).await;
            let _ = stream.shutdown().await;
            until_closed(stream).await;
        }
    })
    .await
}

fn of_status(code: u16) -> Finding {
    if (200..400).contains(&code) { Finding::GoodStatus(code) } else { Finding::BadStatus(code) }
}

/// Whether a probe agrees with curl, without and with a search.
async fn agrees(response: &[u8], curl: Curl) -> Result<(), String> {
    let server = sending(response.to_vec()).await;
    let asked = plain(&server, None, patient()).await;
    let searched = plain(&server, Some("needle"), patient()).await;
    let is_bad = |finding: &Finding| !matches!(finding, Finding::GoodStatus(_));
    let agrees = match curl {
        Found(code) => asked == of_status(code) && searched == of_status(code),
        Missing(code) => asked == of_status(code) && searched == Finding::StringMissing(code),
        ExchangeError(code) => asked == of_status(code) && is_bad(&searched),
        Refused => is_bad(&asked) && is_bad(&searched),
    };
    let response = response.escape_ascii();
    if agrees {
        Ok(())
    } else {
        Err(format!("{response}\n    curl {curl:?}, without search {asked:?}, with {searched:?}"))
    }
}

#[tokio::test]
async fn what_curl_calls_good_is_good() {
    let mut disagreements = Vec::new();
    let status_lines = STATUS_LINES.iter().map(|&(line, curl)| ([line, REST].concat(), curl));
    let header_lines = HEADER_LINES.iter().map(|&(line, curl)| ([b"HTTP/1.1 200 OK\r\n", line, REST].concat(), curl));
    let responses = RESPONSES.iter().map(|&(response, curl)| (response.to_vec(), curl));
    let mut compared = 0;
    for (response, curl) in status_lines.chain(header_lines).chain(responses) {
        disagreements.extend(agrees(&response, curl).await.err());
        compared += 1;
    }
    assert!(disagreements.is_empty(), "{} of {compared}\n{}", disagreements.len(), disagreements.join("\n"));
}

#[tokio::test]
async fn what_is_good_beyond_curl() {
    for (response, why) in BEYOND_CURL {
        agrees(response, Found(200)).await.unwrap_or_else(|error| panic!("{why}: {error}"));
    }
}

// Endpoints that answer before they read the request.

/// How an endpoint answers and closes the connection.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Without reading the request, which may arrive after the end of the connection.
    AtOnce,
    /// After the request has arrived, without reading it: the kernel resets the connection.
    Unread,
    /// The same, after reading the first part of the request.
    PartlyRead,
    /// It closes its side, then resets the connection.
    HalfClosed,
    /// It reads the request, and resets the connection all the same.
    ResetAfterwards,
    /// Slowly, in pieces, and without reading the request.
    InPieces,
}

const MANNERS: [Manner; 6] =
    [Manner::AtOnce, Manner::Unread, Manner::PartlyRead, Manner::HalfClosed, Manner::ResetAfterwards, Manner::InPieces];

/// The response of `clustercheck`.
const WITH_LENGTH: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 6\r\n\r\nneedle";
const WITHOUT_LENGTH: &str = "HTTP/1.0 200 OK\r\n\r\nneedle";

fn leave(mut stream: StdStream, response: &[u8], manner: Manner) -> std::io::Result<()> {
    // Data that Nagle's algorithm holds back would be lost with the reset, for every client.
    stream.set_nodelay(true)?;
    let mut begun = [0; 5];
    match manner {
        Manner::AtOnce => stream.write_all(response),
        Manner::Unread => {
            stream.peek(&mut begun)?;
            stream.write_all(response)
        }
        Manner::PartlyRead => {
            stream.read_exact(&mut begun)?;
            stream.write_all(response)
        }
        Manner::HalfClosed => {
            stream.write_all(response)?;
            stream.shutdown(Shutdown::Write)?;
            stream.peek(&mut begun).map(drop)
        }
        Manner::ResetAfterwards => {
            let _ = stream.read(&mut [0; 4096])?;
            stream.write_all(response)?;
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))
        }
        Manner::InPieces => response.chunks(20).try_for_each(|piece| {
            stream.write_all(piece)?;
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        }),
    }
}

/// A separate thread, so that it runs in parallel with the probe.
fn hasty(response: &'static str, manner: Manner) -> std::net::SocketAddr {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let _ = leave(stream, response.as_bytes(), manner);
        }
    });
    address
}

#[tokio::test]
async fn answers_before_the_request_count_over_http() {
    let connectors = Connectors::new(&Authorities::default()).unwrap();
    for response in [WITH_LENGTH, WITHOUT_LENGTH] {
        for manner in MANNERS {
            let address = hasty(response, manner);
            for string in [None, Some("needle")] {
                let (ip, port) = (address.ip(), address.port());
                let probe = HttpProbe::new(&id(), Transport::Plain, &request(string), None, Some(ip), port);
                for number in 0..250 {
                    let (finding, _) = probe.probe(&connectors, address, &patient()).await.unwrap();
                    assert_eq!(finding, Finding::GoodStatus(200), "{number}: {response:?} {manner:?} {string:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn answers_before_the_request_count_over_https() {
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let config = server_config(GOOD, versions);
        let server = Server::start(move |stream| {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&config));
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.write_all(WITHOUT_LENGTH.as_bytes()).await;
                let _ = stream.flush().await;
                // Dropped with the request unread, or before it arrives.
            }
        })
        .await;
        for string in [None, Some("needle")] {
            for number in 0..150 {
                let finding = secure(&server, Sent, Some("app.lab.test"), string, patient()).await;
                assert_eq!(finding, Finding::GoodStatus(200), "{number}: {versions:?} {string:?}");
            }
        }
    }
}

/// A request that fills every buffer is still being sent when the response arrives and the
/// connection is reset: the write fails, and the response counts.
#[tokio::test]
async fn an_answer_counts_while_the_request_is_being_sent() {
    let headers = (0..200).map(|number| (format!("x-{number}"), "x".repeat(60_000).into())).collect();
    let http = crate::model::HttpRequest { request_headers: headers, ..request(Some("needle")) };
    let connectors = Connectors::new(&Authorities::default()).unwrap();
    for hold in [0, 1, 100] {
        let server = Server::start(move |mut stream| async move {
            stream.readable().await.unwrap();
            let _ = stream.write_all(WITH_LENGTH.as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(hold)).await;
        })
        .await;
        let (ip, port) = (server.address.ip(), server.address.port());
        let probe = HttpProbe::new(&id(), Transport::Plain, &http, None, Some(ip), port);
        for _ in 0..5 {
            let (finding, _) = probe.probe(&connectors, server.address, &patient()).await.unwrap();
            assert_eq!(finding, Finding::GoodStatus(200), "{hold} ms");
        }
    }
}

#[tokio::test]
async fn a_reset_without_a_complete_head_is_a_failure() {
    let connectors = Connectors::new(&Authorities::default()).unwrap();
    for response in ["", "HTTP/1.1 200", "HTTP/1.1 100 Continue\r\n\r\n"] {
        for manner in MANNERS {
            let address = hasty(response, manner);
            let probe =
                HttpProbe::new(&id(), Transport::Plain, &request(None), None, Some(address.ip()), address.port());
            let (finding, _) = probe.probe(&connectors, address, &patient()).await.unwrap();
            assert_eq!(finding, Finding::Closed, "{response:?} {manner:?}");
        }
    }
}

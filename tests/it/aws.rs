//! A client of the Route 53 API: signs requests with Signature Version 4, and sends them over a
//! plain connection, also in ways that no AWS client would.

#![allow(dead_code)] // each test binary uses its part of this

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use ring::{digest, hmac};

use crate::server::{PATIENCE, Running};

/// A client with a key.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: String,
    id: String,
    secret: String,
    token: Option<String>,
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The headers, in lower case.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Client {
    /// A client of the API that a server announces.
    pub(crate) fn of(server: &Running, id: &str, secret: &str) -> Client {
        let began = std::time::Instant::now();
        let address = loop {
            let text = server.stdout();
            if let Some((_, rest)) = text.split_once("Route 53 API: http") {
                let (_, rest) = rest.split_once("://").unwrap();
                break rest.split_whitespace().next().unwrap().to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "there is no API:\n{text}\n{}", server.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        Client { address, id: id.to_owned(), secret: secret.to_owned(), token: None }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The same with a session token.
    pub(crate) fn with_token(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[], body)
    }

    /// The same as [`Client::post`], to a server that may not be there. `None` without a response.
    pub(crate) fn try_post(&self, path: &str, body: &str) -> Option<Reply> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&self.request("POST", path, &[], body.as_bytes())).ok()?;
        Some(read_reply(&mut stream)).filter(|reply| reply.status != 0)
    }

    /// Sends a signed request; `path` is what comes after `/2013-04-01`, with its query.
    pub(crate) fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
        exchange(&self.address, self.request(method, path, more, body.as_bytes()).as_slice())
    }

    /// The bytes of a signed request; the further headers are not signed.
    pub(crate) fn request(&self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let time = now();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = vec![("host", self.address.as_str()), ("x-amz-date", time.as_str())];
        if let Some(token) = &self.token {
            headers.push(("x-amz-security-token", token));
        }
        let (signed, digits) = self.sign(&time, method, &format!("/2013-04-01{path}"), query, &headers, body);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={signed}, Signature={digits}",
            self.id,
            scope(&time)
        );
        headers.push(("authorization", &authorization));
        let mark = if query.is_empty() { "" } else { "?" };
        let mut text = format!("{method} /2013-04-01{path}{mark}{query} HTTP/1.1\r\n");
        for (name, value) in headers.iter().chain(more) {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(text, "content-length: {}\r\n", body.len());
        }
        [text.as_bytes(), b"\r\n", body].concat()
    }

    /// The target of a presigned request.
    pub(crate) fn presigned(&self, method: &str, path: &str) -> String {
        let time = now();
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={time}&X-Amz-Expires=60&\
             X-Amz-SignedHeaders=host",
            self.id,
            scope(&time).replace('/', "%2F")
        );
        let path = format!("/2013-04-01{path}");
        let (_, digits) = self.sign(&time, method, &path, &query, &[("host", &self.address)], b"");
        format!("{path}?{query}&X-Amz-Signature={digits}")
    }

    /// The signed headers and the signature. The query has its parameters in order.
    fn sign(
        &self,
        time: &str,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (String, String) {
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        // All services but S3 encode the encoded path once more.
        let path = path.replace('%', "%25");
        let hash = |octets: &[u8]| hex(digest::digest(&digest::SHA256, octets).as_ref());
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{}", hash(body));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{}\n{}", scope(time), hash(canonical.as_bytes()));
        let start = format!("AWS4{}", self.secret).into_bytes();
        let key = scope(time).split('/').fold(start, |key, part| hmac_of(&key, part));
        (names, hex(&hmac_of(&key, &text)))
    }
}

impl Reply {
    /// The code of an error.
    pub(crate) fn code(&self) -> &str {
        self.element("Code")
    }

    /// The text of the first element with this name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let start = format!("<{name}>");
        let Some((_, rest)) = self.body.split_once(&start) else { return "" };
        rest.split_once('<').unwrap().0
    }
}

/// Sends bytes and reads one response.
pub(crate) fn exchange(address: &str, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that refuses a request need not read all of it.
    let _ = stream.write_all(request);
    read_reply(&mut stream)
}

pub(crate) fn read_reply(stream: &mut impl std::io::Read) -> Reply {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        if stream.read(&mut octet).unwrap_or(0) == 0 {
            break;
        }
        head.push(octet[0]);
    }
    let headers = String::from_utf8(head).unwrap().to_lowercase();
    let status = headers.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
    let length =
        headers.split_once("content-length: ").map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    let mut body = String::new();
    stream.take(length).read_to_string(&mut body).unwrap();
    Reply { status, headers, body }
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// With a region that is not Route 53's own: Terraform signs with the provider's.
fn scope(time: &str) -> String {
    format!("{}/eu-central-1/route53/aws4_request", &time[..8])
}

fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

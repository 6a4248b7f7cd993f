//! The messages of dnstap (dnstap.proto, version of 2024) and their frames.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use prost::Message as _;

use crate::requestor::Transport;

use super::record::Record;

/// `Dnstap.Type`: MESSAGE is the only one.
const TYPE_MESSAGE: i32 = 1;
/// `Message.Type`: a query received and a response sent by an authoritative server.
const AUTH_QUERY: i32 = 1;
const AUTH_RESPONSE: i32 = 2;

/// The outermost message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dnstap {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) version: Option<Vec<u8>>,
    #[prost(message, optional, tag = "14")]
    pub(super) message: Option<Message>,
    #[prost(int32, required, tag = "15")]
    pub(super) kind: i32,
}

/// A DNS message with addresses, transport and time.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Message {
    #[prost(int32, required, tag = "1")]
    pub(super) kind: i32,
    #[prost(int32, optional, tag = "2")]
    pub(super) socket_family: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub(super) socket_protocol: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) query_address: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) response_address: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "6")]
    pub(super) query_port: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    pub(super) response_port: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    pub(super) query_time_sec: Option<u64>,
    #[prost(fixed32, optional, tag = "9")]
    pub(super) query_time_nsec: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "10")]
    pub(super) query_message: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "12")]
    pub(super) response_time_sec: Option<u64>,
    #[prost(fixed32, optional, tag = "13")]
    pub(super) response_time_nsec: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "14")]
    pub(super) response_message: Option<Vec<u8>>,
}

/// The identity and version of this server.
pub(super) struct Sender {
    identity: Vec<u8>,
    version: Vec<u8>,
}

impl Sender {
    pub(super) fn new(identity: &str) -> Sender {
        let version = concat!("fiftythree ", env!("CARGO_PKG_VERSION"));
        Sender { identity: identity.as_bytes().to_vec(), version: version.as_bytes().to_vec() }
    }

    /// Appends the frames of an exchange. Returns their number: one if there is no response.
    pub(super) fn frames(&self, record: &Record<'_>, out: &mut Vec<u8>) -> u64 {
        let exchange = &record.exchange;
        let query = Message { query_message: Some(exchange.query.to_vec()), ..message(AUTH_QUERY, record) };
        self.frame(query, out);
        if exchange.response.is_empty() {
            return 1;
        }
        let (seconds, nanoseconds) = parts(record.responded);
        let response = Message {
            response_time_sec: Some(seconds),
            response_time_nsec: Some(nanoseconds),
            response_message: Some(exchange.response.to_vec()),
            ..message(AUTH_RESPONSE, record)
        };
        self.frame(response, out);
        2
    }

    /// A frame is its length, four octets in network byte order, followed by its data (Frame
    /// Streams).
    fn frame(&self, message: Message, out: &mut Vec<u8>) {
        let dnstap = Dnstap {
            identity: Some(self.identity.clone()),
            version: Some(self.version.clone()),
            message: Some(message),
            kind: TYPE_MESSAGE,
        };
        let length = u32::try_from(dnstap.encoded_len()).expect("two DNS messages are short");
        out.extend(length.to_be_bytes());
        dnstap.encode(out).expect("a vector grows");
    }
}

/// The common fields of both messages of an exchange. The requestor decides between IPv4 and IPv6;
/// the address of the server has the same family.
fn message(kind: i32, record: &Record<'_>) -> Message {
    let exchange = &record.exchange;
    let client = exchange.requestor.socket_address();
    let (seconds, nanoseconds) = parts(record.queried);
    Message {
        kind,
        socket_family: Some(if client.is_ipv4() { 1 } else { 2 }),
        socket_protocol: Some(match exchange.requestor.transport() {
            Transport::Udp => 1,
            Transport::Tcp => 2,
        }),
        query_address: Some(octets(client)),
        response_address: exchange.server.map(octets),
        query_port: Some(client.port().into()),
        response_port: exchange.server.map(|server| server.port().into()),
        query_time_sec: Some(seconds),
        query_time_nsec: Some(nanoseconds),
        ..Message::default()
    }
}

fn octets(address: SocketAddr) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn parts(at: Duration) -> (u64, u32) {
    (at.as_secs(), at.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;
    use crate::query_logging::Exchange;

    fn decoded(mut frames: &[u8]) -> Vec<Dnstap> {
        let mut all = Vec::new();
        while let Some((length, rest)) = frames.split_first_chunk() {
            let (frame, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
            all.push(Dnstap::decode(frame).unwrap());
            frames = after;
        }
        all
    }

    #[test]
    fn an_exchange_is_a_query_and_a_response() {
        let mut frames = Vec::new();
        assert_eq!(Sender::new("lab-1").frames(&record(), &mut frames), 2);
        let [query, response] = &decoded(&frames)[..] else { panic!("two frames") };
        assert_eq!(query.identity.as_deref(), Some(&b"lab-1"[..]));
        assert_eq!((query.kind, response.kind), (1, 1));
        let (query, response) = (query.message.as_ref().unwrap(), response.message.as_ref().unwrap());
        assert_eq!((query.kind, response.kind), (AUTH_QUERY, AUTH_RESPONSE));
        assert_eq!(
            (query.query_message.as_deref(), query.response_message.as_deref()),
            (Some(&b"the query"[..]), None)
        );
        assert_eq!(response.response_message.as_deref(), Some(&b"and the response"[..]));
        for message in [query, response] {
            assert_eq!((message.socket_family, message.socket_protocol), (Some(1), Some(1)));
            assert_eq!((message.query_address.as_deref(), message.query_port), (Some(&[192, 0, 2, 1][..]), Some(4242)));
            assert_eq!((message.response_address.as_ref().map(Vec::len), message.response_port), (Some(16), Some(53)));
            assert_eq!((message.query_time_sec, message.query_time_nsec), (Some(1_800_000_000), Some(123_456_789)));
        }
        assert_eq!(response.response_time_nsec, Some(123_461_000));
    }

    #[test]
    fn silence_is_a_query_alone() {
        let exchange = Exchange { response: b"", ..record().exchange };
        let mut frames = Vec::new();
        assert_eq!(Sender::new("lab-1").frames(&Record { exchange, ..record() }, &mut frames), 1);
        assert_eq!(decoded(&frames).len(), 1);
    }
}

//! One query and one response over UDP or TCP; other senders are ignored.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, Query};

use crate::requestor::Transport;

/// How often a query is sent over UDP: a datagram may get lost.
const UDP_TRIES: usize = 2;
/// The largest datagram (RFC 768: a 16-bit length).
const LARGEST_DATAGRAM: usize = 65_535;

/// A response, and how it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(super) message: Message,
    /// Its size.
    pub(super) bytes: usize,
    pub(super) transport: Transport,
    pub(crate) elapsed: Duration,
    /// Whether the response over UDP was truncated, so that TCP was used.
    pub(super) was_truncated: bool,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("no answer from {server} over {transport} within {}", seconds(*timeout))]
    Silence { server: SocketAddr, transport: Transport, timeout: Duration },
    #[error("cannot reach {server} over {transport}")]
    Unreachable { server: SocketAddr, transport: Transport, source: io::Error },
    #[error("the query cannot be encoded: {0}")]
    Unwritable(String),
    #[error("{server} sent something that is not a DNS response to this query: {reason}")]
    Malformed { server: SocketAddr, reason: String },
}

/// The server to query, and the timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) server: SocketAddr,
    /// For each try.
    pub(crate) timeout: Duration,
}

impl Asker {
    /// Queries over UDP, and again over TCP if the response is truncated (RFC 7766 section 5).
    pub(crate) fn ask_udp_then_tcp(self, question: &Message) -> Result<Reply, ExchangeError> {
        let reply = self.ask_udp(question)?;
        if !reply.message.metadata.truncation {
            return Ok(reply);
        }
        Ok(Reply { was_truncated: true, ..self.ask_tcp(question)? })
    }

    /// Queries over UDP; other datagrams are ignored.
    pub(super) fn ask_udp(self, question: &Message) -> Result<Reply, ExchangeError> {
        let bytes = encode(question)?;
        let unreachable = |source| self.unreachable(Transport::Udp, source);
        let socket = UdpSocket::bind((any_address(self.server), 0)).map_err(unreachable)?;
        socket.connect(self.server).map_err(unreachable)?;
        for _ in 0..UDP_TRIES {
            let start = Instant::now();
            socket.send(&bytes).map_err(unreachable)?;
            if let Some((message, size)) = self.receive(&socket, question, start)? {
                let elapsed = start.elapsed();
                return Ok(Reply { message, bytes: size, transport: Transport::Udp, elapsed, was_truncated: false });
            }
        }
        Err(self.silence(Transport::Udp))
    }

    /// Waits for the response until the time of this try is over.
    fn receive(
        self,
        socket: &UdpSocket,
        question: &Message,
        start: Instant,
    ) -> Result<Option<(Message, usize)>, ExchangeError> {
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            let Some(left) = self.timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                return Ok(None);
            };
            socket.set_read_timeout(Some(left)).map_err(|source| self.unreachable(Transport::Udp, source))?;
            let size = match socket.recv(&mut buffer) {
                Ok(size) => size,
                Err(error) if is_timeout(&error) => return Ok(None),
                // Signals are handled elsewhere.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(self.unreachable(Transport::Udp, source)),
            };
            if buffer[..size].starts_with(&question.metadata.id.to_be_bytes()) {
                return self.decode(question, &buffer[..size]).map(|message| Some((message, size)));
            }
        }
    }

    /// Queries over TCP (RFC 7766).
    pub(super) fn ask_tcp(self, question: &Message) -> Result<Reply, ExchangeError> {
        let bytes = encode(question)?;
        let start = Instant::now();
        let reply = self.converse(&bytes).map_err(|source| match is_timeout(&source) {
            true => self.silence(Transport::Tcp),
            false => self.unreachable(Transport::Tcp, source),
        })?;
        let (elapsed, size) = (start.elapsed(), reply.len());
        let message = self.decode(question, &reply)?;
        Ok(Reply { message, bytes: size, transport: Transport::Tcp, elapsed, was_truncated: false })
    }

    fn converse(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.server, self.timeout)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        stream.set_nodelay(true)?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        // One write, so that length and message travel in one segment (RFC 7766 section 8).
        stream.write_all(&[&length.to_be_bytes(), bytes].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }

    /// Decodes a response and checks that it belongs to the query. An error response may lack the
    /// question (RFC 1035 section 7.3 leaves it open), so only a different question is an error.
    fn decode(self, question: &Message, bytes: &[u8]) -> Result<Message, ExchangeError> {
        let malformed = |reason: String| ExchangeError::Malformed { server: self.server, reason };
        let reply = Message::from_vec(bytes).map_err(|error| malformed(error.to_string()))?;
        if reply.metadata.id != question.metadata.id {
            return Err(malformed("different ID".to_owned()));
        }
        if reply.metadata.message_type != MessageType::Response {
            return Err(malformed("it is a query".to_owned()));
        }
        let same = |(ours, theirs): (&Query, &Query)| {
            ours.name().eq_ignore_root(theirs.name())
                && ours.query_type() == theirs.query_type()
                && ours.query_class() == theirs.query_class()
        };
        if !question.queries.iter().zip(&reply.queries).all(same) {
            return Err(malformed("different question".to_owned()));
        }
        Ok(reply)
    }

    fn silence(self, transport: Transport) -> ExchangeError {
        ExchangeError::Silence { server: self.server, transport, timeout: self.timeout }
    }

    fn unreachable(self, transport: Transport, source: io::Error) -> ExchangeError {
        ExchangeError::Unreachable { server: self.server, transport, source }
    }
}

fn encode(question: &Message) -> Result<Vec<u8>, ExchangeError> {
    question.to_vec().map_err(|error| ExchangeError::Unwritable(error.to_string()))
}

fn any_address(server: SocketAddr) -> IpAddr {
    match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The error of a read that timed out depends on the platform.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn seconds(timeout: Duration) -> String {
    format!("{} s", timeout.as_secs_f64())
}

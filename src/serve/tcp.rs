//! DNS over TCP (RFC 7766): length-prefixed messages, answered in order, within limits.
//!
//! One thread serves all connections. An answer takes microseconds, and no task holds shared state
//! while it waits, so one responder, one output buffer and one world reader serve all connections
//! without a lock. A flood over TCP takes at most one core from the UDP workers.
//!
//! Clients can make the server hold `most_connections` buffers of one query each, and for clients
//! that do not read, the rest of one response. A connection that does not deliver a complete query
//! within `idle_timeout` is closed. When all slots are in use, a new connection replaces the one
//! that has been idle longest. A client that uses more than its time per second is disconnected
//! (`rate_limit`). Only an answered query counts as activity: empty messages, invalid
//! packets and responses do not keep a connection open.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tracing::warn;

use super::respond::{MAX_TCP_OCTETS, Received, Responder};
use crate::log_limit::LogLimit;
use crate::query_logging::Exchange;
use crate::requestor::{Requestor, Transport};
use crate::world::{CachedReader, Reader};

/// The length of the length prefix, in octets.
const LENGTH_OCTETS: usize = 2;
/// The longest accepted query, as over UDP. A question, OPT and a signature have at most some 800
/// octets.
const MAX_QUERY_OCTETS: usize = 4096;
/// How often an idle thread releases an outdated world.
const LET_GO_INTERVAL: Duration = Duration::from_secs(1);
/// What a connection costs besides its queries: the handshake, its task, its end.
const CONNECTION_TIME: Duration = Duration::from_micros(20);
/// Pause after an error of accept, for example when no file descriptors are left.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);
/// How often a stopping server checks whether all connections are closed.
const LEAVING_INTERVAL: Duration = Duration::from_millis(10);

/// Limits for TCP clients.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Maximum connections in total. It depends on the limit of open files.
    pub most_connections: usize,
    /// Maximum connections of one client, an IPv4 address or an IPv6 /64 (RFC 7766 section 6.2.2:
    /// clients should use few). With an eighth of the total, one client cannot displace all others.
    pub most_per_client: usize,
    /// How long a client has to deliver its next complete query, and to read a response. RFC 7766
    /// section 6.2.3: idle connections last for "a few seconds".
    pub idle_timeout: Duration,
    /// How long connections may finish running requests when the server stops.
    pub drain_timeout: Duration,
}

impl TcpLimits {
    /// The default limits with this many connections in total. One client has an eighth of them, at
    /// most 64.
    #[must_use]
    pub fn with_connections(most_connections: usize) -> TcpLimits {
        let usual = TcpLimits::default();
        TcpLimits { most_connections, most_per_client: (most_connections / 8).clamp(1, usual.most_per_client), ..usual }
    }
}

impl Default for TcpLimits {
    fn default() -> TcpLimits {
        TcpLimits {
            most_connections: 512,
            most_per_client: 64,
            idle_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(3),
        }
    }
}

/// Serves these listeners until `stop` becomes true or its sender is dropped.
pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    reader: &Reader,
    responder: Responder,
    limits: TcpLimits,
    stop: watch::Receiver<bool>,
) {
    let server = Rc::new(TcpServer {
        limits,
        responder: RefCell::new(responder.with_idle_timeout(limits.idle_timeout)),
        worlds: RefCell::new(reader.cached()),
        out: RefCell::new(vec![0; LENGTH_OCTETS + MAX_TCP_OCTETS].into()),
        connections: RefCell::default(),
        next_id: Cell::new(0),
        accept_errors: LogLimit::default(),
        stop: stop.clone(),
    });
    let tasks = LocalSet::new();
    for listener in listeners {
        tasks.spawn_local(accept(listener, Rc::clone(&server)));
    }
    tasks.run_until(run_until_stopped(&server, stop)).await;
}

/// Waits for `stop`, and then for the connections to close.
async fn run_until_stopped(server: &TcpServer, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(LET_GO_INTERVAL);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {
                server.worlds.borrow_mut().load();
            }
        }
    }
    let end = Instant::now() + server.limits.drain_timeout;
    while !server.connections.borrow().is_empty() && Instant::now() < end {
        sleep(LEAVING_INTERVAL).await;
    }
}

async fn accept(listener: TcpListener, server: Rc<TcpServer>) {
    let mut stop = server.stop.clone();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let requestor = Requestor::new(peer, Transport::Tcp);
                if server.has_time_for_connection(&requestor)
                    && let Some(slot) = ConnectionSlot::take(&server, requestor)
                {
                    spawn_local(serve_connection(stream, slot));
                }
            }
            Err(error) => {
                if let Some(held_back) = server.accept_errors.admit(error.kind()) {
                    warn!("cannot accept a TCP connection: {error}{held_back}");
                }
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, slot: ConnectionSlot) {
    // Each response is written at once, so Nagle's algorithm would only add delay.
    let _ = stream.set_nodelay(true);
    let leave = Rc::clone(&slot.leave);
    tokio::select! {
        () = leave.notified() => {}
        // After any error the connection is closed.
        _ = answer_queries(stream, &slot) => {}
    }
}

/// Answers queries until the client closes the connection, an error occurs or a timeout ends it.
async fn answer_queries(mut stream: TcpStream, slot: &ConnectionSlot) -> io::Result<()> {
    let server = &*slot.server;
    let mut stop = server.stop.clone();
    let mut input = Input::default();
    let mut deadline = Instant::now() + server.limits.idle_timeout;
    loop {
        while let Some(message) = input.next_message()? {
            if server.answer(&mut stream, message, slot.requestor).await? == Reply::Sent {
                slot.touch();
                deadline = Instant::now() + server.limits.idle_timeout;
            }
        }
        // A read that always has data would never check the deadline.
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let idle = input.make_room();
        tokio::select! {
            octets = timeout_at(deadline, stream.read(input.room())) => match octets?? {
                0 => return Ok(()),
                octets => input.filled += octets,
            },
            _ = stop.wait_for(|stop| *stop), if idle => return Ok(()),
        }
    }
}

/// State shared by all connections. None of it is borrowed across an await.
struct TcpServer {
    limits: TcpLimits,
    responder: RefCell<Responder>,
    worlds: RefCell<CachedReader>,
    /// A response with its length prefix, until it is written or its rest is copied.
    out: RefCell<Box<[u8]>>,
    connections: RefCell<HashMap<u64, Connection>>,
    next_id: Cell<u64>,
    accept_errors: LogLimit,
    stop: watch::Receiver<bool>,
}

struct Connection {
    client: IpAddr,
    last_used: Instant,
    leave: Rc<Notify>,
}

/// The outcome of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reply {
    Sent,
    /// No response is sent, for example for a packet with QR=1.
    None,
}

impl TcpServer {
    async fn answer(&self, stream: &mut TcpStream, query: &[u8], requestor: Requestor) -> io::Result<Reply> {
        let Some(rest) = self.answer_now(stream, query, requestor)? else { return Ok(Reply::None) };
        if !rest.is_empty() {
            timeout(self.limits.idle_timeout, stream.write_all(&rest)).await??;
        }
        Ok(Reply::Sent)
    }

    /// Writes the response as far as the socket accepts it now. Returns the rest, or `None` if
    /// there is no response.
    fn answer_now(&self, stream: &TcpStream, query: &[u8], requestor: Requestor) -> io::Result<Option<Vec<u8>>> {
        let out = &mut *self.out.borrow_mut();
        let message = &mut out[LENGTH_OCTETS..];
        let mut worlds = self.worlds.borrow_mut();
        let responder = &mut *self.responder.borrow_mut();
        let start = responder.begin();
        let received = Received::new(query, requestor, start.at);
        let octets = responder.respond(worlds.load(), &received, message);
        if let Some(query_logger) = responder.dnstap() {
            let server = stream.local_addr().ok();
            query_logger.exchange(&Exchange { requestor, server, query, response: &message[..octets] });
        }
        let written = write_now(stream, out, octets);
        let took = responder.end(Transport::Tcp, start, 1);
        match responder.may_go_on(&requestor, took, start.at) {
            true => written,
            false => Err(io::ErrorKind::QuotaExceeded.into()),
        }
    }

    /// Whether this client has time for another connection.
    fn has_time_for_connection(&self, requestor: &Requestor) -> bool {
        let responder = &mut *self.responder.borrow_mut();
        let at = responder.begin().at;
        responder.may_go_on(requestor, CONNECTION_TIME, at)
    }
}

/// Writes a response of this many octets, which is in `out` behind the space for its length, as far
/// as the socket accepts it now. Returns the rest, or `None` if there is no response.
fn write_now(stream: &TcpStream, out: &mut [u8], octets: usize) -> io::Result<Option<Vec<u8>>> {
    let Ok(octets_on_wire @ 1..) = u16::try_from(octets) else {
        return Ok(None);
    };
    out[..LENGTH_OCTETS].copy_from_slice(&octets_on_wire.to_be_bytes());
    let response = &out[..LENGTH_OCTETS + octets];
    match stream.try_write(response) {
        Ok(written) => Ok(Some(response[written..].to_vec())),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(response.to_vec())),
        Err(error) => Err(error),
    }
}

/// A connection's slot, released on drop.
struct ConnectionSlot {
    server: Rc<TcpServer>,
    id: u64,
    requestor: Requestor,
    leave: Rc<Notify>,
}

impl ConnectionSlot {
    /// Takes a slot for a connection. `None` if the client has reached its limit.
    fn take(server: &Rc<TcpServer>, requestor: Requestor) -> Option<ConnectionSlot> {
        let client = client_of(requestor.address());
        let mut connections = server.connections.borrow_mut();
        if connections.values().filter(|connection| connection.client == client).count()
            >= server.limits.most_per_client
        {
            return None;
        }
        if connections.len() >= server.limits.most_connections {
            let (&oldest, _) = connections.iter().min_by_key(|(_, connection)| connection.last_used)?;
            connections.remove(&oldest)?.leave.notify_one();
        }
        let (id, leave) = (server.next_id.get(), Rc::new(Notify::new()));
        server.next_id.set(id + 1);
        connections.insert(id, Connection { client, last_used: Instant::now(), leave: Rc::clone(&leave) });
        Some(ConnectionSlot { server: Rc::clone(server), id, requestor, leave })
    }

    fn touch(&self) {
        if let Some(connection) = self.server.connections.borrow_mut().get_mut(&self.id) {
            connection.last_used = Instant::now();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.server.connections.borrow_mut().remove(&self.id);
    }
}

/// The unit that the client limit counts: an IPv4 address or an IPv6 /64, since a host with one
/// IPv6 address usually has the whole /64.
fn client_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// Received octets of a connection that are not processed yet. Holds one query of maximum length.
struct Input {
    octets: Box<[u8]>,
    /// End of the messages that were taken out.
    taken: usize,
    /// End of the received octets.
    filled: usize,
}

impl Default for Input {
    fn default() -> Input {
        Input { octets: vec![0; LENGTH_OCTETS + MAX_QUERY_OCTETS].into(), taken: 0, filled: 0 }
    }
}

impl Input {
    /// The next complete message; an error if it is too long.
    fn next_message(&mut self) -> io::Result<Option<&[u8]>> {
        let waiting = &self.octets[self.taken..self.filled];
        let Some((&length, rest)) = waiting.split_first_chunk::<LENGTH_OCTETS>() else {
            return Ok(None);
        };
        let octets = usize::from(u16::from_be_bytes(length));
        if octets > MAX_QUERY_OCTETS {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if rest.len() < octets {
            return Ok(None);
        }
        self.taken += LENGTH_OCTETS + octets;
        Ok(Some(&self.octets[self.taken - octets..self.taken]))
    }

    /// Moves the remaining octets to the front and returns whether there are none.
    fn make_room(&mut self) -> bool {
        self.octets.copy_within(self.taken..self.filled, 0);
        (self.taken, self.filled) = (0, self.filled - self.taken);
        self.filled == 0
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.octets[self.filled..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_they_came_in() {
        let stream = b"\0\x03abc\0\0\0\x02de\0\x05f";
        for step in 1..stream.len() {
            let (mut input, mut messages) = (Input::default(), Vec::new());
            for chunk in stream.chunks(step) {
                input.room()[..chunk.len()].copy_from_slice(chunk);
                input.filled += chunk.len();
                while let Some(message) = input.next_message().unwrap() {
                    messages.push(message.to_vec());
                }
                input.make_room();
            }
            assert_eq!(messages, [b"abc".as_slice(), b"", b"de"]);
            assert_eq!(input.filled, 3);
        }
    }

    #[test]
    fn a_message_that_cannot_fit_is_an_error_and_the_longest_is_not() {
        let mut input = Input::default();
        input.octets[..2].copy_from_slice(&4097u16.to_be_bytes());
        input.filled = 2;
        assert!(input.next_message().is_err());
        input.octets[..2].copy_from_slice(&4096u16.to_be_bytes());
        assert!(input.next_message().unwrap().is_none());
        input.filled = input.octets.len();
        assert_eq!(input.next_message().unwrap().unwrap().len(), 4096);
    }

    #[test]
    fn ipv6_clients_count_by_their_64() {
        let client = |address: &str| client_of(address.parse().unwrap()).to_string();
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(client("192.0.2.1"), "192.0.2.1");
    }
}

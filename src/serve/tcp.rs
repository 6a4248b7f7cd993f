//! DNS over TCP (RFC 7766): messages with their lengths in front, answered in order, within limits.
//!
//! One thread carries all connections: an answer takes microseconds and nothing here waits while holding anything, so
//! that one responder, one output buffer and one view of the world serve them all without a lock, and a flood over TCP
//! takes one core at most from the UDP workers.
//!
//! What a stranger can make us hold: `most_connections` buffers of one query each, and for those who do not read, the
//! rest of one response. A client that does not get a query across in `patience` is hung up on; the one that has been idle
//! longest makes room for a newcomer when all places are taken. Only a query that is answered counts as one: empty messages,
//! noise and responses keep no connection open.

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

use super::respond::MAX_TCP_OCTETS;
use super::{Responder, Transport};
use crate::log_limit::LogLimit;
use crate::tap::Exchange;
use crate::world::{CachedReader, Reader};

/// The two octets of a message's length.
const LENGTH_OCTETS: usize = 2;
/// The longest query taken: no longer than over UDP. A question, OPT and a signature have some 800 octets at most.
const MAX_QUERY_OCTETS: usize = 4096;
/// A thread without queries lets go of an old world this often.
const LET_GO_INTERVAL: Duration = Duration::from_secs(1);
/// After an error of accept (no file descriptors left, say) it is not called again at once.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);
/// How often the end looks whether all are gone.
const LEAVING_INTERVAL: Duration = Duration::from_millis(10);

/// What TCP clients may take.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections in all: what the limit of open files leaves for them.
    pub most_connections: usize,
    /// Connections of one client, an IPv4 address or an IPv6 /64 (RFC 7766 section 6.2.2 has clients use few): so that it
    /// takes eight to crowd others out.
    pub most_per_client: usize,
    /// How long a client has for its next query, from the first moment to the last octet, and for taking in a response. RFC
    /// 7766 section 6.2.3: idle connections last for "a few seconds".
    pub idle_timeout: Duration,
    /// How long connections may finish what is under way when the server stops.
    pub drain_timeout: Duration,
}

impl TcpLimits {
    /// The usual limits with so many connections in all. One client has an eighth of them, at most 64.
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

/// Serves these listeners until `stop` says true or nobody can say it any more.
pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    reader: &Reader,
    responder: Responder,
    limits: TcpLimits,
    stop: watch::Receiver<bool>,
) {
    let server = Rc::new(TcpServer {
        limits,
        responder: RefCell::new(responder),
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
    tasks.run_until(attend(&server, stop)).await;
}

/// Waits for the end, and for the connections then.
async fn attend(server: &TcpServer, mut stop: watch::Receiver<bool>) {
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
                if let Some(place) = Place::take(&server, peer.ip()) {
                    spawn_local(attend_to(stream, place));
                }
            }
            Err(error) => {
                if let Some(held_back) = server.accept_errors.admit(error.kind()) {
                    warn!("a TCP connection could not be accepted: {error}{held_back}");
                }
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn attend_to(stream: TcpStream, place: Place) {
    // Answers are written whole: there is nothing to wait for (Nagle).
    let _ = stream.set_nodelay(true);
    let leave = Rc::clone(&place.leave);
    tokio::select! {
        () = leave.notified() => {}
        // Whatever went wrong, all that is left to do is to hang up.
        _ = converse(stream, &place) => {}
    }
}

/// Answers query after query until the client hangs up, loses its patience with us or we with it.
async fn converse(mut stream: TcpStream, place: &Place) -> io::Result<()> {
    let server = &*place.server;
    let mut stop = server.stop.clone();
    let mut input = Input::default();
    let mut deadline = Instant::now() + server.limits.idle_timeout;
    loop {
        while let Some(message) = input.next_message()? {
            if server.answer(&mut stream, message, place.source).await? == Reply::Sent {
                place.touch();
                deadline = Instant::now() + server.limits.idle_timeout;
            }
        }
        // A read that never has to wait would never look at the clock.
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

/// What all connections share. Nothing of it is held across an await.
struct TcpServer {
    limits: TcpLimits,
    responder: RefCell<Responder>,
    worlds: RefCell<CachedReader>,
    /// A response with its length in front, until it is written or what is left of it copied.
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

/// What a message led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reply {
    Sent,
    /// The message deserves no response, for example one that is a response itself.
    None,
}

impl TcpServer {
    async fn answer(&self, stream: &mut TcpStream, query: &[u8], source: IpAddr) -> io::Result<Reply> {
        let Some(rest) = self.answer_now(stream, query, source)? else { return Ok(Reply::None) };
        if !rest.is_empty() {
            timeout(self.limits.idle_timeout, stream.write_all(&rest)).await??;
        }
        Ok(Reply::Sent)
    }

    /// Answers into the socket as far as it takes the response now; returns what is left, or `None` without a response.
    fn answer_now(&self, stream: &TcpStream, query: &[u8], source: IpAddr) -> io::Result<Option<Vec<u8>>> {
        let out = &mut *self.out.borrow_mut();
        let (length, message) = out.split_at_mut(LENGTH_OCTETS);
        let mut worlds = self.worlds.borrow_mut();
        let responder = &mut *self.responder.borrow_mut();
        let began = responder.begin();
        let octets = responder.respond(worlds.load(), query, source, Transport::Tcp, message);
        responder.end(Transport::Tcp, began, 1);
        if let (Some(onlooker), Ok(client)) = (responder.onlooker(), stream.peer_addr()) {
            let server = stream.local_addr().ok();
            let response = &message[..octets];
            onlooker.exchange(&Exchange { transport: Transport::Tcp, client, server, query, response });
        }
        let Ok(octets_on_wire @ 1..) = u16::try_from(octets) else {
            return Ok(None);
        };
        length.copy_from_slice(&octets_on_wire.to_be_bytes());
        let response = &out[..LENGTH_OCTETS + octets];
        match stream.try_write(response) {
            Ok(written) => Ok(Some(response[written..].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(response.to_vec())),
            Err(error) => Err(error),
        }
    }
}

/// A connection's place among all, given back when it is dropped.
struct Place {
    server: Rc<TcpServer>,
    id: u64,
    source: IpAddr,
    leave: Rc<Notify>,
}

impl Place {
    /// A place for a connection from `source`; `None` when that client has its share already.
    fn take(server: &Rc<TcpServer>, source: IpAddr) -> Option<Place> {
        let client = client_of(source);
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
        Some(Place { server: Rc::clone(server), id, source, leave })
    }

    fn touch(&self) {
        if let Some(connection) = self.server.connections.borrow_mut().get_mut(&self.id) {
            connection.last_used = Instant::now();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.connections.borrow_mut().remove(&self.id);
    }
}

/// Whoever has one IPv6 address has its /64.
fn client_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// What came in on a connection and is not answered yet. Holds one query of the longest kind.
struct Input {
    octets: Box<[u8]>,
    /// Up to here messages have been taken out.
    taken: usize,
    /// Up to here octets have come in.
    filled: usize,
}

impl Default for Input {
    fn default() -> Input {
        Input { octets: vec![0; LENGTH_OCTETS + MAX_QUERY_OCTETS].into(), taken: 0, filled: 0 }
    }
}

impl Input {
    /// The next whole message; an error when it could never fit.
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

    /// Moves what is left to the front, and says whether there is nothing.
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
        assert_eq!(client("::ffff:192.0.2.1"), "192.0.2.1");
    }
}

//! The load generator: sends queries from many sockets and counts answers. It is a separate
//! process, so that it can be pinned to a core.
//!
//! Closed loop: each socket has a fixed number of outstanding queries and sends the next when an
//! answer arrives. Open loop: queries leave on a fixed schedule, and the latency of each answer
//! counts from the scheduled time, so a stalled server is charged for all waiting queries. When
//! this process itself was stalled by others on its core, it does not send the missed queries in a
//! burst and leaves out the answers that it read late. Both are counted.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// A query without an answer after this time is lost, and its slot is reused.
const PATIENCE: Duration = Duration::from_millis(500);
/// Two readings of the clock are one system call apart, at most some 2 µs. After this much more,
/// this process was stalled.
const STANDSTILL: Duration = Duration::from_micros(30);
/// After a stall, packets have waited in all sockets for an unknown time, until each socket was
/// read twice.
const LEFT_OUT_TURNS: u8 = 2;
/// Ids per socket, more than it has outstanding within `PATIENCE`.
const IDS: usize = 1 << 14;

/// The load on a server.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The address of the server.
    pub(crate) server: SocketAddr,
    /// Client sockets.
    pub(crate) sockets: usize,
    /// Their ports; if empty, the system chooses.
    pub(crate) ports: Vec<u16>,
    /// Outstanding queries of all sockets together.
    pub(crate) under_way: usize,
    /// Queries per second; 0 for a closed loop.
    pub(crate) rate: u64,
    /// The duration.
    pub(crate) time: Duration,
    /// The cores it may use, as taskset writes them.
    pub(crate) cores: &'static str,
}

/// The results.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Correct answers: NOERROR or NXDOMAIN.
    pub(crate) answers: u64,
    /// Other responses.
    pub(crate) refused: u64,
    /// Queries without an answer.
    pub(crate) lost: u64,
    /// Queries that were not sent because this process was stalled when they were due.
    pub(crate) unsent: u64,
    /// Answers without a counted latency, because they may have waited for this process.
    pub(crate) left_out: u64,
    /// Answers per second.
    pub(crate) rate: f64,
    /// Latencies, µs.
    pub(crate) p50: f64,
    /// The 99th percentile.
    pub(crate) p99: f64,
}

/// Writes the queries to the file that a load reads.
pub(crate) fn write_queries(path: &Path, queries: &[Vec<u8>]) {
    let length = |query: &Vec<u8>| u16::try_from(query.len()).expect("a query is short").to_be_bytes();
    let bytes: Vec<u8> = queries.iter().flat_map(|query| [&length(query), query.as_slice()].concat()).collect();
    fs::write(path, bytes).expect("the directory is there");
}

/// Runs the load on a server in a separate process and waits for its end.
pub(crate) fn run(load: &Load, queries: &Path) -> Outcome {
    let binary = std::env::current_exe().expect("a process knows its binary");
    let numbers = [load.sockets as u64, load.under_way as u64, load.rate, load.time.as_millis() as u64];
    let output = Command::new("taskset")
        .args(["-c", load.cores])
        .arg(binary)
        .args(["--load", &load.server.to_string()])
        .arg(queries)
        .args(numbers.map(|number| number.to_string()))
        .args(load.ports.iter().map(u16::to_string))
        .output()
        .expect("taskset is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [answers, refused, lost, unsent, left_out, rate, p50, p99] = numbers[..] else {
        panic!("the load says {said:?} and {}", String::from_utf8_lossy(&output.stderr))
    };
    let counts = [answers, refused, lost, unsent, left_out];
    let [answers, refused, lost, unsent, left_out] = counts.map(|count| count as u64);
    Outcome { answers, refused, lost, unsent, left_out, rate, p50, p99 }
}

/// The process that `run` starts: `SERVER QUERIES SOCKETS UNDER_WAY RATE MILLISECONDS PORTS`.
pub(crate) fn main(arguments: &[String]) {
    let [server, queries, numbers @ ..] = arguments else { panic!("server, queries, numbers") };
    let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().expect("a number")).collect();
    let &[sockets, under_way, rate, milliseconds, ref ports @ ..] = &numbers[..] else { panic!("four numbers") };
    let queries = read_queries(&fs::read(queries).expect("the queries are there"));
    let server: SocketAddr = server.parse().expect("an address");
    let ports = ports.iter().map(|&port| u16::try_from(port).expect("a port")).chain(std::iter::repeat(0));
    let clients = (0..sockets).zip(ports).map(|(_, port)| Client::connect(server, port)).collect();
    let latencies = Vec::with_capacity(1 << 24);
    let began = Instant::now();
    let mut swarm = Swarm {
        clients,
        queries,
        next: 0,
        refused: 0,
        lost: 0,
        unsent: 0,
        left_out: 0,
        clock: Clock::new(began),
        latencies,
    };
    let time = Duration::from_millis(milliseconds);
    match rate {
        0 => swarm.closed_loop(under_way as usize / sockets as usize, began, time),
        _ => swarm.open_loop(rate, began, time),
    }
    let elapsed = began.elapsed().as_secs_f64();
    let counted = swarm.latencies.len();
    swarm.latencies.sort_unstable();
    // A query without an answer waits longer than any with one.
    let asked = counted as u64 + swarm.lost;
    let at = |part: f64| match swarm.latencies.get((asked.saturating_sub(1) as f64 * part) as usize) {
        Some(latency) => f64::from(*latency) / 1000.0,
        None => PATIENCE.as_secs_f64() * 1e6,
    };
    let Swarm { refused, lost, unsent, left_out, .. } = swarm;
    let answers = counted as u64 + left_out;
    println!("{answers} {refused} {lost} {unsent} {left_out} {} {} {}", answers as f64 / elapsed, at(0.5), at(0.99));
}

fn read_queries(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut queries, mut rest) = (Vec::new(), bytes);
    while let [high, low, after @ ..] = rest {
        let (query, more) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        queries.push(query.to_vec());
        rest = more;
    }
    queries
}

struct Swarm {
    clients: Vec<Client>,
    queries: Vec<Vec<u8>>,
    next: usize,
    refused: u64,
    lost: u64,
    unsent: u64,
    left_out: u64,
    clock: Clock,
    /// Nanoseconds.
    latencies: Vec<u32>,
}

struct Client {
    socket: UdpSocket,
    /// The scheduled time of the query with this id; `None` if it is answered.
    sent: Box<[Option<Instant>]>,
    next_id: usize,
    under_way: usize,
    heard: Instant,
}

/// A clock that is read continuously and detects stalls.
struct Clock {
    last: Instant,
    /// Iterations of the loop that do not count yet.
    left_out: u8,
}

impl Clock {
    fn new(now: Instant) -> Clock {
        Clock { last: now, left_out: 0 }
    }

    fn now(&mut self) -> Instant {
        let before = std::mem::replace(&mut self.last, Instant::now());
        if self.last - before > STANDSTILL {
            self.left_out = LEFT_OUT_TURNS;
        }
        self.last
    }

    /// All sockets were read.
    fn turn(&mut self) {
        self.left_out = self.left_out.saturating_sub(1);
    }
}

impl Client {
    /// Binds to this port, or to any port for 0.
    fn connect(server: SocketAddr, port: u16) -> Client {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("loopback has free ports");
        socket.connect(server).expect("loopback is there");
        socket.set_nonblocking(true).expect("a socket can be that");
        Client { socket, sent: vec![None; IDS].into_boxed_slice(), next_id: 0, under_way: 0, heard: Instant::now() }
    }

    fn send(&mut self, query: &mut [u8], due: Instant) {
        let id = self.next_id;
        self.next_id = (id + 1) % IDS;
        query[..2].copy_from_slice(&u16::try_from(id).expect("an id has 14 bits").to_be_bytes());
        if self.socket.send(query).is_ok() && self.sent[id].replace(due).is_none() {
            self.under_way += 1;
        }
    }
}

impl Swarm {
    fn closed_loop(&mut self, each: usize, began: Instant, time: Duration) {
        while began.elapsed() < time {
            let sent = self.next;
            for number in 0..self.clients.len() {
                self.receive(number);
                let now = Instant::now();
                let client = &mut self.clients[number];
                if client.under_way > 0 && now - client.heard > PATIENCE {
                    self.lost += client.under_way as u64;
                    client.sent.fill(None);
                    client.under_way = 0;
                    client.heard = now;
                }
                for _ in client.under_way..each {
                    self.next = (self.next + 1) % self.queries.len();
                    client.send(&mut self.queries[self.next], now);
                }
            }
            self.clock.turn();
            if self.next == sent {
                // The server may share this core.
                yield_now();
            }
        }
    }

    fn open_loop(&mut self, rate: u64, began: Instant, time: Duration) {
        let wanted = (time.as_secs_f64() * rate as f64) as u64;
        let mut sent = 0;
        while sent < wanted || began.elapsed() < time + PATIENCE {
            while sent < wanted {
                let due = began + Duration::from_nanos(sent * 1_000_000_000 / rate);
                let now = self.clock.now();
                if now < due {
                    break;
                }
                if now - due > STANDSTILL && self.clock.left_out > 0 {
                    self.unsent += 1;
                } else {
                    let number = sent as usize % self.clients.len();
                    self.next = (self.next + 1) % self.queries.len();
                    self.clients[number].send(&mut self.queries[self.next], due);
                }
                sent += 1;
            }
            (0..self.clients.len()).for_each(|number| self.receive(number));
            self.clock.turn();
        }
        self.lost += wanted - (self.latencies.len() as u64 + self.unsent + self.left_out + self.refused).min(wanted);
    }

    /// Reads the responses of a socket.
    fn receive(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let mut answer = [0; 4096];
        while client.under_way > 0 {
            self.clock.now();
            let octets = match client.socket.recv(&mut answer) {
                Ok(octets) => octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => continue,
            };
            let id = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
            let Some(due) = client.sent.get_mut(id).and_then(Option::take).filter(|_| octets >= 12) else { continue };
            client.under_way -= 1;
            client.heard = self.clock.now();
            // RFC 1035 section 4.1.1: QR, and RCODE 0 or 3.
            let is_right = answer[2] & 0x80 != 0 && matches!(answer[3] & 0xf, 0 | 3);
            if is_right && self.clock.left_out > 0 {
                self.left_out += 1;
            } else if is_right {
                self.latencies.push(u32::try_from((client.heard - due).as_nanos()).unwrap_or(u32::MAX));
            } else {
                self.refused += 1;
            }
        }
    }
}

//! UDP workers: one thread and one socket each. A worker handles packets in batches and loads the
//! world once per batch.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::{error, warn};

use super::batch::{Batch, Packet, Wait};
use super::respond::{Received, Responder};
use crate::query_logging::{Exchange, QueryLogger};
use crate::requestor::{Requestor, Transport};
use crate::world::{CachedReader, Reader};

/// The longest sleep of a worker. After it, the worker checks whether to stop and releases an
/// outdated world. Waking up five times a second costs almost no CPU time and delays a shutdown
/// only slightly.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_millis(200);
/// A stopping worker answers what its socket has already received, in at most this many batches.
const LAST_BATCHES: usize = 16;
/// Pause after an error of the socket itself, for example when memory is exhausted.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// Answers packets from `batch` until `stop` is set.
pub(super) fn work(mut batch: Batch, reader: &Reader, mut responder: Responder, stop: &AtomicBool) {
    let mut worlds = reader.cached();
    let mut log_once = LogOnce::default();
    while !stop.load(Ordering::Relaxed) {
        match batch.receive(Wait::ForOne) {
            // An idle worker must not keep an outdated world alive.
            Ok(0) => {
                worlds.load();
            }
            Ok(received) => answer(&mut batch, received, &mut worlds, &mut responder, &mut log_once),
            Err(error) => log_once.socket_error(&error),
        }
    }
    for _ in 0..LAST_BATCHES {
        match batch.receive(Wait::Never) {
            Ok(0) | Err(_) => break,
            Ok(received) => answer(&mut batch, received, &mut worlds, &mut responder, &mut log_once),
        }
    }
}

fn answer(
    batch: &mut Batch,
    received: usize,
    worlds: &mut CachedReader,
    responder: &mut Responder,
    log_once: &mut LogOnce,
) {
    // The clock is read twice per batch: each packet arrived by the first reading and had its
    // response by the second.
    let start = responder.begin();
    let world = worlds.load();
    let bound = batch.local_address();
    let packets = (0..received).map(|number| batch.peek(number));
    let prefetched = catch_unwind(AssertUnwindSafe(|| responder.prefetch(world, packets)));
    let panics = answer_each(batch, received, |number, packet| {
        let requestor = Requestor::new(packet.source, Transport::Udp);
        let received = Received::new(packet.bytes, requestor, start.at);
        let octets = responder.respond_prefetched(number, world, &received, packet.out);
        if let Some(query_logger) = responder.dnstap() {
            send_to_dnstap(query_logger, &packet, requestor, bound, octets);
        }
        octets
    });
    let lost = batch.send();
    responder.end(Transport::Udp, start, received);
    (0..panics + lost).for_each(|_| responder.stats().count_failure());
    if panics > 0 || prefetched.is_err() {
        log_once.panic_while_answering();
    }
}

#[cold]
#[inline(never)]
fn send_to_dnstap(
    query_logger: &mut QueryLogger,
    packet: &Packet<'_>,
    requestor: Requestor,
    bound: Option<SocketAddr>,
    octets: usize,
) {
    let server = bound.map(|bound| SocketAddr::new(packet.destination.unwrap_or(bound.ip()), bound.port()));
    query_logger.exchange(&Exchange {
        requestor,
        server: server.filter(|server| !server.ip().is_unspecified()),
        query: packet.bytes,
        response: &packet.out[..octets],
    });
}

/// Answers each packet of a batch and returns how many panicked.
///
/// A packet that causes a panic gets no response; the others do. A bug in a rare code path must not
/// become a way to stop the server. A panic leaves no inconsistent state: the world is immutable,
/// and the buffers of a responder are rewritten for each packet.
fn answer_each(batch: &mut Batch, received: usize, mut respond: impl FnMut(usize, Packet<'_>) -> usize) -> usize {
    let (mut next, mut panics) = (0, 0);
    while next < received {
        let rest = catch_unwind(AssertUnwindSafe(|| {
            while next < received {
                let index = next;
                next += 1;
                let octets = batch.packet(index).map_or(0, |packet| respond(index, packet));
                if octets > 0 {
                    batch.reply(index, octets);
                }
            }
        }));
        panics += usize::from(rest.is_err());
    }
    panics
}

/// Logs each kind of problem once per worker, so that senders cannot fill the log. Counters
/// continue.
#[derive(Default)]
struct LogOnce {
    socket: bool,
    panic: bool,
}

impl LogOnce {
    fn socket_error(&mut self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.socket, true) {
            warn!(%error, "cannot receive from a UDP socket (logged once per worker)");
        }
        std::thread::sleep(PAUSE_AFTER_ERROR);
    }

    fn panic_while_answering(&mut self) {
        if !std::mem::replace(&mut self.panic, true) {
            error!(
                "panic while answering a query; no response was sent. Please report the backtrace above (logged once per worker)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    use crate::answer::fixture::{lab, set, world};
    use crate::serve::ResponderSettings;
    use crate::world::Publisher;

    #[test]
    fn a_packet_that_panics_takes_no_other_with_it() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = socket.local_addr().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for number in 0..5u8 {
            client.send_to(&[number], address).unwrap();
        }
        let mut batch = Batch::new(socket);
        let received = batch.receive(Wait::ForOne).unwrap();
        assert_eq!(received, 5);
        let panics = answer_each(&mut batch, received, |_, packet| {
            assert!(packet.bytes[0] % 2 == 0, "an odd packet, as this test requires");
            packet.out[0] = packet.bytes[0];
            1
        });
        assert_eq!((panics, batch.send()), (2, 0));
        let mut buffer = [0; 2];
        for expected in [0, 2, 4] {
            assert_eq!(client.recv(&mut buffer).unwrap(), 1);
            assert_eq!(buffer[0], expected);
        }
    }

    /// One round of a worker: receive many packets, load the world, answer each, send all.
    #[test]
    fn a_round_allocates_nothing() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = socket.local_addr().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (publisher, reader) = Publisher::new(world(&[lab([set("www 60 A 192.0.2.1 | 192.0.2.2")])], &[]));
        let settings = ResponderSettings::default();
        let (mut batch, mut worlds) = (Batch::new(socket), reader.cached());
        let (mut responder, mut log_once) = (Responder::new(settings, 1), LogOnce::default());
        let packet = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x03www\x03lab\x04test\0\0\x01\0\x01";
        for world_is_new in [false, false, true, false] {
            if world_is_new {
                publisher.publish(world(&[lab([set("www 60 A 192.0.2.1 | 192.0.2.2")])], &[]));
            }
            (0..50).for_each(|_| assert_eq!(client.send_to(packet, address).unwrap(), packet.len()));
            let mut received = 0;
            let counted = allocation_counter::measure(|| {
                received = batch.receive(Wait::ForOne).unwrap();
                answer(&mut batch, received, &mut worlds, &mut responder, &mut log_once);
            });
            assert_eq!((received, counted.count_total), (50, 0));
            let mut buffer = [0; 512];
            (0..50).for_each(|_| assert!(client.recv(&mut buffer).unwrap() > packet.len()));
        }
    }
}

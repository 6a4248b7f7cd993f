//! Plain counters, one set a worker, added up by whoever reads.
//!
//! A set has one writer at a time, so that counting is a load and a store, not a locked instruction; readers may be one
//! query behind. Each set has cache lines of its own: workers never write next to each other.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::sync::atomic::{AtomicU64, Ordering};

/// How a query arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram: the answer has to fit what the client can take.
    Udp,
    /// A stream of messages with their lengths in front (RFC 7766).
    Tcp,
}

/// `UDP` or `TCP`.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        })
    }
}

/// Response codes 0 to 15 fit the header, 16 is BADVERS; others are never sent.
pub const RESPONSE_CODES: usize = 17;

/// One worker's counters. 128 bytes apart, since processors fetch cache lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Stats {
    udp_queries: AtomicU64,
    tcp_queries: AtomicU64,
    responses: [AtomicU64; RESPONSE_CODES],
    truncated: AtomicU64,
    silences: AtomicU64,
    failures: AtomicU64,
}

/// Counters at one moment, of one worker or of several added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages received over UDP.
    pub udp_queries: u64,
    /// Messages received over TCP.
    pub tcp_queries: u64,
    /// Responses by response code.
    pub responses: [u64; RESPONSE_CODES],
    /// Responses with the TC bit.
    pub truncated: u64,
    /// Messages that deserved no response.
    pub silences: u64,
    /// Messages that were not answered because of a fault of ours, or that the system would not send.
    pub failures: u64,
}

impl Stats {
    /// A message came in.
    pub fn count_query(&self, transport: Transport) {
        match transport {
            Transport::Udp => increment(&self.udp_queries),
            Transport::Tcp => increment(&self.tcp_queries),
        }
    }

    /// A response with this code goes out.
    pub fn count_response(&self, response_code: u8) {
        if let Some(counter) = self.responses.get(usize::from(response_code)) {
            increment(counter);
        }
    }

    /// That response is truncated.
    pub fn count_truncated(&self) {
        increment(&self.truncated);
    }

    /// A message deserved no response.
    pub fn count_silence(&self) {
        increment(&self.silences);
    }

    /// A message was not answered because of a fault of ours, or the system would not send the answer.
    pub fn count_failure(&self) {
        increment(&self.failures);
    }

    /// What has been counted so far.
    pub fn totals(&self) -> Totals {
        Totals {
            udp_queries: self.udp_queries.load(Ordering::Relaxed),
            tcp_queries: self.tcp_queries.load(Ordering::Relaxed),
            responses: std::array::from_fn(|code| self.responses[code].load(Ordering::Relaxed)),
            truncated: self.truncated.load(Ordering::Relaxed),
            silences: self.silences.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.udp_queries += other.udp_queries;
        self.tcp_queries += other.tcp_queries;
        self.responses.iter_mut().zip(other.responses).for_each(|(sum, count)| *sum += count);
        self.truncated += other.truncated;
        self.silences += other.silences;
        self.failures += other.failures;
    }
}

impl Add for Totals {
    type Output = Totals;

    fn add(mut self, other: Totals) -> Totals {
        self += other;
        self
    }
}

impl std::iter::Sum for Totals {
    fn sum<I: Iterator<Item = Totals>>(totals: I) -> Totals {
        totals.fold(Totals::default(), Add::add)
    }
}

/// One writer at a time: nothing is lost between the load and the store.
fn increment(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_several_workers_add_up() {
        let workers = [Stats::default(), Stats::default()];
        workers[0].count_query(Transport::Udp);
        workers[0].count_response(3);
        workers[1].count_query(Transport::Udp);
        workers[1].count_query(Transport::Tcp);
        workers[1].count_response(3);
        workers[1].count_silence();
        let totals: Totals = workers.iter().map(Stats::totals).sum();
        assert_eq!((totals.udp_queries, totals.tcp_queries, totals.silences), (2, 1, 1));
        assert_eq!(totals.responses[3], 2);
    }
}

//! Query logging: sends queries to the query log and to dnstap without delaying answers.
//!
//! ```text
//!  worker ──▶ Inlet ═ring═▶ Outlet ─┐
//!  worker ──▶ Inlet ═ring═▶ Outlet ─┼── one thread ──▶ lines, frames ──▶ file, stdout, socket
//!  worker ──▶ Inlet ═ring═▶ Outlet ─┘
//! ```
//!
//! A worker copies each query into its own ring, without a lock, an allocation, a system call or
//! formatting. If the ring is full because the disk or the reader is slow, the record is dropped
//! and counted; the answer never waits. A thread polls the rings fifty times a second, so workers
//! need not wake it, and does the rest.

mod channel;
mod dnstap;
mod log;
mod ring;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{DnstapSettings, QueryLogSettings};
use crate::model::{PrefixLength, QueryType};
use crate::requestor::Requestor;

use channel::Channel;
pub use channel::Totals;

/// Space for some 10 000 lines per worker: a twentieth of a second at 200 000 queries per second,
/// the time between two polls.
const LOG_RING_OCTETS: usize = 1 << 20;
/// Space for some 10 000 queries with their responses per worker.
const DNSTAP_RING_OCTETS: usize = 4 << 20;

/// The query log and dnstap, each if enabled; by default none. Cheap to clone.
#[derive(Clone, Default)]
pub struct QueryLogging {
    query_log: Option<(Arc<Channel>, Arc<log::Filter>)>,
    dnstap: Option<(Arc<Channel>, u32)>,
}

/// One worker's inlets.
pub struct QueryLogger {
    log: Option<log::Inlet>,
    dnstap: Option<dnstap::Inlet>,
    now: Duration,
}

/// How much was delivered and dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Lines of the query log; `None` if it is disabled.
    pub query_log: Option<Totals>,
    /// Frames to the dnstap reader; `None` if dnstap is disabled.
    pub dnstap: Option<Totals>,
}

/// The fields of a query for the query log.
#[derive(Clone, Copy, Debug)]
pub struct QueryEvent<'q> {
    /// The question as received: name, type, class. Empty if it could not be parsed.
    pub question: &'q [u8],
    /// The id of the zone that answers.
    pub zone_id: Option<&'q str>,
    /// The name of the zone in wire format, in lower case; empty if no zone answers.
    pub zone_name: &'q [u8],
    /// Whether the zone has a query logging configuration.
    pub has_logging_config: bool,
    /// The QTYPE; 0 if it could not be parsed.
    pub qtype: QueryType,
    /// The response code.
    pub response_code: u8,
    /// Who sent the query.
    pub requestor: Requestor,
    /// The client subnet of the query: address and source prefix length.
    pub subnet: Option<(IpAddr, PrefixLength)>,
}

/// A query and its response for dnstap.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'q> {
    /// Who sent the query.
    pub requestor: Requestor,
    /// The destination address of the query, if known.
    pub server: Option<SocketAddr>,
    /// The query as received.
    pub query: &'q [u8],
    /// The response as sent; empty if none is sent.
    pub response: &'q [u8],
}

impl QueryLogging {
    /// Starts the threads. `identity` is the name of this server, unless the settings contain one.
    ///
    /// # Errors
    /// If the system cannot create a thread. A file or socket that cannot be opened is logged and
    /// retried.
    pub fn start(
        query_log: Option<&QueryLogSettings>,
        dnstap: Option<&DnstapSettings>,
        identity: &str,
    ) -> io::Result<QueryLogging> {
        let mut query_logging = QueryLogging::default();
        if let Some(settings) = query_log {
            let channel = Channel::start("query-log", log::Writer::new(settings, identity))?;
            query_logging.query_log = Some((channel, Arc::new(log::Filter::new(settings))));
        }
        if let Some(settings) = dnstap {
            let channel = Channel::start("dnstap", dnstap::Sender::new(settings, identity))?;
            query_logging.dnstap = Some((channel, settings.sample));
        }
        Ok(query_logging)
    }

    /// The inlets of another worker; `None` if neither is enabled.
    pub fn worker(&self) -> Option<Box<QueryLogger>> {
        if self.query_log.is_none() && self.dnstap.is_none() {
            return None;
        }
        let log = self.query_log.as_ref();
        let log = log.map(|(channel, filter)| log::Inlet::new(channel.inlet(LOG_RING_OCTETS), Arc::clone(filter)));
        let dnstap = self.dnstap.as_ref();
        let dnstap = dnstap.map(|(channel, sample)| dnstap::Inlet::new(channel.inlet(DNSTAP_RING_OCTETS), *sample));
        Some(Box::new(QueryLogger { log, dnstap, now: now() }))
    }

    /// How much was delivered and dropped so far.
    pub fn read(&self) -> Reading {
        Reading {
            query_log: self.query_log.as_ref().map(|(channel, _)| channel.totals()),
            dnstap: self.dnstap.as_ref().map(|(channel, _)| channel.totals()),
        }
    }

    /// Lets the threads write the remaining records and end. Waits for at most `timeout`.
    pub fn finish(&self, timeout: Duration) {
        let channels =
            [self.query_log.as_ref().map(|(channel, _)| channel), self.dnstap.as_ref().map(|(channel, _)| channel)];
        channels.iter().flatten().for_each(|channel| channel.stop());
        let end = std::time::Instant::now() + timeout;
        channels.iter().flatten().for_each(|channel| channel.wait_until(end));
    }
}

impl QueryLogger {
    /// Sets the time of the following queries, since 1970.
    pub fn set_time(&mut self, now: Duration) {
        self.now = now;
    }

    /// Adds a query to the query log, if it is enabled and its filter matches.
    pub fn log(&mut self, event: &QueryEvent<'_>) {
        if let Some(log) = &mut self.log {
            log.record(self.now, event);
        }
    }

    /// Whether dnstap is enabled.
    pub fn has_dnstap(&self) -> bool {
        self.dnstap.is_some()
    }

    /// Sends a query and its response to dnstap, if it is enabled and the sample includes it.
    pub fn exchange(&mut self, exchange: &Exchange<'_>) {
        if let Some(dnstap) = &mut self.dnstap {
            dnstap.record(self.now, exchange);
        }
    }
}

/// The system clock, since 1970. A clock before 1970 counts as 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Takes one in `sample` at random. A fixed interval would always take the same one of two queries
/// that come in pairs, such as A and AAAA.
struct Sampler {
    rng: fastrand::Rng,
    sample: u32,
}

impl Sampler {
    fn new(sample: u32) -> Sampler {
        Sampler { rng: fastrand::Rng::new(), sample }
    }

    fn takes(&mut self) -> bool {
        self.sample <= 1 || self.rng.u32(..self.sample) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_taken() {
        let mut sampler = Sampler::new(10);
        let taken = (0..100_000).filter(|_| sampler.takes()).count();
        assert!((9_000..11_000).contains(&taken), "{taken}");
        assert!((0..100).all(|_| Sampler::new(1).takes()));
    }
}

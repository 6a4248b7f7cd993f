//! Tells others of queries as they are answered: the query log and dnstap. Nothing waits for them.
//!
//! ```text
//!  worker ──▶ Inlet ═ring═▶ Outlet ─┐
//!  worker ──▶ Inlet ═ring═▶ Outlet ─┼── one thread ──▶ words, frames ──▶ file, stdout, socket
//!  worker ──▶ Inlet ═ring═▶ Outlet ─┘
//! ```
//!
//! A worker copies what it knows into a ring of its own: no lock, no allocation, no system call, nothing put into words. When the
//! ring is full, since the disk or the reader is slow, the record is dropped and counted; the answer never waits. A thread
//! looks into the rings fifty times a second, so that no worker has to wake it, and does the rest.

mod channel;
mod dnstap;
mod log;
mod ring;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::{DnstapSettings, QueryLogSettings};
use crate::stats::Transport;

use channel::Channel;
pub use channel::Totals;

/// Room for some 10 000 lines a worker: a twentieth of a second of 200 000 queries a second, between two looks.
const LOG_RING_OCTETS: usize = 1 << 20;
/// Room for some 10 000 queries with their responses a worker.
const DNSTAP_RING_OCTETS: usize = 4 << 20;

/// Who is told. Cheap to clone; nobody by default.
#[derive(Clone, Default)]
pub struct Taps {
    query_log: Option<(Arc<Channel>, Arc<log::Filter>)>,
    dnstap: Option<(Arc<Channel>, u32)>,
}

/// One worker's ends.
pub struct Tap {
    log: Option<log::Inlet>,
    dnstap: Option<dnstap::Inlet>,
    now: Duration,
}

/// How much was told, and how much was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Lines of the query log; nothing when there is none.
    pub query_log: Option<Totals>,
    /// Frames to the dnstap reader; nothing when there is none.
    pub dnstap: Option<Totals>,
}

/// What the query log tells of a query.
#[derive(Clone, Copy, Debug)]
pub struct QueryEvent<'q> {
    /// The question as it came: name, type, class; empty when it could not be read.
    pub question: &'q [u8],
    /// The id of the zone that answers.
    pub zone_id: Option<&'q str>,
    /// The zone's name on the wire, in lower case; empty when there is no zone.
    pub zone_name: &'q [u8],
    /// The QTYPE.
    pub record_type: u16,
    /// The response code.
    pub response_code: u8,
    /// How the query came.
    pub transport: Transport,
    /// From where.
    pub resolver: IpAddr,
    /// The client subnet that it names: address and source prefix length.
    pub subnet: Option<(IpAddr, u8)>,
}

/// An exchange for dnstap.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'q> {
    /// How the query came.
    pub transport: Transport,
    /// From where.
    pub client: SocketAddr,
    /// To where, as far as that is known.
    pub server: Option<SocketAddr>,
    /// The query as it came.
    pub query: &'q [u8],
    /// The response as it goes; empty for silence.
    pub response: &'q [u8],
}

impl Taps {
    /// Starts the threads. `identity` is who we are, where the settings do not say so.
    ///
    /// # Errors
    /// When the system gives no thread. That a file or a socket cannot be opened is said in the log, and tried again.
    pub fn start(
        query_log: Option<&QueryLogSettings>,
        dnstap: Option<&DnstapSettings>,
        identity: &str,
    ) -> io::Result<Taps> {
        let mut taps = Taps::default();
        if let Some(settings) = query_log {
            let channel = Channel::start("query-log", log::Writer::new(settings, identity))?;
            taps.query_log = Some((channel, Arc::new(log::Filter::new(settings))));
        }
        if let Some(settings) = dnstap {
            let channel = Channel::start("dnstap", dnstap::Sender::new(settings, identity))?;
            taps.dnstap = Some((channel, settings.sample));
        }
        Ok(taps)
    }

    /// The ends of another worker; `None` when nobody is told.
    pub fn worker(&self) -> Option<Box<Tap>> {
        if self.query_log.is_none() && self.dnstap.is_none() {
            return None;
        }
        let log = self.query_log.as_ref();
        let log = log.map(|(channel, filter)| log::Inlet::new(channel.inlet(LOG_RING_OCTETS), Arc::clone(filter)));
        let dnstap = self.dnstap.as_ref();
        let dnstap = dnstap.map(|(channel, sample)| dnstap::Inlet::new(channel.inlet(DNSTAP_RING_OCTETS), *sample));
        Some(Box::new(Tap { log, dnstap, now: now() }))
    }

    /// How much was told so far.
    pub fn read(&self) -> Reading {
        Reading {
            query_log: self.query_log.as_ref().map(|(channel, _)| channel.totals()),
            dnstap: self.dnstap.as_ref().map(|(channel, _)| channel.totals()),
        }
    }

    /// Lets the threads write what there is and end; waits so long at most.
    pub fn finish(&self, patience: Duration) {
        let channels =
            [self.query_log.as_ref().map(|(channel, _)| channel), self.dnstap.as_ref().map(|(channel, _)| channel)];
        channels.iter().flatten().for_each(|channel| channel.stop());
        let end = std::time::Instant::now() + patience;
        channels.iter().flatten().for_each(|channel| channel.wait_until(end));
    }
}

impl Tap {
    /// Reads the clock for what is told from now on.
    pub fn read_clock(&mut self) {
        self.now = now();
    }

    /// Tells the query log of a query, if it is to be told.
    pub fn log(&mut self, told: &QueryEvent<'_>) {
        if let Some(log) = &mut self.log {
            log.tell(self.now, told);
        }
    }

    /// Whether `exchange` does anything.
    pub fn has_dnstap(&self) -> bool {
        self.dnstap.is_some()
    }

    /// Tells dnstap of a query and its response, if it is to be told.
    pub fn exchange(&mut self, exchange: &Exchange<'_>) {
        if let Some(dnstap) = &mut self.dnstap {
            dnstap.tell(self.now, exchange);
        }
    }
}

/// The system's clock, since the beginning of 1970; one that stands before that knows no time at all.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// One in `sample`, by dice: every second one would be the same of two that always come together, as A and AAAA do.
struct Sampler {
    dice: fastrand::Rng,
    sample: u32,
}

impl Sampler {
    fn new(sample: u32) -> Sampler {
        Sampler { dice: fastrand::Rng::new(), sample }
    }

    fn takes(&mut self) -> bool {
        self.sample <= 1 || self.dice.u32(..self.sample) == 0
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

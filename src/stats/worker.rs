//! The counters of one worker.

use std::ops::{Add, AddAssign};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::{Durations, Histogram, add};
use super::{AnswerNumber, Family, QUERY_TYPES, RESPONSE_CODES, RateLimited, ZoneNumber, type_index};
use crate::model::QueryType;
use crate::requestor::{Requestor, Transport};

/// How many record sets have their own counter: the first ones of the process.
pub const MAX_ANSWERS: usize = 1000;

/// The counters of one worker, aligned to 128 bytes because processors fetch cache lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub struct Stats {
    /// By zone number. Space is made before a number is used. The first two always exist.
    zones: Box<[OnceLock<Box<ZoneStats>>]>,
    none: ZoneStats,
    other: ZoneStats,
    /// By answer number; empty if no answers are counted.
    answers: OnceLock<Box<[AtomicU64]>>,
    truncated: AtomicU64,
    dropped: AtomicU64,
    failures: AtomicU64,
    rate_limited: [AtomicU64; RateLimited::COUNT],
    out_of_time: AtomicU64,
    /// By transport.
    durations: [Histogram; Transport::COUNT],
}

/// The counters of one worker for one zone: 14 cache lines, of which a query touches two.
#[derive(Debug, Default)]
#[repr(align(128))]
struct ZoneStats {
    queries: [[[AtomicU64; QUERY_TYPES.len()]; Family::COUNT]; Transport::COUNT],
    responses: [AtomicU64; RESPONSE_CODES],
}

/// The counted properties of a response.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'r> {
    /// The zone that answers.
    pub zone: ZoneNumber,
    /// Who sent the query: its transport and address family are counted.
    pub requestor: &'r Requestor,
    /// The QTYPE; 0 if it could not be parsed.
    pub qtype: QueryType,
    /// The response code.
    pub response_code: u8,
}

/// A snapshot of the counters of one worker, or the sum of several.
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
    /// Messages that were dropped without a response, for example packets with QR=1.
    pub dropped: u64,
    /// Messages without a response because of a server bug or a send error.
    pub failures: u64,
    /// UDP responses over the limit of their source, in the order of [`RateLimited::ALL`].
    pub rate_limited: [u64; RateLimited::COUNT],
    /// TCP connections of clients that had used all their time.
    pub out_of_time: u64,
    /// Time to answer over UDP, from receiving the packet to passing the response to the system.
    pub udp_durations: Durations,
    /// The same over TCP.
    pub tcp_durations: Durations,
}

/// A snapshot of the counters of a zone for one worker, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneTotals {
    /// Queries by transport, family and index in `QUERY_TYPES`.
    pub queries: [[[u64; QUERY_TYPES.len()]; Family::COUNT]; Transport::COUNT],
    /// Responses by response code.
    pub responses: [u64; RESPONSE_CODES],
}

impl Default for Stats {
    /// Counters that do not distinguish zones.
    fn default() -> Stats {
        Stats::with_room_for(0)
    }
}

impl Stats {
    /// Counters for numbers below `zones`. Space for each is made when the number is assigned.
    pub(super) fn with_room_for(zones: usize) -> Stats {
        Stats {
            zones: (0..zones).map(|_| OnceLock::new()).collect(),
            none: ZoneStats::default(),
            other: ZoneStats::default(),
            answers: OnceLock::new(),
            truncated: AtomicU64::default(),
            dropped: AtomicU64::default(),
            failures: AtomicU64::default(),
            rate_limited: Default::default(),
            out_of_time: AtomicU64::default(),
            durations: Default::default(),
        }
    }

    /// Makes space for a number before a worker can use it, so that no worker has to allocate.
    pub(super) fn make_room(&self, zone: ZoneNumber) {
        if let Some(place) = self.zones.get(zone.0 as usize) {
            place.get_or_init(Box::default);
        }
    }

    /// Makes space for all answer numbers.
    pub(super) fn make_room_for_answers(&self) {
        self.answers.get_or_init(|| (0..MAX_ANSWERS).map(|_| AtomicU64::default()).collect());
    }

    /// Counts that these record sets were chosen.
    pub fn count_answers(&self, chosen: &[AnswerNumber]) {
        let Some(answers) = self.answers.get() else { return };
        chosen.iter().filter_map(|number| answers.get(number.0 as usize)).for_each(increment);
    }

    /// How often the record sets with numbers from 0 on were chosen.
    pub(super) fn answers(&self) -> impl Iterator<Item = u64> {
        self.answers.get().into_iter().flatten().map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Counts a response.
    pub fn count(&self, counted: &Counted<'_>) {
        let zone = self.zone(counted.zone);
        increment(zone.queries(counted.requestor, counted.qtype));
        if let Some(counter) = zone.responses.get(usize::from(counted.response_code)) {
            increment(counter);
        }
    }

    /// Counts that the response is truncated.
    pub fn count_truncated(&self) {
        increment(&self.truncated);
    }

    /// Counts a message that was dropped without a response.
    pub fn count_dropped(&self, requestor: &Requestor) {
        increment(self.none.queries(requestor, QueryType(0)));
        increment(&self.dropped);
    }

    /// Counts a message without a response because of a server bug or a send error.
    pub fn count_failure(&self) {
        increment(&self.failures);
    }

    /// Counts a response over the limit of its source.
    pub fn count_rate_limited(&self, outcome: RateLimited) {
        increment(&self.rate_limited[outcome as usize]);
    }

    /// Counts a TCP connection of a client that had used all its time.
    pub fn count_out_of_time(&self) {
        increment(&self.out_of_time);
    }

    /// Counts messages with this duration each.
    pub fn count_duration(&self, transport: Transport, took: Duration, messages: u64) {
        self.durations[transport as usize].add(took, messages);
    }

    /// The current counts of all zones together.
    pub fn totals(&self) -> Totals {
        let mut all = ZoneTotals::default();
        self.each_zone(|_, zone| all += zone);
        let sum = |transport: Transport| all.queries[transport as usize].as_flattened().iter().sum();
        Totals {
            udp_queries: sum(Transport::Udp),
            tcp_queries: sum(Transport::Tcp),
            responses: all.responses,
            truncated: self.truncated.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            out_of_time: self.out_of_time.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.each_ref().map(|counter| counter.load(Ordering::Relaxed)),
            udp_durations: self.durations[Transport::Udp as usize].read(),
            tcp_durations: self.durations[Transport::Tcp as usize].read(),
        }
    }

    /// The current counts by zone.
    pub(super) fn each_zone(&self, mut see: impl FnMut(ZoneNumber, ZoneTotals)) {
        see(ZoneNumber::NONE, self.none.read());
        see(ZoneNumber::OTHER, self.other.read());
        for (number, zone) in (0..).map(ZoneNumber).zip(&self.zones) {
            if let Some(zone) = zone.get() {
                see(number, zone.read());
            }
        }
    }

    fn zone(&self, number: ZoneNumber) -> &ZoneStats {
        match self.zones.get(number.0 as usize).and_then(OnceLock::get) {
            Some(zone) => zone,
            None if number == ZoneNumber::NONE => &self.none,
            None => &self.other,
        }
    }
}

impl ZoneStats {
    /// The counter of queries like this one.
    fn queries(&self, requestor: &Requestor, qtype: QueryType) -> &AtomicU64 {
        let family = Family::of(requestor.address());
        &self.queries[requestor.transport() as usize][family as usize][type_index(qtype)]
    }

    fn read(&self) -> ZoneTotals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ZoneTotals {
            queries: self
                .queries
                .each_ref()
                .map(|transport| transport.each_ref().map(|family| family.each_ref().map(load))),
            responses: self.responses.each_ref().map(load),
        }
    }
}

impl AddAssign for ZoneTotals {
    fn add_assign(&mut self, other: ZoneTotals) {
        let queries = self.queries.as_flattened_mut().as_flattened_mut();
        queries.iter_mut().zip(other.queries.as_flattened().as_flattened()).for_each(|(sum, count)| *sum += count);
        self.responses.iter_mut().zip(other.responses).for_each(|(sum, count)| *sum += count);
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.udp_queries += other.udp_queries;
        self.tcp_queries += other.tcp_queries;
        self.responses.iter_mut().zip(other.responses).for_each(|(sum, count)| *sum += count);
        self.truncated += other.truncated;
        self.dropped += other.dropped;
        self.failures += other.failures;
        self.out_of_time += other.out_of_time;
        self.rate_limited.iter_mut().zip(other.rate_limited).for_each(|(sum, count)| *sum += count);
        self.udp_durations += other.udp_durations;
        self.tcp_durations += other.tcp_durations;
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

fn increment(counter: &AtomicU64) {
    add(counter, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requestor(address: [u8; 4], transport: Transport) -> Requestor {
        Requestor::new((address, 53).into(), transport)
    }

    fn counted(requestor: &Requestor, response_code: u8) -> Counted<'_> {
        Counted { zone: ZoneNumber::NONE, requestor, qtype: QueryType(1), response_code }
    }

    #[test]
    fn the_counters_of_several_workers_add_up() {
        let workers = [Stats::default(), Stats::default()];
        workers[0].count(&counted(&requestor([192, 0, 2, 1], Transport::Udp), 3));
        workers[1].count(&counted(&requestor([192, 0, 2, 1], Transport::Tcp), 3));
        workers[1].count_dropped(&requestor([192, 0, 2, 1], Transport::Udp));
        workers[1].count_duration(Transport::Udp, Duration::from_millis(1), 2);
        let totals: Totals = workers.iter().map(Stats::totals).sum();
        assert_eq!((totals.udp_queries, totals.tcp_queries, totals.dropped), (2, 1, 1));
        assert_eq!((totals.responses[3], totals.udp_durations.count()), (2, 2));
    }

    #[test]
    fn workers_do_not_share_cache_lines() {
        assert_eq!((align_of::<Stats>(), align_of::<ZoneStats>()), (128, 128));
        assert_eq!(size_of::<ZoneStats>(), 896, "see docs/observability.md");
    }
}

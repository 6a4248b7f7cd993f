//! Counters: each worker has its own set, and readers add them up.
//!
//! ```text
//!  worker ──▶ Stats ─┐
//!  worker ──▶ Stats ─┼── Meters ──▶ Reading ──▶ metrics, API      (adds up, names the zones)
//!  worker ──▶ Stats ─┘     ▲
//!  loader ── ZoneNumber ───┘                                     (assigns numbers, makes room)
//! ```
//!
//! A set has one writer, so counting is a load and a store instead of a locked instruction. Readers
//! may lag by one query. Each set has its own cache lines: no two workers write to the same line.

mod histogram;
mod meters;
mod worker;

use std::net::IpAddr;

pub use histogram::{Durations, Histogram};
pub use meters::{AnswerLabels, MAX_ZONES, Meters, Reading, ZoneReading};
pub use worker::{Counted, MAX_ANSWERS, Stats, Totals, ZoneTotals};

use crate::model::QueryType;

/// The address family of a requestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, in the order of their numbers.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];
    /// How many there are.
    pub const COUNT: usize = Family::ALL.len();

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Response codes 0 to 15 fit the header, 16 is BADVERS and 23 BADCOOKIE. No others are sent.
pub const RESPONSE_CODES: usize = 24;

/// What happened to a UDP response that was over the limit of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimited {
    /// It was sent without records and with the TC bit.
    Truncated,
    /// It was sent without records and with BADCOOKIE, because the request had a cookie.
    BadCookie,
    /// It was not sent.
    Dropped,
    /// It was sent, because rate limiting only counts.
    DryRun,
}

impl RateLimited {
    /// All of them, in the order of their numbers.
    pub const ALL: [RateLimited; 4] =
        [RateLimited::Truncated, RateLimited::BadCookie, RateLimited::Dropped, RateLimited::DryRun];
    /// How many there are.
    pub const COUNT: usize = RateLimited::ALL.len();

    /// The value of a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            RateLimited::Truncated => "truncated",
            RateLimited::BadCookie => "badcookie",
            RateLimited::Dropped => "dropped",
            RateLimited::DryRun => "dry_run",
        }
    }
}

/// Types with their own counter: those of Route 53, those that resolvers query in every zone, and
/// transfers. All others share one counter, so clients cannot create counters.
pub const QUERY_TYPES: [(u16, &str); 22] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (43, "DS"),
    (44, "SSHFP"),
    (48, "DNSKEY"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
    (0, "other"),
];

/// The index of "other" in `QUERY_TYPES`.
const OTHER_TYPE: u8 = QUERY_TYPES.len() as u8 - 1;

/// Indexes into `QUERY_TYPES` by type. Larger types are "other".
const TYPE_INDEXES: [u8; 258] = {
    let mut indexes = [OTHER_TYPE; 258];
    let mut index = 0;
    while index < QUERY_TYPES.len() - 1 {
        indexes[QUERY_TYPES[index].0 as usize] = index as u8;
        index += 1;
    }
    indexes
};

/// The index of a type in `QUERY_TYPES`.
fn type_index(qtype: QueryType) -> usize {
    usize::from(TYPE_INDEXES.get(usize::from(qtype.0)).copied().unwrap_or(OTHER_TYPE))
}

/// The index of the counters of a zone. It is assigned when a configuration is compiled and stays
/// the same for a name while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ZoneNumber(u32);

/// The index of the counter of one record set, which counts how often it is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnswerNumber(u32);

impl ZoneNumber {
    /// Queries that no zone answers.
    pub const NONE: ZoneNumber = ZoneNumber(0);
    /// Zones without a number, because all are assigned or the zone is not counted.
    pub const OTHER: ZoneNumber = ZoneNumber(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_are_counted_separately_and_others_together() {
        for (index, (code, name)) in QUERY_TYPES.iter().enumerate().take(QUERY_TYPES.len() - 1) {
            assert_eq!(type_index(QueryType(*code)), index, "{name}");
        }
        for code in [0, 3, 250, 256, 258, 65_535] {
            assert_eq!(QUERY_TYPES[type_index(QueryType(code))].1, "other", "{code}");
        }
    }
}

//! Plain counters, one set a worker, added up by whoever reads.
//!
//! ```text
//!  worker ──▶ Stats ─┐
//!  worker ──▶ Stats ─┼── Meters ──▶ Reading ──▶ whoever asks      (adds up, names the zones)
//!  worker ──▶ Stats ─┘     ▲
//!  loader ── ZoneNumber ───┘                                     (deals numbers, makes room)
//! ```
//!
//! A set has one writer at a time, so that counting is a load and a store, not a locked instruction; readers may be one
//! query behind. Each set has cache lines of its own: workers never write next to each other.

mod histogram;
mod meters;
mod worker;

use std::fmt;
use std::net::IpAddr;

pub use histogram::{Durations, Histogram};
pub use meters::{AnswerLabels, MAX_ANSWERS, MAX_ZONES, Meters, Reading, ZoneReading};
pub use worker::{Counted, Stats, Totals, ZoneTotals};

/// How a query arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram: the answer has to fit what the client can take.
    Udp,
    /// A stream of messages with their lengths in front (RFC 7766).
    Tcp,
}

impl Transport {
    /// Both, in the order of their numbers.
    pub const ALL: [Transport; 2] = [Transport::Udp, Transport::Tcp];
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

/// Which kind of address a query came from.
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

    /// That of an address.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Response codes 0 to 15 fit the header, 16 is BADVERS; others are never sent.
pub const RESPONSE_CODES: usize = 17;

/// Types that are counted apart: those that Route 53 serves, those that resolvers ask of every zone, and transfers. All
/// others are counted as one, so that nobody can make counters by asking.
pub const KINDS: [(u16, &str); 22] = [
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

/// The place of "other" in `KINDS`.
const OTHER_KIND: u8 = KINDS.len() as u8 - 1;

/// Places in `KINDS` by type; types beyond are others.
const PLACES: [u8; 258] = {
    let mut places = [OTHER_KIND; 258];
    let mut place = 0;
    while place < KINDS.len() - 1 {
        places[KINDS[place].0 as usize] = place as u8;
        place += 1;
    }
    places
};

/// The place of a type in `KINDS`.
fn kind_of(record_type: u16) -> usize {
    usize::from(PLACES.get(usize::from(record_type)).copied().unwrap_or(OTHER_KIND))
}

/// Where a zone's counters are. Dealt when a configuration is compiled, the same for a name as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ZoneNumber(u32);

/// Where it is counted how often one record set is the answer of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnswerNumber(u32);

impl ZoneNumber {
    /// Queries that no zone of ours answers.
    pub const NONE: ZoneNumber = ZoneNumber(0);
    /// Zones for which no number was left, or that nobody counts.
    pub const OTHER: ZoneNumber = ZoneNumber(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_types_are_told_apart_and_others_are_one() {
        for (place, (code, name)) in KINDS.iter().enumerate().take(KINDS.len() - 1) {
            assert_eq!(kind_of(*code), place, "{name}");
        }
        for code in [0, 3, 250, 256, 258, 65_535] {
            assert_eq!(KINDS[kind_of(code)].1, "other", "{code}");
        }
    }
}

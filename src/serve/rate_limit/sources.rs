//! What is counted of a source: its address and the networks around it, each with a limit of its
//! own.
//!
//! The prefixes and their multiples are those of Knot DNS 3.4 (mod-rrl). Together they bound a
//! flood from one address, from a network, and from many forged addresses of a network.

use std::net::IpAddr;

use ipnet::IpNet;
use ring::rand::{SecureRandom, SystemRandom};

use super::table::{Cell, LIMIT, Table, Tick};

/// Prefix lengths of IPv4, and how many times the limit of an address they have.
const IPV4: [(u8, u32); 4] = [(32, 1), (24, 32), (20, 256), (18, 768)];
/// The same for IPv6.
const IPV6: [(u8, u32); 5] = [(128, 1), (64, 2), (56, 3), (48, 4), (32, 64)];

/// How much a source may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Units per second in the long run.
    pub(super) rate: u32,
    /// Units at once, after a long silence.
    pub(super) instant: u32,
}

/// Counts what sources use.
pub(super) struct Sources<const BUCKETS: usize> {
    table: Table<BUCKETS>,
    ipv4: [Prefix; IPV4.len()],
    ipv6: [Prefix; IPV6.len()],
}

/// How addresses are counted by one prefix length.
struct Prefix {
    length: u8,
    /// The bits of an IPv4 address, or of the first half of an IPv6 address.
    mask: u64,
    /// The load of one unit.
    price: u32,
    key: HashKey,
}

/// The secret of a hash: Σ multiplier · word + addend modulo 2^128, of which the upper half counts.
///
/// With random keys this hash is strongly universal (Dietzfelbinger; Thorup, "High speed hashing for
/// integers and strings", 2015): without the key, the cells of two addresses are independent, so
/// nobody can choose addresses that share cells with a victim's.
struct HashKey {
    multiplier: u128,
    /// For the second half of a whole IPv6 address; 0 for prefixes without it.
    second_multiplier: u128,
    addend: u128,
}

impl HashKey {
    fn generate() -> Result<HashKey, ring::error::Unspecified> {
        let mut octets = [0; 48];
        SystemRandom::new().fill(&mut octets)?;
        let word = |at: usize| u128::from_le_bytes(octets[at..at + 16].try_into().expect("16 octets"));
        Ok(HashKey { multiplier: word(0), second_multiplier: word(16), addend: word(32) })
    }
}

impl Prefix {
    fn all<const N: usize>(
        lengths: [(u8, u32); N],
        instant: u32,
        bits_of_first_word: u8,
    ) -> Result<[Prefix; N], ring::error::Unspecified> {
        let prefix = |(length, multiple): (u8, u32)| {
            let unused = bits_of_first_word.saturating_sub(length);
            let mask = u64::MAX << unused;
            #[expect(clippy::cast_possible_truncation, reason = "not more than LIMIT")]
            let price = (u64::from(LIMIT) / (u64::from(instant) * u64::from(multiple))) as u32;
            let mut key = HashKey::generate()?;
            if length <= 64 {
                key.second_multiplier = 0;
            }
            Ok(Prefix { length, mask, price, key })
        };
        let all: Result<Vec<Prefix>, _> = lengths.into_iter().map(prefix).collect();
        all.map(|all| all.try_into().unwrap_or_else(|_| unreachable!("as many prefixes as lengths")))
    }

    #[inline(always)]
    fn hash(&self, first: u64, second: u64) -> u64 {
        let product = self.key.multiplier.wrapping_mul(u128::from(first & self.mask));
        let second = self.key.second_multiplier.wrapping_mul(u128::from(second));
        #[expect(clippy::cast_possible_truncation, reason = "the upper half of 128 bits")]
        ((product.wrapping_add(second).wrapping_add(self.key.addend) >> 64) as u64)
    }
}

impl<const BUCKETS: usize> Sources<BUCKETS> {
    pub(super) fn new(limits: Limits) -> Result<Sources<BUCKETS>, ring::error::Unspecified> {
        Ok(Sources {
            // At the limit, a load of `instant` decays by `rate` in a second.
            table: Table::new(f64::from(limits.instant) / f64::from(limits.rate)),
            ipv4: Prefix::all(IPV4, limits.instant, 32)?,
            ipv6: Prefix::all(IPV6, limits.instant, 64)?,
        })
    }

    /// The clock of the counters.
    pub(super) fn table(&self) -> &Table<BUCKETS> {
        &self.table
    }

    /// Counts `units` for an address, if neither it nor a network around it is over its limit.
    /// Otherwise it counts nothing, also not for the wider networks, and returns the network that is
    /// over its limit.
    #[inline(always)]
    pub(super) fn charge(&self, address: IpAddr, units: u32, now: Tick) -> Result<(), IpNet> {
        let over = match address {
            IpAddr::V4(address) => self.charge_all(&self.ipv4, u64::from(address.to_bits()), 0, units, now),
            IpAddr::V6(address) => {
                #[expect(clippy::cast_possible_truncation, reason = "the halves of an address")]
                let (first, second) = ((address.to_bits() >> 64) as u64, address.to_bits() as u64);
                self.charge_all(&self.ipv6, first, second, units, now)
            }
        };
        over.map_err(|length| IpNet::new_assert(address, length).trunc())
    }

    #[inline(always)]
    fn charge_all<const N: usize>(
        &self,
        prefixes: &[Prefix; N],
        first: u64,
        second: u64,
        units: u32,
        now: Tick,
    ) -> Result<(), u8> {
        let cells: [Cell<'_>; N] = std::array::from_fn(|at| self.table.find(prefixes[at].hash(first, second), now));
        for (prefix, cell) in prefixes.iter().zip(&cells) {
            if cell.load.saturating_add(prefix.price.saturating_mul(units)) > LIMIT {
                return Err(prefix.length);
            }
        }
        for (prefix, cell) in prefixes.iter().zip(&cells) {
            cell.add(prefix.price * units, now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::answer::Timestamp;

    const LIMITS: Limits = Limits { rate: 20, instant: 50 };

    fn sources() -> Sources<8192> {
        Sources::new(LIMITS).unwrap()
    }

    fn at(sources: &Sources<8192>, ms: u64) -> Tick {
        sources.table().tick(Timestamp(Duration::from_millis(1_700_000_000_000 + ms)))
    }

    /// How many of `packets` packets from these addresses, at one moment, are within the limits.
    fn admitted(addresses: impl Iterator<Item = IpAddr>, packets: usize) -> (usize, Option<IpNet>) {
        let sources = sources();
        let now = at(&sources, 0);
        let results: Vec<_> = addresses.take(packets).map(|address| sources.charge(address, 1, now)).collect();
        let over = results.iter().find_map(|result| result.err());
        (results.iter().filter(|result| result.is_ok()).count(), over)
    }

    fn ipv4(bits: u32) -> IpAddr {
        Ipv4Addr::from_bits(0xc000_0000 | bits).into()
    }

    fn ipv6(bits: u128) -> IpAddr {
        Ipv6Addr::from_bits(0x2001_0db8_0000_0000_0000_0000_0000_0000 | bits).into()
    }

    #[test]
    fn an_address_and_each_network_around_it_have_their_limits() {
        let expected = |multiple: usize, network: &str| (50 * multiple, Some(network.parse().unwrap()));
        assert_eq!(admitted((0..).map(|_| ipv4(7)), 60), expected(1, "192.0.0.7/32"));
        assert_eq!(admitted((0..).map(|host| ipv4(host % 256)), 2000), expected(32, "192.0.0.0/24"));
        assert_eq!(admitted((0..).map(|host| ipv4(host % 4096)), 20_000), expected(256, "192.0.0.0/20"));
        assert_eq!(admitted((0..).map(|host| ipv4(host % 16_384)), 50_000), expected(768, "192.0.0.0/18"));
        assert_eq!(admitted((0..).map(|_| ipv6(7)), 60), expected(1, "2001:db8::7/128"));
        assert_eq!(admitted((0..).map(ipv6), 200), expected(2, "2001:db8::/64"));
        assert_eq!(admitted((0..).map(|host: u128| ipv6(host % 256 << 64)), 300), expected(3, "2001:db8::/56"));
        assert_eq!(admitted((0..).map(|host: u128| ipv6(host % 256 << 72)), 300), expected(4, "2001:db8::/48"));
        assert_eq!(admitted((0..).map(|host: u128| ipv6(host << 80)), 4000), expected(64, "2001:db8::/32"));
    }

    #[test]
    fn what_is_over_the_limit_of_an_address_is_not_counted_for_its_network() {
        let sources = sources();
        let now = at(&sources, 0);
        let flood = (0..100_000).filter(|_| sources.charge(ipv4(1), 1, now).is_ok()).count();
        assert_eq!(flood, 50);
        // The network has 32 × 50, of which the flood used 50.
        let others = (0..10_000).filter(|packet| sources.charge(ipv4(2 + packet % 200), 1, now).is_ok()).count();
        assert_eq!(others, 31 * 50);
    }

    #[test]
    fn the_rate_holds_over_time() {
        let sources = sources();
        let seconds = |from: u64, to: u64| {
            (from * 1000..to * 1000).filter(|ms| sources.charge(ipv4(7), 1, at(&sources, *ms)).is_ok()).count()
        };
        let first = seconds(0, 1);
        assert!((50..=72).contains(&first), "the instant limit and a second at the rate: {first}");
        let sustained = seconds(1, 101);
        assert!((1900..=2100).contains(&sustained), "100 seconds at 20: {sustained}");
        // Silence restores the instant limit.
        let later = at(&sources, 200_000);
        assert_eq!((0..1000).filter(|_| sources.charge(ipv4(7), 1, later).is_ok()).count(), 50);
    }

    #[test]
    fn half_the_rate_is_never_limited() {
        let sources = sources();
        assert!((0..2000).all(|packet| sources.charge(ipv4(7), 1, at(&sources, packet * 100)).is_ok()));
    }

    #[test]
    fn a_flood_of_forged_addresses_fills_the_table_but_an_honest_client_is_answered() {
        let sources = sources();
        let mut dice = fastrand::Rng::with_seed(7);
        let mut answered = 0;
        for ms in 0..5000 {
            let now = at(&sources, ms);
            for _ in 0..100 {
                let _ = sources.charge(Ipv4Addr::from_bits(dice.u32(..)).into(), 1, now);
            }
            if ms % 100 == 0 {
                answered += usize::from(sources.charge(ipv4(7), 1, now).is_ok());
            }
        }
        assert_eq!(answered, 50, "250 000 sources in 2.5 s, for 32 768 cells");
    }

    #[test]
    fn workers_share_the_limit() {
        let sources = sources();
        let now = at(&sources, 0);
        let admitted: usize = std::thread::scope(|scope| {
            let flood = || (0..100_000).filter(|_| sources.charge(ipv4(7), 1, now).is_ok()).count();
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(flood)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        // Separate tables would admit 200. A count that is lost in a race admits one more.
        assert!((50..=100).contains(&admitted), "{admitted}");
    }

    proptest! {
        #[test]
        fn two_tables_hash_by_different_keys(address: u32) {
            let [one, other] = [sources(), sources()];
            prop_assert_ne!(one.ipv4[0].hash(address.into(), 0), other.ipv4[0].hash(address.into(), 0));
        }

        #[test]
        fn addresses_of_a_network_share_its_hash_and_no_narrower_one(bits: u128, other: u128) {
            let sources = sources();
            for prefix in &sources.ipv6 {
                let mask = u128::MAX << (128 - u32::from(prefix.length));
                let same = bits & mask == other & mask;
                #[expect(clippy::cast_possible_truncation, reason = "the halves")]
                let hash = |bits: u128| prefix.hash((bits >> 64) as u64, bits as u64);
                prop_assert_eq!(hash(bits) == hash(other), same);
                prop_assert_eq!(hash(bits), hash(bits & mask | other & !mask));
            }
        }
    }
}

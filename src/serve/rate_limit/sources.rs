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
    ipv4: [Prefix<u32>; IPV4.len()],
    ipv6: [Prefix<u128>; IPV6.len()],
}

/// How addresses are counted by one prefix length.
struct Prefix<A: Address> {
    /// The load of one unit.
    price: u32,
    key: A::Key,
}

/// What is hashed of an address. The hash is the upper part of a sum of products with secret random
/// numbers.
///
/// Such a hash is strongly universal (Dietzfelbinger; Thorup, "High speed hashing for integers and
/// strings", 2015): without the secret, the cells of two addresses are independent, so no one can
/// choose addresses that share cells with a victim's. It has as many good bits as the numbers have
/// more bits than the address, and one: 33 for IPv4, which is what `Table` needs.
trait Address: Copy {
    /// The secret.
    type Key;

    fn key(random: [u8; 48]) -> Self::Key;

    /// The hash of the first `length` bits.
    fn hash(self, length: u8, key: &Self::Key) -> u64;
}

impl Address for u32 {
    type Key = [u64; 2];

    fn key(random: [u8; 48]) -> [u64; 2] {
        [0, 8].map(|at| u64::from_le_bytes(random[at..at + 8].try_into().expect("8 octets")))
    }

    #[inline(always)]
    fn hash(self, length: u8, [multiplier, addend]: &[u64; 2]) -> u64 {
        let bits = self & u32::MAX << (u32::BITS - u32::from(length));
        multiplier.wrapping_mul(u64::from(bits)).wrapping_add(*addend)
    }
}

impl Address for u128 {
    type Key = [u128; 3];

    fn key(random: [u8; 48]) -> [u128; 3] {
        [0, 16, 32].map(|at| u128::from_le_bytes(random[at..at + 16].try_into().expect("16 octets")))
    }

    #[inline(always)]
    fn hash(self, length: u8, [multiplier, second_multiplier, addend]: &[u128; 3]) -> u64 {
        let bits = self & u128::MAX << (u128::BITS - u32::from(length));
        let mut sum = multiplier.wrapping_mul(bits >> 64).wrapping_add(*addend);
        // The shorter prefixes have no second half.
        if length > 64 {
            sum = sum.wrapping_add(second_multiplier.wrapping_mul(bits & u128::from(u64::MAX)));
        }
        // The upper half of 128 bits.
        (sum >> 64) as u64
    }
}

impl<A: Address> Prefix<A> {
    fn new(multiple: u32, instant: u32) -> Result<Prefix<A>, ring::error::Unspecified> {
        let mut random = [0; 48];
        SystemRandom::new().fill(&mut random)?;
        #[expect(clippy::cast_possible_truncation, reason = "not more than LIMIT")]
        let price = (u64::from(LIMIT) / (u64::from(instant) * u64::from(multiple))) as u32;
        Ok(Prefix { price, key: A::key(random) })
    }

    fn all<const N: usize>(lengths: &[(u8, u32); N], instant: u32) -> Result<[Prefix<A>; N], ring::error::Unspecified> {
        let all: Result<Vec<_>, _> = lengths.iter().map(|(_, multiple)| Prefix::new(*multiple, instant)).collect();
        all.map(|all| all.try_into().unwrap_or_else(|_| unreachable!("as many prefixes as lengths")))
    }
}

impl<const BUCKETS: usize> Sources<BUCKETS> {
    pub(super) fn new(limits: Limits) -> Result<Sources<BUCKETS>, ring::error::Unspecified> {
        Ok(Sources {
            // At the limit, a load of `instant` decays by `rate` in a second.
            table: Table::new(f64::from(limits.instant) / f64::from(limits.rate)),
            ipv4: Prefix::all(&IPV4, limits.instant)?,
            ipv6: Prefix::all(&IPV6, limits.instant)?,
        })
    }

    /// The clock of the counters.
    pub(super) fn table(&self) -> &Table<BUCKETS> {
        &self.table
    }

    /// Counts `units` for an address, if neither it nor a network around it is over its limit.
    /// Otherwise it counts nothing, also not for the wider networks, and returns the network that is
    /// over its limit.
    ///
    /// Kept in one piece: within the whole path of an answer, the loops over prefixes are no longer
    /// unrolled, which doubles its instructions.
    #[inline(never)]
    pub(super) fn charge(&self, address: IpAddr, units: u32, now: Tick) -> Result<(), IpNet> {
        let over = match address {
            IpAddr::V4(address) => self.charge_all(&IPV4, &self.ipv4, address.to_bits(), units, now),
            IpAddr::V6(address) => self.charge_all(&IPV6, &self.ipv6, address.to_bits(), units, now),
        };
        over.map_err(|length| IpNet::new_assert(address, length).trunc())
    }

    #[inline(always)]
    fn charge_all<A: Address, const N: usize>(
        &self,
        lengths: &[(u8, u32); N],
        prefixes: &[Prefix<A>; N],
        address: A,
        units: u32,
        now: Tick,
    ) -> Result<(), u8> {
        let cells: [Cell<'_>; N] =
            std::array::from_fn(|at| self.table.find(address.hash(lengths[at].0, &prefixes[at].key), now));
        for ((length, _), (prefix, cell)) in lengths.iter().zip(prefixes.iter().zip(&cells)) {
            if cell.load.saturating_add(prefix.price.saturating_mul(units)) > LIMIT {
                return Err(*length);
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
        assert_eq!(admitted((0..).map(|host: u128| ipv6((host % 256) << 64)), 300), expected(3, "2001:db8::/56"));
        assert_eq!(admitted((0..).map(|host: u128| ipv6((host % 256) << 72)), 300), expected(4, "2001:db8::/48"));
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
        let mut rng = fastrand::Rng::with_seed(7);
        let mut answered = 0;
        for ms in 0..5000 {
            let now = at(&sources, ms);
            for _ in 0..100 {
                let _ = sources.charge(Ipv4Addr::from_bits(rng.u32(..)).into(), 1, now);
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
            prop_assert_ne!(address.hash(32, &one.ipv4[0].key), address.hash(32, &other.ipv4[0].key));
        }

        #[test]
        fn addresses_of_a_network_share_its_hash_and_no_narrower_one(bits: u128, other: u128) {
            let sources = sources();
            for ((length, _), prefix) in IPV6.iter().zip(&sources.ipv6) {
                let mask = u128::MAX << (128 - u32::from(*length));
                let same = bits & mask == other & mask;
                let hash = |bits: u128| bits.hash(*length, &prefix.key);
                prop_assert_eq!(hash(bits) == hash(other), same);
                prop_assert_eq!(hash(bits), hash(bits & mask | other & !mask));
            }
        }
    }
}

//! What is counted of a source: its address and the networks around it, each with a limit of its
//! own.
//!
//! The prefixes and their multiples are those of Knot DNS 3.4 (mod-rrl). Together they bound a
//! flood from one address, from a network, and from many forged addresses of a network.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use ipnet::IpNet;
use ring::rand::{SecureRandom, SystemRandom};

use super::table::{Moment, Table};
use crate::answer::Timestamp;

/// Prefix lengths of IPv4.
const IPV4: [u8; 3] = [32, 24, 18];
/// How many times the limit of an address each of them has.
const IPV4_MULTIPLES: [f64; IPV4.len()] = [1.0, 32.0, 768.0];
/// The same for IPv6.
const IPV6: [u8; 4] = [128, 64, 48, 32];
const IPV6_MULTIPLES: [f64; IPV6.len()] = [1.0, 2.0, 4.0, 64.0];
/// Added to the limit, because sums of fractions are not exact. Less than a unit counts for any
/// prefix.
const SLACK: f64 = 1.0 / 2048.0;

/// How much a source may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Units per second in the long run.
    pub(super) rate: u32,
    /// Units at once, after a long silence.
    pub(super) instant: u32,
}

/// Counts what sources use.
pub(super) struct Sources<const CELLS: usize> {
    table: Table<CELLS>,
    /// The secret of each prefix length.
    ipv4: [<u32 as Address>::Key; IPV4.len()],
    ipv6: [<u128 as Address>::Key; IPV6.len()],
}

/// What some units count at a moment, by prefix length. A network whose limit is 32 times that of
/// an address counts a 32nd.
#[derive(Clone, Copy)]
pub(super) struct Charge {
    ipv4: [f64; IPV4.len()],
    ipv6: [f64; IPV6.len()],
    now: Moment,
}

/// The length of the prefix that is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverLimit(u8);

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

/// Secrets for `N` prefix lengths.
fn keys<A: Address, const N: usize>() -> Result<[A::Key; N], ring::error::Unspecified> {
    let mut random = [[0; 48]; N];
    random.iter_mut().try_for_each(|random| SystemRandom::new().fill(random))?;
    Ok(random.map(A::key))
}

impl<const CELLS: usize> Sources<CELLS> {
    pub(super) fn new(limits: Limits) -> Result<Sources<CELLS>, ring::error::Unspecified> {
        let (rate, instant) = (f64::from(limits.rate), f64::from(limits.instant));
        // At the limit, a load of `instant` decays by `rate` in a second.
        let table = Table::new(instant + SLACK, instant / rate);
        Ok(Sources { table, ipv4: keys::<u32, _>()?, ipv6: keys::<u128, _>()? })
    }

    /// What `units` count at this time.
    pub(super) fn price(&self, units: f64, at: Timestamp) -> Charge {
        let now = self.table.moment(at);
        let part = |multiple| units * now.unit / multiple;
        Charge { ipv4: IPV4_MULTIPLES.map(part), ipv6: IPV6_MULTIPLES.map(part), now }
    }

    /// Counts a charge for an address, if neither it nor a network around it is over its limit.
    /// Otherwise it counts nothing, also not for the wider networks, and says what is over its
    /// limit.
    #[inline(always)]
    pub(super) fn count(&self, address: &IpAddr, charge: &Charge) -> Result<(), OverLimit> {
        match address {
            IpAddr::V4(address) => self.count_all(&IPV4, &self.ipv4, address.to_bits(), &charge.ipv4, &charge.now),
            IpAddr::V6(address) => self.count_all(&IPV6, &self.ipv6, address.to_bits(), &charge.ipv6, &charge.now),
        }
    }

    /// Nearly always each prefix has the cell that it prefers and is within its limit, which is one
    /// test for all of them.
    ///
    /// A function of its own for each kind of address: within the whole path of an answer, the
    /// loops over prefixes are no longer unrolled, and registers are saved.
    #[inline(never)]
    fn count_all<A: Address, const N: usize>(
        &self,
        lengths: &[u8; N],
        keys: &[A::Key; N],
        address: A,
        prices: &[f64; N],
        now: &Moment,
    ) -> Result<(), OverLimit> {
        let hashes: [u64; N] = std::array::from_fn(|at| address.hash(lengths[at], &keys[at]));
        let cells = hashes.map(|hash| self.table.preferred(hash));
        let loads: [f64; N] = std::array::from_fn(|at| cells[at].load() + prices[at]);
        let are_theirs = cells.iter().zip(hashes).fold(true, |all, (cell, hash)| all & cell.is_of(hash));
        let are_over = loads.iter().fold(false, |any, load| any | (*load > now.limit));
        if !are_theirs | are_over {
            return self.count_with_search(lengths, keys, address, prices, now);
        }
        cells.iter().zip(loads).for_each(|(cell, load)| cell.set(load));
        Ok(())
    }

    /// The same for every case.
    #[inline(never)]
    fn count_with_search<A: Address, const N: usize>(
        &self,
        lengths: &[u8; N],
        keys: &[A::Key; N],
        address: A,
        prices: &[f64; N],
        now: &Moment,
    ) -> Result<(), OverLimit> {
        let mut cells: ArrayVec<_, N> = ArrayVec::new();
        for ((length, price), key) in lengths.iter().zip(prices).zip(keys) {
            let hash = address.hash(*length, key);
            let cell = self.table.find(hash, now);
            let load = cell.load_at(now) + price;
            if load > now.limit {
                return Err(OverLimit(*length));
            }
            cells.push((cell, hash, load));
        }
        cells.iter().for_each(|(cell, hash, load)| cell.take(*hash, *load));
        Ok(())
    }
}

impl OverLimit {
    /// The network of this address.
    pub(super) fn network(self, address: IpAddr) -> IpNet {
        IpNet::new_assert(address, self.0).trunc()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { rate: 20, instant: 50 };

    fn sources() -> Sources<32_768> {
        Sources::new(LIMITS).unwrap()
    }

    fn at(sources: &Sources<32_768>, ms: u64) -> Charge {
        sources.price(1.0, Timestamp(Duration::from_millis(1_700_000_000_000 + ms)))
    }

    /// How many of `packets` packets from these addresses, at one moment, are within the limits.
    fn admitted(addresses: impl Iterator<Item = IpAddr>, packets: usize) -> (usize, Option<IpNet>) {
        let sources = sources();
        let now = at(&sources, 0);
        let results: Vec<_> = addresses.take(packets).map(|address| (address, sources.count(&address, &now))).collect();
        let over = results.iter().find_map(|(address, result)| Some(result.err()?.network(*address)));
        (results.iter().filter(|(_, result)| result.is_ok()).count(), over)
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
        assert_eq!(admitted((0..).map(|host| ipv4(host % 16_384)), 50_000), expected(768, "192.0.0.0/18"));
        assert_eq!(admitted((0..).map(|_| ipv6(7)), 60), expected(1, "2001:db8::7/128"));
        assert_eq!(admitted((0..).map(ipv6), 200), expected(2, "2001:db8::/64"));
        assert_eq!(admitted((0..).map(|host: u128| ipv6((host % 256) << 72)), 300), expected(4, "2001:db8::/48"));
        assert_eq!(admitted((0..).map(|host: u128| ipv6(host << 80)), 4000), expected(64, "2001:db8::/32"));
    }

    #[test]
    fn what_is_over_the_limit_of_an_address_is_not_counted_for_its_network() {
        let sources = sources();
        let now = at(&sources, 0);
        let flood = (0..100_000).filter(|_| sources.count(&ipv4(1), &now).is_ok()).count();
        assert_eq!(flood, 50);
        // The network has 32 × 50, of which the flood used 50.
        let others = (0..10_000).filter(|packet| sources.count(&ipv4(2 + packet % 200), &now).is_ok()).count();
        assert_eq!(others, 31 * 50);
    }

    #[test]
    fn the_rate_holds_over_time() {
        let sources = sources();
        let seconds = |from: u64, to: u64| {
            (from * 1000..to * 1000).filter(|ms| sources.count(&ipv4(7), &at(&sources, *ms)).is_ok()).count()
        };
        let first = seconds(0, 1);
        assert!((50..=72).contains(&first), "the instant limit and a second at the rate: {first}");
        let sustained = seconds(1, 101);
        assert!((1900..=2100).contains(&sustained), "100 seconds at 20: {sustained}");
        // Silence restores the instant limit.
        let later = at(&sources, 200_000);
        assert_eq!((0..1000).filter(|_| sources.count(&ipv4(7), &later).is_ok()).count(), 50);
    }

    #[test]
    fn half_the_rate_is_never_limited() {
        let sources = sources();
        assert!((0..2000).all(|packet| sources.count(&ipv4(7), &at(&sources, packet * 100)).is_ok()));
    }

    #[test]
    fn a_flood_of_forged_addresses_fills_the_table_but_an_honest_client_is_answered() {
        let sources = sources();
        let mut rng = fastrand::Rng::with_seed(7);
        let mut answered = 0;
        for ms in 0..5000 {
            let now = at(&sources, ms);
            for _ in 0..100 {
                let _ = sources.count(&Ipv4Addr::from_bits(rng.u32(..)).into(), &now);
            }
            if ms % 100 == 0 {
                answered += usize::from(sources.count(&ipv4(7), &now).is_ok());
            }
        }
        assert_eq!(answered, 50, "250 000 sources in 2.5 s, for 32 768 cells");
    }

    #[test]
    fn workers_share_the_limit() {
        let sources = sources();
        let now = at(&sources, 0);
        let admitted: usize = std::thread::scope(|scope| {
            let flood = || (0..100_000).filter(|_| sources.count(&ipv4(7), &now).is_ok()).count();
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
            prop_assert_ne!(address.hash(32, &one.ipv4[0]), address.hash(32, &other.ipv4[0]));
        }

        #[test]
        fn addresses_of_a_network_share_its_hash_and_no_narrower_one(bits: u128, other: u128) {
            let sources = sources();
            for (length, key) in IPV6.iter().zip(&sources.ipv6) {
                let mask = u128::MAX << (128 - u32::from(*length));
                let same = bits & mask == other & mask;
                let hash = |bits: u128| bits.hash(*length, key);
                prop_assert_eq!(hash(bits) == hash(other), same);
                prop_assert_eq!(hash(bits), hash(bits & mask | other & !mask));
            }
        }
    }
}

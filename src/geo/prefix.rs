//! The prefix table: finds the value of the longest matching network of an address, and the number
//! of leading address bits that decide the result.
//!
//! That number is the ECS scope (RFC 7871 section 7.2.1) of an answer chosen by the value. A
//! longest-prefix match alone does not give it: with 10.0.0.0/8 → A and 10.1.0.0/16 → B, the client
//! 10.2.3.4 gets A from a /8, but a resolver would reuse an answer with scope /8 for the clients of
//! B.
//!
//! So the nested networks are flattened when the table is built, into maximal *intervals* of
//! addresses with one result, misses included. An interval need not store a depth. The widest block
//! around an address that stays inside its interval follows from the two addresses just outside the
//! interval. Equal neighbours are one interval, so that block is the widest with a constant result.
//!
//! The module `intervals` searches them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;
use ipnet::IpNet;

use super::intervals::{Address, Ipv4Intervals, Ipv6Intervals, MISS};
use crate::model::PrefixLength;
use crate::prefetch::SIDE_BY_SIDE;

/// Networks with values, indexed by address. IPv4 and IPv6 are separate: an IPv4-mapped IPv6
/// address is looked up as an IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixTable<V> {
    ipv4: Ipv4Intervals,
    ipv6: Ipv6Intervals,
    values: Box<[V]>,
}

/// The result of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit<'t, V> {
    /// The value of the longest network that contains the address.
    pub value: Option<&'t V>,
    /// The number of leading address bits that decide this result, hit or miss: every address that
    /// shares them has the same result.
    pub depth: PrefixLength,
}

/// The values of all networks that contain an address, longest prefix first, each with its prefix
/// length.
pub type Chain<V> = Box<[(PrefixLength, V)]>;

impl<V> Default for PrefixTable<V> {
    fn default() -> Self {
        TableBuilder::default().finish(Vec::new())
    }
}

impl<V: PartialEq> PrefixTable<V> {
    /// Builds a table. Bits of a network after its prefix length are ignored. If a network is given
    /// twice, the later one counts.
    pub fn build(networks: impl IntoIterator<Item = (IpNet, V)>) -> PrefixTable<V> {
        let (networks, values): (Vec<IpNet>, Vec<V>) = networks.into_iter().unzip();
        let same = |a: Option<u32>, b: Option<u32>| value_of(&values, a) == value_of(&values, b);
        let bounds_of = |blocks: &[Block]| {
            let mut bounds = Bounds::default();
            sweep(blocks, |start, inside| bounds.push(start, inside.last().map(|block| block.entry), same));
            bounds.bounds
        };
        let (ipv4, ipv6) = blocks_by_family(&networks);
        let (ipv4, ipv6) = (bounds_of(&ipv4).iter().collect(), bounds_of(&ipv6).iter().collect());
        TableBuilder { ipv4, ipv6 }.finish(values)
    }

    /// Builds a table of chains, for callers that need more than the longest match: each address
    /// finds the values of *all* networks that contain it.
    pub fn build_chains(networks: impl Iterator<Item = (IpNet, V)>) -> PrefixTable<Chain<V>>
    where
        V: Clone,
    {
        let (networks, values): (Vec<IpNet>, Vec<V>) = networks.unzip();
        let mut chains: Vec<Chain<V>> = Vec::new();
        let mut bounds_of = |blocks: &[Block]| {
            let mut bounds = Bounds::default();
            sweep(blocks, |start, inside| {
                let chain = (!inside.is_empty()).then(|| add_chain(&mut chains, inside, &values));
                bounds.push(start, chain, |a, b| value_of(&chains, a) == value_of(&chains, b));
            });
            bounds.bounds
        };
        let (ipv4, ipv6) = blocks_by_family(&networks);
        let (ipv4, ipv6) = (bounds_of(&ipv4).iter().collect(), bounds_of(&ipv6).iter().collect());
        TableBuilder { ipv4, ipv6 }.finish(chains)
    }
}

impl<V> PrefixTable<V> {
    /// The value of the longest network that contains the address, and the depth that decided it.
    #[inline]
    pub fn lookup(&self, address: IpAddr) -> Hit<'_, V> {
        let (value, depth) = match address {
            IpAddr::V4(address) => self.ipv4.lookup(address.to_bits()),
            IpAddr::V6(address) => self.ipv6.lookup(address.to_bits()),
        };
        // The number of values is below `MISS`.
        Hit { value: self.values.get(value as usize), depth: PrefixLength(depth) }
    }

    /// The same for up to `SIDE_BY_SIDE` addresses, in their order, with overlapping memory
    /// accesses.
    pub(super) fn lookup_each(&self, addresses: &[IpAddr]) -> ArrayVec<Hit<'_, V>, SIDE_BY_SIDE> {
        let (mut ipv4, mut ipv6) = (ArrayVec::<u32, SIDE_BY_SIDE>::new(), ArrayVec::<u128, SIDE_BY_SIDE>::new());
        for address in addresses {
            match address {
                IpAddr::V4(address) => ipv4.push(address.to_bits()),
                IpAddr::V6(address) => ipv6.push(address.to_bits()),
            }
        }
        let (mut ipv4, mut ipv6) = (self.ipv4.lookup_each(&ipv4).into_iter(), self.ipv6.lookup_each(&ipv6).into_iter());
        let found = addresses.iter().filter_map(|address| if address.is_ipv4() { ipv4.next() } else { ipv6.next() });
        found.map(|(value, depth)| Hit { value: self.values.get(value as usize), depth: PrefixLength(depth) }).collect()
    }

    /// All addresses that have a value: first, last and value of each interval, IPv4 before IPv6,
    /// in order.
    pub fn ranges(&self) -> impl Iterator<Item = (IpAddr, IpAddr, &V)> {
        let ipv4 = ranges(self.ipv4.iter(), u32::MAX).map(|(first, last, value)| {
            (IpAddr::V4(Ipv4Addr::from_bits(first)), IpAddr::V4(Ipv4Addr::from_bits(last)), value)
        });
        let ipv6 = ranges(self.ipv6.iter(), u128::MAX).map(|(first, last, value)| {
            (IpAddr::V6(Ipv6Addr::from_bits(first)), IpAddr::V6(Ipv6Addr::from_bits(last)), value)
        });
        ipv4.chain(ipv6).filter_map(|(first, last, value)| Some((first, last, self.values.get(value as usize)?)))
    }

    /// Whether no address has a value.
    pub fn is_empty(&self) -> bool {
        self.ipv4.iter().all(|(_, value)| value == MISS) && self.ipv6.iter().all(|(_, value)| value == MISS)
    }

    /// The number of intervals of both families together.
    pub fn intervals(&self) -> usize {
        self.ipv4.count() + self.ipv6.count()
    }

    /// Approximate memory of the table in bytes, without what values own on the heap.
    pub fn bytes(&self) -> usize {
        self.ipv4.bytes() + self.ipv6.bytes() + size_of_val(&*self.values)
    }
}

/// First and last address and the value of each interval.
fn ranges<A: Address>(intervals: impl Iterator<Item = (A, u32)>, highest: A) -> impl Iterator<Item = (A, A, u32)> {
    let mut intervals = intervals.peekable();
    std::iter::from_fn(move || {
        let (first, value) = intervals.next()?;
        let last = intervals.peek().and_then(|(next, _)| next.before()).unwrap_or(highest);
        Some((first, last, value))
    })
}

/// Builds a table from networks that come in order and without overlap, as in a database file. Gaps
/// between networks are misses. The two families may come in either order.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    ipv4: IntervalBuilder<u32>,
    ipv6: IntervalBuilder<u128>,
}

/// A network did not come after its predecessor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder;

impl TableBuilder {
    /// Adds the next network, with the index of its value among those given to `finish`.
    pub(super) fn push(&mut self, network: IpNet, value: u32) -> Result<(), OutOfOrder> {
        let block = Block::new(&network, value);
        match network {
            IpNet::V4(_) => self.ipv4.push(block),
            IpNet::V6(_) => self.ipv6.push(block),
        }
    }

    pub(super) fn finish<V>(self, values: Vec<V>) -> PrefixTable<V> {
        // One after the other, so the memory of the first is freed before the second begins.
        let ipv4 = self.ipv4.finish(Ipv4Intervals::new);
        let ipv6 = self.ipv6.finish(Ipv6Intervals::new);
        PrefixTable { ipv4, ipv6, values: values.into_boxed_slice() }
    }
}

/// One family of a [`TableBuilder`]: the intervals so far.
#[derive(Debug)]
struct IntervalBuilder<A> {
    starts: Vec<A>,
    values: Vec<u32>,
    /// The first address that is not covered yet; `None` if all are.
    next: Option<u128>,
}

impl<A> Default for IntervalBuilder<A> {
    fn default() -> Self {
        IntervalBuilder { starts: Vec::new(), values: Vec::new(), next: Some(0) }
    }
}

impl<A: Address> IntervalBuilder<A> {
    fn push(&mut self, block: Block) -> Result<(), OutOfOrder> {
        let next = self.next.filter(|&next| next <= block.first).ok_or(OutOfOrder)?;
        if next < block.first {
            self.begin(next, MISS);
        }
        self.begin(block.first, block.entry);
        self.next = block.last.checked_add(1);
        Ok(())
    }

    fn begin(&mut self, start: u128, value: u32) {
        if self.values.last().is_none_or(|&before| before != value) {
            self.starts.push(A::narrow(start));
            self.values.push(value);
        }
    }

    /// Addresses outside all networks have no value.
    fn finish<R>(mut self, intervals: impl FnOnce(&[A], &[u32]) -> R) -> R {
        if let Some(next) = self.next.take() {
            self.begin(next, MISS);
        }
        intervals(&self.starts, &self.values)
    }
}

/// The intervals of all addresses, by first address.
impl<'b, A: Address> FromIterator<&'b (u128, Option<u32>)> for IntervalBuilder<A> {
    fn from_iter<I: IntoIterator<Item = &'b (u128, Option<u32>)>>(bounds: I) -> Self {
        let mut builder = IntervalBuilder { next: None, ..IntervalBuilder::default() };
        bounds.into_iter().for_each(|&(start, value)| builder.begin(start, value.unwrap_or(MISS)));
        builder
    }
}

/// An IPv4 address as that of a block: its 32 bits at the top.
fn wide(address: u32) -> u128 {
    u128::from(address) << 96
}

/// A network as the interval of its addresses.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u128,
    last: u128,
    length: u8,
    /// The index of the network, or of its value.
    entry: u32,
}

impl Block {
    fn new(network: &IpNet, entry: u32) -> Block {
        let address = match network.addr() {
            IpAddr::V4(address) => wide(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let host = u128::MAX.checked_shr(u32::from(network.prefix_len())).unwrap_or(0);
        Block { first: address & !host, last: address | host, length: network.prefix_len(), entry }
    }
}

/// The networks of each family, outer before inner, without duplicates.
fn blocks_by_family(networks: &[IpNet]) -> (Vec<Block>, Vec<Block>) {
    let number = |entry: usize| u32::try_from(entry).expect("fewer than 2^32 networks");
    let of_family = |wanted: fn(&IpNet) -> bool| {
        let wanted = networks.iter().enumerate().filter(|(_, network)| wanted(network));
        let mut blocks: Vec<Block> = wanted.map(|(entry, network)| Block::new(network, number(entry))).collect();
        // The later of two equal networks comes first, so it is kept.
        blocks.sort_unstable_by_key(|block| (block.first, block.length, std::cmp::Reverse(block.entry)));
        blocks.dedup_by_key(|block| (block.first, block.length));
        blocks
    };
    (of_family(|network| matches!(network, IpNet::V4(_))), of_family(|network| matches!(network, IpNet::V6(_))))
}

/// Walks the blocks in the order of their addresses and calls at every address where another set of
/// them begins to apply, with that set, outermost first. At one address the last call counts.
fn sweep(blocks: &[Block], mut begin: impl FnMut(u128, &[Block])) {
    let mut inside: Vec<Block> = Vec::new();
    begin(0, &inside);
    for block in blocks {
        while let Some(over) = inside.pop_if(|outer| outer.last < block.first) {
            begin(over.last + 1, &inside);
        }
        inside.push(*block);
        begin(block.first, &inside);
    }
    while let Some(over) = inside.pop() {
        if let Some(after) = over.last.checked_add(1) {
            begin(after, &inside);
        }
    }
}

/// Collects the intervals.
#[derive(Default)]
struct Bounds {
    bounds: Vec<(u128, Option<u32>)>,
}

impl Bounds {
    /// Starts a new result at `start`. It replaces one with the same start.
    fn push(&mut self, start: u128, value: Option<u32>, same: impl Fn(Option<u32>, Option<u32>) -> bool) {
        self.bounds.pop_if(|(at, _)| *at == start);
        if self.bounds.last().is_none_or(|&(_, before)| !same(before, value)) {
            self.bounds.push((start, value));
        }
    }
}

fn value_of<V>(values: &[V], index: Option<u32>) -> Option<&V> {
    index.and_then(|index| values.get(index as usize))
}

/// Adds the chain of these blocks, outermost first, and returns its index.
fn add_chain<V: Clone>(chains: &mut Vec<Chain<V>>, inside: &[Block], values: &[V]) -> u32 {
    let link = |block: &Block| (PrefixLength(block.length), values[block.entry as usize].clone());
    chains.push(inside.iter().rev().map(link).collect());
    u32::try_from(chains.len() - 1).expect("at most two chains a network")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn table(networks: &[(&str, char)]) -> PrefixTable<char> {
        PrefixTable::build(networks.iter().map(|(network, value)| (network.parse().unwrap(), *value)))
    }

    /// A chain with bare lengths.
    fn plain<V: Copy>(chain: &Chain<V>) -> Vec<(u8, V)> {
        chain.iter().map(|(length, value)| (length.0, *value)).collect()
    }

    fn check(table: &PrefixTable<char>, address: &str, value: Option<char>, depth: u8) {
        let hit = table.lookup(address.parse().unwrap());
        assert_eq!((hit.value.copied(), hit.depth.0), (value, depth), "{address}");
    }

    #[test]
    fn the_depth_reaches_as_far_as_a_nested_network_needs() {
        let table = table(&[("10.0.0.0/8", 'A'), ("10.1.0.0/16", 'B')]);
        check(&table, "10.1.2.3", Some('B'), 16);
        check(&table, "10.0.2.3", Some('A'), 16);
        check(&table, "10.2.3.4", Some('A'), 15);
        check(&table, "10.200.3.4", Some('A'), 9);
        check(&table, "11.0.0.1", None, 8);
        check(&table, "192.0.2.1", None, 1);
        check(&table, "2001:db8::1", None, 0);
    }

    #[test]
    fn an_empty_table_misses_everywhere_at_depth_zero() {
        check(&PrefixTable::default(), "192.0.2.1", None, 0);
        check(&table(&[]), "2001:db8::1", None, 0);
        assert!(table(&[]).is_empty());
        assert!(!table(&[("0.0.0.0/0", 'A')]).is_empty());
    }

    #[test]
    fn equal_neighbours_are_one() {
        let table = table(&[("10.0.0.0/9", 'A'), ("10.128.0.0/9", 'A'), ("10.3.0.0/16", 'A'), ("11.0.0.0/8", 'A')]);
        check(&table, "10.3.0.1", Some('A'), 7);
        check(&table, "11.3.0.1", Some('A'), 7);
    }

    #[test]
    fn the_whole_family_and_a_single_address_are_networks_too() {
        let table = table(&[("::/0", 'A'), ("2001:db8::1/128", 'B'), ("255.255.255.255/32", 'C'), ("0.0.0.0/32", 'D')]);
        check(&table, "2001:db8::1", Some('B'), 128);
        check(&table, "2001:db8::2", Some('A'), 127);
        check(&table, "ff00::", Some('A'), 1);
        check(&table, "255.255.255.255", Some('C'), 32);
        check(&table, "255.255.255.254", None, 32);
        check(&table, "0.0.0.0", Some('D'), 32);
        check(&table, "128.0.0.1", None, 2);
    }

    #[test]
    fn host_bits_are_ignored_and_the_later_of_two_counts() {
        let table = table(&[("10.1.2.3/8", 'A'), ("10.0.0.0/8", 'B')]);
        check(&table, "10.9.9.9", Some('B'), 8);
    }

    #[test]
    fn chains_go_from_the_longest_prefix_to_the_shortest() {
        let networks = [("10.0.0.0/8", 'A'), ("10.1.0.0/16", 'B'), ("10.1.1.0/24", 'A'), ("10.1.1.0/24", 'C')];
        let table =
            PrefixTable::build_chains(networks.into_iter().map(|(network, value)| (network.parse().unwrap(), value)));
        let chain = |address: &str| table.lookup(address.parse().unwrap()).value.map(plain);
        assert_eq!(chain("10.1.1.1"), Some(vec![(24, 'C'), (16, 'B'), (8, 'A')]));
        assert_eq!(chain("10.1.2.1"), Some(vec![(16, 'B'), (8, 'A')]));
        assert_eq!(chain("10.2.2.1"), Some(vec![(8, 'A')]));
        assert_eq!(chain("11.2.2.1"), None);
        assert_eq!(table.lookup("10.1.2.1".parse().unwrap()).depth.0, 23);
    }

    #[test]
    fn many_networks_are_found() {
        let network = |number: u32| (IpNet::new(Ipv4Addr::from(number << 12).into(), 20).unwrap(), number);
        let table = PrefixTable::build((0..1 << 16).filter(|number| number % 2 == 1).map(network));
        for number in (0..1u32 << 16).step_by(97) {
            let hit = table.lookup(Ipv4Addr::from(number << 12 | 5).into());
            assert_eq!((hit.value.copied(), hit.depth.0), ((number % 2 == 1).then_some(number), 20));
        }
    }

    #[test]
    fn a_builder_takes_networks_in_order_only() {
        let mut builder = TableBuilder::default();
        let network = |text: &str| text.parse::<IpNet>().unwrap();
        builder.push(network("10.0.0.0/8"), 0).unwrap();
        builder.push(network("2001:db8::/32"), 1).unwrap();
        builder.push(network("11.0.0.0/8"), 0).unwrap();
        assert_eq!(builder.push(network("11.1.0.0/16"), 1), Err(OutOfOrder));
        let table = builder.finish(vec!['A', 'B']);
        check(&table, "10.3.3.3", Some('A'), 7);
        check(&table, "12.3.3.3", None, 6);
        check(&table, "2001:db8::1", Some('B'), 32);
        let full = {
            let mut builder = TableBuilder::default();
            builder.push(network("0.0.0.0/0"), 0).unwrap();
            assert_eq!(builder.push(network("0.0.0.0/0"), 0), Err(OutOfOrder));
            builder.finish(vec!['A'])
        };
        check(&full, "255.0.0.1", Some('A'), 0);
    }

    /// Networks and addresses with few distinct bits at the top and at the bottom, so that they
    /// nest, touch and repeat.
    fn networks() -> impl Strategy<Value = Vec<(IpNet, u8)>> {
        let ipv4 = (any::<u8>(), any::<u8>(), 0u8..=32).prop_map(|(top, bottom, length)| {
            let address = Ipv4Addr::from(u32::from(top & 0b1100_0111) << 24 | u32::from(bottom));
            IpNet::new(address.into(), length).unwrap()
        });
        let ipv6 = (any::<u8>(), any::<u8>(), 0u8..=128).prop_map(|(top, bottom, length)| {
            let address = Ipv6Addr::from(u128::from(top & 0b1100_0111) << 120 | u128::from(bottom));
            IpNet::new(address.into(), length).unwrap()
        });
        prop::collection::vec((prop_oneof![ipv4, ipv6], 0u8..3), 0..60)
    }

    fn naive(networks: &[(IpNet, u8)], address: IpAddr) -> Option<u8> {
        let holding = networks.iter().filter(|(network, _)| network.contains(&address));
        holding.max_by_key(|(network, _)| network.prefix_len()).map(|(_, value)| *value)
    }

    fn naive_chain(networks: &[(IpNet, u8)], address: IpAddr) -> Vec<(u8, u8)> {
        let mut chain: Vec<(u8, u8)> = Vec::new();
        for (network, value) in networks.iter().filter(|(network, _)| network.contains(&address)) {
            chain.retain(|(length, _)| *length != network.prefix_len());
            chain.push((network.prefix_len(), *value));
        }
        chain.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        chain
    }

    /// Both ends of every network and the addresses just outside.
    fn boundary_addresses(networks: &[(IpNet, u8)]) -> Vec<IpAddr> {
        let ends = |network: &IpNet| -> Vec<IpAddr> {
            match network {
                IpNet::V4(net) => {
                    let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                    let around = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                    around.map(|bits| Ipv4Addr::from(bits).into()).to_vec()
                }
                IpNet::V6(net) => {
                    let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                    let around = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                    around.map(|bits| Ipv6Addr::from(bits).into()).to_vec()
                }
            }
        };
        networks.iter().flat_map(|(network, _)| ends(network)).collect()
    }

    /// Whether the result of a naive match is constant in a block. It can change only where a
    /// network begins or just after its end.
    fn is_constant(networks: &[(IpNet, u8)], block: IpNet) -> bool {
        let first = naive(networks, block.network());
        let within = boundary_addresses(networks).into_iter().filter(|address| block.contains(address));
        within.chain([block.broadcast()]).all(|address| naive(networks, address) == first)
    }

    proptest! {
        #[test]
        fn the_value_is_that_of_the_longest_match_and_the_depth_is_exact(
            networks in networks(), v4 in any::<u32>(), v6 in any::<u128>(),
        ) {
            // `max_by_key` returns the last of equals; the table keeps the later network.
            let table = PrefixTable::build(networks.clone());
            let random = [IpAddr::from(Ipv4Addr::from(v4)), IpAddr::from(Ipv6Addr::from(v6))];
            for address in boundary_addresses(&networks).into_iter().chain(random) {
                let hit = table.lookup(address);
                prop_assert_eq!(hit.value.copied(), naive(&networks, address), "{}", address);
                prop_assert!(is_constant(&networks, IpNet::new(address, hit.depth.0).unwrap()), "{}/{}", address, hit.depth);
                if let Some(shorter) = hit.depth.0.checked_sub(1) {
                    prop_assert!(!is_constant(&networks, IpNet::new(address, shorter).unwrap()), "{}/{}", address, hit.depth);
                }
            }
        }

        #[test]
        fn a_chain_holds_every_network_around_the_address(networks in networks(), v4 in any::<u32>()) {
            let table = PrefixTable::build_chains(networks.clone().into_iter());
            let random = [IpAddr::from(Ipv4Addr::from(v4))];
            for address in boundary_addresses(&networks).into_iter().chain(random) {
                let chain = table.lookup(address).value.map(plain).unwrap_or_default();
                prop_assert_eq!(chain, naive_chain(&networks, address), "{}", address);
            }
        }
    }
}

//! The prefix table: which value the longest matching network gives an address, and how many of the address's leading
//! bits decide that.
//!
//! The second number is the ECS scope (RFC 7871 section 7.2.1) of an answer that was chosen by the first, and a
//! longest-prefix match alone does not give it: with 10.0.0.0/8 → A and 10.1.0.0/16 → B the client 10.2.3.4 gets A by a
//! /8, but an answer scoped /8 would be replayed to B's clients. So the nested networks are flattened when the table is
//! built, into *runs*: maximal intervals of addresses with one result, misses included. A run needs no depth of its own:
//! the widest block around an address that stays inside its run follows from the two addresses just outside the run.
//! Equal neighbours are one run, so that block is the widest over which the result is constant.
//!
//! A run is its first address and the number of its value: 8 octets for IPv4, 24 for IPv6. A lookup is one read of an
//! index by the leading bits of the address and one bisection among the few runs that begin with them, which are
//! neighbours in memory. No allocation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Networks with values, made for looking up addresses. IPv4 and IPv6 are apart: an IPv4-mapped IPv6 address is looked up
/// as the IPv6 address that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixTable<V> {
    ipv4: Runs<u32>,
    ipv6: Runs<Halves>,
    values: Box<[V]>,
}

/// What a lookup found.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit<'t, V> {
    /// The value of the longest network that holds the address.
    pub value: Option<&'t V>,
    /// How many leading bits of the address decide this result, hit or miss: every address that shares them has the same.
    pub depth: u8,
}

/// The values of all networks that hold an address, the longest prefix first, each with its prefix length.
pub type Chain<V> = Box<[(u8, V)]>;

impl<V> Default for PrefixTable<V> {
    fn default() -> Self {
        PrefixTable { ipv4: Runs::from_bounds(&[]), ipv6: Runs::from_bounds(&[]), values: Box::default() }
    }
}

impl<V: PartialEq> PrefixTable<V> {
    /// Bits of a network beyond its prefix length are ignored. Of the same network given twice, the later counts.
    pub fn build(networks: impl IntoIterator<Item = (IpNet, V)>) -> PrefixTable<V> {
        let (networks, values): (Vec<IpNet>, Vec<V>) = networks.into_iter().unzip();
        let same = |a: Option<u32>, b: Option<u32>| value_of(&values, a) == value_of(&values, b);
        let bounds_of = |blocks: &[Block]| {
            let mut bounds = Bounds::default();
            sweep(blocks, |start, inside| bounds.push(start, inside.last().map(|block| block.entry), same));
            bounds.finished()
        };
        let (ipv4, ipv6) = blocks_by_family(&networks);
        let (ipv4, ipv6) = (Runs::from_bounds(&bounds_of(&ipv4)), Runs::from_bounds(&bounds_of(&ipv6)));
        PrefixTable { ipv4, ipv6, values: values.into_boxed_slice() }
    }

    /// For those who may have to look further than the longest match: each address finds the values of *all* networks
    /// that hold it.
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
            bounds.finished()
        };
        let (ipv4, ipv6) = blocks_by_family(&networks);
        let (ipv4, ipv6) = (Runs::from_bounds(&bounds_of(&ipv4)), Runs::from_bounds(&bounds_of(&ipv6)));
        PrefixTable { ipv4, ipv6, values: chains.into_boxed_slice() }
    }
}

impl<V> PrefixTable<V> {
    /// The value of the longest network that holds the address, and the depth at which that was decided.
    pub fn lookup(&self, address: IpAddr) -> Hit<'_, V> {
        let (value, depth) = match address {
            IpAddr::V4(address) => self.ipv4.lookup(address.to_bits()),
            IpAddr::V6(address) => self.ipv6.lookup(Halves::narrow(address.to_bits())),
        };
        Hit { value: value.and_then(|index| self.values.get(index as usize)), depth }
    }

    /// All addresses that have a value: first, last and value of each run, IPv4 before IPv6, in order.
    pub fn stretches(&self) -> impl Iterator<Item = (IpAddr, IpAddr, &V)> {
        let ipv4 = self.ipv4.stretches().map(|(first, last, value)| {
            let address = |wide| IpAddr::V4(Ipv4Addr::from_bits(u32::narrow(wide)));
            (address(first), address(last), value)
        });
        let ipv6 = self.ipv6.stretches().map(|(first, last, value)| {
            (IpAddr::V6(Ipv6Addr::from_bits(first)), IpAddr::V6(Ipv6Addr::from_bits(last)), value)
        });
        ipv4.chain(ipv6).filter_map(|(first, last, value)| Some((first, last, self.values.get(value as usize)?)))
    }

    /// Whether no address has a value.
    pub fn is_empty(&self) -> bool {
        self.runs() == 2 && self.ipv4.runs[0].value == MISS && self.ipv6.runs[0].value == MISS
    }

    /// How many intervals of one result there are, both families together.
    pub fn runs(&self) -> usize {
        self.ipv4.runs.len() + self.ipv6.runs.len()
    }

    /// Roughly how many octets the table takes, not counting what values own on the heap.
    pub fn octets(&self) -> usize {
        self.ipv4.octets() + self.ipv6.octets() + size_of_val(&*self.values)
    }
}

/// Puts a table together from networks that already come in order and without overlap, as a database yields them. A
/// network may come after wider gaps, which are misses; the two families may come in either order.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    ipv4: Stretch<u32>,
    ipv6: Stretch<Halves>,
}

/// A network did not come after its predecessor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder;

impl TableBuilder {
    /// The next network, by the index of its value among those given to `finish`.
    pub(super) fn push(&mut self, network: IpNet, value: u32) -> Result<(), OutOfOrder> {
        let block = Block::new(&network, value);
        match network {
            IpNet::V4(_) => self.ipv4.push(block),
            IpNet::V6(_) => self.ipv6.push(block),
        }
    }

    pub(super) fn finish<V>(self, values: Vec<V>) -> PrefixTable<V> {
        let (ipv4, ipv6) = (self.ipv4.finish(), self.ipv6.finish());
        PrefixTable { ipv4, ipv6, values: values.into_boxed_slice() }
    }
}

/// One family of a [`TableBuilder`].
#[derive(Debug)]
struct Stretch<K> {
    runs: Vec<Run<K>>,
    /// The first address that no network has covered yet; `None` when all are.
    next: Option<u128>,
}

impl<K> Default for Stretch<K> {
    fn default() -> Self {
        Stretch { runs: Vec::new(), next: Some(0) }
    }
}

impl<K: Key> Stretch<K> {
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
        if self.runs.last().is_none_or(|run| run.value != value) {
            self.runs.push(Run { start: K::narrow(start), value });
        }
    }

    fn finish(mut self) -> Runs<K> {
        if let Some(next) = self.next {
            self.begin(next, MISS);
        }
        Runs::new(self.runs.into_boxed_slice())
    }
}

/// The value number of addresses without a value.
const MISS: u32 = u32::MAX;

/// How many runs share an entry of the index when they are spread evenly: those of IPv4 fill one cache line. So 5 million
/// runs have an index of 2 MB, by 19 bits; by 16 bits, random clients took a quarter to a half longer, whose bisections read
/// more lines.
const RUNS_PER_ENTRY: usize = 8;

/// An index by more bits than this would hardly be in any cache.
const MOST_INDEX_BITS: u32 = 20;

/// The runs of one address family, in the order of their addresses; the first begins at address zero.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Runs<K> {
    runs: Box<[Run<K>]>,
    /// How many runs begin before each value of an address's leading bits, and after the last: how many there are.
    index: Box<[u32]>,
    /// How many bits of an address's first 32 are not for the index.
    shift: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run<K> {
    start: K,
    value: u32,
}

impl<K: Key> Runs<K> {
    fn from_bounds(bounds: &[(u128, Option<u32>)]) -> Runs<K> {
        let run = |&(start, value): &(u128, Option<u32>)| Run { start: K::narrow(start), value: value.unwrap_or(MISS) };
        match bounds {
            [] => Runs::new(Box::new([Run { start: K::narrow(0), value: MISS }])),
            _ => Runs::new(bounds.iter().map(run).collect()),
        }
    }

    fn new(runs: Box<[Run<K>]>) -> Runs<K> {
        let bits = (runs.len() / RUNS_PER_ENTRY).checked_ilog2().unwrap_or(0).min(MOST_INDEX_BITS);
        let shift = 32 - bits;
        Runs { index: index_of(&runs, shift), runs, shift }
    }

    #[inline]
    fn lookup(&self, address: K) -> (Option<u32>, u8) {
        let after = self.first_run_after(address);
        let run = &self.runs[after - 1];
        let depth = depth_between(address, run.start, self.runs.get(after).map(|next| next.start));
        ((run.value != MISS).then_some(run.value), depth)
    }

    /// The number of the first run that begins after the address: at least 1, since run 0 begins at zero.
    #[inline]
    fn first_run_after(&self, address: K) -> usize {
        let entry = entry_of(address, self.shift);
        let (from, to) = (self.index[entry] as usize, self.index[entry + 1] as usize);
        from + self.runs[from..to].partition_point(|run| run.start <= address)
    }

    /// First and last address, and the number of the value, of each run that has one.
    fn stretches(&self) -> impl Iterator<Item = (u128, u128, u32)> {
        let lasts = self.runs.iter().skip(1).map(|run| run.start.wide() - 1).chain([u128::MAX]);
        let runs = self.runs.iter().zip(lasts).filter(|(run, _)| run.value != MISS);
        runs.map(|(run, last)| (run.start.wide(), last, run.value))
    }

    fn octets(&self) -> usize {
        size_of_val(&*self.runs) + size_of_val(&*self.index)
    }
}

/// Where in the index the runs of this address are.
#[inline]
fn entry_of<K: Key>(address: K, shift: u32) -> usize {
    // Without an index the shift is all 32 bits, which a u32 would not take.
    usize::try_from(u64::from(address.first_32_bits()) >> shift).expect("at most 20 bits are left")
}

fn index_of<K: Key>(runs: &[Run<K>], shift: u32) -> Box<[u32]> {
    let entries = 1 << (32 - shift);
    let mut before = 0;
    let runs_before = |entry: usize| {
        while runs.get(before).is_some_and(|run| entry_of(run.start, shift) < entry) {
            before += 1;
        }
        u32::try_from(before).expect("a database has fewer than 2^32 networks")
    };
    (0..=entries).map(runs_before).collect()
}

/// The length of the shortest prefix of the address whose block lies within `start..end`: it must leave out the address
/// before the start and the one at the end. All of the family when there is neither.
#[inline]
fn depth_between<K: Key>(address: K, start: K, end: Option<K>) -> u8 {
    let below = start.before().map_or(0, |outside| address.bits_to_tell_from(outside));
    let above = end.map_or(0, |outside| address.bits_to_tell_from(outside));
    below.max(above)
}

/// An address as the table keeps it. Outside the runs addresses of both families are `u128`, leading bit first, so that
/// one piece of code flattens and measures both; an IPv4 address has its 32 bits at the top.
trait Key: Copy + Ord {
    fn narrow(wide: u128) -> Self;
    fn wide(self) -> u128;
    fn first_32_bits(self) -> u32;
    /// The address before this one.
    fn before(self) -> Option<Self>;
    /// How many leading bits it takes to see that two different addresses differ.
    fn bits_to_tell_from(self, other: Self) -> u8;
}

impl Key for u32 {
    #[inline]
    fn narrow(wide: u128) -> u32 {
        u32::try_from(wide >> 96).expect("32 bits are left")
    }

    #[inline]
    fn wide(self) -> u128 {
        u128::from(self) << 96
    }

    #[inline]
    fn first_32_bits(self) -> u32 {
        self
    }

    #[inline]
    fn before(self) -> Option<u32> {
        self.checked_sub(1)
    }

    #[inline]
    fn bits_to_tell_from(self, other: u32) -> u8 {
        bits_to_tell((self ^ other).leading_zeros())
    }
}

#[inline]
fn bits_to_tell(alike: u32) -> u8 {
    u8::try_from(alike + 1).expect("two different addresses share fewer than 128 bits")
}

/// An IPv6 address in two numbers: as one it would make the compiler pad a run from 24 octets to 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Halves {
    high: u64,
    low: u64,
}

impl Key for Halves {
    #[inline]
    fn narrow(wide: u128) -> Halves {
        let low = u64::try_from(wide & u128::from(u64::MAX)).expect("64 bits are left");
        Halves { high: u64::try_from(wide >> 64).expect("64 bits are left"), low }
    }

    #[inline]
    fn wide(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    #[inline]
    fn first_32_bits(self) -> u32 {
        u32::try_from(self.high >> 32).expect("32 bits are left")
    }

    #[inline]
    fn before(self) -> Option<Halves> {
        self.wide().checked_sub(1).map(Halves::narrow)
    }

    #[inline]
    fn bits_to_tell_from(self, other: Halves) -> u8 {
        bits_to_tell((self.wide() ^ other.wide()).leading_zeros())
    }
}

/// A network as the interval of its addresses.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u128,
    last: u128,
    length: u8,
    /// Which of the given networks this is, or the number of its value.
    entry: u32,
}

impl Block {
    fn new(network: &IpNet, entry: u32) -> Block {
        let address = match network.addr() {
            IpAddr::V4(address) => address.to_bits().wide(),
            IpAddr::V6(address) => address.to_bits(),
        };
        let host = u128::MAX.checked_shr(u32::from(network.prefix_len())).unwrap_or(0);
        Block { first: address & !host, last: address | host, length: network.prefix_len(), entry }
    }
}

/// The networks of each family, outer before inner, none twice.
fn blocks_by_family(networks: &[IpNet]) -> (Vec<Block>, Vec<Block>) {
    let number = |entry: usize| u32::try_from(entry).expect("fewer than 2^32 networks");
    let of_family = |wanted: fn(&IpNet) -> bool| {
        let wanted = networks.iter().enumerate().filter(|(_, network)| wanted(network));
        let mut blocks: Vec<Block> = wanted.map(|(entry, network)| Block::new(network, number(entry))).collect();
        // The later of the same network first, so that it is the one kept.
        blocks.sort_unstable_by_key(|block| (block.first, block.length, std::cmp::Reverse(block.entry)));
        blocks.dedup_by_key(|block| (block.first, block.length));
        blocks
    };
    (of_family(|network| matches!(network, IpNet::V4(_))), of_family(|network| matches!(network, IpNet::V6(_))))
}

/// Walks the blocks in the order of their addresses and calls at every address where another set of them begins to
/// apply, with that set, outermost first. At one address the last call counts.
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

/// Where results begin, while they are collected.
#[derive(Default)]
struct Bounds {
    bounds: Vec<(u128, Option<u32>)>,
}

impl Bounds {
    /// A new result from `start` on, which replaces one that was to begin there too.
    fn push(&mut self, start: u128, value: Option<u32>, same: impl Fn(Option<u32>, Option<u32>) -> bool) {
        self.bounds.pop_if(|(at, _)| *at == start);
        if self.bounds.last().is_none_or(|&(_, before)| !same(before, value)) {
            self.bounds.push((start, value));
        }
    }

    fn finished(self) -> Vec<(u128, Option<u32>)> {
        self.bounds
    }
}

fn value_of<V>(values: &[V], index: Option<u32>) -> Option<&V> {
    index.and_then(|index| values.get(index as usize))
}

/// Adds the chain of these blocks, outermost first, and returns its index.
fn add_chain<V: Clone>(chains: &mut Vec<Chain<V>>, inside: &[Block], values: &[V]) -> u32 {
    let link = |block: &Block| (block.length, values[block.entry as usize].clone());
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

    fn check(table: &PrefixTable<char>, address: &str, value: Option<char>, depth: u8) {
        let hit = table.lookup(address.parse().unwrap());
        assert_eq!((hit.value.copied(), hit.depth), (value, depth), "{address}");
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
        let chain = |address: &str| table.lookup(address.parse().unwrap()).value.map(|chain| chain.to_vec());
        assert_eq!(chain("10.1.1.1"), Some(vec![(24, 'C'), (16, 'B'), (8, 'A')]));
        assert_eq!(chain("10.1.2.1"), Some(vec![(16, 'B'), (8, 'A')]));
        assert_eq!(chain("10.2.2.1"), Some(vec![(8, 'A')]));
        assert_eq!(chain("11.2.2.1"), None);
        assert_eq!(table.lookup("10.1.2.1".parse().unwrap()).depth, 23);
    }

    #[test]
    fn many_networks_are_found_through_the_index() {
        let network = |number: u32| (IpNet::new(Ipv4Addr::from(number << 12).into(), 20).unwrap(), number);
        let table = PrefixTable::build((0..1 << 16).filter(|number| number % 2 == 1).map(network));
        for number in (0..1u32 << 16).step_by(97) {
            let hit = table.lookup(Ipv4Addr::from(number << 12 | 5).into());
            assert_eq!((hit.value.copied(), hit.depth), ((number % 2 == 1).then_some(number), 20));
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

    /// Networks and addresses crowded into few bits at the top and at the bottom, so that they nest, touch and repeat.
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

    /// Both ends of every network and what lies just outside.
    fn telling_addresses(networks: &[(IpNet, u8)]) -> Vec<IpAddr> {
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

    /// Whether the result of a naive match is the same all over a block: it can only change where a network begins or
    /// just behind its end.
    fn is_constant(networks: &[(IpNet, u8)], block: IpNet) -> bool {
        let first = naive(networks, block.network());
        let within = telling_addresses(networks).into_iter().filter(|address| block.contains(address));
        within.chain([block.broadcast()]).all(|address| naive(networks, address) == first)
    }

    proptest! {
        #[test]
        fn the_value_is_that_of_the_longest_match_and_the_depth_is_exact(
            networks in networks(), v4 in any::<u32>(), v6 in any::<u128>(),
        ) {
            // `max_by_key` keeps the last of equals, as the table keeps the later network.
            let table = PrefixTable::build(networks.clone());
            let random = [IpAddr::from(Ipv4Addr::from(v4)), IpAddr::from(Ipv6Addr::from(v6))];
            for address in telling_addresses(&networks).into_iter().chain(random) {
                let hit = table.lookup(address);
                prop_assert_eq!(hit.value.copied(), naive(&networks, address), "{}", address);
                prop_assert!(is_constant(&networks, IpNet::new(address, hit.depth).unwrap()), "{}/{}", address, hit.depth);
                if let Some(shorter) = hit.depth.checked_sub(1) {
                    prop_assert!(!is_constant(&networks, IpNet::new(address, shorter).unwrap()), "{}/{}", address, hit.depth);
                }
            }
        }

        #[test]
        fn a_chain_holds_every_network_around_the_address(networks in networks(), v4 in any::<u32>()) {
            let table = PrefixTable::build_chains(networks.clone().into_iter());
            let random = [IpAddr::from(Ipv4Addr::from(v4))];
            for address in telling_addresses(&networks).into_iter().chain(random) {
                let chain = table.lookup(address).value.map(|chain| chain.to_vec()).unwrap_or_default();
                prop_assert_eq!(chain, naive_chain(&networks, address), "{}", address);
            }
        }
    }
}

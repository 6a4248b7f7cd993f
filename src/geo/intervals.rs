//! The search structure of a prefix table: sorted intervals of addresses with the same result.
//!
//! An interval is stored as its first address and the number of its value. It ends where the next
//! one begins. Intervals are grouped in *lines* of 64 bytes, one cache line: eight IPv4 intervals
//! or five IPv6 intervals. A [`StaticBTree`] finds the line, so a lookup reads a few shared cache
//! lines and two or three specific to the client. It allocates nothing.
//!
//! For IPv6 the upper half of the address is compared, since almost all intervals begin with a
//! lower half of zero. Lines with other intervals store their lower halves separately.

use arrayvec::ArrayVec;

use super::static_btree::{StaticBTree, last_not_above};
use crate::prefetch::{SIDE_BY_SIDE, fetch};

/// The value number of an address (`MISS` if it has none), and the number of leading address bits
/// that decide it.
pub(super) type Found = (u32, u8);

/// The value number of addresses without a value.
pub(super) const MISS: u32 = u32::MAX;

/// The IPv4 intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ipv4Intervals {
    lines: Box<[Ipv4Line]>,
    static_btree: StaticBTree<u32, 16>,
    count: usize,
}

/// Eight intervals. A partly filled line repeats its last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Ipv4Line {
    starts: [u32; Ipv4Line::INTERVALS],
    values: [u32; Ipv4Line::INTERVALS],
}

impl Ipv4Line {
    const INTERVALS: usize = 8;
}

impl Ipv4Intervals {
    /// Sorted by address. The first begins at zero.
    pub(super) fn new(starts: &[u32], values: &[u32]) -> Ipv4Intervals {
        let chunks = starts.chunks(Ipv4Line::INTERVALS).zip(values.chunks(Ipv4Line::INTERVALS));
        let lines: Box<[Ipv4Line]> =
            chunks.map(|(starts, values)| Ipv4Line { starts: filled(starts), values: filled(values) }).collect();
        let static_btree = StaticBTree::new(lines.iter().map(|line| line.starts[0]).collect());
        Ipv4Intervals { lines, static_btree, count: starts.len() }
    }

    #[inline]
    pub(super) fn lookup(&self, address: u32) -> Found {
        self.in_line(self.static_btree.last_not_above(address), address)
    }

    /// The same for up to `SIDE_BY_SIDE` addresses, with overlapping memory accesses.
    pub(super) fn lookup_each(&self, addresses: &[u32]) -> ArrayVec<Found, SIDE_BY_SIDE> {
        let mut numbers = [0; SIDE_BY_SIDE];
        let numbers = &mut numbers[..addresses.len()];
        self.static_btree.last_not_above_each(addresses, numbers);
        fetch(numbers.iter().map(|&number| self.lines[number].starts[0].into()));
        numbers.iter().zip(addresses).map(|(&number, &address)| self.in_line(number, address)).collect()
    }

    /// The right line is the last one that does not begin after the address.
    #[inline]
    fn in_line(&self, number: usize, address: u32) -> Found {
        let line = &self.lines[number];
        let slot = last_not_above(&line.starts, address);
        let next = line.starts.get(slot + 1).or_else(|| Some(&self.lines.get(number + 1)?.starts[0]));
        (line.values[slot], depth_between(address, line.starts[slot], next.copied()))
    }

    /// The first address of each interval, and its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let intervals = self.lines.iter().flat_map(|line| line.starts.into_iter().zip(line.values));
        intervals.take(self.count)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.lines) + self.static_btree.bytes()
    }
}

/// The IPv6 intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ipv6Intervals {
    lines: Box<[Ipv6Line]>,
    /// The lower halves of lines where any is not zero.
    lows: Box<[[u64; Ipv6Line::INTERVALS]]>,
    static_btree: StaticBTree<u64, 8>,
    count: usize,
}

/// Five intervals. A partly filled line repeats its last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Ipv6Line {
    highs: [u64; Ipv6Line::INTERVALS],
    values: [u32; Ipv6Line::INTERVALS],
    /// The index of their lower halves; `ZERO` if all are zero.
    lows: u32,
}

impl Ipv6Line {
    const INTERVALS: usize = 5;
    const ZERO: u32 = u32::MAX;
}

impl Ipv6Intervals {
    /// Sorted by address. The first begins at zero.
    pub(super) fn new(starts: &[u128], values: &[u32]) -> Ipv6Intervals {
        let mut all_lows = Vec::new();
        let mut line = |(starts, values): (&[u128], &[u32])| {
            let starts: [u128; Ipv6Line::INTERVALS] = filled(starts);
            let lows = starts.map(|start| halves(start).1);
            let number = if lows == [0; Ipv6Line::INTERVALS] { Ipv6Line::ZERO } else { number_of(all_lows.len()) };
            if number != Ipv6Line::ZERO {
                all_lows.push(lows);
            }
            Ipv6Line { highs: starts.map(|start| halves(start).0), values: filled(values), lows: number }
        };
        let chunks = starts.chunks(Ipv6Line::INTERVALS).zip(values.chunks(Ipv6Line::INTERVALS));
        let lines: Box<[Ipv6Line]> = chunks.map(&mut line).collect();
        let static_btree = StaticBTree::new(lines.iter().map(|line| line.highs[0]).collect());
        Ipv6Intervals { lines, lows: all_lows.into(), static_btree, count: starts.len() }
    }

    #[inline]
    pub(super) fn lookup(&self, address: u128) -> Found {
        self.in_line(self.static_btree.last_not_above(halves(address).0), address)
    }

    /// The same for up to `SIDE_BY_SIDE` addresses, with overlapping memory accesses.
    pub(super) fn lookup_each(&self, addresses: &[u128]) -> ArrayVec<Found, SIDE_BY_SIDE> {
        let highs: ArrayVec<u64, SIDE_BY_SIDE> = addresses.iter().map(|&address| halves(address).0).collect();
        let mut numbers = [0; SIDE_BY_SIDE];
        let numbers = &mut numbers[..addresses.len()];
        self.static_btree.last_not_above_each(&highs, numbers);
        fetch(numbers.iter().map(|&number| self.lines[number].highs[0]));
        numbers.iter().zip(addresses).map(|(&number, &address)| self.in_line(number, address)).collect()
    }

    /// The right line is the last one with an upper half not above that of the address.
    #[inline]
    fn in_line(&self, number: usize, address: u128) -> Found {
        let number = self.line_of(number, address);
        let line = &self.lines[number];
        let slot = self.slot_of(line, address);
        let next = match slot + 1 {
            Ipv6Line::INTERVALS => self.lines.get(number + 1).map(|line| self.start(line, 0)),
            next => Some(self.start(line, next)),
        };
        (line.values[slot], depth_between(address, self.start(line, slot), next))
    }

    /// The index of the last line that does not begin after the address.
    #[inline]
    fn line_of(&self, number: usize, address: u128) -> usize {
        if self.start(&self.lines[number], 0) <= address {
            return number;
        }
        // Several lines begin with this upper half, and the last of them has a lower half above
        // that of the address.
        self.lines[..number].partition_point(|line| self.start(line, 0) <= address) - 1
    }

    /// The last interval of the line that does not begin after the address.
    #[inline]
    fn slot_of(&self, line: &Ipv6Line, address: u128) -> usize {
        let not_after = |slot: usize| match line.lows {
            Ipv6Line::ZERO => line.highs[slot] <= halves(address).0,
            _ => self.start(line, slot) <= address,
        };
        (1..Ipv6Line::INTERVALS).map(|slot| usize::from(not_after(slot))).sum()
    }

    #[inline]
    fn start(&self, line: &Ipv6Line, slot: usize) -> u128 {
        let low = if line.lows == Ipv6Line::ZERO { 0 } else { self.lows[line.lows as usize][slot] };
        u128::from(line.highs[slot]) << 64 | u128::from(low)
    }

    /// The first address of each interval, and its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u128, u32)> {
        let intervals = self
            .lines
            .iter()
            .flat_map(|line| (0..Ipv6Line::INTERVALS).map(|slot| (self.start(line, slot), line.values[slot])));
        intervals.take(self.count)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.lines) + size_of_val(&*self.lows) + self.static_btree.bytes()
    }
}

/// Fills all slots of a line by repeating the last interval.
fn filled<T: Copy, const N: usize>(given: &[T]) -> [T; N] {
    std::array::from_fn(|slot| given[slot.min(given.len() - 1)])
}

fn number_of(index: usize) -> u32 {
    u32::try_from(index).expect("a table has fewer than 2^32 intervals")
}

fn halves(address: u128) -> (u64, u64) {
    ((address >> 64) as u64, address as u64)
}

/// The length of the shortest prefix of the address whose block lies within `start..end`: it must
/// exclude the address before the start and the one at the end. It is 0 if the interval covers the
/// whole family.
#[inline]
fn depth_between<A: Address>(address: A, start: A, end: Option<A>) -> u8 {
    let below = start.before().map_or(0, |outside| address.bits_to_distinguish(outside));
    let above = end.map_or(0, |outside| address.bits_to_distinguish(outside));
    below.max(above)
}

/// An address as a number. While networks are flattened, addresses of both families are `u128`,
/// leading bit first.
pub(super) trait Address: Copy {
    /// The address with these leading bits.
    fn narrow(wide: u128) -> Self;
    /// The address before this one.
    fn before(self) -> Option<Self>;
    /// The number of leading bits needed to tell two different addresses apart.
    fn bits_to_distinguish(self, other: Self) -> u8;
}

impl Address for u32 {
    fn narrow(wide: u128) -> u32 {
        u32::try_from(wide >> 96).expect("32 bits are left")
    }

    #[inline]
    fn before(self) -> Option<u32> {
        self.checked_sub(1)
    }

    #[inline]
    fn bits_to_distinguish(self, other: u32) -> u8 {
        (self ^ other).leading_zeros() as u8 + 1
    }
}

impl Address for u128 {
    fn narrow(wide: u128) -> u128 {
        wide
    }

    #[inline]
    fn before(self) -> Option<u128> {
        self.checked_sub(1)
    }

    #[inline]
    fn bits_to_distinguish(self, other: u128) -> u8 {
        (self ^ other).leading_zeros() as u8 + 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The value of the last interval that does not begin after the address.
    fn naive<A: Copy + Ord>(starts: &[A], address: A) -> u32 {
        number_of(starts.partition_point(|&start| start <= address) - 1)
    }

    fn values(count: usize) -> Vec<u32> {
        (0..number_of(count)).collect()
    }

    proptest! {
        #[test]
        fn every_run_of_ipv4_is_found(starts in prop::collection::btree_set(1u32.., 0..300), more in any::<[u32; 8]>()) {
            let starts: Vec<u32> = std::iter::once(0).chain(starts).collect();
            let intervals = Ipv4Intervals::new(&starts, &values(starts.len()));
            let around = starts.iter().flat_map(|&start| [start, start.wrapping_sub(1), start.wrapping_add(1)]);
            for address in around.chain(more) {
                prop_assert_eq!(intervals.lookup(address).0, naive(&starts, address), "{}", address);
            }
            prop_assert_eq!(intervals.iter().map(|(start, _)| start).collect::<Vec<_>>(), starts);
        }

        /// Few distinct upper halves, so that many intervals share them.
        #[test]
        fn every_run_of_ipv6_is_found(
            starts in prop::collection::btree_set((0u64..4, prop_oneof![Just(0), 0..50u64, any::<u64>()]), 0..300),
            more in any::<[u128; 8]>(),
        ) {
            let wide = |(high, low): (u64, u64)| u128::from(high) << 64 | u128::from(low);
            let starts: Vec<u128> = [0].into_iter().chain(starts.into_iter().map(wide).filter(|&start| start > 0)).collect();
            let intervals = Ipv6Intervals::new(&starts, &values(starts.len()));
            let around = starts.iter().flat_map(|&start| [start, start.wrapping_sub(1), start.wrapping_add(1)]);
            for address in around.chain(more) {
                prop_assert_eq!(intervals.lookup(address).0, naive(&starts, address), "{}", address);
            }
            prop_assert_eq!(intervals.iter().map(|(start, _)| start).collect::<Vec<_>>(), starts);
        }
    }
}

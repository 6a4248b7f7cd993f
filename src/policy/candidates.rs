//! The members of a group as a policy sees them: which of them may be answered, and with how much of their weight.

use crate::health::Share;
use crate::model::MAX_MEMBERS;

/// The usable bits of one zone: health as it was settled when the world was published.
#[derive(Clone, Copy, Debug)]
pub struct UsableBits<'w> {
    words: &'w [u64],
    first: u32,
    overlay: Option<&'w Overlay>,
}

/// What stands beside the usable bits while some record of the world is drained, waits for its failback or starts slowly.
/// Most of the time nothing is, and there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// By bit: what a weighted record has of its weight.
    pub shares: Box<[Share]>,
    /// A set bit may answer where nobody usable can, before all answer.
    pub reserve: Box<[u64]>,
}

/// What the members of one group have of their weights.
#[derive(Clone, Copy, Debug)]
pub struct Shares<'w>(&'w [Share]);

impl Shares<'_> {
    /// What this one has.
    pub fn of(self, member: u16) -> Share {
        self.0[usize::from(member)]
    }
}

impl<'w> UsableBits<'w> {
    /// The bits in `words` from number `first` on.
    pub fn new(words: &'w [u64], first: u32) -> UsableBits<'w> {
        UsableBits { words, first, overlay: None }
    }

    /// The same bits with what stands beside them.
    pub fn with_overlay(self, overlay: Option<&'w Overlay>) -> UsableBits<'w> {
        UsableBits { overlay, ..self }
    }

    /// Whether bit number `bit` is set.
    pub fn is_usable(&self, bit: u32) -> bool {
        is_set(self.words, self.first + bit)
    }

    /// As many bits as a group has members at most, from number `bit` on.
    fn bits_from(&self, bit: u32) -> u128 {
        let first = self.first + bit;
        let word = |number: u32| self.words.get((first / 64 + number) as usize).map_or(0, |&word| u128::from(word));
        let (low, high) = (word(0) | word(1) << 64, word(2));
        match first % 64 {
            0 => low,
            shift => low >> shift | high << (128 - shift),
        }
    }

    fn is_in_reserve(&self, bit: u32) -> bool {
        self.overlay.is_some_and(|overlay| is_set(&overlay.reserve, self.first + bit))
    }

    fn shares(&self, first: u32, count: u16) -> Option<Shares<'w>> {
        let start = (self.first + first) as usize;
        Some(Shares(&self.overlay?.shares[start..start + usize::from(count)]))
    }
}

fn is_set(words: &[u64], bit: u32) -> bool {
    words[bit as usize / 64] >> (bit % 64) & 1 == 1
}

/// The candidates of one group, numbered as its members are.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'w> {
    usable: UsableBits<'w>,
    first_bit: u32,
    count: u16,
    fail_open: FailOpen,
}

/// What a policy does when no candidate is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOpen {
    /// Takes all of them to be usable (Developer Guide, "How Amazon Route 53 chooses records when health checking is
    /// configured").
    All,
    /// Chooses nobody: the user wants it so.
    Nobody,
}

impl<'w> Candidates<'w> {
    /// The first bit of a group without any health in it: no health check, no alias that evaluates its target.
    pub const ALWAYS_USABLE: u32 = u32::MAX;

    /// `count` members whose bits follow each other from `first_bit` on.
    pub fn new(usable: UsableBits<'w>, first_bit: u32, count: u16) -> Candidates<'w> {
        Candidates { usable, first_bit, count, fail_open: FailOpen::All }
    }

    /// The same candidates, with another end when none is usable.
    pub fn with_fail_open(self, fail_open: FailOpen) -> Candidates<'w> {
        Candidates { fail_open, ..self }
    }

    /// Whether those that are not usable may answer when nobody else can.
    pub fn fails_open(&self) -> bool {
        self.fail_open == FailOpen::All
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// All their numbers.
    pub fn all(&self) -> std::ops::Range<u16> {
        0..self.count
    }

    /// Whether this one may be answered.
    pub fn is_usable(&self, member: u16) -> bool {
        self.first_bit == Candidates::ALWAYS_USABLE || self.usable.is_usable(self.first_bit + u32::from(member))
    }

    /// Those that may be answered.
    pub(super) fn usable(&self) -> Members {
        let Members(all) = self.everyone();
        match self.first_bit {
            Candidates::ALWAYS_USABLE => Members(all),
            first => Members(all & self.usable.bits_from(first)),
        }
    }

    /// Whether they may be answered or not.
    pub(super) fn everyone(&self) -> Members {
        const { assert!(MAX_MEMBERS < 128, "a bit for each member") }
        Members((1 << self.count.min(127)) - 1)
    }

    /// Whether this one may be answered where none that is usable can: it is healthy, but waits for its failback or is on
    /// its way out.
    pub fn is_in_reserve(&self, member: u16) -> bool {
        self.first_bit != Candidates::ALWAYS_USABLE && self.usable.is_in_reserve(self.first_bit + u32::from(member))
    }

    /// What each has of its weight; `None` when nothing in the world is on its way in or out.
    pub fn shares(&self) -> Option<Shares<'w>> {
        if self.first_bit == Candidates::ALWAYS_USABLE {
            return None;
        }
        self.usable.shares(self.first_bit, self.count)
    }
}

/// Some of a group's members: a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Members(u128);

impl Members {
    /// How many they are.
    pub(super) fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Takes out the one that has `rank` of them before it in the order of their numbers. There must be one.
    pub(super) fn remove(&mut self, rank: u32) -> u16 {
        let halves = [self.0 as u64, (self.0 >> 64) as u64];
        let in_low = halves[0].count_ones();
        let bit = if rank < in_low { nth_one(halves[0], rank) } else { 64 + nth_one(halves[1], rank - in_low) };
        self.0 &= !(1 << bit);
        bit as u16
    }
}

impl Iterator for Members {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        (self.0 != 0).then(|| self.remove(0))
    }
}

/// The place of the set bit that has `rank` set bits below it. There must be one. The octets' sums of bits are made side by
/// side in one word (Vigna, "Broadword implementation of rank/select queries"), so that no bit is looked at in vain.
fn nth_one(word: u64, rank: u32) -> u32 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let pairs = word - ((word >> 1) & (u64::MAX / 3));
    let fours = (pairs & (u64::MAX / 5)) + ((pairs >> 2) & (u64::MAX / 5));
    let octets = (fours + (fours >> 4)) & (u64::MAX / 17);
    // Octet n: how many bits are set in the octets up to it. At most 64, so that the top bits are free for a comparison.
    let sums = octets.wrapping_mul(ONES);
    let at_most_rank = (((u64::from(rank) * ONES) | TOPS) - sums) & TOPS;
    let octet = at_most_rank.count_ones() * 8;
    let before = (sums << 8 >> octet) as u32 & 0xff;
    let mut rest = word >> octet;
    for _ in before..rank {
        rest &= rest - 1;
    }
    octet + rest.trailing_zeros()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bit_is_found_by_its_rank(word in any::<u64>()) {
            let places: Vec<u32> = (0..64).filter(|bit| word >> bit & 1 == 1).collect();
            for (rank, &place) in (0..).zip(&places) {
                prop_assert_eq!(nth_one(word, rank), place);
            }
        }

        #[test]
        fn the_usable_are_those_whose_bits_are_set(
            words in prop::collection::vec(any::<u64>(), 3..6), first in 0u32..64, count in 0u16..=100,
        ) {
            let candidates = Candidates::new(UsableBits::new(&words, first), 7, count);
            let one_by_one: Vec<u16> = candidates.all().filter(|&member| candidates.is_usable(member)).collect();
            prop_assert_eq!(candidates.usable().count() as usize, one_by_one.len());
            prop_assert_eq!(candidates.usable().collect::<Vec<u16>>(), one_by_one);
            prop_assert_eq!(candidates.everyone().collect::<Vec<u16>>(), candidates.all().collect::<Vec<u16>>());
            let healthless = Candidates::new(UsableBits::new(&[], 0), Candidates::ALWAYS_USABLE, count);
            prop_assert_eq!(healthless.usable(), healthless.everyone());
        }

        #[test]
        fn who_is_taken_is_gone(bits in any::<u128>(), seed in any::<u64>()) {
            let mut dice = fastrand::Rng::with_seed(seed);
            let (mut left, mut members) = ((0..128).filter(|bit| bits >> bit & 1 == 1).collect::<Vec<u16>>(), Members(bits));
            while !left.is_empty() {
                let rank = dice.usize(..left.len());
                prop_assert_eq!(members.remove(rank as u32), left.remove(rank));
            }
            prop_assert_eq!(members.count(), 0);
        }
    }
}

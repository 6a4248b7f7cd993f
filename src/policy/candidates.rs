//! The members of a group as a policy sees them: which of them may be answered, and with what share
//! of their weight. It says whether a group fails open; each policy then chooses among all its
//! members.

use arrayvec::ArrayVec;

use super::{BitIndex, MemberIndex, ZoneBit};
use crate::health::WeightShare;
use crate::model::MAX_MEMBERS;

/// The usable bits of one zone, as computed when the world was published.
#[derive(Clone, Copy, Debug)]
pub struct UsableBits<'w> {
    words: &'w [u64],
    first: BitIndex,
    reduced_use: Option<&'w ReducedUse>,
}

/// The records in reduced use: what applies while a record of the world drains, waits for its
/// failback or starts slowly. Most of the time there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReducedUse {
    /// By bit: the share of its weight that a weighted record has.
    pub weight_shares: Box<[WeightShare]>,
    /// A set bit marks a member that may be answered if no member is usable, before all members are
    /// answered.
    pub reserve: Box<[u64]>,
}

/// The shares of weight of the members of one group.
#[derive(Clone, Copy, Debug)]
pub struct WeightShares<'w>(&'w [WeightShare]);

impl WeightShares<'_> {
    /// The share of this member.
    pub fn of(self, member: MemberIndex) -> WeightShare {
        self.0[usize::from(member)]
    }
}

impl<'w> UsableBits<'w> {
    /// The bits in `words` from `first` on.
    pub fn new(words: &'w [u64], first: BitIndex) -> UsableBits<'w> {
        UsableBits { words, first, reduced_use: None }
    }

    /// The same bits, with the records in reduced use.
    pub fn with_reduced_use(self, reduced_use: Option<&'w ReducedUse>) -> UsableBits<'w> {
        UsableBits { reduced_use, ..self }
    }

    /// Whether this bit is set.
    pub fn is_usable(&self, bit: ZoneBit) -> bool {
        is_set(self.words, self.first + bit)
    }

    /// The bits of a group, from `bit` on: as many as a group has members at most.
    fn bits_from(&self, bit: ZoneBit) -> u128 {
        let BitIndex(first) = self.first + bit;
        let word = |number: u32| self.words.get((first / 64 + number) as usize).map_or(0, |&word| u128::from(word));
        let (low, high) = (word(0) | word(1) << 64, word(2));
        match first % 64 {
            0 => low,
            shift => low >> shift | high << (128 - shift),
        }
    }

    fn is_in_reserve(&self, bit: ZoneBit) -> bool {
        self.reduced_use.is_some_and(|reduced_use| is_set(&reduced_use.reserve, self.first + bit))
    }

    fn weight_shares(&self, first: ZoneBit, count: u16) -> Option<WeightShares<'w>> {
        let start = (self.first + first).0 as usize;
        Some(WeightShares(&self.reduced_use?.weight_shares[start..start + usize::from(count)]))
    }
}

fn is_set(words: &[u64], BitIndex(bit): BitIndex) -> bool {
    words[bit as usize / 64] >> (bit % 64) & 1 == 1
}

/// The candidates of one group, with the numbers of its members.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'w> {
    usable: UsableBits<'w>,
    first_bit: ZoneBit,
    count: u16,
    fail_open: FailOpen,
}

/// What a policy does if no candidate is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailOpen {
    /// All members count as usable (Developer Guide, "How Amazon Route 53 chooses records when
    /// health checking is configured").
    All,
    /// No member is chosen, as configured.
    NoMember,
}

impl<'w> Candidates<'w> {
    /// The first bit of a group without health: no health check, no alias that evaluates its
    /// target.
    pub const ALWAYS_USABLE: ZoneBit = ZoneBit(u32::MAX);

    /// `count` members whose bits are consecutive from `first_bit` on.
    pub fn new(usable: UsableBits<'w>, first_bit: ZoneBit, count: u16) -> Candidates<'w> {
        Candidates { usable, first_bit, count, fail_open: FailOpen::All }
    }

    /// The same candidates with this behaviour if none is usable.
    pub fn with_fail_open(self, fail_open: FailOpen) -> Candidates<'w> {
        Candidates { fail_open, ..self }
    }

    /// Whether members that are not usable may be answered if no member is usable.
    pub fn fails_open(&self) -> bool {
        self.fail_open == FailOpen::All
    }

    /// The number of candidates.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// All their numbers.
    pub fn all(&self) -> impl Iterator<Item = MemberIndex> + Clone + use<> {
        (0..self.count).map(MemberIndex)
    }

    /// Whether this member may be answered.
    pub fn is_usable(&self, member: MemberIndex) -> bool {
        self.first_bit == Candidates::ALWAYS_USABLE || self.usable.is_usable(self.first_bit + member)
    }

    /// The members that may be answered.
    pub(super) fn usable(&self) -> Members {
        let Members(all) = self.everyone();
        match self.first_bit {
            Candidates::ALWAYS_USABLE => Members(all),
            first => Members(all & self.usable.bits_from(first)),
        }
    }

    /// All members, usable or not.
    pub(super) fn everyone(&self) -> Members {
        const { assert!(MAX_MEMBERS < MOST_BITS, "a bit for each member") }
        Members((1 << self.count.min(127)) - 1)
    }

    /// Whether this member may be answered if no member is usable: it is healthy, but waits for its
    /// failback or drains.
    pub fn is_in_reserve(&self, member: MemberIndex) -> bool {
        self.first_bit != Candidates::ALWAYS_USABLE && self.usable.is_in_reserve(self.first_bit + member)
    }

    /// The share of weight of each member; `None` if no record in the world is in reduced use.
    pub fn weight_shares(&self) -> Option<WeightShares<'w>> {
        if self.first_bit == Candidates::ALWAYS_USABLE {
            return None;
        }
        self.usable.weight_shares(self.first_bit, self.count)
    }
}

/// A subset of a group's members: one bit per member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Members(u128);

impl Members {
    /// Whether the subset is empty.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The numbers of the members, in ascending order.
    pub(super) fn list(self) -> ArrayVec<MemberIndex, MOST_BITS> {
        let mut members = ArrayVec::new();
        for (first, mut half) in [(0, self.0 as u64), (64, (self.0 >> 64) as u64)] {
            while half != 0 {
                members.push(MemberIndex(first + half.trailing_zeros() as u16));
                half &= half - 1;
            }
        }
        members
    }
}

/// One bit per member.
const MOST_BITS: usize = u128::BITS as usize;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_usable_are_those_whose_bits_are_set(
            words in prop::collection::vec(any::<u64>(), 3..6), first in 0u32..64, count in 0u16..=100,
        ) {
            let candidates = Candidates::new(UsableBits::new(&words, BitIndex(first)), ZoneBit(7), count);
            let one_by_one: Vec<MemberIndex> = candidates.all().filter(|&member| candidates.is_usable(member)).collect();
            prop_assert_eq!(candidates.usable().is_empty(), one_by_one.is_empty());
            prop_assert_eq!(candidates.usable().list().to_vec(), one_by_one);
            prop_assert_eq!(candidates.everyone().list().to_vec(), candidates.all().collect::<Vec<MemberIndex>>());
            let healthless = Candidates::new(UsableBits::new(&[], BitIndex(0)), Candidates::ALWAYS_USABLE, count);
            prop_assert_eq!(healthless.usable(), healthless.everyone());
        }
    }
}

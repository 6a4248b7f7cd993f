//! The numbers of usable bits: those of a zone follow one another among those of the world.

use std::ops::Add;

use super::MemberIndex;

/// A bit among those of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BitIndex(pub u32);

/// A bit among those of its zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneBit(pub u32);

impl BitIndex {
    /// This bit and those after it: `count` in all.
    #[inline]
    pub fn span(self, count: u32) -> impl Iterator<Item = BitIndex> + Clone {
        (self.0..self.0 + count).map(BitIndex)
    }

    /// The number of this bit within the zone whose bits begin at `first`.
    #[inline]
    pub fn within(self, first: BitIndex) -> ZoneBit {
        ZoneBit(self.0 - first.0)
    }
}

/// A bit of the zone whose bits begin here.
impl Add<ZoneBit> for BitIndex {
    type Output = BitIndex;

    #[inline]
    fn add(self, bit: ZoneBit) -> BitIndex {
        BitIndex(self.0 + bit.0)
    }
}

/// The bit of a member of the group whose bits begin here.
impl Add<MemberIndex> for ZoneBit {
    type Output = ZoneBit;

    #[inline]
    fn add(self, member: MemberIndex) -> ZoneBit {
        ZoneBit(self.0 + u32::from(member.0))
    }
}

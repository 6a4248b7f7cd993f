//! The members of a group as a policy sees them: which of them may be answered.

/// The usable bits of one zone: health as it was settled when the world was published.
#[derive(Clone, Copy, Debug)]
pub struct UsableBits<'w> {
    words: &'w [u64],
    first: u32,
}

impl<'w> UsableBits<'w> {
    /// The bits in `words` from number `first` on.
    pub fn new(words: &'w [u64], first: u32) -> UsableBits<'w> {
        UsableBits { words, first }
    }

    /// Whether bit number `bit` is set.
    pub fn is_usable(&self, bit: u32) -> bool {
        let at = self.first + bit;
        self.words[at as usize / 64] >> (at % 64) & 1 == 1
    }
}

/// The candidates of one group, numbered as its members are.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'w> {
    usable: UsableBits<'w>,
    first_bit: u32,
    count: u16,
}

impl<'w> Candidates<'w> {
    /// The first bit of a group without any health in it: no health check, no alias that evaluates its target.
    pub const ALWAYS_USABLE: u32 = u32::MAX;

    /// `count` members whose bits follow each other from `first_bit` on.
    pub fn new(usable: UsableBits<'w>, first_bit: u32, count: u16) -> Candidates<'w> {
        Candidates { usable, first_bit, count }
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
}

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
}

//! The members of a group as a policy sees them: which of them may be answered, and with how much of their weight.

use crate::health::Share;

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

//! One bit a check: what a query reads.

use super::{CheckSlot, Status};

/// The final verdicts of all checks. A slot that nobody has is healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckBits {
    /// A set bit is an unhealthy check, so that what lies beyond the end and what was never set is healthy.
    unhealthy: Box<[u64]>,
}

impl CheckBits {
    /// Everything healthy but these.
    pub fn with_unhealthy(slots: impl IntoIterator<Item = CheckSlot>) -> CheckBits {
        let mut bits = CheckBits::default();
        for slot in slots {
            bits.set(slot, Status::Unhealthy);
        }
        bits
    }

    /// Whether the check in this slot is healthy.
    #[inline]
    #[must_use]
    pub fn is_healthy(&self, slot: CheckSlot) -> bool {
        let (word, mask) = place(slot);
        self.unhealthy.get(word).is_none_or(|bits| bits & mask == 0)
    }

    pub(super) fn set(&mut self, slot: CheckSlot, status: Status) {
        let (word, mask) = place(slot);
        if word >= self.unhealthy.len() {
            self.grow(word + 1);
        }
        match status {
            Status::Healthy => self.unhealthy[word] &= !mask,
            Status::Unhealthy => self.unhealthy[word] |= mask,
        }
    }

    /// Doubles, so that filling slot after slot copies each word a bounded number of times.
    fn grow(&mut self, words: usize) {
        let mut longer = std::mem::take(&mut self.unhealthy).into_vec();
        longer.resize(words.next_power_of_two(), 0);
        self.unhealthy = longer.into_boxed_slice();
    }
}

fn place(slot: CheckSlot) -> (usize, u64) {
    ((slot.0 / u64::BITS) as usize, 1 << (slot.0 % u64::BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_nobody_has_is_healthy() {
        assert!(CheckBits::default().is_healthy(CheckSlot(0)));
        assert!(CheckBits::default().is_healthy(CheckSlot(u32::MAX)));
    }

    #[test]
    fn each_slot_has_its_own_bit() {
        let down = [0, 1, 63, 64, 65, 127, 128, 1000].map(CheckSlot);
        let mut bits = CheckBits::with_unhealthy(down);
        for slot in (0..2000).map(CheckSlot) {
            assert_eq!(bits.is_healthy(slot), !down.contains(&slot), "{slot:?}");
        }
        bits.set(CheckSlot(64), Status::Healthy);
        assert!(bits.is_healthy(CheckSlot(64)));
        assert!(!bits.is_healthy(CheckSlot(65)));
    }
}

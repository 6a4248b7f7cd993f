//! One bit a check, and what people's word adds to some: what the usable bits of a world are settled from.

use super::{CheckSlot, Share, Status};

/// The final verdicts of all checks. A slot that nobody has is healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckBits {
    /// A set bit is an unhealthy check, so that what lies beyond the end and what was never set is healthy.
    unhealthy: Box<[u64]>,
    /// Checks that are being drained and would be healthy otherwise, by slot, with what is left of their records' weight.
    /// They are unhealthy to whoever reads bits.
    draining: Box<[(CheckSlot, Share)]>,
    /// Checks whose records come back without delay, by slot.
    at_once: Box<[CheckSlot]>,
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

    /// The same verdicts, with these unhealthy checks on their way out.
    #[must_use]
    pub fn with_draining(self, draining: impl IntoIterator<Item = (CheckSlot, Share)>) -> CheckBits {
        let mut draining: Box<[_]> = draining.into_iter().collect();
        draining.sort_unstable_by_key(|&(slot, _)| slot);
        CheckBits { draining, ..self }
    }

    /// The same verdicts; whoever uses these checks and is healthy is in use at once.
    #[must_use]
    pub fn with_at_once(self, slots: impl IntoIterator<Item = CheckSlot>) -> CheckBits {
        let mut at_once: Box<[_]> = slots.into_iter().collect();
        at_once.sort_unstable();
        CheckBits { at_once, ..self }
    }

    /// What is left of the weight of an unhealthy check's records while it drains.
    #[must_use]
    pub fn share_left(&self, slot: CheckSlot) -> Option<Share> {
        let at = self.draining.binary_search_by_key(&slot, |&(slot, _)| slot).ok()?;
        Some(self.draining[at].1)
    }

    /// Whether the records of this check come back without delay.
    #[must_use]
    pub fn is_at_once(&self, slot: CheckSlot) -> bool {
        self.at_once.binary_search(&slot).is_ok()
    }

    /// Whether any are.
    #[must_use]
    pub fn any_at_once(&self) -> bool {
        !self.at_once.is_empty()
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

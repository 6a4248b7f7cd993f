//! One bit per check, plus the drains and overrides that affect some of them. The usable bits of a
//! world are computed from these.

use super::{CheckSlot, Status, WeightShare};

/// The final statuses of all checks. A slot without a check is healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckBits {
    /// A set bit is an unhealthy check, so slots past the end and slots never set are healthy.
    unhealthy: Box<[u64]>,
    /// The checks that are being drained and would otherwise be healthy, by slot, with the
    /// remaining share of their records' weight. Their bits are unhealthy.
    draining: Box<[(CheckSlot, WeightShare)]>,
    /// The checks whose records return to use without delay, by slot.
    at_once: Box<[CheckSlot]>,
}

impl CheckBits {
    /// All checks are healthy except these.
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

    /// The same final statuses, with these unhealthy checks draining.
    #[must_use]
    pub fn with_draining(self, draining: impl IntoIterator<Item = (CheckSlot, WeightShare)>) -> CheckBits {
        let mut draining: Box<[_]> = draining.into_iter().collect();
        draining.sort_unstable_by_key(|&(slot, _)| slot);
        CheckBits { draining, ..self }
    }

    /// The same final statuses. Records of these checks return to use at once when healthy.
    #[must_use]
    pub fn with_at_once(self, slots: impl IntoIterator<Item = CheckSlot>) -> CheckBits {
        let mut at_once: Box<[_]> = slots.into_iter().collect();
        at_once.sort_unstable();
        CheckBits { at_once, ..self }
    }

    /// The remaining share of the weight of an unhealthy check's records while it drains.
    #[must_use]
    pub fn share_left(&self, slot: CheckSlot) -> Option<WeightShare> {
        let at = self.draining.binary_search_by_key(&slot, |&(slot, _)| slot).ok()?;
        Some(self.draining[at].1)
    }

    /// Whether the records of this check return to use without delay.
    #[must_use]
    pub fn is_at_once(&self, slot: CheckSlot) -> bool {
        self.at_once.binary_search(&slot).is_ok()
    }

    /// Whether there are any drains or checks that return without delay.
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

    /// Doubles the length, so that filling slot after slot copies each word a bounded number of
    /// times.
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
    fn a_slot_without_a_check_is_healthy() {
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

//! A calculated check: how many of its children are healthy, and whether that reaches the
//! threshold.

use crate::model::CalculatedCheck;

use super::{CheckBits, CheckSlot, Children, Slots, Status};

/// The children of one check by slot, so that counting compares no strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Family {
    known: Vec<CheckSlot>,
    /// Children that name no existing check: Route 53 keeps the id of a deleted child. They count
    /// as healthy.
    unknown: u16,
    needed: u16,
}

impl Family {
    pub(super) fn of(check: &CalculatedCheck, slots: &Slots) -> Family {
        let known: Vec<CheckSlot> = check.child_health_checks.iter().filter_map(|child| slots.of(child)).collect();
        let unknown = count(check.child_health_checks.len() - known.len());
        Family { known, unknown, needed: check.health_threshold }
    }

    pub(super) fn children(&self) -> impl Iterator<Item = CheckSlot> {
        self.known.iter().copied()
    }

    /// Counts final statuses: a disabled child is healthy, and an inverted one counts after
    /// inversion (API ChildHealthChecks).
    pub(super) fn count(&self, bits: &CheckBits) -> Children {
        let healthy = self.known.iter().filter(|child| bits.is_healthy(**child)).count();
        let all = count(self.known.len()).saturating_add(self.unknown);
        Children { healthy: count(healthy).saturating_add(self.unknown), all, needed: self.needed }
    }
}

impl Children {
    /// Always healthy with a threshold of 0; never healthy with a threshold above the number of
    /// children (API HealthThreshold).
    #[must_use]
    pub fn status(self) -> Status {
        if self.healthy >= self.needed { Status::Healthy } else { Status::Unhealthy }
    }
}

/// A check has at most 256 children, so the count is never truncated.
fn count(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tracker::tests::check;
    use crate::model::HealthCheckId;

    fn id(number: u32) -> HealthCheckId {
        check(&number.to_string()).id
    }

    /// The values at each threshold, and around them.
    #[test]
    fn as_many_children_must_be_healthy_as_the_threshold_says() {
        let slots = Slots::default().for_checks(&["0", "1", "2"].map(check));
        for (unhealthy, threshold) in (0..=3).flat_map(|unhealthy| (0..=4).map(move |needed| (unhealthy, needed))) {
            let calculated =
                CalculatedCheck { child_health_checks: (0..3).map(id).collect(), health_threshold: threshold };
            let bits = CheckBits::with_unhealthy((0..unhealthy).map(CheckSlot));
            let counted = Family::of(&calculated, &slots).count(&bits);
            assert_eq!((u32::from(counted.healthy), counted.all), (3 - unhealthy, 3));
            let expected = 3 - unhealthy >= u32::from(threshold);
            assert_eq!(counted.status() == Status::Healthy, expected, "{unhealthy} down, {threshold} needed");
        }
    }

    #[test]
    fn a_child_that_is_gone_counts_as_healthy() {
        let slots = Slots::default().for_checks(&[check("0")]);
        let calculated = CalculatedCheck { child_health_checks: vec![id(0), id(1)], health_threshold: 1 };
        let counted = Family::of(&calculated, &slots).count(&CheckBits::with_unhealthy([CheckSlot(0), CheckSlot(1)]));
        assert_eq!(counted, Children { healthy: 1, all: 2, needed: 1 });
    }
}

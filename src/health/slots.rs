//! Which slot each check has.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{HealthCheck, HealthCheckId};

use super::CheckSlot;

/// The slots of all checks. A copy assigns the same slots to the same configuration, so a loader
/// can know the slots of new checks before they are in force.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    /// Shared with clones until the set of checks changes.
    by_id: Arc<HashMap<HealthCheckId, CheckSlot>>,
    /// Slots below `end` without a check; the last is used first.
    free: Vec<CheckSlot>,
    /// The first slot that was never used.
    end: u32,
}

/// The slot of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AssignedSlot {
    /// It had this slot before.
    Kept(CheckSlot),
    /// It is new.
    New(CheckSlot),
}

impl Slots {
    /// The slot of a check.
    #[must_use]
    pub fn of(&self, id: &HealthCheckId) -> Option<CheckSlot> {
        self.by_id.get(id).copied()
    }

    /// All slots with a check, in order.
    #[must_use]
    pub fn all(&self) -> Vec<CheckSlot> {
        let mut slots: Vec<CheckSlot> = self.by_id.values().copied().collect();
        slots.sort_unstable();
        slots
    }

    /// The slots under another configuration.
    #[must_use]
    pub fn for_checks(mut self, checks: &[HealthCheck]) -> Slots {
        self.release_all_but(checks);
        for check in checks {
            self.assign(&check.id);
        }
        self
    }

    /// Frees the slots of all other checks and returns them, in order.
    pub(super) fn release_all_but(&mut self, checks: &[HealthCheck]) -> Vec<CheckSlot> {
        let wanted: HashSet<&HealthCheckId> = checks.iter().map(|check| &check.id).collect();
        if self.by_id.keys().all(|id| wanted.contains(id)) {
            return Vec::new();
        }
        let removed = Arc::make_mut(&mut self.by_id).extract_if(|id, _| !wanted.contains(id));
        let mut removed: Vec<CheckSlot> = removed.map(|(_, slot)| slot).collect();
        removed.sort_unstable();
        self.free.extend(&removed);
        removed
    }

    /// The slot of a check; a new check gets a free one.
    pub(super) fn assign(&mut self, id: &HealthCheckId) -> AssignedSlot {
        if let Some(slot) = self.of(id) {
            return AssignedSlot::Kept(slot);
        }
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        Arc::make_mut(&mut self.by_id).insert(id.clone(), slot);
        AssignedSlot::New(slot)
    }

    fn new_slot(&mut self) -> CheckSlot {
        let slot = CheckSlot(self.end);
        self.end = self.end.checked_add(1).expect("there is no memory for 2³² checks");
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tracker::tests::check;

    #[test]
    fn a_copy_assigns_the_same_slots() {
        let first = Slots::default().for_checks(&["a", "b", "c"].map(check));
        let second = [check("d"), check("b"), check("e"), check("f")];
        let slots = first.clone().for_checks(&second);
        let names = ["b", "d", "e", "f"];
        let of = |slots: &Slots| names.map(|name| slots.of(&check(name).id).unwrap().0);
        assert_eq!(of(&slots), [1, 2, 0, 3]);
        assert_eq!(of(&first.for_checks(&second)), of(&slots));
        assert_eq!(slots.all(), [0, 1, 2, 3].map(CheckSlot));
        assert_eq!(slots.of(&check("a").id), None);
    }
}

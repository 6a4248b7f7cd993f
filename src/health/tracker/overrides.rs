//! Sets the statuses that overrides decide.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::health::{Cause, CheckSlot, Status, Timestamp};

use super::entry::Entry;
use super::{Tracker, Transition};

impl Tracker {
    /// The status that an override sets for a check, if any.
    #[must_use]
    pub fn overridden(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot)?.overridden
    }

    /// Applies overrides: `status_of` maps a check's name to the status it is set to. Returns the
    /// changes of final statuses, including those of calculated checks whose children changed.
    pub fn apply_overrides(&mut self, status_of: &dyn Fn(&str) -> Option<Status>, at: Timestamp) -> Vec<Transition> {
        let is_changed = |(slot, entry): (CheckSlot, &Entry)| {
            let overridden = status_of(&entry.name);
            (overridden != entry.overridden).then(|| (slot, Entry { overridden, ..entry.clone() }))
        };
        let changed: Vec<(CheckSlot, Entry)> = self.entries().filter_map(is_changed).collect();
        let mut transitions = Vec::new();
        for (slot, entry) in changed {
            let from = if self.bits.is_healthy(slot) { Status::Healthy } else { Status::Unhealthy };
            let (to, name) = (entry.final_status(), Arc::clone(&entry.name));
            self.put(slot, entry);
            if from != to {
                transitions.push(Transition { slot, name, from, to, at, cause: Cause::Override });
            }
        }
        let parents_of_changed = transitions.iter().filter_map(|transition| self.parents.get(&transition.slot));
        let parents: BTreeSet<CheckSlot> = parents_of_changed.flatten().copied().collect();
        transitions.extend(parents.into_iter().filter_map(|parent| self.calculate(parent, at)));
        transitions
    }
}

//! Applies a configuration: which checks are added, changed and removed.

use std::collections::HashSet;
use std::sync::Arc;

use crate::health::slots::AssignedSlot;
use crate::health::{Cause, CheckSlot, Generation, Status, Timestamp};
use crate::model::{HealthCheck, HealthCheckKind};

use super::entry::Entry;
use super::{Tracker, Transition};

/// The effects of a (re)load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// New checks.
    pub added: Vec<CheckSlot>,
    /// Checks that ask something else than before, or were enabled or disabled. They start over in
    /// their slot.
    pub restarted: Vec<CheckSlot>,
    /// Checks that were removed; their slots are free.
    pub removed: Vec<CheckSlot>,
    /// Checks that stayed and whose final status changed because the configuration did.
    pub transitions: Vec<Transition>,
}

impl Tracker {
    /// Takes over the checks of a configuration. A check that probes the same as before keeps its
    /// state, also under other thresholds or another interval. A check that probes something else
    /// keeps its slot and its final status until the first result, which decides. Ids are unique;
    /// of two checks with one id the first counts.
    pub fn apply(&mut self, checks: &[HealthCheck], at: Timestamp) -> Applied {
        let before = self.bits.clone();
        let mut applied = Applied { removed: self.remove_all_but(checks), ..Applied::default() };
        let mut seen = HashSet::new();
        for check in checks.iter().filter(|check| seen.insert(&check.id)) {
            match self.slots.assign(&check.id) {
                AssignedSlot::Kept(slot) => self.update(slot, check, at, &mut applied),
                AssignedSlot::New(slot) => {
                    let entry = Entry::new(check, self.next_generation(), None, at);
                    self.put(slot, entry);
                    applied.added.push(slot);
                }
            }
        }
        self.calculate_all(&before, at, &mut applied);
        self.pending = self.entries().filter(|(_, entry)| entry.is_pending()).count();
        applied
    }

    fn remove_all_but(&mut self, checks: &[HealthCheck]) -> Vec<CheckSlot> {
        let removed = self.slots.release_all_but(checks);
        for &slot in &removed {
            *self.entries.get_mut(slot.0 as usize) = None;
            self.bits.set(slot, Status::Healthy);
        }
        if removed.iter().any(|slot| self.awaits_opinions(*slot)) {
            Arc::make_mut(&mut self.awaiting).retain(|slot, _| !removed.contains(slot));
        }
        removed
    }

    fn update(&mut self, slot: CheckSlot, check: &HealthCheck, at: Timestamp, applied: &mut Applied) {
        let old = self.entry(slot).expect("an assigned slot has its check").clone();
        let from = old.final_status();
        let entry = if old.keeps_state_as(check) {
            old.reconfigured(check, at)
        } else {
            applied.restarted.push(slot);
            let overridden = old.overridden;
            let new = Entry::new(check, self.next_generation(), Some(old.status_before_inversion()), at);
            Entry { overridden, ..new }
        };
        let (to, name) = (entry.final_status(), entry.name.clone());
        // Calculated checks are counted when all others are updated.
        let is_final = !matches!(check.kind, HealthCheckKind::Calculated(_));
        self.put(slot, entry);
        if from != to && is_final {
            applied.transitions.push(Transition { slot, name, from, to, at, cause: Cause::Configuration });
        }
    }

    /// One counter for all slots: a generation is never reused.
    fn next_generation(&mut self) -> Generation {
        self.last_generation += 1;
        Generation(self.last_generation)
    }
}

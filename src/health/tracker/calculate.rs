//! Counts the children of calculated checks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::health::children::Family;
use crate::health::{Cause, CheckBits, CheckSlot, Status, Timestamp};
use crate::model::HealthCheckKind;

use super::entry::Entry;
use super::source::Source;
use super::{Applied, Tracker, Transition};

impl Tracker {
    /// Resolves the children of all calculated checks and counts them. Runs after the other checks
    /// are updated, since those are the children.
    pub(super) fn calculate_all(&mut self, before: &CheckBits, at: Timestamp, applied: &mut Applied) {
        let calculated = self.resolve_children();
        let added: HashSet<CheckSlot> = applied.added.iter().copied().collect();
        for slot in calculated {
            let cause = self.calculate(slot, at).map_or(Cause::Configuration, |counted| counted.cause);
            let from = if before.is_healthy(slot) { Status::Healthy } else { Status::Unhealthy };
            let Some(entry) = self.entry(slot) else { continue };
            let (to, name) = (entry.final_status(), Arc::clone(&entry.name));
            if from != to && !added.contains(&slot) {
                applied.transitions.push(Transition { slot, name, from, to, at, cause });
            }
        }
    }

    /// Finds the slots of all children. Returns the calculated checks.
    fn resolve_children(&mut self) -> Vec<CheckSlot> {
        let families: Vec<(CheckSlot, Family)> = self
            .entries()
            .filter_map(|(slot, entry)| match &entry.check.kind {
                HealthCheckKind::Calculated(check) => Some((slot, Family::of(check, &self.slots))),
                _ => None,
            })
            .collect();
        let mut parents: HashMap<CheckSlot, Vec<CheckSlot>> = HashMap::new();
        let mut calculated = Vec::new();
        for (slot, family) in families {
            for child in family.children() {
                parents.entry(child).or_default().push(slot);
            }
            let mut entry = self.entry(slot).expect("its check was just read").clone();
            if let Source::Calculated { family: old, .. } = &mut entry.source {
                *old = Arc::new(family);
            }
            *self.entries.get_mut(slot.0 as usize) = Some(Arc::new(entry));
            calculated.push(slot);
        }
        self.parents = Arc::new(parents);
        calculated
    }

    /// Counts the children of the calculated checks that count this check.
    pub(super) fn calculate_parents(&mut self, slot: CheckSlot, at: Timestamp) -> Vec<Transition> {
        let parents = self.parents.get(&slot).cloned().unwrap_or_default();
        parents.into_iter().filter_map(|parent| self.calculate(parent, at)).collect()
    }

    /// Counts the children of one calculated check.
    pub(super) fn calculate(&mut self, slot: CheckSlot, at: Timestamp) -> Option<Transition> {
        let entry = self.entry(slot)?;
        let from = entry.final_status();
        let Source::Calculated { family, .. } = &entry.source else { return None };
        let counted = family.count(&self.bits);
        let entry = Entry { source: entry.source.counted(counted, at)?, ..entry.clone() };
        let (to, name) = (entry.final_status(), Arc::clone(&entry.name));
        self.put(slot, entry);
        (from != to).then_some(Transition { slot, name, from, to, at, cause: Cause::Children(counted) })
    }
}

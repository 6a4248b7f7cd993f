//! Counts results, and says what each of them changed.

use std::sync::Arc;

use crate::health::{CheckSlot, Generation, Observation, Timestamp};

use super::entry::Entry;
use super::{Tracker, Transition};

/// What became of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultOutcome {
    /// It does not count: its check is removed, disabled, or asks something else by now.
    Ignored,
    /// It counts.
    Counted(CountedResult),
}

/// What a result changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedResult {
    /// It is the first result of its check.
    pub is_first: bool,
    /// The state to save is another than before.
    pub saved_state_changed: bool,
    /// This node's own opinion changed. In a cluster the final status follows later, by
    /// `Tracker::agree`.
    pub opinion_changed: bool,
    /// The status without overrides changed. Under an override, the final status did not.
    pub changed_without_overrides: bool,
    /// The changes of final statuses: usually none, otherwise that of this check, followed by those
    /// of the calculated checks that count it.
    pub transitions: Vec<Transition>,
}

impl ResultOutcome {
    /// The changes of final statuses.
    #[must_use]
    pub fn into_transitions(self) -> Vec<Transition> {
        match self {
            ResultOutcome::Ignored => Vec::new(),
            ResultOutcome::Counted(counted) => counted.transitions,
        }
    }
}

impl Tracker {
    /// Whether a result with this slot and generation counts.
    #[must_use]
    pub fn accepts(&self, slot: CheckSlot, generation: Generation) -> bool {
        self.entry(slot).is_some_and(|entry| entry.generation == generation && !entry.check.disabled)
    }

    /// Counts one result. Calculated checks change in the same step as their children.
    pub fn observe(
        &mut self,
        slot: CheckSlot,
        generation: Generation,
        observation: Observation,
        at: Timestamp,
    ) -> ResultOutcome {
        let accepted = self.accepts(slot, generation);
        let Some(before) = self.entry(slot).filter(|_| accepted) else { return ResultOutcome::Ignored };
        let Some((source, change)) = before.source.after(observation, at) else {
            return ResultOutcome::Counted(CountedResult::default());
        };
        let after = Entry { source, ..before.clone() };
        let mut counted = CountedResult {
            is_first: before.is_pending(),
            saved_state_changed: before.source.saved_state() != after.source.saved_state(),
            opinion_changed: before.opinion() != after.opinion(),
            changed_without_overrides: before.status_without_overrides() != after.status_without_overrides(),
            transitions: Vec::new(),
        };
        let (from, to, name) = (before.final_status(), after.final_status(), Arc::clone(&after.name));
        self.pending -= usize::from(before.is_pending() && !after.is_pending());
        self.put(slot, after);
        if let Some(change) = change.filter(|_| from != to) {
            counted.transitions.push(Transition { slot, name, from, to, at, cause: change.cause });
            counted.transitions.extend(self.calculate_parents(slot, at));
        }
        ResultOutcome::Counted(counted)
    }

    /// Discards the streaks of opposing results of all checks except the `spared` ones.
    pub fn reset_streaks(&mut self, spared: &dyn Fn(CheckSlot) -> bool) {
        for slot in self.slots.all() {
            if let Some(entry) = self.entry(slot).filter(|_| !spared(slot)) {
                let mut entry = entry.clone();
                entry.source.reset_streak();
                self.put(slot, entry);
            }
        }
    }
}

//! Results of probes.

use std::fmt::Write as _;

use crate::health::{CheckSlot, CountedResult, ResultOutcome, RunUpdate, Timestamp};

use super::{Control, Observed};

impl Control {
    pub(super) fn observe(&mut self, observed: &Observed, at: Timestamp) {
        let Observed { slot, generation, observation, .. } = *observed;
        if !self.tracker.accepts(slot, generation) {
            return;
        }
        if self.is_unreliable(observed, at) {
            let update = self.record_result(observed, at);
            self.save_result(slot, update == RunUpdate::Started, at);
            return;
        }
        let ResultOutcome::Counted(counted) = self.tracker.observe(slot, generation, observation, at) else { return };
        self.change_records(slot, &counted);
        let update = self.record_result(observed, at);
        let changed = !counted.transitions.is_empty();
        for transition in counted.transitions {
            let status = match transition.slot == slot {
                true => self.status_text.clone(),
                false => transition.cause.to_string(),
            };
            self.record_transition(transition, &status);
        }
        if counted.opinion_changed && self.opinions.is_some() {
            self.agree([slot], counted.is_first || self.tracker.awaits_opinions(slot), at);
            self.unpublished.tell_opinions();
        }
        self.save_result(slot, update == RunUpdate::Started || counted.saved_state_changed, at);
        if changed || counted.opinion_changed {
            self.check_connectivity(at);
        }
    }

    /// A check and the calculated checks that change with it are published in one world.
    fn change_records(&mut self, slot: CheckSlot, counted: &CountedResult) {
        let mut slots: Vec<CheckSlot> = counted.transitions.iter().map(|transition| transition.slot).collect();
        if slots.is_empty() && counted.changed_without_overrides && self.in_force.drains(slot) {
            // An override decides its status, but while it drains, its own health decides whether
            // its records answer.
            slots.push(slot);
        }
        match counted.is_first {
            true => self.unpublished.change_at_once(&slots),
            false => self.unpublished.change(slots),
        }
    }

    /// Formats the status into `status_text` and adds the result to the check's history.
    fn record_result(&mut self, observed: &Observed, at: Timestamp) -> RunUpdate {
        self.counters.add_result(observed);
        self.status_text.clear();
        let _ = write!(self.status_text, "{}", observed.status);
        let shown = observed.observation.shown();
        self.check_histories.add_result(observed.slot, shown, &self.status_text, observed.latency, at)
    }
}

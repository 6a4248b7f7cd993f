//! Saves the state that a restart restores.

use std::sync::Arc;

use crate::background;
use crate::health::{CheckSlot, Timestamp};
use crate::store::AllLines;

use super::{Control, saved_state};

impl Control {
    /// Saves the last result of a check. One that repeats what is known is saved if there is room
    /// for it in this second.
    pub(super) fn save_result(&mut self, slot: CheckSlot, is_new: bool, at: Timestamp) {
        if !is_new && !self.check_histories.has_room(at) {
            return;
        }
        let Some((identity, state)) = self.tracker.saved_state_of(slot) else { return };
        if let Some(run) = self.check_histories.of(slot).history.last_run() {
            self.outputs.state_writer.line(saved_state::result_line(identity, state, run));
        }
    }

    /// Saves the whole state of a check.
    pub(super) fn save_check(&self, slot: CheckSlot) {
        let Some((identity, state)) = self.tracker.saved_state_of(slot) else { return };
        let log = self.check_histories.of(slot);
        self.outputs.state_writer.line(saved_state::check_line(identity, state, &log.history));
    }

    /// Hands the whole state to the state writer, which formats it on its own thread.
    pub(super) fn save_all(&self, at: Timestamp) {
        let known = |slot| {
            let (identity, state) = self.tracker.saved_state_of(slot)?;
            Some((Arc::clone(identity), state, self.check_histories.of(slot)))
        };
        let checks: Vec<_> = self.tracker.slots().all().into_iter().filter_map(known).collect();
        let overrides = Arc::clone(&self.overrides);
        let world = self.reader.load();
        let lines: AllLines = Box::new(move || {
            let checks = background::yielding(&checks)
                .map(|(identity, state, log)| saved_state::check_line(identity, *state, &log.history));
            let overrides = overrides.all().iter().map(saved_state::override_line);
            let recoveries = world.recoveries().map(|one| saved_state::recovery_line(&one.record, Some(one.since)));
            std::iter::once(saved_state::clock_line(at)).chain(overrides).chain(recoveries).chain(checks).collect()
        });
        self.outputs.state_writer.all(lines);
    }
}

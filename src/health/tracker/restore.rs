//! The state of a check across restarts.

use std::sync::Arc;

use crate::health::{CheckFingerprint, CheckSlot, Identity, SavedCheckState, Status, Timestamp};

use super::Tracker;

/// The saved state of a check from before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredCheck {
    /// The hash of what it probed.
    pub fingerprint: CheckFingerprint,
    /// Its state.
    pub state: SavedCheckState,
    /// The last time at which this state was known to be current.
    pub as_of: Timestamp,
}

impl Tracker {
    /// The state of a check to save.
    #[must_use]
    pub fn saved_state_of(&self, slot: CheckSlot) -> Option<(&Arc<Identity>, Option<SavedCheckState>)> {
        let entry = self.entry(slot)?;
        let state = entry.source.saved_state().filter(|_| !entry.check.disabled);
        let state = state.map(|state| SavedCheckState { agreed: entry.agreed, ..state });
        Some((&entry.identity, state))
    }

    /// Restores the saved state of a check, if it still probes the same. The state counts at once,
    /// and the check is no longer pending. If no result was missed, its streak continues; otherwise
    /// the first result decides.
    pub fn restore(&mut self, slot: CheckSlot, saved: &RestoredCheck, at: Timestamp) -> Option<Status> {
        let entry = self.entry(slot)?;
        if !entry.is_pending() || entry.identity.fingerprint != saved.fingerprint {
            return None;
        }
        let mut entry = entry.clone();
        entry.source.restore(saved, at);
        entry.agreed = saved.state.agreed;
        let final_status = entry.final_status();
        self.put(slot, entry);
        self.pending -= 1;
        // The restored statuses are the starting point; they are not changes to report.
        drop(self.calculate_parents(slot, at));
        Some(final_status)
    }
}

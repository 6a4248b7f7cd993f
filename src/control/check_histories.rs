//! The histories of all checks, and which results are saved at once.

use std::sync::Arc;

use crate::health::{
    CheckSlot, History, Latency, Observation, PastTransition, Recent, RunUpdate, Sample, SharedVec, Timestamp,
};

/// How many results a second are saved although they repeat what is known. A small installation
/// stays below this, so a kill loses none of its results. With 20 000 checks the writes take turns,
/// and the disk gets 15 kB a second instead of 300.
const REPETITIONS_A_SECOND: u32 = 100;

/// The histories of all checks.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckHistories {
    /// By slot. Shared with the view and the state writer: a result copies the log of its check.
    logs: SharedVec<Arc<CheckLog>>,
    second: u64,
    repetitions: u32,
}

/// What happened to one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckLog {
    /// Its runs of results and its transitions.
    pub(crate) history: History,
    /// Its last results since the server started.
    pub(crate) recent: Recent,
}

impl CheckHistories {
    /// Sets the history of a check, for example a restored one.
    pub(super) fn put(&mut self, slot: CheckSlot, history: History) {
        self.log(slot).history = history;
    }

    /// Removes the log of a slot that is free or has been given to another check.
    pub(super) fn forget(&mut self, slot: CheckSlot) {
        *self.logs.get_mut(slot.0 as usize) = Arc::default();
    }

    /// The log of a check.
    pub(super) fn of(&self, slot: CheckSlot) -> Arc<CheckLog> {
        self.logs.get(slot.0 as usize).map(Arc::clone).unwrap_or_default()
    }

    /// Adds a result.
    pub(super) fn add_result(
        &mut self,
        slot: CheckSlot,
        observation: Observation,
        status: &str,
        latency: Latency,
        at: Timestamp,
    ) -> RunUpdate {
        let log = self.log(slot);
        log.recent.push(Sample { at, total: latency.total, observation });
        log.history.add_result(observation, status, latency, at)
    }

    /// Adds a change of status.
    pub(super) fn add_transition(&mut self, slot: CheckSlot, transition: PastTransition) {
        self.log(slot).history.add_transition(transition);
    }

    /// Whether another repeated result may be saved in this second.
    pub(super) fn has_room(&mut self, at: Timestamp) -> bool {
        if self.second != at.0.as_secs() {
            (self.second, self.repetitions) = (at.0.as_secs(), 0);
        }
        self.repetitions += 1;
        self.repetitions <= REPETITIONS_A_SECOND
    }

    fn log(&mut self, slot: CheckSlot) -> &mut CheckLog {
        Arc::make_mut(self.logs.get_mut(slot.0 as usize))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn repetitions_have_room_in_each_second() {
        let mut check_histories = CheckHistories::default();
        for second in 1..3 {
            let room = (0..500).filter(|_| check_histories.has_room(Timestamp(Duration::from_secs(second)))).count();
            assert_eq!(room, 100);
        }
    }
}

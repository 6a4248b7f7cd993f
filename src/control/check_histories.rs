//! The histories of all checks, and which results are written to the journal at once.

use std::sync::Arc;

use crate::health::{CheckSlot, History, Latency, News, Observation, PastTransition, Recent, Sample, Timestamp};

/// How many results a second are written to the journal although they repeat what is known. A small
/// installation stays below this, so a kill loses none of its results. With 20 000 checks the
/// writes take turns, and the disk gets 15 kB a second instead of 300.
const REPETITIONS_A_SECOND: u32 = 100;

/// The histories of all checks.
#[derive(Debug, Default)]
pub(super) struct CheckHistories {
    /// By slot. Shared with the state writer and with reports; copied only when a result arrives
    /// while a copy is shared.
    histories: Vec<Arc<History>>,
    /// The last results of each check, by slot.
    recent: Vec<Recent>,
    second: u64,
    repetitions: u32,
}

impl CheckHistories {
    /// Sets the history of a check, for example a restored one.
    pub(super) fn put(&mut self, slot: CheckSlot, history: Arc<History>) {
        *self.place(slot) = history;
    }

    /// Removes the history of a slot that is free or has been given to another check.
    pub(super) fn forget(&mut self, slot: CheckSlot) {
        *self.place(slot) = Arc::default();
        if let Some(recent) = self.recent.get_mut(slot.0 as usize) {
            *recent = Recent::default();
        }
    }

    /// The last results of a check.
    pub(super) fn recent(&self, slot: CheckSlot) -> Recent {
        self.recent.get(slot.0 as usize).cloned().unwrap_or_default()
    }

    /// Whether a check has had a result since the server started. The clock cannot tell, because it
    /// may have been set.
    pub(super) fn has_result(&self, slot: CheckSlot) -> bool {
        self.recent.get(slot.0 as usize).is_some_and(|recent| !recent.is_empty())
    }

    /// The history of a check.
    pub(super) fn of(&self, slot: CheckSlot) -> Arc<History> {
        self.histories.get(slot.0 as usize).map(Arc::clone).unwrap_or_default()
    }

    /// Adds a result.
    pub(super) fn see(
        &mut self,
        slot: CheckSlot,
        observation: Observation,
        status: &str,
        latency: Latency,
        at: Timestamp,
    ) -> News {
        let place = slot.0 as usize;
        if place >= self.recent.len() {
            self.recent.resize_with(place + 1, Recent::default);
        }
        self.recent[place].push(Sample { at, total: latency.total, observation });
        self.history(slot).see(observation, status, latency, at)
    }

    /// Adds a change of status.
    pub(super) fn turn(&mut self, slot: CheckSlot, transition: PastTransition) {
        self.history(slot).turn(transition);
    }

    /// Whether another repeated result may be written in this second.
    pub(super) fn has_room(&mut self, at: Timestamp) -> bool {
        if self.second != at.0.as_secs() {
            (self.second, self.repetitions) = (at.0.as_secs(), 0);
        }
        self.repetitions += 1;
        self.repetitions <= REPETITIONS_A_SECOND
    }

    fn history(&mut self, slot: CheckSlot) -> &mut History {
        Arc::make_mut(self.place(slot))
    }

    fn place(&mut self, slot: CheckSlot) -> &mut Arc<History> {
        let place = slot.0 as usize;
        if place >= self.histories.len() {
            self.histories.resize_with(place + 1, Arc::default);
        }
        &mut self.histories[place]
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

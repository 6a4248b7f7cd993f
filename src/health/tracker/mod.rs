//! All checks: the slot of each and its state.
//!
//! ```text
//!  configuration ──▶ apply ────────────┐
//!  result of a probe ──▶ observe ──────┤                ┌──▶ bits: what answers read
//!  opinions of other nodes ──▶ agree ──┤                │
//!  overrides ──▶ apply_overrides ──────┼──▶ the checks ─┼──▶ schedule: what to probe
//!  state of before a restart ▶ restore ┘                └──▶ views: what operators see
//! ```
//!
//! A clone shares all checks with its original and copies only those that one of the two changes
//! later. So a clone is a snapshot that costs one pointer for 64 checks, and their bits.

mod agree;
mod calculate;
mod configure;
mod entry;
mod observe;
mod overrides;
mod restore;
mod schedule;
mod source;
#[cfg(test)]
pub(in crate::health) mod tests;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::HealthCheckId;

use super::{Cause, CheckBits, CheckSlot, SharedVec, Slots, Status, Timestamp};

pub use agree::Terms;
pub use configure::Applied;
use entry::Entry;
pub use observe::{CountedResult, ResultOutcome};
pub use restore::RestoredCheck;
pub use schedule::{ScheduledMetric, ScheduledProbe};
pub use view::{CheckTarget, CheckView};

/// All checks of the configuration and their states.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// By slot; `None` is a free slot.
    entries: SharedVec<Option<Arc<Entry>>>,
    slots: Slots,
    bits: CheckBits,
    /// The calculated checks that count each check.
    parents: Arc<HashMap<CheckSlot, Vec<CheckSlot>>>,
    /// The checks that wait for the first opinions of all nodes of a cluster, with the ticks that
    /// are left. Usually none.
    awaiting: Arc<BTreeMap<CheckSlot, u32>>,
    /// Enabled checks without a first result.
    pending: usize,
    last_generation: u64,
}

/// A change of a check's final status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The check.
    pub slot: CheckSlot,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
    /// When it changed.
    pub at: Timestamp,
    /// The cause.
    pub cause: Cause,
}

impl Tracker {
    /// A tracker without checks.
    #[must_use]
    pub fn new() -> Tracker {
        Tracker::default()
    }

    /// The slots of all checks.
    #[must_use]
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The index of a check's bit. It stays the same for as long as the check exists.
    #[must_use]
    pub fn slot_of(&self, id: &HealthCheckId) -> Option<CheckSlot> {
        self.slots.of(id)
    }

    /// The final statuses.
    #[must_use]
    pub fn bits(&self) -> CheckBits {
        self.bits.clone()
    }

    /// The final status of one check.
    #[must_use]
    pub fn status(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot).map(Entry::final_status)
    }

    /// The final status of one check without overrides.
    #[must_use]
    pub fn status_without_overrides(&self, slot: CheckSlot) -> Option<Status> {
        self.entry(slot).map(Entry::status_without_overrides)
    }

    /// Whether a check has no first result yet.
    #[must_use]
    pub fn is_pending(&self, slot: CheckSlot) -> bool {
        self.entry(slot).is_some_and(Entry::is_pending)
    }

    /// How many enabled checks have no first result yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// The name of one check.
    #[must_use]
    pub fn name(&self, slot: CheckSlot) -> Option<&Arc<str>> {
        self.entry(slot).map(|entry| &entry.name)
    }

    /// The slots and names of all checks, in order of their slots.
    pub fn names(&self) -> impl Iterator<Item = (CheckSlot, &Arc<str>)> {
        self.entries().map(|(slot, entry)| (slot, &entry.name))
    }

    fn entry(&self, slot: CheckSlot) -> Option<&Entry> {
        self.entries.get(slot.0 as usize)?.as_deref()
    }

    /// The checks, in order of their slots.
    fn entries(&self) -> impl Iterator<Item = (CheckSlot, &Entry)> {
        (0..).map(CheckSlot).zip(self.entries.iter()).filter_map(|(slot, entry)| Some((slot, entry.as_deref()?)))
    }

    /// Replaces a check, and its bit with it.
    fn put(&mut self, slot: CheckSlot, entry: Entry) {
        self.bits.set(slot, entry.final_status());
        *self.entries.get_mut(slot.0 as usize) = Some(Arc::new(entry));
    }
}

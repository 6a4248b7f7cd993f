//! Checks as operators see them.

use std::sync::Arc;

use crate::health::{CheckSlot, Children, Identity, Status, Timestamp};
use crate::model::{EndpointCheck, MetricCheck};

use super::Tracker;
use super::entry::Entry;
use super::source::Source;

/// One check as it is now, for display.
#[derive(Clone, Debug)]
pub struct CheckView {
    /// The index of its bit.
    pub slot: CheckSlot,
    /// The id, and a hash of what the check probes.
    pub identity: Arc<Identity>,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What is probed, queried or counted.
    pub target: CheckTarget,
    /// Not probed.
    pub disabled: bool,
    /// The final status is the opposite of the status.
    pub inverted: bool,
    /// The final status, overrides included.
    pub final_status: Status,
    /// The final status without overrides.
    pub without_overrides: Status,
    /// The status before inversion.
    pub observed: Status,
    /// The same if only this node's own results counted.
    pub own: Status,
    /// When that status last changed.
    pub observed_since: Timestamp,
    /// Whether there is no first result yet.
    pub pending: bool,
    /// How many more opposing results in a row change the status; `None` for checks without
    /// results.
    pub results_until_change: Option<u8>,
}

/// What a check probes, queries or counts.
#[derive(Clone, Debug)]
pub enum CheckTarget {
    /// An endpoint.
    Endpoint(Arc<EndpointCheck>),
    /// A Prometheus.
    Metric(Arc<MetricCheck>),
    /// Other checks, with the last count.
    Children(Children),
    /// Nothing: the configuration sets the status.
    Manual,
}

impl Tracker {
    /// One check as it is now.
    #[must_use]
    pub fn view(&self, slot: CheckSlot) -> Option<CheckView> {
        self.entry(slot).map(|entry| entry.view(slot))
    }

    /// The checks as they are now, in order of their slots.
    pub fn views(&self) -> impl Iterator<Item = CheckView> {
        self.entries().map(|(slot, entry)| entry.view(slot))
    }
}

impl Entry {
    fn view(&self, slot: CheckSlot) -> CheckView {
        CheckView {
            slot,
            identity: Arc::clone(&self.identity),
            name: Arc::clone(&self.name),
            target: self.source.target(),
            disabled: self.check.disabled,
            inverted: self.check.inverted,
            final_status: self.final_status(),
            without_overrides: self.status_without_overrides(),
            observed: self.status(),
            own: self.source.status(),
            observed_since: self.source.since(),
            pending: self.is_pending(),
            results_until_change: self.source.results_until_change(),
        }
    }
}

impl Source {
    fn target(&self) -> CheckTarget {
        match self {
            Source::Endpoint { endpoint, .. } => CheckTarget::Endpoint(Arc::clone(endpoint)),
            Source::Metric { check, .. } => CheckTarget::Metric(Arc::clone(check)),
            Source::Calculated { children, .. } => CheckTarget::Children(*children),
            Source::Manual { .. } => CheckTarget::Manual,
        }
    }
}

//! One check: its configuration, its state and its final status.

use std::sync::Arc;

use crate::health::{Generation, Identity, Status, Timestamp, final_status};
use crate::model::HealthCheck;

use super::source::Source;

/// One check. A clone is cheap: it shares the configuration.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) check: Arc<HealthCheck>,
    pub(super) name: Arc<str>,
    pub(super) generation: Generation,
    pub(super) identity: Arc<Identity>,
    pub(super) source: Source,
    /// In a cluster, the status that nodes agree on; it takes precedence over `source`.
    pub(super) agreed: Option<Status>,
    /// The status that an override sets; it takes precedence over both.
    pub(super) overridden: Option<Status>,
}

impl Entry {
    /// `before` is the status of the check that this one replaces; a new check has none.
    pub(super) fn new(check: &HealthCheck, generation: Generation, before: Option<Status>, at: Timestamp) -> Entry {
        Entry {
            check: Arc::new(check.clone()),
            name: check.name.as_str().into(),
            generation,
            identity: Arc::new(Identity::of(check)),
            source: Source::new(&check.kind, before, at),
            agreed: None,
            overridden: None,
        }
    }

    /// The same entry with its state and generation, under a changed configuration.
    pub(super) fn reconfigured(mut self, check: &HealthCheck, at: Timestamp) -> Entry {
        if *self.check == *check {
            return self;
        }
        self.source.reconfigure(&check.kind, at);
        Entry { check: Arc::new(check.clone()), name: check.name.as_str().into(), ..self }
    }

    /// Whether the state stays valid under this configuration.
    pub(super) fn keeps_state_as(&self, check: &HealthCheck) -> bool {
        self.check.disabled == check.disabled && self.source.probes_the_same(&check.kind)
    }

    /// The final status: the override, otherwise the status after `disabled` and `inverted`.
    pub(super) fn final_status(&self) -> Status {
        self.overridden.unwrap_or_else(|| self.status_without_overrides())
    }

    pub(super) fn status_without_overrides(&self) -> Status {
        final_status(&self.check, self.status())
    }

    /// The status before inversion; a disabled check is healthy.
    pub(super) fn status_before_inversion(&self) -> Status {
        if self.check.disabled { Status::Healthy } else { self.status() }
    }

    /// The status of the endpoint, metric or children.
    pub(super) fn status(&self) -> Status {
        self.agreed.unwrap_or_else(|| self.source.status())
    }

    /// Whether it is enabled and has no first result yet.
    pub(super) fn is_pending(&self) -> bool {
        !self.check.disabled && self.source.is_pending()
    }
}

//! Where the status of a check comes from: its results, its children, or its configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::health::check_fingerprint::{compares_the_same, probes_the_same};
use crate::health::children::Family;
use crate::health::{
    CheckState, Children, MetricCheckState, Observation, SavedCheckState, StateChange, Status, Thresholds, Timestamp,
};
use crate::model::{EndpointCheck, HealthCheckKind, MetricCheck, RoutingControlState};

use super::RestoredCheck;

/// A saved state is fresh up to this number of request intervals: then no result was missed. One
/// interval is the pause between two probes; the other allows for the probe itself and for starting
/// the server.
const FRESH_INTERVALS: u32 = 2;

/// Where a check's status comes from, and the current status.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Endpoint { endpoint: Arc<EndpointCheck>, check_state: CheckState },
    Calculated { family: Arc<Family>, children: Children, status: Status, since: Timestamp },
    Metric { check: Arc<MetricCheck>, check_state: MetricCheckState },
    Manual { status: Status, since: Timestamp },
}

impl Source {
    pub(super) fn new(kind: &HealthCheckKind, before: Option<Status>, at: Timestamp) -> Source {
        let status = before.unwrap_or(Status::Healthy);
        match kind {
            HealthCheckKind::Endpoint(endpoint) => Source::Endpoint {
                endpoint: Arc::new(endpoint.clone()),
                check_state: CheckState::new(thresholds(endpoint), status, at),
            },
            // Children are resolved and counted after all checks are added.
            HealthCheckKind::Calculated(_) => {
                Source::Calculated { family: Arc::default(), children: Children::default(), status, since: at }
            }
            HealthCheckKind::Metric(metric) => Source::Metric {
                check: Arc::new(metric.clone()),
                check_state: MetricCheckState::new(metric, before, at),
            },
            HealthCheckKind::Manual(manual) => Source::Manual { status: status_of(manual.state), since: at },
        }
    }

    /// Whether results of this source are valid for another configuration.
    pub(super) fn probes_the_same(&self, kind: &HealthCheckKind) -> bool {
        match (self, kind) {
            (Source::Endpoint { endpoint, .. }, HealthCheckKind::Endpoint(new)) => probes_the_same(endpoint, new),
            (Source::Metric { check, .. }, HealthCheckKind::Metric(new)) => compares_the_same(check, new),
            (Source::Calculated { .. }, HealthCheckKind::Calculated(_)) => true,
            (Source::Manual { .. }, HealthCheckKind::Manual(_)) => true,
            _ => false,
        }
    }

    /// Applies another configuration that probes the same.
    pub(super) fn reconfigure(&mut self, kind: &HealthCheckKind, at: Timestamp) {
        match (self, kind) {
            (Source::Endpoint { endpoint, check_state }, HealthCheckKind::Endpoint(new)) => {
                check_state.set_thresholds(thresholds(new));
                *endpoint = Arc::new(new.clone());
            }
            (Source::Metric { check, check_state }, HealthCheckKind::Metric(new)) => {
                check_state.reconfigure(new);
                *check = Arc::new(new.clone());
            }
            (Source::Manual { status, since }, HealthCheckKind::Manual(manual)) => {
                set_status(status, since, status_of(manual.state), at);
            }
            // Children are resolved at every load; other pairs do not keep their state.
            _ => {}
        }
    }

    /// The source after one result, with the change of status if there is one. `None` if the result
    /// changes nothing, as most do.
    pub(super) fn after(&self, observation: Observation, at: Timestamp) -> Option<(Source, Option<StateChange>)> {
        match self {
            Source::Endpoint { endpoint, check_state } => {
                let mut next = check_state.clone();
                let change = next.observe(observation, at);
                (next != *check_state)
                    .then(|| (Source::Endpoint { endpoint: Arc::clone(endpoint), check_state: next }, change))
            }
            Source::Metric { check, check_state } => {
                let mut next = check_state.clone();
                let change = next.observe(observation, at);
                (next != *check_state).then(|| (Source::Metric { check: Arc::clone(check), check_state: next }, change))
            }
            Source::Calculated { .. } | Source::Manual { .. } => None,
        }
    }

    /// The source after the children were counted; `None` if it is not a calculated one.
    pub(super) fn counted(&self, counted: Children, at: Timestamp) -> Option<Source> {
        let Source::Calculated { family, mut status, mut since, .. } = self.clone() else { return None };
        set_status(&mut status, &mut since, counted.status(), at);
        Some(Source::Calculated { family, children: counted, status, since })
    }

    /// Restores the saved state. If it is recent enough that no result was missed, its streak
    /// continues.
    pub(super) fn restore(&mut self, saved: &RestoredCheck, at: Timestamp) {
        // If the clock was set back, the age of the saved state is unknown.
        let age_is_known = saved.as_of <= at;
        let fresh = |interval: Duration| age_is_known && at.since(saved.as_of) <= interval * FRESH_INTERVALS;
        let state = |interval| {
            let opposing = saved.state.opposing.filter(|_| fresh(interval));
            SavedCheckState { opposing, ..saved.state }
        };
        match self {
            Source::Endpoint { endpoint, check_state } => {
                *check_state = CheckState::restored(thresholds(endpoint), state(endpoint.request_interval));
            }
            Source::Metric { check, check_state } => {
                *check_state = MetricCheckState::restored(check, state(check.period));
            }
            // These are computed from other checks or read from the configuration.
            Source::Calculated { .. } | Source::Manual { .. } => {}
        }
    }

    /// The status before `disabled` and `inverted`.
    pub(super) fn status(&self) -> Status {
        match self {
            Source::Endpoint { check_state, .. } => check_state.status(),
            Source::Metric { check_state, .. } => check_state.status(),
            Source::Calculated { status, .. } | Source::Manual { status, .. } => *status,
        }
    }

    /// The status that results since the start, or since the server was isolated, support; `None`
    /// without any.
    pub(super) fn opinion(&self) -> Option<Status> {
        match self {
            Source::Endpoint { check_state, .. } => check_state.opinion(),
            Source::Metric { check_state, .. } => check_state.opinion(),
            Source::Calculated { .. } | Source::Manual { .. } => None,
        }
    }

    /// When that status last changed.
    pub(super) fn since(&self) -> Timestamp {
        match self {
            Source::Endpoint { check_state, .. } => check_state.since(),
            Source::Metric { check_state, .. } => check_state.since(),
            Source::Calculated { since, .. } | Source::Manual { since, .. } => *since,
        }
    }

    pub(super) fn is_pending(&self) -> bool {
        match self {
            Source::Endpoint { check_state, .. } => check_state.is_pending(),
            Source::Metric { check_state, .. } => check_state.is_pending(),
            Source::Calculated { .. } | Source::Manual { .. } => false,
        }
    }

    pub(super) fn results_until_change(&self) -> Option<u8> {
        match self {
            Source::Endpoint { check_state, .. } => Some(check_state.results_until_change()),
            Source::Metric { check_state, .. } => Some(check_state.results_until_change()),
            Source::Calculated { .. } | Source::Manual { .. } => None,
        }
    }

    /// Discards the streak of opposing results.
    pub(super) fn reset_streak(&mut self) {
        match self {
            Source::Endpoint { check_state, .. } => check_state.reset_streak(),
            Source::Metric { check_state, .. } => check_state.reset_streak(),
            Source::Calculated { .. } | Source::Manual { .. } => {}
        }
    }

    /// The state to save.
    pub(super) fn saved_state(&self) -> Option<SavedCheckState> {
        match self {
            Source::Endpoint { check_state, .. } => check_state.state(),
            Source::Metric { check_state, .. } => check_state.state(),
            Source::Calculated { .. } | Source::Manual { .. } => None,
        }
    }
}

/// Sets a status and, if it changed, the time of the change.
fn set_status(status: &mut Status, since: &mut Timestamp, new: Status, at: Timestamp) {
    if *status != new {
        (*status, *since) = (new, at);
    }
}

fn status_of(state: RoutingControlState) -> Status {
    match state {
        RoutingControlState::On => Status::Healthy,
        RoutingControlState::Off => Status::Unhealthy,
    }
}

fn thresholds(endpoint: &EndpointCheck) -> Thresholds {
    Thresholds { failure: endpoint.failure_threshold, recovery: endpoint.recovery_threshold }
}

//! Metrics of the control loop.
//!
//! The loop counts events in plain integers and publishes them with the view of health. Counters
//! start at zero with the process. The counters of a check are removed with it.

use std::sync::Arc;
use std::time::Duration;

use crate::health::{CheckSlot, Reason, SharedVec, Status, Timestamp};
use crate::load::{Refused, Summary};

use super::Observed;

/// Upper bounds of the latency buckets, in seconds. The longest deadline that a check can set is 60
/// s; the longest default is 10 s.
pub(crate) const LATENCY_BOUNDS: [f64; 14] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// A snapshot of the metrics.
#[derive(Clone, Debug)]
pub(crate) struct MetricsSnapshot {
    /// All checks, in order of their slots.
    pub(crate) checks: Vec<CheckMetrics>,
    /// The number of checks without a result.
    pub(crate) pending: usize,
    /// The number of overrides in force.
    pub(crate) overrides: usize,
    /// Latencies of probes and evaluations: passed, failed, and without data.
    pub(crate) latencies: [LatencyMetrics; 3],
    /// Outcomes of reloads.
    pub(crate) reloads: ReloadMetrics,
    /// What is served.
    pub(crate) served: ServedCounts,
    /// The opinions of nodes; `None` without a cluster.
    pub(crate) opinions: Option<OpinionCounts>,
}

/// The opinions of the nodes of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpinionCounts {
    /// The nodes whose opinions count.
    pub(crate) nodes: usize,
    /// The checks on which they disagree.
    pub(crate) disagreements: usize,
}

/// The metrics of one check.
#[derive(Clone, Debug)]
pub(crate) struct CheckMetrics {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its status, overrides included.
    pub(crate) final_status: Status,
    /// The status that an override sets, if any.
    pub(crate) overridden: Option<Status>,
    /// When its status last changed; `None` if it never did.
    pub(crate) last_transition: Option<Timestamp>,
    /// Its counters.
    pub(crate) counters: CheckCounters,
}

/// The counters of one check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckCounters {
    /// Results, in the order of `Reason::ALL`.
    pub(crate) results: [u64; Reason::ALL.len()],
    /// Changes to healthy, and to unhealthy.
    pub(crate) transitions: [u64; 2],
    /// How long the last probe took.
    pub(crate) last_duration: Option<Duration>,
}

/// A histogram of durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LatencyMetrics {
    /// The number of durations in each bucket of `LATENCY_BOUNDS`, and above the last bound.
    pub(crate) counts: [u64; LATENCY_BOUNDS.len() + 1],
    /// The sum of all durations.
    pub(crate) sum: Duration,
}

/// The result of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReloadResult {
    /// All files were loaded.
    Success,
    /// Some files had errors; their previous versions are served.
    Partial,
    /// The reload was refused.
    Failure,
}

/// Counters of reloads. The load at the start counts as the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReloadMetrics {
    /// How many, in the order of `ReloadResult::ALL`.
    pub(crate) counts: [u64; 3],
    /// The result of the last one.
    pub(crate) last: Option<ReloadResult>,
    /// When the last one without errors ended.
    pub(crate) last_success: Option<Timestamp>,
    /// The number of errors in the files at the last reload that was not refused.
    pub(crate) errors: usize,
    /// The number of files deferred by that reload.
    pub(crate) deferred: usize,
    /// How many were given up because a file system did not respond.
    pub(crate) unresponsive: u64,
}

/// The size of the configuration in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServedCounts {
    /// Zones.
    pub(crate) zones: usize,
    /// Zones that answer SERVFAIL because no usable copy of their broken file is kept.
    pub(crate) unavailable: usize,
    /// Record sets.
    pub(crate) records: usize,
    /// Health checks.
    pub(crate) checks: usize,
}

impl ReloadResult {
    /// All results, in numeric order.
    pub(crate) const ALL: [ReloadResult; 3] = [ReloadResult::Success, ReloadResult::Partial, ReloadResult::Failure];

    /// The metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ReloadResult::Success => "success",
            ReloadResult::Partial => "partial",
            ReloadResult::Failure => "failure",
        }
    }
}

/// The counters of the loop.
#[derive(Clone, Debug, Default)]
pub(super) struct MetricsCounters {
    /// By slot.
    checks: SharedVec<CheckCounters>,
    pub(super) latencies: [LatencyMetrics; 3],
    pub(super) reloads: ReloadMetrics,
    pub(super) served: ServedCounts,
}

impl MetricsCounters {
    /// Counters after the first load.
    pub(super) fn new(summary: &Summary, at: Timestamp) -> MetricsCounters {
        let mut counters = MetricsCounters::default();
        counters.load(summary, at);
        counters
    }

    /// Counts a result.
    pub(super) fn add_result(&mut self, observed: &Observed) {
        let took = observed.latency.total;
        let counters = self.checks.get_mut(observed.slot.0 as usize);
        counters.results[observed.reason as usize] += 1;
        counters.last_duration = Some(took);
        let latencies = match observed.reason {
            Reason::Good => &mut self.latencies[0],
            Reason::NoData => &mut self.latencies[2],
            _ => &mut self.latencies[1],
        };
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < took.as_secs_f64());
        latencies.counts[bucket] += 1;
        latencies.sum += took;
    }

    /// Counts a change of status.
    pub(super) fn add_transition(&mut self, slot: CheckSlot, to: Status) {
        self.checks.get_mut(slot.0 as usize).transitions[usize::from(to == Status::Unhealthy)] += 1;
    }

    /// Resets a slot that is free or has been given to another check.
    pub(super) fn forget(&mut self, slot: CheckSlot) {
        *self.checks.get_mut(slot.0 as usize) = CheckCounters::default();
    }

    /// Counts a load.
    pub(super) fn load(&mut self, summary: &Summary, at: Timestamp) {
        let result = if summary.errors == 0 { ReloadResult::Success } else { ReloadResult::Partial };
        self.count(result);
        if result == ReloadResult::Success {
            self.reloads.last_success = Some(at);
        }
        self.reloads.errors = summary.errors;
        self.reloads.deferred = summary.deferred.len();
        let Summary { zones, records, checks, .. } = *summary;
        let unavailable = summary.unavailable.iter().filter(|one| one.zone.is_some()).count();
        self.served = ServedCounts { zones, unavailable, records, checks };
    }

    /// Counts a refused load.
    pub(super) fn refuse(&mut self, refused: &Refused) {
        self.count(ReloadResult::Failure);
        self.reloads.unresponsive += u64::from(matches!(refused, Refused::Unresponsive(_)));
    }

    fn count(&mut self, result: ReloadResult) {
        self.reloads.counts[result as usize] += 1;
        self.reloads.last = Some(result);
    }

    /// The counters of one check.
    pub(super) fn of(&self, slot: CheckSlot) -> CheckCounters {
        self.checks.get(slot.0 as usize).copied().unwrap_or_default()
    }
}

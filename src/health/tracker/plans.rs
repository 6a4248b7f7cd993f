//! What to probe: one plan for each enabled check with results of its own.

use std::sync::Arc;

use crate::health::{CheckSlot, Generation};
use crate::model::{EndpointCheck, HealthCheckId, MetricCheck};

use super::Tracker;
use super::entry::Entry;
use super::source::Source;

/// What the prober needs to probe one check.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePlan {
    /// Returned with every result.
    pub slot: CheckSlot,
    /// Returned with every result; a result with an older generation is ignored.
    pub generation: Generation,
    /// The id, which the endpoint sees in the User-Agent.
    pub id: HealthCheckId,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What to probe.
    pub check: Arc<EndpointCheck>,
}

/// What has to be evaluated for one metric check.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPlan {
    /// Returned with every result.
    pub slot: CheckSlot,
    /// Returned with every result; a result with an older generation is ignored.
    pub generation: Generation,
    /// The id, which the Prometheus sees in the User-Agent.
    pub id: HealthCheckId,
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What to evaluate.
    pub check: Arc<MetricCheck>,
}

impl Tracker {
    /// The probes to run: the enabled endpoint checks, in order of their slots.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbePlan> {
        self.entries().filter_map(|(slot, entry)| entry.probe_plan(slot)).collect()
    }

    /// The metrics to evaluate: the enabled metric checks, in order of their slots.
    #[must_use]
    pub fn metrics(&self) -> Vec<MetricPlan> {
        self.entries().filter_map(|(slot, entry)| entry.metric_plan(slot)).collect()
    }
}

impl Entry {
    fn probe_plan(&self, slot: CheckSlot) -> Option<ProbePlan> {
        let Source::Endpoint { endpoint, .. } = &self.source else { return None };
        (!self.check.disabled).then(|| ProbePlan {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(endpoint),
        })
    }

    fn metric_plan(&self, slot: CheckSlot) -> Option<MetricPlan> {
        let Source::Metric { check, .. } = &self.source else { return None };
        (!self.check.disabled).then(|| MetricPlan {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(check),
        })
    }
}

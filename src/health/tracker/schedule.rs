//! The schedule: what the prober has to probe and evaluate, one entry for each enabled check with
//! results of its own.

use std::sync::Arc;

use crate::health::{CheckSlot, Generation};
use crate::model::{EndpointCheck, HealthCheckId, MetricCheck};

use super::Tracker;
use super::entry::Entry;
use super::source::Source;

/// What the prober needs to probe one check.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledProbe {
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
pub struct ScheduledMetric {
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
    pub fn probes(&self) -> Vec<ScheduledProbe> {
        self.entries().filter_map(|(slot, entry)| entry.scheduled_probe(slot)).collect()
    }

    /// The metrics to evaluate: the enabled metric checks, in order of their slots.
    #[must_use]
    pub fn metrics(&self) -> Vec<ScheduledMetric> {
        self.entries().filter_map(|(slot, entry)| entry.scheduled_metric(slot)).collect()
    }
}

impl Entry {
    fn scheduled_probe(&self, slot: CheckSlot) -> Option<ScheduledProbe> {
        let Source::Endpoint { endpoint, .. } = &self.source else { return None };
        (!self.check.disabled).then(|| ScheduledProbe {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(endpoint),
        })
    }

    fn scheduled_metric(&self, slot: CheckSlot) -> Option<ScheduledMetric> {
        let Source::Metric { check, .. } = &self.source else { return None };
        (!self.check.disabled).then(|| ScheduledMetric {
            slot,
            generation: self.generation,
            id: self.check.id.clone(),
            name: Arc::clone(&self.name),
            check: Arc::clone(check),
        })
    }
}

//! The longest time from the failure of an endpoint to the changed answers (docs/health.md, "The
//! longest time to failover").

use std::time::Duration;

use crate::model::{EndpointCheck, EndpointProtocol, EndpointTarget, HealthCheck, HealthCheckKind};

use super::Timings;
use super::metric::ANSWER_WITHIN;

/// The upper bound from the failure to the changed answers; `None` for a check that probes nothing.
#[must_use]
pub fn longest_failover(check: &HealthCheck) -> Option<Duration> {
    if check.disabled {
        return None;
    }
    match &check.kind {
        HealthCheckKind::Endpoint(endpoint) => {
            let rounds = u32::from(endpoint.failure_threshold);
            Some((endpoint.request_interval + longest_probe(endpoint)) * rounds)
        }
        HealthCheckKind::Metric(metric) => Some((metric.period + ANSWER_WITHIN) * u32::from(metric.evaluation_periods)),
        HealthCheckKind::Calculated(_) | HealthCheckKind::Manual(_) => None,
    }
}

/// Each step takes the maximum time.
fn longest_probe(endpoint: &EndpointCheck) -> Duration {
    let timings = Timings::default().with(&endpoint.timeouts);
    let lookup = match endpoint.target {
        EndpointTarget::Domain(_) => timings.resolve,
        EndpointTarget::Address { .. } => Duration::ZERO,
    };
    let request = match &endpoint.protocol {
        EndpointProtocol::Tcp => return lookup + timings.tcp_connect,
        EndpointProtocol::Http(request) | EndpointProtocol::Https { request, .. } => request,
    };
    let body = if request.search_string.is_some() { timings.body } else { Duration::ZERO };
    lookup + timings.connect + timings.status + body
}

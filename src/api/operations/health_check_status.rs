//! GetHealthCheckStatus and GetHealthCheckLastFailureReason: what this server, the only checker,
//! has observed.

use std::time::SystemTime;

use super::{ApiError, Context};
use crate::api::request::{Outcome, Request};
use crate::api::time::iso_8601;
use crate::health::{History, Observation, Run};
use crate::model::HealthCheckKind;

/// What clients read as the location of the checker. No region of Route 53 is meant, and the source
/// address of probes is not recorded.
const REGION: &str = "us-east-1";
const ADDRESS: &str = "127.0.0.1";

/// The last result.
pub(super) fn status(context: &Context, request: &Request) -> Outcome {
    respond(context, request, History::last_run)
}

/// The last failure, if there was one.
pub(super) fn last_failure_reason(context: &Context, request: &Request) -> Outcome {
    let is_failure = |run: &&Run| matches!(run.observation, Observation::Fail | Observation::ResolverFailure);
    respond(context, request, |history| history.runs().rev().find(is_failure))
}

/// API GetHealthCheckStatus: not for calculated checks.
fn respond(context: &Context, request: &Request, choose: impl FnOnce(&History) -> Option<&Run>) -> Outcome {
    let check = context.health_check(request.id("HealthCheckId"))?;
    if let HealthCheckKind::Calculated(_) = check.kind {
        return Err(ApiError::invalid_input(
            "Invalid parameter : The status of a calculated health check is that of its child health checks.",
        ));
    }
    let report = context.health.load().check(&check.id);
    let run = report.as_ref().and_then(|report| choose(&report.log.history));
    Ok(request.response(|xml| {
        xml.list("HealthCheckObservations", "HealthCheckObservation", run, |xml, run| {
            xml.element("Region", REGION);
            xml.element("IPAddress", ADDRESS);
            xml.parent("StatusReport", |xml| {
                xml.element("Status", &run.status);
                xml.element("CheckedTime", iso_8601(SystemTime::UNIX_EPOCH + run.last.0));
            });
        });
    }))
}

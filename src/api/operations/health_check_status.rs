//! GetHealthCheckStatus and GetHealthCheckLastFailureReason: what this server has observed, and
//! in a cluster what the other nodes say. Nodes stand where Route 53 has health checkers.

use std::time::SystemTime;

use super::{ApiError, Context, Outcome, Request};
use crate::api::time::iso_8601;
use crate::control::{CheckReport, HealthView, NodeOpinion};
use crate::health::{Observation, Run, Status, Timestamp};
use crate::model::HealthCheckKind;

/// What clients read as the location of a checker that does not say where it is.
const REGION: &str = "us-east-1";
const ADDRESS: &str = "127.0.0.1";

/// What one checker reports.
struct Reported {
    region: String,
    address: String,
    status: String,
    checked: Timestamp,
}

/// The last result of each checker.
pub(super) fn status(context: &Context, request: &Request) -> Outcome {
    respond(context, request, |view, report, at| {
        let nodes = of_nodes(view, report, at, |_| true);
        if nodes.is_empty() { own(view, report.log.history.last_run()).into_iter().collect() } else { nodes }
    })
}

/// The last failure of this server, if there was one, and the last result of each other node that
/// considers the endpoint unhealthy.
pub(super) fn last_failure_reason(context: &Context, request: &Request) -> Outcome {
    let is_failure = |run: &&Run| matches!(run.observation, Observation::Fail | Observation::ResolverFailure);
    respond(context, request, |view, report, at| {
        let last = own(view, report.log.history.runs().rev().find(is_failure));
        let others = of_nodes(view, report, at, |stated| !stated.is_own && stated.opinion.status == Status::Unhealthy);
        last.into_iter().chain(others).collect()
    })
}

/// What these nodes of a cluster say, if it counts.
fn of_nodes(
    view: &HealthView,
    report: &CheckReport,
    at: Timestamp,
    is_wanted: impl Fn(&NodeOpinion) -> bool,
) -> Vec<Reported> {
    let stated = view.opinions_on(report, at).into_iter().filter(|stated| stated.counts && is_wanted(stated));
    let reported = |stated: NodeOpinion| Reported {
        region: stated.region.as_deref().unwrap_or(REGION).to_owned(),
        address: stated.address.map_or_else(|| ADDRESS.to_owned(), |address| address.to_string()),
        status: stated.opinion.text.to_string(),
        checked: stated.opinion.checked_before(at),
    };
    stated.map(reported).collect()
}

/// A result of this server.
fn own(view: &HealthView, run: Option<&Run>) -> Option<Reported> {
    let (region, address) = view.region_and_address();
    run.map(|run| Reported {
        region: region.as_deref().unwrap_or(REGION).to_owned(),
        address: address.map_or_else(|| ADDRESS.to_owned(), |address| address.to_string()),
        status: run.status.to_string(),
        checked: run.last,
    })
}

/// API GetHealthCheckStatus: not for calculated checks.
fn respond(
    context: &Context,
    request: &Request,
    reported: impl FnOnce(&HealthView, &CheckReport, Timestamp) -> Vec<Reported>,
) -> Outcome {
    let check = context.health_check(request.id("HealthCheckId"))?;
    if let HealthCheckKind::Calculated(_) = check.kind {
        return Err(ApiError::invalid_input(
            "Invalid parameter : The status of a calculated health check is that of its child health checks.",
        ));
    }
    let view = context.health.load();
    let at = Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    let reports = view.check(&check.id).map(|report| reported(&view, &report, at)).unwrap_or_default();
    Ok(request.response(|xml| {
        xml.list("HealthCheckObservations", "HealthCheckObservation", &reports, |xml, reported| {
            xml.element("Region", &reported.region);
            xml.element("IPAddress", &reported.address);
            xml.parent("StatusReport", |xml| {
                xml.element("Status", &reported.status);
                xml.element("CheckedTime", iso_8601(SystemTime::UNIX_EPOCH + reported.checked.0));
            });
        });
    }))
}

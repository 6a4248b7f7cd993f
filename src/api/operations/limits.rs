//! GetAccountLimit, GetHostedZoneLimit and GetReusableDelegationSetLimit: Route 53's default
//! quotas, and how much of them is used.

use super::{ApiError, Code, Context, Outcome, Request};
use crate::model::MAX_RECORD_SETS;

/// Developer Guide, "Quotas".
pub(super) fn of_account(context: &Context, request: &Request) -> Outcome {
    let kind = request.id("Type");
    let policies = || context.objects.traffic_policies().iter().filter(|policy| policy.latest().is_some()).count();
    let (limit, count) = match kind {
        "MAX_HEALTH_CHECKS_BY_OWNER" => (200, context.objects.health_checks().len()),
        "MAX_HOSTED_ZONES_BY_OWNER" => (500, context.zones(request).len()),
        "MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER" => (5, context.policy_instances(request).len()),
        "MAX_REUSABLE_DELEGATION_SETS_BY_OWNER" => (100, context.objects.delegation_sets().len()),
        "MAX_TRAFFIC_POLICIES_BY_OWNER" => (50, policies()),
        _ => return Err(unknown(kind)),
    };
    Ok(response(request, kind, limit, count))
}

pub(super) fn of_zone(context: &Context, request: &Request) -> Outcome {
    let (kind, zone) = (request.id("Type"), context.zone_summary(request, request.id("Id"))?);
    let (limit, count) = match kind {
        "MAX_RRSETS_BY_ZONE" => (MAX_RECORD_SETS, zone.record_sets),
        "MAX_VPCS_ASSOCIATED_BY_ZONE" if zone.vpcs.is_empty() => {
            return Err(ApiError::new(Code::HostedZoneNotPrivate, "The specified hosted zone is not private."));
        }
        "MAX_VPCS_ASSOCIATED_BY_ZONE" => (300, zone.vpcs.len()),
        _ => return Err(unknown(kind)),
    };
    Ok(response(request, kind, limit, count))
}

pub(super) fn of_delegation_set(context: &Context, request: &Request) -> Outcome {
    let (kind, set) = (request.id("Type"), context.delegation_set(request.id("Id"))?);
    match kind {
        "MAX_ZONES_BY_REUSABLE_DELEGATION_SET" => Ok(response(request, kind, 100, context.zones_of_set(&set))),
        _ => Err(unknown(kind)),
    }
}

fn response(request: &Request, kind: &str, limit: usize, count: usize) -> super::Response {
    request.response(|xml| {
        xml.parent("Limit", |xml| {
            xml.element("Type", kind);
            xml.element("Value", limit);
        });
        xml.element("Count", count);
    })
}

fn unknown(kind: &str) -> ApiError {
    ApiError::invalid_input(format!("'{kind}' is not a limit"))
}

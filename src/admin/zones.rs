//! `/v1/zones` and `/v1/zones/{id}/records`: zones and their records as trees, one page at a time.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::control::CheckReport;
use crate::health::{CheckSlot, Status};
use crate::load::{LoadedConfig, NoModel, ZoneOutline};
use crate::model::{Content, GroupKey, HostedZone, HostedZoneId};

use super::concurrency_limit::ConcurrencyLimits;
use super::query::Query;
use super::reports::{LARGEST_PAGE, Report, in_words};
use super::shapes::{GroupStateShape, RecordsShape, ZoneRowShape, ZonesShape};
use super::tree::{self, PolicyTrees};
use super::{AdminState, json, refusal};

/// Default number of zones or groups in a response.
const PAGE: usize = 50;
/// Most record sets in a response, those of alias targets included.
const MEMBERS: usize = 2000;

/// Reads a zone and serializes a part of it as JSON.
pub(super) fn worded<S: Serialize>(outcome: Result<S, NoModel>) -> Response {
    match outcome {
        Ok(shape) => json(StatusCode::OK, &shape),
        Err(error @ NoModel::Unknown(_)) => refusal(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// Query parameters of `/v1/zones`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZonesQuery {
    /// A part of the name or the comment, case-insensitive.
    #[serde(default)]
    q: String,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

pub(super) async fn list(State(admin): State<AdminState>, Query(query): Query<ZonesQuery>) -> Response {
    match admin.health() {
        Ok(view) => in_words(move || zones(&view.base, &view.checks(None), &query)).await,
        Err(response) => *response,
    }
}

fn zones(base: &LoadedConfig, checks: &[CheckReport], query: &ZonesQuery) -> ZonesShape {
    let part = query.q.to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&part);
    let fits = |zone: &ZoneOutline<'_>| holds(&zone.name.to_string()) || zone.comment.is_some_and(holds);
    let mut chosen: Vec<_> = base.zone_outlines().filter(fits).collect();
    chosen.sort_by_cached_key(|zone| (zone.name.to_string(), zone.id.clone()));
    let mut unhealthy: Vec<CheckSlot> = checks
        .iter()
        .filter(|check| check.view.final_status == Status::Unhealthy)
        .map(|check| check.view.slot)
        .collect();
    unhealthy.sort_unstable();
    let row = |zone: &ZoneOutline<'_>| ZoneRowShape {
        id: zone.id.0.clone(),
        name: zone.name.to_string(),
        comment: zone.comment.map(str::to_owned),
        vpcs: zone.vpcs.iter().map(|vpc| vpc.0.clone()).collect(),
        record_sets: zone.record_sets,
        checks: zone.checks.len(),
        unavailable: zone.is_unavailable,
        unhealthy_checks: zone.checks.iter().filter(|slot| unhealthy.binary_search(slot).is_ok()).count(),
    };
    let limit = query.limit.unwrap_or(PAGE).min(LARGEST_PAGE);
    let zones = chosen.iter().skip(query.offset).take(limit).map(row).collect();
    ZonesShape { matching: chosen.len(), zones }
}

/// Query parameters of `/v1/zones/{id}/records`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordsQuery {
    /// A part of the name, a set identifier or a value, case-insensitive.
    #[serde(default)]
    q: String,
    /// The whole name.
    name: Option<String>,
    /// The type, such as `AAAA`.
    #[serde(rename = "type")]
    record_type: Option<String>,
    /// The routing policy, such as `weighted`.
    policy: Option<String>,
    /// Only groups in this state.
    state: Option<GroupStateShape>,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

pub(super) async fn records(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    id: Result<Path<String>, PathRejection>,
    Query(query): Query<RecordsQuery>,
) -> Response {
    let Ok(Path(id)) = id else { return refusal(StatusCode::BAD_REQUEST, "the id of the zone is not UTF-8") };
    let permit = match limits.zones.acquire().await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    let view = match admin.health() {
        Ok(view) => view,
        Err(response) => return *response,
    };
    let at = (admin.now)();
    let id = HostedZoneId(id);
    let work = move || {
        let zone = view.base.zone_model(&id)?;
        let checks = tree::checks(&Report::new(Arc::clone(&view), None, at));
        Ok(found(&PolicyTrees::new(&zone, &view.world, &checks), &query))
    };
    permit.run_blocking(move || worded(work())).await
}

fn found(trees: &PolicyTrees<'_>, query: &RecordsQuery) -> RecordsShape {
    let part = query.q.to_lowercase();
    let mut roots: Vec<&GroupKey> = trees.roots().filter(|key| query.fits(trees, key, &part)).collect();
    roots.sort_by_cached_key(|key| (order_of(key.name.wire()), key.record_type));
    let limit = query.limit.unwrap_or(PAGE).min(LARGEST_PAGE);
    let mut room = MEMBERS;
    let shown = roots.iter().skip(query.offset).take(limit);
    let groups = shown.map(|key| trees.tree(key, &mut room)).collect();
    let HostedZone { id, name, comment, vpcs, record_sets, .. } = trees.zone;
    RecordsShape {
        id: id.0.clone(),
        name: name.to_string(),
        comment: comment.clone(),
        vpcs: vpcs.iter().map(|vpc| vpc.0.clone()).collect(),
        record_sets: record_sets.len(),
        matching: roots.len(),
        groups,
    }
}

/// Canonical order (RFC 4034 section 6.1): labels from the right.
fn order_of(wire: &[u8]) -> Vec<Vec<u8>> {
    let mut labels = Vec::new();
    let mut rest = wire;
    while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, next) = after.split_at(usize::from(length).min(after.len()));
        labels.push(label.to_ascii_lowercase());
        rest = next;
    }
    labels.reverse();
    labels
}

impl RecordsQuery {
    fn fits(&self, trees: &PolicyTrees<'_>, key: &GroupKey, part: &str) -> bool {
        let GroupKey { name, record_type, .. } = key;
        let is = |query: &Option<String>, is: &str| query.as_ref().is_none_or(|query| query.eq_ignore_ascii_case(is));
        let policy = trees.sets(key).first().map_or("", |set| set.routing_policy.name());
        is(&self.record_type, record_type.as_str())
            && is(&self.policy, policy)
            && self.name.as_ref().is_none_or(|query| is_name(query, &name.to_string()))
            && (part.is_empty() || holds(trees, key, part))
            // Last: this asks the world.
            && self.state.is_none_or(|query| trees.state(key) == query)
    }
}

/// With or without the dot at the end.
fn is_name(query: &str, name: &str) -> bool {
    query.trim_end_matches('.').eq_ignore_ascii_case(name.trim_end_matches('.'))
}

fn holds(trees: &PolicyTrees<'_>, key: &GroupKey, part: &str) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(part);
    if holds(&key.name.to_string()) {
        return true;
    }
    trees.sets(key).iter().any(|set| {
        set.set_identifier.as_deref().is_some_and(holds)
            || match &set.content {
                Content::Records { values, .. } => values.iter().any(|value| holds(&value.to_string())),
                Content::Alias(target) => holds(&target.name.to_string()),
            }
    })
}

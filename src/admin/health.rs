//! `/v1/health` and `/v1/transitions`: the health checks, in the API's shapes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::control::{CheckReport, HealthView, NodeOpinion, rfc3339, rfc3339_milliseconds};
use crate::health::agreement::{AgreedStatus, Checkers};
use crate::health::{
    Cause, CheckTarget, Latency, Observation, Override, PastTransition, Pattern, RecoveryStage, Run, Sample, Status,
    Timestamp, WeightShare,
};
use crate::model::{EndpointCheck, EndpointProtocol, EndpointTarget};
use crate::world::RecoveringRecord;

use super::concurrency_limit::{ConcurrencyLimits, Permit};
use super::query::Query;
use super::reports::{LARGEST_PAGE, Report, counts, in_words};
use super::shapes::{
    AgreementShape, CheckShape, CheckTransitionShape, ConnectivityShape, HealthShape, NextShape, OpinionShape,
    OverriddenShape, RecoveringShape, ResultShape, ResultsShape, SampleShape, StageShape, StatusShape, TransitionShape,
    TransitionsShape,
};
use super::{AdminState, json, overrides};

/// Most recovering records in a response.
const RECOVERIES: usize = 1000;
/// Most transitions in a response.
const TRANSITIONS: usize = 1000;

/// Query parameters of `/v1/health`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthQuery {
    /// A name or glob; all checks if absent.
    name: Option<String>,
    /// A part of the name, case-insensitive.
    #[serde(default)]
    q: String,
    /// Only checks in this state.
    state: Option<StateFilter>,
    /// Number of checks to skip, sorted by name.
    #[serde(default)]
    offset: usize,
    /// Most checks in the response; with history at most the largest page.
    limit: Option<usize>,
    /// `history=1` adds transitions and results.
    #[serde(default)]
    history: u8,
}

/// The values of `state`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateFilter {
    Healthy,
    Unhealthy,
    Overridden,
    Pending,
}

pub(super) async fn report(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(mut query): Query<HealthQuery>,
) -> Response {
    let permit = match query.permit(&limits).await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    let (view, at) = match admin.health() {
        Ok(view) => (view, (admin.now)()),
        Err(response) => return *response,
    };
    let pattern = query.name.take().map(Pattern);
    let shape = move || health(&Report::new(view, pattern.as_ref(), at), &query, pattern.is_some());
    match permit {
        Some(permit) => permit.run_blocking(move || json(StatusCode::OK, &shape())).await,
        None => in_words(shape).await,
    }
}

/// Query parameters of `/v1/transitions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransitionsQuery {
    limit: Option<usize>,
}

/// The transitions of all checks, latest first.
pub(super) async fn transitions(State(admin): State<AdminState>, Query(query): Query<TransitionsQuery>) -> Response {
    let limit = query.limit.unwrap_or(TRANSITIONS).min(TRANSITIONS);
    match admin.health() {
        Ok(view) => in_words(move || latest(&view.checks(None), limit)).await,
        Err(response) => *response,
    }
}

fn latest(checks: &[CheckReport], limit: usize) -> TransitionsShape {
    let of_check = |check: &CheckReport| {
        let name = Arc::clone(&check.view.name);
        check.log.history.transitions().cloned().map(move |past| (Arc::clone(&name), past)).collect::<Vec<_>>()
    };
    let mut all: Vec<(Arc<str>, PastTransition)> = checks.iter().flat_map(of_check).collect();
    all.sort_unstable_by_key(|(_, past)| std::cmp::Reverse(past.at));
    all.truncate(limit);
    let shape = |(check, PastTransition { at, to, why }): (Arc<str>, _)| CheckTransitionShape {
        check: check.to_string(),
        transition: TransitionShape { at: rfc3339_milliseconds(at), to: status(to), why: why.to_string() },
    };
    TransitionsShape { transitions: all.into_iter().map(shape).collect() }
}

fn health(report: &Report, query: &HealthQuery, with_recent: bool) -> HealthShape {
    let part = query.q.to_lowercase();
    let mut chosen: Vec<_> = report.checks.iter().filter(|check| query.fits(report, check, &part)).collect();
    chosen.sort_unstable_by(|one, other| one.view.name.cmp(&other.view.name));
    let shown = chosen.iter().skip(query.offset).take(query.most());
    let checks = shown.map(|check| match query.with_history() {
        true => with_history(shape(report, check), report, check, with_recent),
        false => shape(report, check),
    });
    let Report { at, health, .. } = report;
    HealthShape {
        now: rfc3339_milliseconds(*at),
        started: rfc3339_milliseconds(health.started),
        counts: counts(report),
        matching: chosen.len(),
        checks: checks.collect(),
        overrides: health.overrides(*at).iter().map(overrides::shape).collect(),
        connectivity: connectivity(health),
        recovering: health.recoveries().take(RECOVERIES).filter_map(|recovery| recovering(&recovery, *at)).collect(),
    }
}

fn connectivity(health: &HealthView) -> Option<ConnectivityShape> {
    let sentinels: Vec<String> = health.sentinels().map(ToString::to_string).collect();
    (!sentinels.is_empty())
        .then(|| ConnectivityShape { isolated_since: health.isolated_since().map(rfc3339), sentinels })
}

fn recovering(way: &RecoveringRecord, at: Timestamp) -> Option<RecoveringShape> {
    let (stage, share_percent, until) = match way.rules.stage(way.since, at) {
        RecoveryStage::Waiting { until } => (StageShape::FailbackDelay, None, until),
        RecoveryStage::Ramping { share, until } => (StageShape::SlowStart, Some(share.percent()), until),
        RecoveryStage::Back => return None,
    };
    let (record, since, until) = (way.record.to_string(), rfc3339(way.since), rfc3339(until));
    Some(RecoveringShape { record, since, stage, share_percent, until })
}

impl HealthQuery {
    fn with_history(&self) -> bool {
        self.history != 0
    }

    /// A request for histories waits for its permit.
    async fn permit(&self, limits: &ConcurrencyLimits) -> Result<Option<Permit>, Box<Response>> {
        match self.with_history() {
            true => limits.histories.acquire().await.map(Some),
            false => Ok(None),
        }
    }

    /// A check has a few hundred bytes; its history has kilobytes.
    fn most(&self) -> usize {
        let largest = if self.with_history() { LARGEST_PAGE } else { usize::MAX };
        self.limit.unwrap_or(largest).min(largest)
    }

    fn fits(&self, report: &Report, check: &CheckReport, part: &str) -> bool {
        let is_so = match self.state {
            None => true,
            Some(StateFilter::Healthy) => check.view.final_status == Status::Healthy,
            Some(StateFilter::Unhealthy) => check.view.final_status == Status::Unhealthy,
            Some(StateFilter::Overridden) => report.override_of(check).is_some(),
            Some(StateFilter::Pending) => check.view.pending,
        };
        is_so && (part.is_empty() || check.view.name.to_lowercase().contains(part))
    }
}

fn shape(report: &Report, check: &CheckReport) -> CheckShape {
    let view = &check.view;
    let left = report.health.share_left(check, report.at);
    CheckShape {
        name: view.name.to_string(),
        id: view.identity.id.0.clone(),
        kind: kind(&view.target).to_owned(),
        endpoint: asked(&view.target),
        status: status(view.final_status),
        since: rfc3339_milliseconds(check.since()),
        without_overrides: status(view.without_overrides),
        pending: view.pending,
        disabled: view.disabled,
        inverted: view.inverted,
        overridden: report.override_of(check).map(|details| overridden(details, left)),
        last_result: check.log.history.last_run().map(|run| last_result(run, check.is_restored())),
        next: if view.disabled { None } else { next(report.at, check, report.health.is_in_cluster()) },
        agreement: report.health.agreed(check).map(agreement),
        opinions: Vec::new(),
        records: report.health.records(check).to_vec(),
        transitions: Vec::new(),
        results: Vec::new(),
        recent: Vec::new(),
    }
}

/// The last results one by one are left out of responses about all checks, to keep them small.
fn with_history(shape: CheckShape, report: &Report, check: &CheckReport, with_recent: bool) -> CheckShape {
    let transitions = check.log.history.transitions().rev().map(|past| TransitionShape {
        at: rfc3339_milliseconds(past.at),
        to: status(past.to),
        why: past.why.to_string(),
    });
    let opinions = report.health.opinions_on(check, report.at);
    CheckShape {
        opinions: opinions.iter().map(|opinion| opinion_shape(opinion, report.at)).collect(),
        transitions: transitions.collect(),
        results: check.log.history.runs().rev().map(results).collect(),
        recent: check.log.recent.samples().filter(|_| with_recent).map(sample).collect(),
        ..shape
    }
}

fn agreement(agreed: AgreedStatus) -> AgreementShape {
    let Checkers { healthy, reporting } = agreed.checkers;
    let (text, needed) = (agreed.to_string(), agreed.needed);
    AgreementShape { status: status(agreed.status), healthy, reporting, needed, text }
}

fn opinion_shape(stated: &NodeOpinion, at: Timestamp) -> OpinionShape {
    let NodeOpinion { node, region, address, is_own, counts, opinion } = stated;
    OpinionShape {
        node: node.to_string(),
        region: region.as_deref().map(str::to_owned),
        address: address.map(|address| address.to_string()),
        this_node: *is_own,
        status: status(opinion.status),
        reason: opinion.text.to_string(),
        checked: rfc3339(opinion.checked_before(at)),
        age_s: opinion.age_s,
        counts: *counts,
    }
}

/// The check's `type` in its file.
fn kind(target: &CheckTarget) -> &'static str {
    match target {
        CheckTarget::Endpoint(check) => match check.protocol {
            EndpointProtocol::Tcp => "tcp",
            EndpointProtocol::Http(_) => "http",
            EndpointProtocol::Https { .. } => "https",
        },
        CheckTarget::Metric(_) => "metric",
        CheckTarget::Children(_) => "calculated",
        CheckTarget::Manual => "manual",
    }
}

/// The text that replaces the last result of a check without results of its own.
pub(super) fn text_without_results(target: &CheckTarget) -> Option<String> {
    match target {
        CheckTarget::Children(children) => Some(Cause::Children(*children).to_string()),
        CheckTarget::Manual => Some("as its file says".to_owned()),
        CheckTarget::Endpoint(_) | CheckTarget::Metric(_) => None,
    }
}

fn asked(target: &CheckTarget) -> String {
    match target {
        CheckTarget::Endpoint(check) => endpoint(check),
        CheckTarget::Metric(check) => format!("{} for {}", without_password(check.prometheus.reveal()), check.query),
        CheckTarget::Children(children) => Cause::Children(*children).to_string(),
        CheckTarget::Manual => "what its file says".to_owned(),
    }
}

/// Removes the user and the password from a URL, since they are secrets.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Such as `http://192.0.2.11:8080/health`, `192.0.2.11:5432`.
fn endpoint(check: &EndpointCheck) -> String {
    let host = match &check.target {
        EndpointTarget::Address { ip_address, .. } if ip_address.is_ipv6() => format!("[{ip_address}]"),
        EndpointTarget::Address { ip_address, .. } => ip_address.to_string(),
        EndpointTarget::Domain(domain) => domain.clone(),
    };
    let port = check.port;
    match &check.protocol {
        EndpointProtocol::Tcp => format!("{host}:{port}"),
        EndpointProtocol::Http(request) => format!("http://{host}:{port}{}", request.path()),
        EndpointProtocol::Https { request, .. } => format!("https://{host}:{port}{}", request.path()),
    }
}

pub(super) fn status(status: Status) -> StatusShape {
    match status {
        Status::Healthy => StatusShape::Healthy,
        Status::Unhealthy => StatusShape::Unhealthy,
    }
}

pub(super) fn overridden(known: &Override, left: Option<WeightShare>) -> OverriddenShape {
    let request = known.request.clone();
    OverriddenShape {
        action: overrides::action_shape(request.action),
        drain: overrides::drain_shape(known, left),
        pattern: request.pattern.0,
        author: request.author,
        reason: request.reason,
        node: known.origin.as_ref().map(|origin| origin.node.clone()),
        from: rfc3339(request.from),
        until: request.until.map(rfc3339),
    }
}

fn last_result(run: &Run, restored: bool) -> ResultShape {
    let Latency { connect, tls_handshake, first_byte, total } = run.latency;
    ResultShape {
        at: rfc3339_milliseconds(run.last),
        passed: run.observation == Observation::Pass,
        missing: run.observation == Observation::Missing,
        status: run.status.to_string(),
        connect_ms: connect.map(milliseconds),
        tls_handshake_ms: tls_handshake.map(milliseconds),
        first_byte_ms: first_byte.map(milliseconds),
        total_ms: milliseconds(total),
        restored,
    }
}

/// The next probe begins one interval after the last one ended, and the status can change
/// `results_needed` results later. `None` for checks without results of their own.
fn next(now: Timestamp, check: &CheckReport, opinion_only: bool) -> Option<NextShape> {
    let view = &check.view;
    let interval = match &view.target {
        CheckTarget::Endpoint(check) => check.request_interval,
        CheckTarget::Metric(check) => check.period,
        CheckTarget::Children(_) | CheckTarget::Manual => return None,
    };
    let results_needed = view.results_until_change?;
    let last = check.log.history.last_run().map(|run| run.last).filter(|_| !check.is_restored());
    let probe_at = last.map(|last| Timestamp(last.0 + interval)).filter(|at| *at > now);
    let more = u32::from(results_needed.saturating_sub(1));
    let changed = view.own.opposite();
    Some(NextShape {
        probe_at: probe_at.map(rfc3339_milliseconds),
        results_needed,
        passes: changed == Status::Healthy,
        then: status(if view.inverted { changed.opposite() } else { changed }),
        opinion_only,
        earliest: rfc3339_milliseconds(Timestamp(probe_at.unwrap_or(now).0 + interval * more)),
    })
}

fn sample(sample: Sample) -> SampleShape {
    let Sample { at, total, observation } = sample;
    SampleShape {
        at: rfc3339_milliseconds(at),
        total_ms: milliseconds(total),
        passed: observation == Observation::Pass,
    }
}

fn results(run: &Run) -> ResultsShape {
    ResultsShape {
        first: rfc3339_milliseconds(run.first),
        last: rfc3339_milliseconds(run.last),
        count: run.results,
        passed: run.observation == Observation::Pass,
        status: run.status.to_string(),
        slowest_ms: milliseconds(run.slowest),
    }
}

/// Milliseconds, rounded to hundredths, since loopback probes take less than one.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let cases = [
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090"),
            ("https://user:p@ss@prometheus.lab.test/pre@fix", "https://prometheus.lab.test/pre@fix"),
            ("http://user@[::1]:9090/", "http://[::1]:9090/"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_password(url), shown);
        }
    }
}

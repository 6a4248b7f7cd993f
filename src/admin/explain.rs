//! `/v1/explain`: why a query gets its answer.

use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ipnet::IpNet;

use crate::control::{CheckSnapshot, HypotheticalHealth, OverrideError, WhatIf, humanize_duration, rfc3339};
use crate::explain::json::{CheckShape, GroupShape, LastChangeShape, StepShape};
use crate::explain::{ExplainContext, Explanation, QueryOptions, Question, explain, query_type};
use crate::health::{Status, Timestamp};
use crate::history::{LastChanges, RecordChange};
use crate::model::{HealthCheckId, HostedZoneId, Name, NameError};

use super::concurrency_limit::ConcurrencyLimits;
use super::health::text_without_results;
use super::query::Query;
use super::shapes::ErrorShape;
use super::{AdminState, json, refusal};

/// Most `as_if` parameters of a request; each pattern is compared with the name of every check.
const MOST_ASSUMPTIONS: usize = 50;

/// The query of the request, before it is validated.
struct ExplainQuery {
    question: Question,
    hypothetical: Vec<HypotheticalHealth>,
}

pub(super) async fn report(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let query = match explain_query(&pairs) {
        Ok(query) => query,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error),
    };
    // The zone may have to be read again. Before the view is taken: that is held as long.
    let permit = match limits.zones.acquire().await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    let view = match admin.health() {
        Ok(view) => view,
        Err(response) => return *response,
    };
    let what_if = match view.what_if(&query.hypothetical, (admin.now)()) {
        Ok(what_if) => what_if,
        Err(OverrideError::UnknownCheck { pattern, names }) => {
            let known = names.iter().map(ToString::to_string).collect();
            let error = format!("no health check is called `{pattern}`");
            return json(StatusCode::NOT_FOUND, &ErrorShape { error, known });
        }
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let work = move || match answer(&query, &what_if) {
        Ok(mut explanation) => {
            admin.add_last_changes(&mut explanation);
            json(StatusCode::OK, &explanation)
        }
        Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, &error),
    };
    permit.run_blocking(work).await
}

impl AdminState {
    /// Says of each record set who changed it last. Reads the history.
    fn add_last_changes(&self, explanation: &mut Explanation) {
        let Some(zone) = &explanation.zone else { return };
        let groups = explanation.steps.iter_mut().filter_map(|step| match step {
            StepShape::Group(group) => Some(group),
            _ => None,
        });
        let mut groups: Vec<&mut GroupShape> = groups.collect();
        let names = groups.iter().map(|group| group.name.clone()).collect();
        let mut changes = LastChanges::of(HostedZoneId(zone.id.clone()), names);
        match self.event_log.history().collect(&mut changes) {
            Ok(true) => {}
            Ok(false) => self.event_log.since(0).records.iter().for_each(|(_, record)| changes.take(record)),
            // The explanation is right without it.
            Err(error) => tracing::debug!("the history cannot be read: {error}"),
        }
        let now = (self.now)();
        for group in &mut groups {
            let (name, record_type) = (&group.name, &group.record_type);
            for candidate in &mut group.candidates {
                let id = candidate.set_identifier.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
                let change = changes.get(&format!("{name} {record_type}{id}"));
                candidate.last_change = change.map(|change| last_change(change, now));
            }
        }
    }
}

fn last_change(change: &RecordChange, now: Timestamp) -> LastChangeShape {
    let RecordChange { at, author, kind } = change;
    LastChangeShape {
        at: rfc3339(*at),
        ago: humanize_duration(now.since(*at)),
        change: (*kind).to_owned(),
        author: author.name.clone(),
        operation: author.operation.clone(),
    }
}

fn answer(query: &ExplainQuery, what_if: &WhatIf) -> Result<Explanation, String> {
    let as_if: Vec<String> = query.hypothetical.iter().map(ToString::to_string).collect();
    explain(
        &query.question,
        &ExplainContext {
            world: &what_if.world,
            model: &|id| what_if.base().zone_model(id).map_err(|error| error.to_string()),
            checks: &|id| check(what_if, &query.hypothetical, id),
            networks: &what_if.base().settings.location.networks,
            uses_client_subnet: what_if.uses_client_subnet(),
            udp_payload_max: what_if.base().settings.dns.udp_payload_max,
            as_if: &as_if,
            source: &format!("the running server, {}", rfc3339(what_if.at)),
        },
    )
}

/// A check with its status, or the status that `as_if` assumes.
fn check(what_if: &WhatIf, hypothetical: &[HypotheticalHealth], id: &HealthCheckId) -> Option<CheckShape> {
    let CheckSnapshot { report, overridden } = what_if.check(id)?;
    let view = &report.view;
    let assumed = what_if.hypothetical_status(id);
    let is_meant = hypothetical.iter().any(|hypothetical| hypothetical.pattern.matches(&view.name));
    let as_if = is_meant || assumed.is_some_and(|status| status != view.final_status);
    let since = Some(report.since()).filter(|_| !as_if);
    Some(CheckShape {
        name: view.name.to_string(),
        healthy: assumed.unwrap_or(view.final_status) == Status::Healthy,
        since: since.map(rfc3339),
        ago: since.map(|since| humanize_duration(what_if.at.since(since))),
        last_result: report
            .log
            .history
            .last_run()
            .map_or_else(|| text_without_results(&view.target), |run| Some(run.status.to_string())),
        agreement: what_if.agreed(&report).map(|agreed| agreed.to_string()),
        overridden: overridden.filter(|_| !is_meant),
        as_if,
        disabled: view.disabled,
    })
}

fn explain_query(pairs: &[(String, String)]) -> Result<ExplainQuery, String> {
    let mut options = QueryOptions::default();
    let mut hypothetical = Vec::new();
    let mut name = None;
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        match key.as_str() {
            "name" => name = Some(Name::parse(value).map_err(|error| bad_name(&error))?),
            "type" => options.query_type = query_type(value).map_err(|error| format!("type: {error}"))?,
            "from" => options.from = Some(read::<IpAddr>(key, value)?),
            "subnet" => options.subnet = Some(read::<IpNet>(key, value)?),
            "resolver" => options.resolver = Some(read::<IpAddr>(key, value)?),
            "seed" => options.seed = Some(read::<u64>(key, value)?),
            "as_if" if hypothetical.len() < MOST_ASSUMPTIONS => hypothetical.push(read(key, value)?),
            "as_if" => return Err(format!("as_if: at most {MOST_ASSUMPTIONS}")),
            _ => {
                return Err(format!(
                    "unknown parameter `{key}`; the parameters are name, type, from, subnet, resolver, as_if and seed"
                ));
            }
        }
    }
    let name = name.ok_or("the parameter `name` is missing")?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    Ok(ExplainQuery { question: options.question(name, seed), hypothetical })
}

fn bad_name(error: &NameError) -> String {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("name: {error}{hint}")
}

fn read<T: FromStr<Err: std::fmt::Display>>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{key}: `{value}`: {error}"))
}

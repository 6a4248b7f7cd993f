//! `[[health_check]]` of the type metric: the Prometheus server, the query and the results that are
//! bad.

use std::time::Duration;

use super::super::document::Diagnostics;
use super::super::table::{At, Table};
use crate::model::{AlarmIdentifier, ComparisonOperator, InsufficientDataHealthStatus, MetricCheck, Secret};

/// The period of CloudWatch's basic metrics.
const PERIOD: Duration = Duration::from_secs(60);
const EVALUATION_PERIODS: u8 = 1;
/// A longer URL is a mistake.
const MAX_URL_CHARACTERS: usize = 1024;
/// API AlarmName.
const MAX_ALARM_NAME_CHARACTERS: usize = 256;
/// A longer query is a mistake.
const MAX_QUERY_CHARACTERS: usize = 4096;

pub(super) fn read(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<MetricCheck> {
    table.require("prometheus", "such as prometheus = \"http://127.0.0.1:9090\"", diagnostics);
    table.require("query", "such as query = 'sum(rate(http_errors_total[1m]))'", diagnostics);
    table.require("comparison", "which results are bad, such as comparison = \"greater_than_threshold\"", diagnostics);
    table.require("threshold", "what results are compared with, such as threshold = 0.5", diagnostics);
    let prometheus = table.string("prometheus", diagnostics).and_then(|url| read_url(&url, diagnostics));
    let query = table.string("query", diagnostics).and_then(|query| read_query(&query, diagnostics));
    let comparison = table.choice("comparison", diagnostics).map(|word| comparison(word.value));
    let threshold = table.number("threshold", diagnostics);
    let period = table.duration("period", diagnostics);
    let periods = table.integer("evaluation_periods", diagnostics);
    let insufficient = table.choice("insufficient_data_health_status", diagnostics);
    let alarm = table.table("alarm", diagnostics).and_then(|alarm| read_alarm(&alarm, diagnostics));
    Some(MetricCheck {
        prometheus: prometheus?,
        query: query?,
        comparison: comparison?,
        threshold: threshold?.value.value,
        period: period.map_or(PERIOD, |period| period.value),
        evaluation_periods: periods.and_then(|periods| u8::try_from(periods.value).ok()).unwrap_or(EVALUATION_PERIODS),
        insufficient_data_health_status: insufficient
            .map_or(InsufficientDataHealthStatus::LastKnownStatus, |word| insufficient_data(word.value)),
        alarm,
    })
}

/// API AlarmIdentifier.
fn read_alarm(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<AlarmIdentifier> {
    let region = table.string("region", diagnostics)?.value.to_owned();
    let name = table.string("name", diagnostics)?;
    let count = name.value.chars().count();
    if !(1..=MAX_ALARM_NAME_CHARACTERS).contains(&count) {
        let message = format!("the name of an alarm must have 1 to {MAX_ALARM_NAME_CHARACTERS} characters");
        diagnostics.error(name.span, message).label(format!("{count} characters"));
        return None;
    }
    Some(AlarmIdentifier { region, name: name.value.to_owned() })
}

fn comparison(word: &str) -> ComparisonOperator {
    match word {
        "greater_than_threshold" => ComparisonOperator::GreaterThanThreshold,
        "greater_than_or_equal_to_threshold" => ComparisonOperator::GreaterThanOrEqualToThreshold,
        "less_than_threshold" => ComparisonOperator::LessThanThreshold,
        _ => ComparisonOperator::LessThanOrEqualToThreshold,
    }
}

fn insufficient_data(word: &str) -> InsufficientDataHealthStatus {
    match word {
        "healthy" => InsufficientDataHealthStatus::Healthy,
        "unhealthy" => InsufficientDataHealthStatus::Unhealthy,
        _ => InsufficientDataHealthStatus::LastKnownStatus,
    }
}

/// Reads the base URL, to which the paths of the API are appended.
fn read_url(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<Secret> {
    let text = written.value;
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_plain = text.bytes().all(|octet| octet.is_ascii_graphic()) && !text.contains(['?', '#']);
    let has_host = host.is_some_and(|rest| !rest.starts_with(['/', ':']) && !rest.is_empty());
    if !has_host || !is_plain || text.len() > MAX_URL_CHARACTERS {
        let diagnostic =
            diagnostics.error(written.span.clone(), "`prometheus` must be the base URL of a Prometheus server");
        diagnostic.label("expected `http://` or `https://`, a host, and optionally a port and a path");
        diagnostic.hint("such as \"http://127.0.0.1:9090\"; `/api/v1/query` is appended");
        return None;
    }
    Some(text.into())
}

fn read_query(written: &At<&str>, diagnostics: &mut Diagnostics<'_>) -> Option<String> {
    let count = written.value.chars().count();
    if !(1..=MAX_QUERY_CHARACTERS).contains(&count) || written.value.trim().is_empty() {
        let message = format!("`query` must have 1 to {MAX_QUERY_CHARACTERS} characters");
        diagnostics.error(written.span.clone(), message).label(format!("{count} characters"));
        return None;
    }
    Some(written.value.to_owned())
}

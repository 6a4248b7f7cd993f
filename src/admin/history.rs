//! `/v1/history`: the last events, also those of before a restart, with their full texts.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::history::EventRecord;

use super::concurrency_limit::ConcurrencyLimits;
use super::events::shape;
use super::query::Query;
use super::shapes::{HistoryShape, NamedEventShape};
use super::{AdminState, json, refusal};

/// How many events a response has without `limit`, and at most.
const LIMIT: usize = 100;
const MOST: usize = 1000;

/// Query parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// The name or id of an object: only its changes.
    zone: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn report(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(HistoryQuery { zone, limit }): Query<HistoryQuery>,
) -> Response {
    let most = limit.unwrap_or(LIMIT).min(MOST);
    // The whole file is read.
    let permit = match limits.histories.acquire().await {
        Ok(permit) => permit,
        Err(response) => return *response,
    };
    permit
        .run_blocking(move || match admin.latest(most, zone.as_deref()) {
            Ok(mut records) => {
                records.reverse();
                json(StatusCode::OK, &HistoryShape { events: records.iter().map(named).collect() })
            }
            Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, &format!("the history cannot be read: {error}")),
        })
        .await
}

fn named(record: &EventRecord) -> NamedEventShape {
    let (name, event) = shape(record);
    NamedEventShape { name: name.to_owned(), event }
}

impl AdminState {
    /// The last events, oldest first: those of the history, or else those in memory.
    fn latest(&self, most: usize, zone: Option<&str>) -> std::io::Result<Vec<EventRecord>> {
        if let Some(latest) = self.event_log.history().latest(most, zone) {
            return latest;
        }
        let records = self.event_log.since(0).records.into_iter().map(|(_, record)| (*record).clone());
        let mut records: Vec<EventRecord> =
            records.filter(|record| zone.is_none_or(|zone| record.is_of(zone))).collect();
        records.drain(..records.len().saturating_sub(most));
        Ok(records)
    }
}

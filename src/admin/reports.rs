//! The health checks at one moment, for several routes.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::control::{CheckReport, HealthView};
use crate::health::{Override, Pattern, Status, Timestamp};

use super::shapes::CheckCountsShape;
use super::{json, refusal};

/// Most checks with history, zones or groups in a response.
pub(super) const LARGEST_PAGE: usize = 200;

/// Some checks at one moment.
pub(super) struct Report {
    pub(super) at: Timestamp,
    pub(super) health: Arc<HealthView>,
    pub(super) checks: Vec<CheckReport>,
}

impl Report {
    /// The checks whose name matches; `None` for all.
    pub(super) fn new(health: Arc<HealthView>, pattern: Option<&Pattern>, at: Timestamp) -> Report {
        Report { at, checks: health.checks(pattern), health }
    }

    /// The override in force for a check.
    pub(super) fn override_of(&self, check: &CheckReport) -> Option<&Override> {
        self.health.override_of(check, self.at)
    }
}

/// Serializes on a blocking thread: with 20 000 checks this is megabytes of JSON.
pub(super) async fn in_words<S: Serialize>(shape: impl FnOnce() -> S + Send + 'static) -> Response {
    let words = tokio::task::spawn_blocking(move || json(StatusCode::OK, &shape())).await;
    words.unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be serialized"))
}

/// Counts the checks by status.
pub(super) fn counts(report: &Report) -> CheckCountsShape {
    let mut counts = CheckCountsShape::default();
    for check in &report.checks {
        counts.all += 1;
        counts.unhealthy += usize::from(check.view.final_status == Status::Unhealthy);
        counts.overridden += usize::from(report.override_of(check).is_some());
        counts.pending += usize::from(check.view.pending);
    }
    counts
}

//! `/v1/overrides`: lists, sets and clears overrides.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::control::{Event, OverrideError, OverrideOutcome, OverrideView, parse_rfc3339, rfc3339};
use crate::health::{Action, Drain, Override, OverrideRequest, Pattern, Timestamp, WeightShare};

use super::query::{NoParameters, Query};
use super::shapes::{
    ActionShape, DrainShape, ErrorShape, OverrideOutcomeShape, OverrideRequestShape, OverrideShape, OverridesShape,
};
use super::{AdminState, json, json_object, refusal};

/// Longest drain in seconds: a day.
const MOST_OVER_S: u64 = 86_400;

/// Query parameters of a `DELETE`: the override to clear.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideQuery {
    pattern: String,
}

pub(super) async fn list(State(admin): State<AdminState>, Query(NoParameters {}): Query<NoParameters>) -> Response {
    match admin.health() {
        Ok(health) => {
            let overrides = health.overrides((admin.now)()).iter().map(shape).collect();
            json(StatusCode::OK, &OverridesShape { overrides })
        }
        Err(response) => *response,
    }
}

pub(super) async fn set(
    State(admin): State<AdminState>,
    Query(NoParameters {}): Query<NoParameters>,
    body: Bytes,
) -> Response {
    let request = json_object(&body).and_then(request);
    match request {
        Ok(request) => change(&admin, StatusCode::CREATED, |answer| Event::SetOverride(request, answer)).await,
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error),
    }
}

pub(super) async fn clear(
    State(admin): State<AdminState>,
    Query(OverrideQuery { pattern }): Query<OverrideQuery>,
) -> Response {
    change(&admin, StatusCode::OK, |answer| Event::ClearOverrides(Pattern(pattern), answer)).await
}

async fn change(admin: &AdminState, done: StatusCode, event: impl FnOnce(crate::control::Answer) -> Event) -> Response {
    match admin.ask(event).await {
        Ok(Ok(outcome)) => json(done, &outcome_shape(&outcome)),
        Ok(Err(error)) => refused(&error),
        Err(response) => *response,
    }
}

fn request(shape: OverrideRequestShape) -> Result<OverrideRequest, String> {
    let OverrideRequestShape { pattern, action, over_s, reason, author, from, until } = shape;
    let action = match (action, over_s) {
        (ActionShape::Up, None) => Action::Up,
        (ActionShape::Down, None) => Action::Down,
        (ActionShape::Drain, Some(seconds)) if (1..=MOST_OVER_S).contains(&seconds) => {
            Action::Drain(Drain::over(Duration::from_secs(seconds)))
        }
        (ActionShape::Drain, _) => {
            return Err(format!("a drain needs `over_s`, from 1 to {MOST_OVER_S} seconds"));
        }
        (ActionShape::Up | ActionShape::Down, Some(_)) => return Err("`over_s` is for the action `drain`".to_owned()),
    };
    let time = |text: String| {
        parse_rfc3339(&text).ok_or_else(|| format!("`{text}` is not a time such as 2026-03-01T22:00:00Z"))
    };
    let from = from.map(time).transpose()?.unwrap_or(Timestamp::default());
    let until = until.map(time).transpose()?;
    let author = if author.is_empty() { "unknown".to_owned() } else { author };
    Ok(OverrideRequest { pattern: Pattern(pattern), action, reason, author, from, until })
}

fn outcome_shape(outcome: &OverrideOutcome) -> OverrideOutcomeShape {
    let warning = outcome.durable.as_ref().err();
    OverrideOutcomeShape {
        overrides: outcome.changed.iter().map(shape).collect(),
        replaced: outcome.replaced.is_some(),
        warning: warning.map(|error| format!("it is in force, but a restart will lose it: {error}")),
    }
}

pub(super) fn shape(view: &OverrideView) -> OverrideShape {
    let OverrideRequest { pattern, action, reason, author, from, until } = &view.details.request;
    OverrideShape {
        id: view.details.id.0,
        pattern: pattern.0.clone(),
        action: action_shape(*action),
        reason: reason.clone(),
        author: author.clone(),
        node: view.details.origin.as_ref().map(|origin| origin.node.clone()),
        from: rfc3339(*from),
        until: until.map(rfc3339),
        drain: drain_shape(&view.details, view.left),
        active: view.is_active,
        checks: view.checks.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn action_shape(action: Action) -> ActionShape {
    match action {
        Action::Up => ActionShape::Up,
        Action::Down => ActionShape::Down,
        Action::Drain(_) => ActionShape::Drain,
    }
}

/// `left` is the share of the weight that a drain has left.
pub(super) fn drain_shape(details: &Override, left: Option<WeightShare>) -> Option<DrainShape> {
    let Action::Drain(drain) = details.request.action else { return None };
    Some(DrainShape {
        over_s: drain.over.as_secs(),
        left_percent: left.map_or(0, WeightShare::percent),
        drained_at: rfc3339(details.draining()?.ends()),
    })
}

fn refused(error: &OverrideError) -> Response {
    let (status, known) = match error {
        OverrideError::UnknownCheck { names, .. } => {
            (StatusCode::NOT_FOUND, names.iter().map(ToString::to_string).collect())
        }
        OverrideError::UnknownOverride { patterns, .. } => (StatusCode::NOT_FOUND, patterns.clone()),
        OverrideError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, Vec::new()),
        OverrideError::InvalidOverride(_) | OverrideError::BadText { .. } => (StatusCode::BAD_REQUEST, Vec::new()),
    };
    json(status, &ErrorShape { error: error.to_string(), known })
}

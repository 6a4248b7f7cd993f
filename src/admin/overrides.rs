//! Overrides over HTTP.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::control::{Event, NotSteered, OverrideView, Steered, parse_rfc3339, rfc3339};
use crate::health::{Action, Moment, Pattern, Wish};

use super::shapes::{ActionShape, ErrorShape, OverrideShape, OverridesShape, SteeredShape, WishShape};
use super::{Door, json, refusal};

/// Which overrides are to be cleared.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    pattern: String,
}

pub(super) async fn list(State(door): State<Door>) -> Response {
    match door.ask(Event::ListOverrides).await {
        Ok(views) => json(StatusCode::OK, &OverridesShape { overrides: views.iter().map(shape).collect() }),
        Err(response) => *response,
    }
}

pub(super) async fn set(State(door): State<Door>, body: Bytes) -> Response {
    let wish = serde_json::from_slice(&body).map_err(|error| error.to_string()).and_then(wish);
    match wish {
        Ok(wish) => steer(&door, StatusCode::CREATED, |answer| Event::SetOverride(wish, answer)).await,
        Err(error) => refusal(StatusCode::BAD_REQUEST, &error),
    }
}

pub(super) async fn clear(State(door): State<Door>, Query(Which { pattern }): Query<Which>) -> Response {
    steer(&door, StatusCode::OK, |answer| Event::ClearOverrides(Pattern(pattern), answer)).await
}

async fn steer(door: &Door, done: StatusCode, event: impl FnOnce(crate::control::Answer) -> Event) -> Response {
    match door.ask(event).await {
        Ok(Ok(steered)) => json(done, &steered_shape(&steered)),
        Ok(Err(error)) => not_steered(&error),
        Err(response) => *response,
    }
}

fn wish(shape: WishShape) -> Result<Wish, String> {
    let WishShape { pattern, action, reason, author, from, until } = shape;
    let action = match action {
        ActionShape::Up => Action::Up,
        ActionShape::Down => Action::Down,
    };
    let moment = |text: String| {
        parse_rfc3339(&text).ok_or_else(|| format!("`{text}` is no moment such as 2026-03-01T22:00:00Z"))
    };
    let from = from.map(moment).transpose()?.unwrap_or(Moment::default());
    let until = until.map(moment).transpose()?;
    let author = if author.is_empty() { "somebody".to_owned() } else { author };
    Ok(Wish { pattern: Pattern(pattern), action, reason, author, from, until })
}

fn steered_shape(steered: &Steered) -> SteeredShape {
    let warning = steered.durable.as_ref().err();
    SteeredShape {
        overrides: steered.changed.iter().map(shape).collect(),
        replaced: steered.replaced.is_some(),
        warning: warning.map(|error| format!("it counts, but a restart will not know of it: {error}")),
    }
}

pub(super) fn shape(view: &OverrideView) -> OverrideShape {
    let Wish { pattern, action, reason, author, from, until } = &view.granted.wish;
    OverrideShape {
        id: view.granted.id.0,
        pattern: pattern.0.clone(),
        action: match action {
            Action::Up => ActionShape::Up,
            Action::Down => ActionShape::Down,
        },
        reason: reason.clone(),
        author: author.clone(),
        from: rfc3339(*from),
        until: until.map(rfc3339),
        active: view.is_active,
        checks: view.checks.iter().map(ToString::to_string).collect(),
    }
}

fn not_steered(error: &NotSteered) -> Response {
    let (status, known) = match error {
        NotSteered::UnknownCheck { names, .. } => {
            (StatusCode::NOT_FOUND, names.iter().map(ToString::to_string).collect())
        }
        NotSteered::UnknownOverride { patterns, .. } => (StatusCode::NOT_FOUND, patterns.clone()),
        NotSteered::NotGranted(_) | NotSteered::BadText { .. } => (StatusCode::BAD_REQUEST, Vec::new()),
    };
    json(status, &ErrorShape { error: error.to_string(), known })
}

//! `/v1/undo`: undoes a change of the history by a new change. With `plan=true` it says only what
//! that would do.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::control::rfc3339;
use crate::history::{EventKind, EventRecord, ObjectChange, new_change_id};
use crate::load::{CHANGED, Inverse, LoadedConfig, NoInverse, OTHER_REFERENCE, UndoConflict, with_files};
use crate::model::readable_name;
use crate::objects::{Author, Commit, CommitError, ObjectStore as _, Quotas, Submission};

use super::changes::{Refused, author_of, refused};
use super::concurrency_limit::ConcurrencyLimits;
use super::plan::PlanClients;
use super::query::Query;
use super::shapes::UndoneShape;
use super::{AdminState, json};

/// How often the inverse is computed again because the object changed meanwhile.
const TRIES: usize = 10;
/// The most conflicts that an error lists.
const LISTED: usize = 20;

/// Query parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoQuery {
    /// The id of the change.
    id: String,
    /// Who undoes it.
    #[serde(default)]
    author: String,
    /// Undo it even if that removes more record sets than `[api] largest_removal` allows.
    #[serde(default)]
    force: bool,
    /// Only say what it would do.
    #[serde(default)]
    plan: bool,
    /// Which clients the plan simulates.
    #[serde(default)]
    from: PlanClients,
}

pub(super) async fn undo(
    State(admin): State<AdminState>,
    State(limits): State<ConcurrencyLimits>,
    Query(query): Query<UndoQuery>,
) -> Response {
    if query.plan {
        // Zones are read and compiled.
        let permit = match limits.zones.acquire().await {
            Ok(permit) => permit,
            Err(response) => return *response,
        };
        let base = admin.health.load().base.clone();
        let plan = move || match admin.inverse(&base, &query).and_then(|commit| admin.plan(&commit, query.from)) {
            Ok(plan) => json(StatusCode::OK, &plan),
            Err(error) => refused(error),
        };
        return permit.run_blocking(plan).await;
    }
    match admin.undo(query).await {
        Ok(undone) => json(StatusCode::OK, &undone),
        Err(error) => refused(error),
    }
}

impl AdminState {
    async fn undo(&self, query: UndoQuery) -> Result<UndoneShape, Refused> {
        for _ in 0..TRIES {
            let (admin, base, query) = (self.clone(), self.base.borrow().clone(), query.clone());
            // The whole history is read, and maybe a zone.
            let commit = with_files(move || admin.inverse(&base, &query)).await;
            let commit = commit.map_err(|error| Refused::Unavailable(error.to_string()))??;
            let undone = UndoneShape {
                change_id: commit.submission.as_ref().map(|submission| submission.id.clone()).unwrap_or_default(),
                kind: commit.id.kind().to_owned(),
                id: commit.id.text().to_owned(),
            };
            match self.objects.commit(commit).await {
                Err(CommitError::Conflict) => {}
                done => return done.map(|_| undone).map_err(Refused::Commit),
            }
        }
        Err(CommitError::Conflict.into())
    }

    /// The change that undoes another. This reads the history.
    fn inverse(&self, base: &LoadedConfig, query: &UndoQuery) -> Result<Commit, Refused> {
        let UndoQuery { id, author, force, .. } = query;
        let Some(since) = self.event_log.history().since_change(id) else {
            return Err(Refused::Request("this server keeps no history, so nothing can be undone".to_owned()));
        };
        let since = since.map_err(|error| Refused::Unavailable(format!("the history cannot be read: {error}")))?;
        let Some((EventRecord { what: EventKind::Changed(change), .. }, later)) = since.split_first() else {
            let hint = "`fiftythree history` shows the ids of changes";
            return Err(Refused::Request(format!("the history has no change with the id {id}; {hint}")));
        };
        let Inverse { change: inverse, expected } =
            base.inverse(change, *force).map_err(|why| why_not(id, why, later))?;
        let author = Author { name: author_of(author), operation: "Undo".to_owned() };
        let comment = Some(format!("undoes {id}"));
        let submission = Some(Submission { id: new_change_id(), comment });
        Ok(Commit {
            id: change.object.clone(),
            expected,
            change: inverse,
            author,
            submission,
            quotas: Quotas::Unlimited,
        })
    }
}

/// Why a change cannot be undone. `later` are the later changes of the object.
fn why_not(id: &str, why: NoInverse, later: &[EventRecord]) -> Refused {
    let conflicts = match why {
        NoInverse::Commit(error) => return Refused::Commit(error),
        NoInverse::Impossible(why) => return Refused::Request(format!("{id} cannot be undone: {why}")),
        NoInverse::Conflicts(conflicts) => conflicts,
    };
    let mut lines = vec![format!("{id} cannot be undone, because later changes touched the same:")];
    lines.extend(conflicts.iter().take(LISTED).map(|conflict| line(conflict, later)));
    if conflicts.len() > LISTED {
        lines.push(format!("and {} more", conflicts.len() - LISTED));
    }
    Refused::Conflict(lines.join("\n  "))
}

/// For example `www.lab.test. A has changed since: 2026-12-01T12:00:00Z Edit by ada (C…)`.
fn line(UndoConflict { what, now }: &UndoConflict, later: &[EventRecord]) -> String {
    let changes = later.iter().rev().filter_map(|record| match &record.what {
        EventKind::Changed(change) => Some((record.at, &**change)),
        _ => None,
    });
    let touches = |change: &ObjectChange| change.parts.iter().any(|part| part.what == *what);
    let by = changes.into_iter().find(|(_, change)| touches(change)).map(|(at, change)| {
        let id = change.submission.as_ref().map(|submission| format!(" ({})", submission.id)).unwrap_or_default();
        format!("{} of {} by {}{id}", change.author.operation, rfc3339(at), change.author.name)
    });
    let what = readable_name(what);
    match by {
        Some(by) if *now == OTHER_REFERENCE => format!("{what} {CHANGED}: {by}"),
        Some(by) => format!("{what} {now}: {by}"),
        // The check or collection was renamed or replaced; the record set itself is as it was.
        None if *now == OTHER_REFERENCE => format!("{what} {now}"),
        None => format!("{what} {now}: the history does not have that change"),
    }
}

//! `/v1/changes`, `/v1/records` and `POST` and `DELETE` of `/v1/zones`: changes of hosted zones and
//! their record sets.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::api::{change_batch, ids};
use crate::history::new_change_id;
use crate::load::LoadedConfig;
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, HostedZone, HostedZoneId, Name, RecordSetKey, RecordType,
    ResourceRecordSet, VpcId,
};
use crate::objects::{
    Author, Change, Commit, CommitError, ErrorCode, FORCE_BY_COMMAND, Object, ObjectId, ObjectStore as _, Quotas,
    Revision, Submission,
};

use super::query::{NoParameters, Query};
use super::shapes::{ChangedZoneShape, NewZoneShape};
use super::{AdminState, json, json_object, refusal};

/// How often a record set is read again because it changed before it was deleted.
const TRIES: usize = 10;

/// The zone of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfZone {
    /// Its name or id; without it the closest zone that contains all names.
    pub(super) zone: Option<String>,
    /// Who makes the change.
    #[serde(default)]
    pub(super) author: String,
}

/// A record set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordQuery {
    zone: Option<String>,
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    set_identifier: Option<String>,
    #[serde(default)]
    author: String,
}

/// A zone to delete.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ZoneQuery {
    /// Its name or id.
    zone: String,
    #[serde(default)]
    author: String,
}

/// What keeps a request from being made.
pub(super) enum Refused {
    Request(String),
    Commit(CommitError),
    /// Something has changed since.
    Conflict(String),
    /// It can be tried again later.
    Unavailable(String),
}

impl From<CommitError> for Refused {
    fn from(error: CommitError) -> Refused {
        Refused::Commit(error)
    }
}

/// Makes the changes of a batch.
pub(super) async fn batch(State(admin): State<AdminState>, Query(of): Query<OfZone>, body: Bytes) -> Response {
    let change = async { admin.make(admin.batch_commit(&of, &body)?).await };
    answer(StatusCode::OK, change.await)
}

/// Deletes one record set with any content.
pub(super) async fn delete_record(State(admin): State<AdminState>, Query(query): Query<RecordQuery>) -> Response {
    let change = async {
        let name = Name::parse(&query.name).map_err(|error| Refused::Request(error.to_string()))?;
        let record_type: Result<RecordType, _> = query.record_type.parse();
        let record_type = record_type.map_err(|_| Refused::Request(unknown_type(&query.record_type)))?;
        let key = RecordSetKey { name, record_type, set_identifier: query.set_identifier.clone() };
        let id = zone_meant(&admin.base(), query.zone.as_deref(), &[&key.name])?;
        for _ in 0..TRIES {
            let (revision, object) = admin.objects.read(&ObjectId::HostedZone(id.clone())).await?;
            let Object::HostedZone(zone) = object else { break };
            let Some(set) = zone.record_sets.iter().find(|set| set.key() == key) else {
                return Err(Refused::Request(format!("there is no record set {key}")));
            };
            let change = delete((**set).clone());
            let commit = admin.commit_at(id.clone(), Some(revision), change, &query.author, "ChangeResourceRecordSets");
            match commit.await {
                Err(Refused::Commit(CommitError::Conflict)) => {}
                done => return done,
            }
        }
        Err(CommitError::Conflict.into())
    };
    answer(StatusCode::OK, change.await)
}

/// Creates a hosted zone.
pub(super) async fn create_zone(
    State(admin): State<AdminState>,
    Query(NoParameters {}): Query<NoParameters>,
    body: Bytes,
) -> Response {
    let change = async {
        let NewZoneShape { name, comment, vpcs, author } = json_object(&body).map_err(Refused::Request)?;
        let name = Name::parse(&name).map_err(|error| Refused::Request(error.to_string()))?;
        let id = ids::hosted_zone().map(HostedZoneId).map_err(|error| Refused::Request(error.to_string()))?;
        let zone =
            HostedZone { comment, vpcs: vpcs.into_iter().map(VpcId).collect(), ..HostedZone::new(id.clone(), name) };
        admin.commit(id, Change::Create(Object::HostedZone(zone.into())), &author, "CreateHostedZone").await
    };
    answer(StatusCode::CREATED, change.await)
}

/// Deletes a hosted zone that has only its default record sets.
pub(super) async fn delete_zone(State(admin): State<AdminState>, Query(query): Query<ZoneQuery>) -> Response {
    let change = async {
        let id = zone_meant(&admin.base(), Some(&query.zone), &[])?;
        admin.commit(id, Change::Delete, &query.author, "DeleteHostedZone").await
    };
    answer(StatusCode::OK, change.await)
}

impl AdminState {
    fn base(&self) -> LoadedConfig {
        self.base.borrow().clone()
    }

    /// The change of a batch.
    pub(super) fn batch_commit(&self, of: &OfZone, body: &[u8]) -> Result<Commit, Refused> {
        let batch = change_batch::read(body).map_err(|error| Refused::Request(error.to_string()))?;
        let base = self.base();
        let names: Vec<&Name> = batch.changes.iter().map(|change| &change.record_set.name).collect();
        let id = zone_meant(&base, of.zone.as_deref(), &names)?;
        let change = Change::RecordSets(base.with_ids(batch)?);
        Ok(commit_of(id, None, change, &of.author, "ChangeResourceRecordSets"))
    }

    async fn commit(
        &self,
        id: HostedZoneId,
        change: Change,
        author: &str,
        operation: &str,
    ) -> Result<ChangedZoneShape, Refused> {
        self.commit_at(id, None, change, author, operation).await
    }

    async fn commit_at(
        &self,
        id: HostedZoneId,
        expected: Option<Revision>,
        change: Change,
        author: &str,
        operation: &str,
    ) -> Result<ChangedZoneShape, Refused> {
        self.make(commit_of(id, expected, change, author, operation)).await
    }

    async fn make(&self, commit: Commit) -> Result<ChangedZoneShape, Refused> {
        let id = commit.id.text().to_owned();
        let change_id = commit.submission.as_ref().map(|submission| submission.id.clone());
        let committed = self.objects.commit(commit).await?;
        let record_sets = match committed.object {
            Some(Object::HostedZone(zone)) => zone.record_sets.len(),
            _ => 0,
        };
        Ok(ChangedZoneShape { id, record_sets, change_id: change_id.filter(|_| self.event_log.history().is_kept()) })
    }
}

fn commit_of(id: HostedZoneId, expected: Option<Revision>, change: Change, author: &str, operation: &str) -> Commit {
    let author = Author { name: author_of(author), operation: operation.to_owned() };
    // So that it can be undone.
    let submission = Some(Submission { id: new_change_id(), comment: None });
    Commit { id: ObjectId::HostedZone(id), expected, change, author, submission, quotas: Quotas::Unlimited }
}

/// Who makes a change.
pub(super) fn author_of(written: &str) -> String {
    if written.is_empty() { "the admin side".to_owned() } else { written.to_owned() }
}

fn zone_meant(base: &LoadedConfig, written: Option<&str>, names: &[&Name]) -> Result<HostedZoneId, Refused> {
    base.zone_meant(written, names).map_err(|error| Refused::Request(error.to_string()))
}

fn delete(record_set: ResourceRecordSet) -> Change {
    let changes = vec![RecordChange { action: ChangeAction::Delete, record_set }];
    Change::RecordSets(ChangeBatch { comment: None, changes })
}

fn unknown_type(written: &str) -> String {
    format!("`{written}` is not a record type of Route 53")
}

fn answer(done: StatusCode, outcome: Result<ChangedZoneShape, Refused>) -> Response {
    match outcome {
        Ok(shape) => json(done, &shape),
        Err(error) => refused(error),
    }
}

/// The response to a request that is not made.
pub(super) fn refused(error: Refused) -> Response {
    let error = match error {
        Refused::Request(error) => return refusal(StatusCode::BAD_REQUEST, &error),
        Refused::Conflict(error) => return refusal(StatusCode::CONFLICT, &error),
        Refused::Unavailable(error) => return refusal(StatusCode::SERVICE_UNAVAILABLE, &error),
        Refused::Commit(error) => error,
    };
    let status = match &error {
        CommitError::Conflict => StatusCode::CONFLICT,
        CommitError::Unavailable(_) | CommitError::Late => StatusCode::SERVICE_UNAVAILABLE,
        CommitError::Refused(refusal) if refusal.code == ErrorCode::NoSuchHostedZone => StatusCode::NOT_FOUND,
        CommitError::Refused(_) => StatusCode::BAD_REQUEST,
    };
    refusal(status, &error.with_way_to_force(FORCE_BY_COMMAND).to_string())
}

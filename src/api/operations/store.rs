//! Objects as operations read and change them: by id, as far as the caller sees them, with errors
//! of the API.

use std::sync::Arc;

use super::{ApiError, Code, Context, Request};
use crate::model::{HealthCheck, HealthCheckId, HostedZone, HostedZoneId, StrictRule};
use crate::objects::{
    Author, Change, Commit, CommitError, Committed, ErrorCode, FORCE_BY_API, Object, ObjectId, Quotas, Refusal,
    Revision, ZoneSummary,
};

/// How often a change is made again because somebody else changed the object at the same time.
const TRIES: usize = 8;

impl Context {
    /// The hosted zones that the caller sees.
    pub(super) fn zones(&self, request: &Request) -> Vec<ZoneSummary> {
        let mut zones = self.objects.zones();
        zones.retain(|zone| request.caller.sees_zone(&zone.name.to_string()));
        zones
    }

    /// A hosted zone without its record sets.
    pub(super) fn zone_summary(&self, request: &Request, id: &str) -> Result<ZoneSummary, ApiError> {
        let found = self.zones(request).into_iter().find(|zone| zone.id.0 == id);
        found.ok_or_else(|| no_such_zone(id))
    }

    /// A hosted zone.
    pub(super) async fn zone(&self, request: &Request, id: &str) -> Result<(Revision, Arc<HostedZone>), ApiError> {
        self.zone_summary(request, id)?;
        match self.read(&zone_id(id)).await? {
            (revision, Object::HostedZone(zone)) => Ok((revision, zone)),
            _ => Err(no_such_zone(id)),
        }
    }

    async fn read(&self, id: &ObjectId) -> Result<(Revision, Object), ApiError> {
        self.objects.read(id).await.map_err(|error| {
            if let CommitError::Unavailable(why) = &error {
                tracing::info!("{id:?} cannot be read for the API: {why}");
            }
            error.into()
        })
    }

    /// A health check.
    pub(super) fn health_check(&self, id: &str) -> Result<HealthCheck, ApiError> {
        let found = self.objects.health_checks().iter().find(|check| check.id.0 == id).cloned();
        found.ok_or_else(|| no_such_check(id))
    }

    /// Replaces the members of a hosted zone by what `change` makes of it. The record sets stay.
    pub(super) async fn update_zone(
        &self,
        request: &Request,
        id: &str,
        change: impl Fn(HostedZone) -> Result<HostedZone, ApiError>,
    ) -> Result<Arc<HostedZone>, ApiError> {
        self.zone_summary(request, id)?;
        let update = |object| match object {
            Object::HostedZone(zone) => Ok(Object::HostedZone(change((*zone).clone())?.into())),
            _ => Err(no_such_zone(id)),
        };
        match self.update(request, &zone_id(id), update).await? {
            Object::HostedZone(zone) => Ok(zone),
            _ => Err(no_such_zone(id)),
        }
    }

    /// Replaces the members of a health check by what `change` makes of it.
    pub(super) async fn update_health_check(
        &self,
        request: &Request,
        id: &str,
        change: impl Fn(HealthCheck) -> Result<HealthCheck, ApiError>,
    ) -> Result<Arc<HealthCheck>, ApiError> {
        let update = |object| match object {
            Object::HealthCheck(check) => Ok(Object::HealthCheck(change((*check).clone())?.into())),
            _ => Err(no_such_check(id)),
        };
        match self.update(request, &ObjectId::HealthCheck(HealthCheckId(id.to_owned())), update).await? {
            Object::HealthCheck(check) => Ok(check),
            _ => Err(no_such_check(id)),
        }
    }

    /// Replaces an object by what `change` makes of it. If somebody else changes it at the same
    /// time, `change` gets what they made.
    pub(super) async fn update(
        &self,
        request: &Request,
        id: &ObjectId,
        change: impl Fn(Object) -> Result<Object, ApiError>,
    ) -> Result<Object, ApiError> {
        for _ in 0..TRIES {
            let (revision, object) = self.read(id).await?;
            let changed = change(object)?;
            let commit = self.commit_of(request, id.clone(), Some(revision), Change::Update(changed));
            match self.objects.commit(commit).await {
                Err(CommitError::Conflict) => {}
                Ok(Committed { object: Some(object), .. }) => return Ok(object),
                Ok(_) => return Err(ApiError::new(Code::InternalFailure, "the object is gone after its change")),
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict.into())
    }

    /// Makes a change to an object of any revision.
    pub(super) async fn commit(&self, request: &Request, id: ObjectId, change: Change) -> Result<Committed, ApiError> {
        Ok(self.objects.commit(self.commit_of(request, id, None, change)).await?)
    }

    fn commit_of(&self, request: &Request, id: ObjectId, expected: Option<Revision>, change: Change) -> Commit {
        let name = format!("key {}", request.caller.access_key_id);
        let author = Author { name, operation: request.operation.name().to_owned() };
        let quotas = if self.keeps(StrictRule::Quotas) { Quotas::Default } else { Quotas::Unlimited };
        Commit { id, expected, change, author, submission: request.submission.get().cloned(), quotas }
    }
}

pub(super) fn zone_id(id: &str) -> ObjectId {
    ObjectId::HostedZone(HostedZoneId(id.to_owned()))
}

pub(super) fn no_such_zone(id: &str) -> ApiError {
    ApiError::new(Code::NoSuchHostedZone, format!("No hosted zone found with ID: {id}"))
}

fn no_such_check(id: &str) -> ApiError {
    ApiError::new(Code::NoSuchHealthCheck, format!("No health check exists with the specified ID: {id}"))
}

/// Clients try again after the errors of a server that cannot make a change now. The reasons name
/// files of the server, which are for its log only.
impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> ApiError {
        let message = match error {
            CommitError::Refused(refusal) => return refusal.into(),
            CommitError::Conflict => "Other requests change the resource at the same time. Try again.",
            CommitError::Unavailable(_) => {
                "The server cannot do this now. Try again; if that does not help, ask who runs it: its log says why."
            }
            CommitError::Late => {
                "The change takes too long. It may still be made: look at the resource before you try again."
            }
        };
        ApiError::new(Code::ServiceUnavailable, message)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let Refusal { code, messages, .. } = refusal.with_way_to_force(FORCE_BY_API);
        let message = match code {
            // As clients print it: `[first, second]`.
            ErrorCode::InvalidChangeBatch => format!("[{}]", messages.join(", ")),
            _ => messages.join(", "),
        };
        ApiError::new(code_of(code), message)
    }
}

fn code_of(code: ErrorCode) -> Code {
    match code {
        ErrorCode::CidrCollectionAlreadyExistsException => Code::CidrCollectionAlreadyExistsException,
        ErrorCode::CidrCollectionInUseException => Code::CidrCollectionInUseException,
        ErrorCode::ConflictingDomainExists => Code::ConflictingDomainExists,
        ErrorCode::DelegationSetAlreadyCreated => Code::DelegationSetAlreadyCreated,
        ErrorCode::DelegationSetAlreadyReusable => Code::DelegationSetAlreadyReusable,
        ErrorCode::DelegationSetInUse => Code::DelegationSetInUse,
        ErrorCode::DelegationSetNotAvailable => Code::DelegationSetNotAvailable,
        ErrorCode::HealthCheckAlreadyExists => Code::HealthCheckAlreadyExists,
        ErrorCode::HostedZoneAlreadyExists => Code::HostedZoneAlreadyExists,
        ErrorCode::HostedZoneNotEmpty => Code::HostedZoneNotEmpty,
        ErrorCode::HostedZoneNotFound => Code::HostedZoneNotFound,
        ErrorCode::InvalidArgument => Code::InvalidArgument,
        ErrorCode::InvalidChangeBatch => Code::InvalidChangeBatch,
        ErrorCode::InvalidDomainName => Code::InvalidDomainName,
        ErrorCode::InvalidInput => Code::InvalidInput,
        ErrorCode::LastVPCAssociation => Code::LastVPCAssociation,
        ErrorCode::LimitsExceeded => Code::LimitsExceeded,
        ErrorCode::NoSuchCidrCollectionException => Code::NoSuchCidrCollectionException,
        ErrorCode::NoSuchDelegationSet => Code::NoSuchDelegationSet,
        ErrorCode::NoSuchHealthCheck => Code::NoSuchHealthCheck,
        ErrorCode::NoSuchHostedZone => Code::NoSuchHostedZone,
        ErrorCode::NoSuchTrafficPolicy => Code::NoSuchTrafficPolicy,
        ErrorCode::PublicZoneVPCAssociation => Code::PublicZoneVPCAssociation,
        ErrorCode::TooManyHealthChecks => Code::TooManyHealthChecks,
        ErrorCode::TooManyHostedZones => Code::TooManyHostedZones,
        ErrorCode::TooManyTrafficPolicies => Code::TooManyTrafficPolicies,
        ErrorCode::TooManyTrafficPolicyInstances => Code::TooManyTrafficPolicyInstances,
        ErrorCode::TrafficPolicyAlreadyExists => Code::TrafficPolicyAlreadyExists,
        ErrorCode::TrafficPolicyInUse => Code::TrafficPolicyInUse,
    }
}

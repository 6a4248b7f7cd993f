//! What an object is after a change, by the rules of Route 53.

use std::sync::Arc;

use super::refusal::refusal;
use super::removal::{is_forced, removal_problem};
use super::{
    Change, CommitError, ErrorCode, Object, ObjectId, Refusal, Snapshot, ZoneSummary, delegation_sets, traffic_policies,
};
use crate::model::{
    Change as RecordChange, ChangeAction, ChangeBatch, CidrCollection, HealthCheck, HostedZone, Name,
    RecordSetProtection, RecordType, ResourceRecordSet, RoutingPolicy, policy_problems,
};

/// An object before and after a change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transition {
    /// `None` for a new object.
    pub(crate) before: Option<Object>,
    /// `None` for a removed object.
    pub(crate) after: Option<Object>,
}

/// The object before and after the change.
pub(crate) fn decide(objects: &dyn Snapshot, id: &ObjectId, change: &Change) -> Result<Transition, CommitError> {
    let before = match change {
        Change::Create(_) => None,
        Change::Revert(_) => match current(objects, id) {
            Err(CommitError::Refused(_)) => None,
            before => Some(before?),
        },
        _ => Some(current(objects, id)?),
    };
    let after = match (change, &before) {
        (Change::Create(object), _) => Some(created(objects, object)?),
        (Change::Update(object), Some(before)) => Some(updated(objects, before, object)?),
        (Change::RecordSets(batch), Some(Object::HostedZone(zone))) => {
            Some(Object::HostedZone(with_record_sets(objects, zone, batch)?.into()))
        }
        (Change::RecordSets(_), _) => return Err(other_kind()),
        (Change::Revert(Some(object)), before) => Some(reverted(objects, before.as_ref(), object)?),
        (Change::Revert(None), Some(before)) => {
            may_be_reverted_to_nothing(objects, before)?;
            None
        }
        (_, Some(before)) => {
            may_be_removed(objects, before)?;
            None
        }
        (_, None) => return Err(other_kind()),
    };
    Ok(Transition { before, after })
}

/// The caller named an object of one kind and gave one of another kind.
fn other_kind() -> CommitError {
    CommitError::Unavailable("the change does not belong to this kind of object".to_owned())
}

/// An object as it is.
pub(crate) fn current(objects: &dyn Snapshot, id: &ObjectId) -> Result<Object, CommitError> {
    match id {
        ObjectId::HostedZone(id) => objects.zone(id).map(Object::HostedZone),
        ObjectId::HealthCheck(id) => {
            let check = objects.health_checks().iter().find(|check| check.id == *id);
            let check = check.cloned().map(|check| Object::HealthCheck(check.into()));
            check.ok_or_else(|| refusal(ErrorCode::NoSuchHealthCheck, no_such_check(&id.0)))
        }
        ObjectId::CidrCollection(id) => {
            let collection = objects.cidr_collections().iter().find(|collection| collection.id == *id);
            let collection = collection.cloned().map(|collection| Object::CidrCollection(collection.into()));
            let message = format!("The CIDR collection with ID {} was not found.", id.0);
            collection.ok_or_else(|| refusal(ErrorCode::NoSuchCidrCollectionException, message))
        }
        ObjectId::DelegationSet(id) => {
            delegation_sets::find(objects, id).map(|set| Object::DelegationSet(set.clone().into()))
        }
        ObjectId::TrafficPolicy(id) => {
            traffic_policies::find(objects, id).map(|policy| Object::TrafficPolicy(policy.clone().into()))
        }
        ObjectId::AliasTarget(name) => {
            let target = objects.alias_target(name).map(|target| Object::AliasTarget(target.clone().into()));
            let message = || format!("there is no alias target with the name {name}");
            target.ok_or_else(|| refusal(ErrorCode::InvalidInput, message()))
        }
    }
}

fn created(objects: &dyn Snapshot, object: &Object) -> Result<Object, CommitError> {
    match object {
        Object::HostedZone(zone) => new_zone(objects, zone).map(|zone| Object::HostedZone(zone.into())),
        Object::HealthCheck(check) => {
            check_can_be_new(objects, check)?;
            Ok(object.clone())
        }
        Object::CidrCollection(collection) => {
            // API CreateCidrCollection, CidrCollectionAlreadyExistsException.
            let is_taken = |other: &CidrCollection| other.name == collection.name || other.id == collection.id;
            if objects.cidr_collections().iter().any(is_taken) {
                let message = "A CIDR collection with this name already exists.";
                return Err(refusal(ErrorCode::CidrCollectionAlreadyExistsException, message));
            }
            Ok(object.clone())
        }
        Object::DelegationSet(set) => {
            delegation_sets::created(objects, set).map(|set| Object::DelegationSet(set.into()))
        }
        Object::TrafficPolicy(policy) => {
            traffic_policies::check_new(objects, policy)?;
            Ok(object.clone())
        }
        Object::AliasTarget(_) => Ok(object.clone()),
    }
}

fn new_zone(objects: &dyn Snapshot, zone: &HostedZone) -> Result<HostedZone, CommitError> {
    let id = ObjectId::HostedZone(zone.id.clone());
    // API CreateHostedZone: "You must use a unique CallerReference string every time".
    if was_used(objects, &id, zone.caller_reference.as_ref()) {
        return Err(zone_already_exists());
    }
    check_reference(objects, zone)?;
    check_conflicts(&objects.zones(), zone)?;
    let mut zone = zone.clone();
    if let Some(id) = &zone.attachments.delegation_set {
        let set = delegation_sets::find(objects, id)?;
        zone.record_sets.push(delegation_sets::name_server_set(&zone.name, set).into());
    }
    let defaults = objects.default_record_sets(&zone);
    zone.record_sets.splice(0..0, defaults.into_iter().map(Arc::new));
    if !zone.record_sets.iter().any(|set| set.name == zone.name && set.record_type == RecordType::Soa) {
        let message = format!("{} is too long: the names of its name server and its SOA do not fit", zone.name);
        return Err(refusal(ErrorCode::InvalidDomainName, message));
    }
    zone.default_addresses = objects.default_addresses(&zone);
    Ok(zone)
}

/// No other zone has the caller reference.
fn check_reference(objects: &dyn Snapshot, zone: &HostedZone) -> Result<(), CommitError> {
    let is_used = |other: &ZoneSummary| {
        other.id != zone.id && zone.caller_reference.is_some() && other.caller_reference == zone.caller_reference
    };
    if objects.zones().iter().any(is_used) { Err(zone_already_exists()) } else { Ok(()) }
}

fn zone_already_exists() -> CommitError {
    let message = "A hosted zone has already been created with the specified caller reference.";
    refusal(ErrorCode::HostedZoneAlreadyExists, message)
}

fn was_used(objects: &dyn Snapshot, id: &ObjectId, caller_reference: Option<&String>) -> bool {
    caller_reference.is_some_and(|reference| objects.was_used(id, reference))
}

/// API CreateHostedZone and AssociateVPCWithHostedZone, ConflictingDomainExists. Here it is also
/// the error for a second public zone with the same name, which Route 53 allows on other name
/// servers.
fn check_conflicts(zones: &[ZoneSummary], zone: &HostedZone) -> Result<(), CommitError> {
    let identity = zone.identity();
    if zones.iter().any(|other| other.id != zone.id && other.identity().excludes(&identity)) {
        let message = "A conflicting domain is already associated with the given VPC or Delegation Set.";
        return Err(refusal(ErrorCode::ConflictingDomainExists, message));
    }
    Ok(())
}

fn check_can_be_new(objects: &dyn Snapshot, check: &HealthCheck) -> Result<(), CommitError> {
    let id = ObjectId::HealthCheck(check.id.clone());
    if was_used(objects, &id, check.caller_reference.as_ref()) {
        return Err(check_already_exists());
    }
    check_is_unique(objects, check)
}

fn check_already_exists() -> CommitError {
    let message = "A different health check has already been created with the specified caller reference.";
    refusal(ErrorCode::HealthCheckAlreadyExists, message)
}

/// No other check has its id, caller reference or name.
fn check_is_unique(objects: &dyn Snapshot, check: &HealthCheck) -> Result<(), CommitError> {
    let is_used = |other: &HealthCheck| {
        other.id == check.id || (check.caller_reference.is_some() && other.caller_reference == check.caller_reference)
    };
    // API CreateHealthCheck, HealthCheckAlreadyExists.
    if objects.health_checks().iter().any(is_used) {
        return Err(check_already_exists());
    }
    if objects.health_checks().iter().any(|other| other.name == check.name) {
        let message = format!("there is a health check with the name {}", check.name);
        return Err(refusal(ErrorCode::InvalidInput, message));
    }
    Ok(())
}

fn updated(objects: &dyn Snapshot, before: &Object, after: &Object) -> Result<Object, CommitError> {
    match (before, after) {
        (Object::HostedZone(before), Object::HostedZone(after)) => {
            let record_sets = before.record_sets.clone();
            let record_groups = before.record_groups.clone();
            let zone = HostedZone { record_sets, record_groups, ..(**after).clone() };
            check_vpcs(before, &zone)?;
            check_conflicts(&objects.zones(), &zone)?;
            Ok(Object::HostedZone(traffic_policies::with_instances(objects, before, zone)?.into()))
        }
        (Object::CidrCollection(before), Object::CidrCollection(after)) => {
            let gone = |name: &String| !after.locations.iter().any(|(location, _)| location == name);
            let gone: Vec<&String> = before.locations.iter().map(|(name, _)| name).filter(|name| gone(name)).collect();
            let used = if gone.is_empty() { Vec::new() } else { objects.locations_in_use(&before.id)? };
            match gone.iter().find(|name| used.contains(name)) {
                Some(name) => Err(refusal(
                    ErrorCode::CidrCollectionInUseException,
                    format!("The CIDR location {name} is in use by at least one resource record set."),
                )),
                None => Ok(Object::CidrCollection(Arc::clone(after))),
            }
        }
        (Object::TrafficPolicy(before), Object::TrafficPolicy(policy)) => {
            traffic_policies::check_versions(objects, before, policy)?;
            Ok(after.clone())
        }
        // A delegation set never changes.
        (Object::HealthCheck(_), Object::HealthCheck(_)) | (Object::AliasTarget(_), Object::AliasTarget(_)) => {
            Ok(after.clone())
        }
        _ => Err(other_kind()),
    }
}

/// An object in a state that it had. Its caller reference is its own, so it is used again.
fn reverted(objects: &dyn Snapshot, before: Option<&Object>, object: &Object) -> Result<Object, CommitError> {
    match (before, object) {
        (before, Object::HostedZone(zone)) => {
            check_reference(objects, zone)?;
            check_conflicts(&objects.zones(), zone)?;
            if let Some(id) = &zone.attachments.delegation_set {
                delegation_sets::find(objects, id)?;
            }
            if let Some(Object::HostedZone(before)) = before {
                check_protected_sets(before, zone)?;
            }
            Ok(object.clone())
        }
        (None, Object::HealthCheck(check)) => check_is_unique(objects, check).map(|()| object.clone()),
        (None, Object::CidrCollection(_)) => created(objects, object),
        (None, Object::DelegationSet(set)) if objects.delegation_sets().iter().any(|other| other.id == set.id) => {
            created(objects, object)
        }
        (None, Object::TrafficPolicy(_) | Object::AliasTarget(_)) => created(objects, object),
        (None, Object::DelegationSet(_)) => Ok(object.clone()),
        (Some(before), after) => updated(objects, before, after),
    }
}

/// API ChangeResourceRecordSets, "Protected Resource Record Sets".
fn check_protected_sets(before: &HostedZone, after: &HostedZone) -> Result<(), CommitError> {
    let (_, old, new) = before.differing_sets(after);
    let protects = |protection: &&RecordSetProtection| {
        let of = |sets: &[Arc<ResourceRecordSet>]| -> Vec<Arc<ResourceRecordSet>> {
            let is_it = |set: &&Arc<ResourceRecordSet>| {
                set.name == protection.name && set.record_type == protection.record_type
            };
            sets.iter().filter(is_it).cloned().collect()
        };
        of(old) != of(new)
    };
    match before.attachments.protections.iter().find(protects) {
        Some(RecordSetProtection { name, record_type, .. }) => {
            let message = format!("The resource record set '{record_type} {name}' is protected and can't be changed");
            Err(refusal(ErrorCode::InvalidChangeBatch, message))
        }
        None => Ok(()),
    }
}

/// Whether the object may be removed with what it has.
fn may_be_reverted_to_nothing(objects: &dyn Snapshot, object: &Object) -> Result<(), CommitError> {
    match object {
        Object::HostedZone(zone) => zone_may_be_removed(zone),
        Object::CidrCollection(collection) if objects.locations_in_use(&collection.id)?.is_empty() => Ok(()),
        object => may_be_removed(objects, object),
    }
}

/// A zone stays public or private (API AssociateVPCWithHostedZone, PublicZoneVPCAssociation; API
/// DisassociateVPCFromHostedZone, LastVPCAssociation).
fn check_vpcs(before: &HostedZone, after: &HostedZone) -> Result<(), CommitError> {
    match (before.vpcs.is_empty(), after.vpcs.first()) {
        (true, Some(vpc)) => {
            let message = format!("Attempting to associate public zone: {} with vpc: {}", before.id.0, vpc.0);
            Err(refusal(ErrorCode::PublicZoneVPCAssociation, message))
        }
        (false, None) => {
            let message = "The VPC that you are trying to disassociate from the private hosted zone is the last VPC \
                           that is associated with the hosted zone.";
            Err(refusal(ErrorCode::LastVPCAssociation, message))
        }
        _ => Ok(()),
    }
}

fn with_record_sets(objects: &dyn Snapshot, zone: &HostedZone, batch: &ChangeBatch) -> Result<HostedZone, CommitError> {
    // API ChangeResourceRecordSets, NoSuchHealthCheck. The check of a record set that is deleted
    // may be gone already.
    let adds = |change: &&RecordChange| change.action != ChangeAction::Delete;
    let mut checks = batch.changes.iter().filter(adds).filter_map(|change| change.record_set.health_check.as_ref());
    if let Some(unknown) = checks.find(|id| !objects.health_checks().iter().any(|check| check.id == **id)) {
        return Err(refusal(ErrorCode::NoSuchHealthCheck, no_such_check(&unknown.0)));
    }
    let protected = protected_changes(zone, batch);
    if !protected.is_empty() {
        return Err(Refusal::of_all(ErrorCode::InvalidChangeBatch, protected).into());
    }
    let (collections, limit) = (objects.cidr_collections(), objects.udp_payload_max());
    let applied = if objects.is_sound(&zone.id) && zone.policy_sets.is_empty() {
        zone.apply_to_sound(batch, collections, limit)
    } else {
        zone.apply(batch, collections, limit)
    };
    let before = &zone.record_sets;
    let mut zone = applied.map_err(|errors| {
        Refusal::of_all(ErrorCode::InvalidChangeBatch, errors.iter().map(ToString::to_string).collect())
    })?;
    zone.default_addresses = objects.default_addresses(&zone);
    let mut messages = policy_problems(&zone, collections, limit);
    let removal = if is_forced(batch) { None } else { removal_problem(objects, before, &zone.record_sets) };
    let is_large_removal = removal.is_some();
    messages.extend(removal);
    if !messages.is_empty() {
        return Err(Refusal { code: ErrorCode::InvalidChangeBatch, messages, is_large_removal }.into());
    }
    Ok(zone)
}

/// API ChangeResourceRecordSets, "Protected Resource Record Sets": the message has the comment.
fn protected_changes(zone: &HostedZone, batch: &ChangeBatch) -> Vec<String> {
    let mut messages = Vec::new();
    for RecordChange { record_set, .. } in &batch.changes {
        let ResourceRecordSet { name, record_type, .. } = record_set;
        let Some(protection) = zone.attachments.protection(name, *record_type) else { continue };
        let why = protection.comment.as_ref().map(|comment| format!(" ({comment})")).unwrap_or_default();
        messages.push(format!("The resource record set '{record_type} {name}' is protected and can't be changed{why}"));
    }
    messages.dedup();
    messages
}

fn may_be_removed(objects: &dyn Snapshot, object: &Object) -> Result<(), CommitError> {
    match object {
        Object::HostedZone(zone) => {
            zone_may_be_removed(zone)?;
            // API DeleteHostedZone, HostedZoneNotEmpty.
            if zone.record_sets.iter().all(|set| is_apex_default(set, &zone.name)) {
                return Ok(());
            }
            let message =
                "The specified hosted zone contains non-required resource record sets and so cannot be deleted.";
            Err(refusal(ErrorCode::HostedZoneNotEmpty, message))
        }
        // API DeleteHealthCheck: record sets may still refer to it.
        Object::HealthCheck(_) | Object::AliasTarget(_) => Ok(()),
        Object::CidrCollection(collection) => {
            // API DeleteCidrCollection, CidrCollectionInUseException: "must be empty".
            if collection.locations.is_empty() && objects.locations_in_use(&collection.id)?.is_empty() {
                return Ok(());
            }
            let message = "This CIDR collection is in use, and isn't empty.";
            Err(refusal(ErrorCode::CidrCollectionInUseException, message))
        }
        Object::DelegationSet(set) => delegation_sets::may_be_removed(objects, set),
        Object::TrafficPolicy(policy) => traffic_policies::may_be_removed(objects, policy),
    }
}

/// API DeleteHostedZone and API UpdateHostedZoneFeatures: what has to be removed before.
fn zone_may_be_removed(zone: &HostedZone) -> Result<(), CommitError> {
    if !zone.attachments.protections.is_empty() {
        let message = "The hosted zone has resource record set protections and so cannot be deleted.";
        return Err(refusal(ErrorCode::HostedZoneNotEmpty, message));
    }
    if !zone.attachments.policy_instances.is_empty() {
        let message = "The hosted zone has traffic policy instances and so cannot be deleted.";
        return Err(refusal(ErrorCode::HostedZoneNotEmpty, message));
    }
    if zone.attachments.accelerated_recovery == Some(true) {
        let message = "Accelerated recovery must be disabled before the hosted zone can be deleted.";
        return Err(refusal(ErrorCode::InvalidInput, message));
    }
    Ok(())
}

fn is_apex_default(set: &ResourceRecordSet, apex: &Name) -> bool {
    set.name == *apex
        && matches!(set.record_type, RecordType::Soa | RecordType::Ns)
        && matches!(set.routing_policy, RoutingPolicy::Simple)
}

fn no_such_check(id: &str) -> String {
    format!("No health check exists with the specified ID: {id}")
}

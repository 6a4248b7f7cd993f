//! The rules for reusable delegation sets.

use super::refusal::refusal;
use super::{CommitError, ErrorCode, ObjectId, Snapshot};
use crate::model::{
    Content, DelegationSet, DelegationSetId, HostedZoneId, Name, RecordData, RecordType, ResourceRecordSet,
    RoutingPolicy,
};

/// The TTL of Route 53 (Developer Guide, "NS and SOA records").
const NS_TTL: u32 = 172_800;

/// The set with this id.
pub(super) fn find<'s>(objects: &'s dyn Snapshot, id: &DelegationSetId) -> Result<&'s DelegationSet, CommitError> {
    let message = || format!("There is no reusable delegation set with the id {}.", id.0);
    let found = objects.delegation_sets().iter().find(|set| set.id == *id);
    found.ok_or_else(|| refusal(ErrorCode::NoSuchDelegationSet, message()))
}

/// A new set with its name servers: those of its hosted zone, or those that zones share.
pub(super) fn created(objects: &dyn Snapshot, set: &DelegationSet) -> Result<DelegationSet, CommitError> {
    // API CreateReusableDelegationSet: "You must use a unique CallerReference string every time".
    let is_used = |other: &DelegationSet| {
        other.id == set.id || (set.caller_reference.is_some() && other.caller_reference == set.caller_reference)
    };
    let id = ObjectId::DelegationSet(set.id.clone());
    if objects.delegation_sets().iter().any(is_used)
        || set.caller_reference.as_ref().is_some_and(|reference| objects.was_used(&id, reference))
    {
        let message = "A delegation set with the same caller reference has already been created.";
        return Err(refusal(ErrorCode::DelegationSetAlreadyCreated, message));
    }
    let name_servers = match &set.hosted_zone {
        Some(zone) => of_zone(objects, zone)?,
        None => objects.shared_name_servers(),
    };
    if name_servers.is_empty() {
        let message = "This server has no name servers that hosted zones share: who runs it can set [dns] name_servers. \
                       Or create the set from a hosted zone.";
        return Err(refusal(ErrorCode::DelegationSetNotAvailable, message));
    }
    Ok(DelegationSet { name_servers, ..set.clone() })
}

fn of_zone(objects: &dyn Snapshot, id: &HostedZoneId) -> Result<Vec<Name>, CommitError> {
    let Some(summary) = objects.zones().into_iter().find(|zone| zone.id == *id) else {
        let message = format!("No hosted zone found with ID: {}", id.0);
        return Err(refusal(ErrorCode::HostedZoneNotFound, message));
    };
    if !summary.vpcs.is_empty() {
        let message = "A reusable delegation set can't be associated with a private hosted zone.";
        return Err(refusal(ErrorCode::InvalidArgument, message));
    }
    if objects.delegation_sets().iter().any(|set| set.is_used_by(id, &summary.attachments)) {
        let message = "The delegation set of the hosted zone has already been marked as reusable.";
        return Err(refusal(ErrorCode::DelegationSetAlreadyReusable, message));
    }
    Ok(objects.zone(id)?.name_servers().collect())
}

/// API DeleteReusableDelegationSet, DelegationSetInUse.
pub(super) fn may_be_removed(objects: &dyn Snapshot, set: &DelegationSet) -> Result<(), CommitError> {
    if objects.zones().iter().any(|zone| set.is_used_by(&zone.id, &zone.attachments)) {
        let message = "The reusable delegation set has hosted zones, which must be deleted before it.";
        return Err(refusal(ErrorCode::DelegationSetInUse, message));
    }
    Ok(())
}

/// The NS set of a zone that is created with the set.
pub(super) fn name_server_set(zone: &Name, set: &DelegationSet) -> ResourceRecordSet {
    let value = |name: &Name| RecordData::parse(RecordType::Ns, &name.to_string()).expect("names print as values");
    ResourceRecordSet {
        name: zone.clone(),
        record_type: RecordType::Ns,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: Content::Records { ttl: NS_TTL, values: set.name_servers.iter().map(value).collect() },
        health_check: None,
    }
}

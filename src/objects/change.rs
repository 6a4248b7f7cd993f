//! Objects, their revisions, and changes of them as data.

use std::sync::Arc;

use crate::model::{
    AliasResource, ChangeBatch, CidrCollection, CidrCollectionId, DelegationSet, DelegationSetId, HealthCheck,
    HealthCheckId, HostedZone, HostedZoneId, Name, Tags, TrafficPolicy, TrafficPolicyId, VpcId, ZoneAttachments,
    ZoneIdentity,
};

/// What identifies an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ObjectId {
    /// A hosted zone.
    HostedZone(HostedZoneId),
    /// A health check.
    HealthCheck(HealthCheckId),
    /// A CIDR collection.
    CidrCollection(CidrCollectionId),
    /// A reusable delegation set.
    DelegationSet(DelegationSetId),
    /// A traffic policy.
    TrafficPolicy(TrafficPolicyId),
    /// An alias target, by its name.
    AliasTarget(String),
}

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    /// A hosted zone with its record sets.
    HostedZone(Arc<HostedZone>),
    /// A health check.
    HealthCheck(Arc<HealthCheck>),
    /// A CIDR collection.
    CidrCollection(Arc<CidrCollection>),
    /// A reusable delegation set.
    DelegationSet(Arc<DelegationSet>),
    /// A traffic policy with its versions.
    TrafficPolicy(Arc<TrafficPolicy>),
    /// An alias target.
    AliasTarget(Arc<AliasResource>),
}

/// A state of an object. Another state has another revision; the order of revisions means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Revision(pub(crate) u128);

/// A change of one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Adds the object. A new zone has only the record sets that it needs besides the default ones.
    Create(Object),
    /// Changes record sets of a hosted zone.
    RecordSets(ChangeBatch),
    /// Replaces the members of the object. The record sets of a hosted zone stay.
    Update(Object),
    /// Removes the object.
    Delete,
    /// Brings the object into a state that it had: undo. Record sets and all; `None` removes it,
    /// also with record sets.
    Revert(Option<Object>),
}

/// A hosted zone without its record sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ZoneSummary {
    /// The id.
    pub(crate) id: HostedZoneId,
    /// The name of the apex.
    pub(crate) name: Name,
    /// The comment.
    pub(crate) comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub(crate) vpcs: Vec<VpcId>,
    /// The reference that the zone was created with.
    pub(crate) caller_reference: Option<String>,
    /// The tags.
    pub(crate) tags: Tags,
    /// The number of record sets.
    pub(crate) record_sets: usize,
    /// What programs attached to it.
    pub(crate) attachments: Arc<ZoneAttachments>,
}

impl ObjectId {
    /// The kind of the object, as JSON has it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ObjectId::HostedZone(_) => "hosted_zone",
            ObjectId::HealthCheck(_) => "health_check",
            ObjectId::CidrCollection(_) => "cidr_collection",
            ObjectId::DelegationSet(_) => "reusable_delegation_set",
            ObjectId::TrafficPolicy(_) => "traffic_policy",
            ObjectId::AliasTarget(_) => "alias_target",
        }
    }

    /// The id as the API shows it.
    pub(crate) fn text(&self) -> &str {
        match self {
            ObjectId::HostedZone(id) => &id.0,
            ObjectId::HealthCheck(id) => &id.0,
            ObjectId::CidrCollection(id) => &id.0,
            ObjectId::DelegationSet(id) => &id.0,
            ObjectId::TrafficPolicy(id) => &id.0,
            ObjectId::AliasTarget(name) => name,
        }
    }
}

impl Object {
    /// What identifies the object.
    pub(crate) fn id(&self) -> ObjectId {
        match self {
            Object::HostedZone(zone) => ObjectId::HostedZone(zone.id.clone()),
            Object::HealthCheck(check) => ObjectId::HealthCheck(check.id.clone()),
            Object::CidrCollection(collection) => ObjectId::CidrCollection(collection.id.clone()),
            Object::DelegationSet(set) => ObjectId::DelegationSet(set.id.clone()),
            Object::TrafficPolicy(policy) => ObjectId::TrafficPolicy(policy.id.clone()),
            Object::AliasTarget(target) => ObjectId::AliasTarget(target.name.clone()),
        }
    }

    /// The name.
    pub(crate) fn name(&self) -> String {
        match self {
            Object::HostedZone(zone) => zone.name.to_string(),
            Object::HealthCheck(check) => check.name.clone(),
            Object::CidrCollection(collection) => collection.name.clone(),
            Object::DelegationSet(set) => set.id.0.clone(),
            Object::TrafficPolicy(policy) => policy.name.clone(),
            Object::AliasTarget(target) => target.name.clone(),
        }
    }

    /// The reference that it was created with.
    pub(crate) fn caller_reference(&self) -> Option<&String> {
        match self {
            Object::HostedZone(zone) => zone.caller_reference.as_ref(),
            Object::HealthCheck(check) => check.caller_reference.as_ref(),
            Object::CidrCollection(collection) => collection.caller_reference.as_ref(),
            Object::DelegationSet(set) => set.caller_reference.as_ref(),
            Object::TrafficPolicy(_) | Object::AliasTarget(_) => None,
        }
    }
}

impl ZoneSummary {
    /// The summary of a zone.
    #[cfg(test)]
    pub(crate) fn of(zone: &HostedZone) -> ZoneSummary {
        ZoneSummary {
            id: zone.id.clone(),
            name: zone.name.clone(),
            comment: zone.comment.clone(),
            vpcs: zone.vpcs.clone(),
            caller_reference: zone.caller_reference.clone(),
            tags: zone.tags.clone(),
            record_sets: zone.record_sets.len(),
            attachments: Arc::clone(&zone.attachments),
        }
    }

    /// What other zones must not have too.
    pub(crate) fn identity(&self) -> ZoneIdentity {
        ZoneIdentity { id: self.id.clone(), name: self.name.clone(), vpcs: self.vpcs.clone() }
    }
}

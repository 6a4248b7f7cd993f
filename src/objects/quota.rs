//! Route 53's default quotas (Developer Guide, "Quotas"). A change of the API keeps them in strict
//! mode ([`Quotas`]).
//!
//! A quota is checked where a change is decided, one change after the other, so requests that are
//! made at the same time cannot exceed it together. What exists may be more: only what grows is
//! checked.

use super::refusal::refusal;
use super::{CommitError, ErrorCode, Object, Snapshot, Transition};
use crate::model::{CidrCollection, DelegationSetId, HostedZone, TrafficPolicy};

/// Which quotas a change has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotas {
    /// The default quotas of Route 53.
    Default,
    /// None.
    Unlimited,
}

/// A default quota of Route 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Of the account.
    HealthChecks,
    /// Of the account.
    HostedZones,
    /// Of the account.
    PolicyInstances,
    /// Of the account.
    DelegationSets,
    /// Of the account.
    TrafficPolicies,
    /// Of the account.
    CidrCollections,
    /// Of a private hosted zone.
    VpcsOfZone,
    /// Of a reusable delegation set.
    ZonesOfDelegationSet,
    /// Of a CIDR collection.
    BlocksOfCidrCollection,
}

/// What there is to know of a quota.
struct Row {
    /// The type of limit in the API, if it has one.
    limit: Option<&'static str>,
    most: usize,
    /// The error of the operation that creates such a resource.
    code: ErrorCode,
    resources: &'static str,
}

impl Quota {
    /// Those of the account that GetAccountLimit has.
    pub(crate) const OF_ACCOUNT: [Quota; 5] = [
        Quota::HealthChecks,
        Quota::HostedZones,
        Quota::PolicyInstances,
        Quota::DelegationSets,
        Quota::TrafficPolicies,
    ];

    /// Whether it has this type of limit in the API, such as `MAX_HEALTH_CHECKS_BY_OWNER`.
    pub(crate) fn is(self, limit: &str) -> bool {
        self.row().limit == Some(limit)
    }

    /// The most resources.
    pub(crate) fn most(self) -> usize {
        self.row().most
    }

    fn row(self) -> Row {
        let row = |limit, most, code, resources| Row { limit, most, code, resources };
        let exceeded = ErrorCode::LimitsExceeded;
        match self {
            Quota::HealthChecks => {
                row(Some("MAX_HEALTH_CHECKS_BY_OWNER"), 200, ErrorCode::TooManyHealthChecks, "health checks")
            }
            Quota::HostedZones => {
                row(Some("MAX_HOSTED_ZONES_BY_OWNER"), 500, ErrorCode::TooManyHostedZones, "hosted zones")
            }
            Quota::PolicyInstances => row(
                Some("MAX_TRAFFIC_POLICY_INSTANCES_BY_OWNER"),
                5,
                ErrorCode::TooManyTrafficPolicyInstances,
                "traffic policy instances",
            ),
            Quota::DelegationSets => {
                row(Some("MAX_REUSABLE_DELEGATION_SETS_BY_OWNER"), 100, exceeded, "reusable delegation sets")
            }
            Quota::TrafficPolicies => {
                row(Some("MAX_TRAFFIC_POLICIES_BY_OWNER"), 50, ErrorCode::TooManyTrafficPolicies, "traffic policies")
            }
            Quota::CidrCollections => row(None, 5, exceeded, "CIDR collections"),
            Quota::VpcsOfZone => row(Some("MAX_VPCS_ASSOCIATED_BY_ZONE"), 300, exceeded, "VPC associations"),
            Quota::ZonesOfDelegationSet => {
                row(Some("MAX_ZONES_BY_REUSABLE_DELEGATION_SET"), 100, ErrorCode::TooManyHostedZones, "hosted zones")
            }
            Quota::BlocksOfCidrCollection => row(None, 1000, exceeded, "CIDR blocks"),
        }
    }

    /// The error if there would be more than the quota.
    fn check(self, count: usize) -> Result<(), CommitError> {
        let Row { limit, most, code, resources } = self.row();
        if count <= most {
            return Ok(());
        }
        let limit = limit.map(|limit| format!("{limit} - ")).unwrap_or_default();
        Err(refusal(code, format!("Limits Exceeded: {limit}Cannot create more {resources}.")))
    }
}

/// The error if a change makes more of something than its quota. `objects` are those before it.
pub(super) fn check(objects: &dyn Snapshot, Transition { before, after }: &Transition) -> Result<(), CommitError> {
    match (before, after) {
        (None, Some(Object::HostedZone(zone))) => check_new_zone(objects, zone),
        (Some(Object::HostedZone(before)), Some(Object::HostedZone(after))) => check_zone(objects, before, after),
        (None, Some(Object::HealthCheck(_))) => Quota::HealthChecks.check(objects.health_checks().len() + 1),
        (None, Some(Object::CidrCollection(_))) => Quota::CidrCollections.check(objects.cidr_collections().len() + 1),
        (Some(Object::CidrCollection(before)), Some(Object::CidrCollection(after))) => {
            let blocks = |one: &CidrCollection| one.locations.iter().map(|(_, blocks)| blocks.len()).sum::<usize>();
            let count = blocks(after);
            if count > blocks(before) { Quota::BlocksOfCidrCollection.check(count) } else { Ok(()) }
        }
        (None, Some(Object::DelegationSet(_))) => Quota::DelegationSets.check(objects.delegation_sets().len() + 1),
        (None, Some(Object::TrafficPolicy(_))) => {
            let is_there = |policy: &&TrafficPolicy| policy.latest().is_some();
            Quota::TrafficPolicies.check(objects.traffic_policies().iter().filter(is_there).count() + 1)
        }
        _ => Ok(()),
    }
}

/// One more zone, and one more of its delegation set.
fn check_new_zone(objects: &dyn Snapshot, zone: &HostedZone) -> Result<(), CommitError> {
    let zones = objects.zones();
    Quota::HostedZones.check(zones.len() + 1)?;
    let uses = |id: &DelegationSetId| {
        let set = objects.delegation_sets().iter().find(|set| set.id == *id);
        set.map_or(0, |set| zones.iter().filter(|zone| set.is_used_by(&zone.id, &zone.attachments)).count())
    };
    zone.attachments.delegation_set.as_ref().map_or(Ok(()), |id| Quota::ZonesOfDelegationSet.check(uses(id) + 1))
}

/// More VPCs, or more traffic policy instances.
fn check_zone(objects: &dyn Snapshot, before: &HostedZone, after: &HostedZone) -> Result<(), CommitError> {
    if after.vpcs.len() > before.vpcs.len() {
        Quota::VpcsOfZone.check(after.vpcs.len())?;
    }
    let [old, new] = [before, after].map(|zone| zone.attachments.policy_instances.len());
    if new > old {
        let all: usize = objects.zones().iter().map(|zone| zone.attachments.policy_instances.len()).sum();
        Quota::PolicyInstances.check(all + new - old)?;
    }
    Ok(())
}

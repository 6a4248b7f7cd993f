//! What programs attach to a hosted zone, besides its members and record sets; and reusable
//! delegation sets.

use super::{HostedZoneId, Name, RecordType, Region, TrafficPolicyInstance, VpcId};

/// What is attached to a hosted zone. Most zones have nothing of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZoneAttachments {
    /// The VPCs of other accounts that may be associated with the zone, each with its region (API
    /// CreateVPCAssociationAuthorization).
    pub authorized_vpcs: Vec<(VpcId, Option<Region>)>,
    /// The reusable delegation set that the zone was created with.
    pub delegation_set: Option<DelegationSetId>,
    /// Queries for names in the zone are logged.
    pub query_logging: Option<QueryLoggingConfig>,
    /// Whether accelerated recovery is enabled; `None` if it never was (API HostedZoneFeatures).
    pub accelerated_recovery: Option<bool>,
    /// The names and types whose record sets must not change (API ResourceRecordSetProtection).
    pub protections: Vec<RecordSetProtection>,
    /// The names whose record sets come from traffic policies.
    pub policy_instances: Vec<TrafficPolicyInstance>,
}

/// A query logging configuration (API QueryLoggingConfig).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLoggingConfig {
    /// The id, a lower-case UUID.
    pub id: String,
    /// The ARN of the log group of CloudWatch Logs that was asked for.
    pub log_group: String,
}

/// Record sets that must not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSetProtection {
    /// Their absolute name.
    pub name: Name,
    /// Their type.
    pub record_type: RecordType,
    /// Why.
    pub comment: Option<String>,
}

/// The id of a reusable delegation set: `N` and capital letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DelegationSetId(pub String);

/// Name servers that several hosted zones have (API DelegationSet).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationSet {
    /// The id.
    pub id: DelegationSetId,
    /// What the creator identified the creation by (API CallerReference).
    pub caller_reference: Option<String>,
    /// The zone whose name servers were made reusable. It uses the set too.
    pub hosted_zone: Option<HostedZoneId>,
    /// The name servers.
    pub name_servers: Vec<Name>,
}

impl ZoneAttachments {
    /// The protection of the record sets with this name and type.
    pub fn protection(&self, name: &Name, record_type: RecordType) -> Option<&RecordSetProtection> {
        self.protections.iter().find(|protection| protection.record_type == record_type && protection.name == *name)
    }
}

impl DelegationSet {
    /// Whether a zone with this id and these attachments uses the set.
    pub fn is_used_by(&self, zone: &HostedZoneId, attachments: &ZoneAttachments) -> bool {
        attachments.delegation_set.as_ref() == Some(&self.id) || self.hosted_zone.as_ref() == Some(zone)
    }
}

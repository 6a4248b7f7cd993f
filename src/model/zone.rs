//! Hosted zones.

use std::time::Duration;

use super::{Name, RecordType, ResourceRecordSet, VpcId};

/// The id of a hosted zone: `Z` and 1 to 31 of `[A-Z0-9]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostedZoneId(pub String);

/// A hosted zone with all its record sets, SOA and apex NS included.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedZone {
    /// The id in the API.
    pub id: HostedZoneId,
    /// The name of the apex.
    pub name: Name,
    /// The user's comment.
    pub comment: Option<String>,
    /// The VPCs of a private zone; empty for a public zone.
    pub vpcs: Vec<VpcId>,
    /// All record sets, in the order they were written; SOA and apex NS are always there.
    pub record_sets: Vec<ResourceRecordSet>,
    /// Settings for groups beyond Route 53's; most groups have none.
    pub record_groups: Vec<RecordGroup>,
}

/// The properties that identify a hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneIdentity {
    /// The id in the API.
    pub id: HostedZoneId,
    /// The name of the apex.
    pub name: Name,
    /// The VPCs of a private zone; empty for a public zone.
    pub vpcs: Vec<VpcId>,
}

impl ZoneIdentity {
    /// Whether only one of both zones can be served. There is one public zone per name, one private
    /// zone per name and VPC, and one zone per id.
    pub fn excludes(&self, other: &ZoneIdentity) -> bool {
        let share_clients = || match self.vpcs.is_empty() {
            true => other.vpcs.is_empty(),
            false => self.vpcs.iter().any(|vpc| other.vpcs.contains(vpc)),
        };
        self.id == other.id || (self.name == other.name && share_clients())
    }
}

/// Settings for all record sets of one name and type, an extension of Route 53.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordGroup {
    /// The absolute owner name.
    pub name: Name,
    /// The type of the group's records.
    pub record_type: RecordType,
    /// The answer when no record of the group is healthy.
    pub when_all_unhealthy: WhenAllUnhealthy,
    /// How long a recovered record must stay healthy before it is used again.
    pub failback_delay: Duration,
    /// How long the share of a recovered weighted record grows from zero to its weight.
    pub slow_start: Duration,
}

/// The answer of a group when all candidates for a client are unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAllUnhealthy {
    /// All records, as if they were healthy: Route 53's rule.
    #[default]
    All,
    /// NODATA, which resolvers cache for at most the group's TTL.
    None,
    /// The records that were healthy last.
    LastHealthy,
}

impl HostedZone {
    /// The zone's identity.
    pub fn identity(&self) -> ZoneIdentity {
        ZoneIdentity { id: self.id.clone(), name: self.name.clone(), vpcs: self.vpcs.clone() }
    }

    /// True when the zone is served only to clients in its VPCs.
    pub fn is_private(&self) -> bool {
        !self.vpcs.is_empty()
    }
}

//! Hosted zones.

use std::time::Duration;

use super::{Name, RecordType, ResourceRecordSet, VpcId};

/// The id of a hosted zone: `Z` and up to 31 of `[A-Z0-9]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostedZoneId(pub String);

/// A hosted zone with everything in it, SOA and apex NS included.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedZone {
    /// What the API calls it.
    pub id: HostedZoneId,
    /// Its apex.
    pub name: Name,
    /// The user's own words about it.
    pub comment: Option<String>,
    /// The VPCs it is for; a zone without any is public.
    pub vpcs: Vec<VpcId>,
    /// All record sets, in the order they were written; SOA and apex NS are always there.
    pub record_sets: Vec<ResourceRecordSet>,
    /// What holds for groups beyond Route 53's rules; most have no entry.
    pub record_groups: Vec<RecordGroup>,
}

/// What tells one hosted zone from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneIdentity {
    /// What the API calls it.
    pub id: HostedZoneId,
    /// Its apex.
    pub name: Name,
    /// The VPCs it is for; a zone without any is public.
    pub vpcs: Vec<VpcId>,
}

impl ZoneIdentity {
    /// Whether both cannot be served: there is one public zone of a name, one private zone of a name and VPC, one of an id.
    pub fn excludes(&self, other: &ZoneIdentity) -> bool {
        let share_clients = || match self.vpcs.is_empty() {
            true => other.vpcs.is_empty(),
            false => self.vpcs.iter().any(|vpc| other.vpcs.contains(vpc)),
        };
        self.id == other.id || (self.name == other.name && share_clients())
    }
}

/// What holds for all record sets of one name and type together. Route 53 has no such thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordGroup {
    /// The owner, absolute.
    pub name: Name,
    /// The type of the group's records.
    pub record_type: RecordType,
    /// What the group answers when nothing in it is healthy.
    pub when_all_unhealthy: WhenAllUnhealthy,
    /// How long a record of the group has to stay healthy after a recovery before it is in use again.
    pub failback_delay: Duration,
    /// How long the share of a weighted record grows after that, from nothing to its weight.
    pub slow_start: Duration,
}

/// What a group answers when every candidate for a client is unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAllUnhealthy {
    /// As if all were healthy: Route 53's rule.
    #[default]
    All,
    /// NODATA, which resolvers keep no longer than the group's TTL.
    None,
    /// As when something was healthy the last time.
    LastHealthy,
}

impl HostedZone {
    /// What tells it from all others.
    pub fn identity(&self) -> ZoneIdentity {
        ZoneIdentity { id: self.id.clone(), name: self.name.clone(), vpcs: self.vpcs.clone() }
    }

    /// True when only clients in its VPCs see it.
    pub fn is_private(&self) -> bool {
        !self.vpcs.is_empty()
    }
}

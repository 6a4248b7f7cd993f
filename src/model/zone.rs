//! Hosted zones.

use super::{Name, ResourceRecordSet, VpcId};

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
}

impl HostedZone {
    /// True when only clients in its VPCs see it.
    pub fn is_private(&self) -> bool {
        !self.vpcs.is_empty()
    }
}

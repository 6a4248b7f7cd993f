//! What moves in or out.

use std::collections::HashSet;

use crate::model::{CidrCollection, DelegationSet, HealthCheck, HostedZone, HostedZoneId, TrafficPolicy};

/// Objects, in the terms of the model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    /// With all their record sets.
    pub(crate) zones: Vec<HostedZone>,
    /// The zones that have all record sets that their files get. The files of other zones get no
    /// SOA and NS record sets that a server would make as well.
    pub(crate) with_own_name_servers: HashSet<HostedZoneId>,
    pub(crate) health_checks: Vec<HealthCheck>,
    pub(crate) cidr_collections: Vec<CidrCollection>,
    pub(crate) delegation_sets: Vec<DelegationSet>,
    pub(crate) traffic_policies: Vec<TrafficPolicy>,
}

impl Inventory {
    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let Inventory { zones, health_checks, cidr_collections, delegation_sets, traffic_policies, .. } = self;
        zones.is_empty()
            && health_checks.is_empty()
            && cidr_collections.is_empty()
            && delegation_sets.is_empty()
            && traffic_policies.is_empty()
    }
}

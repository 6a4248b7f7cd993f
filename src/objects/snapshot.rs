//! What the rules need to know of all objects.

use std::sync::Arc;

use super::{CommitError, ObjectId, ZoneSummary};
use crate::model::{
    AliasResource, CidrCollection, CidrCollectionId, DelegationSet, HealthCheck, HostedZone, HostedZoneId, Name,
    Percentage, ResourceRecordSet, TrafficPolicy,
};

/// All objects at one moment.
pub(crate) trait Snapshot {
    /// A hosted zone.
    fn zone(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, CommitError>;

    /// All hosted zones.
    fn zones(&self) -> Vec<ZoneSummary>;

    /// All health checks.
    fn health_checks(&self) -> &[HealthCheck];

    /// All CIDR collections.
    fn cidr_collections(&self) -> &[CidrCollection];

    /// All reusable delegation sets.
    fn delegation_sets(&self) -> &[DelegationSet];

    /// All traffic policies.
    fn traffic_policies(&self) -> &[TrafficPolicy];

    /// The alias target with this name.
    fn alias_target(&self, _: &str) -> Option<&AliasResource> {
        None
    }

    /// The name servers of zones that have none of their own; empty if each zone has other ones.
    fn shared_name_servers(&self) -> Vec<Name>;

    /// The locations of a collection that record sets refer to, `*` for the default one.
    fn locations_in_use(&self, collection: &CidrCollectionId) -> Result<Vec<String>, CommitError>;

    /// Whether an object of the same kind had this caller reference and was removed. A reference is
    /// never used again.
    fn was_used(&self, id: &ObjectId, caller_reference: &str) -> bool;

    /// The record sets that a new zone gets besides its own, such as SOA and NS.
    fn default_record_sets(&self, zone: &HostedZone) -> Vec<ResourceRecordSet>;

    /// What [`HostedZone::default_addresses`] are for this zone.
    fn default_addresses(&self, zone: &HostedZone) -> Vec<ResourceRecordSet>;

    /// Whether the rules are known to have nothing against a zone, not even a warning.
    fn is_sound(&self, _: &HostedZoneId) -> bool {
        false
    }

    /// The largest share of a zone's record sets that a change may remove; `None` for any.
    fn largest_removal(&self) -> Option<Percentage>;

    /// The size of UDP responses that record sets must fit into.
    fn udp_payload_max(&self) -> u16;
}

//! The objects of the configuration in force, for changes of them.

use std::sync::Arc;

use crate::config;
use crate::model::{
    AliasResource, CidrCollection, CidrCollectionId, DelegationSet, HealthCheck, HostedZone, HostedZoneId, Name,
    Percentage, ResourceRecordSet, RoutingPolicy, TrafficPolicy,
};
use crate::objects::{CommitError, ErrorCode, ObjectId, Refusal, Snapshot, ZoneSummary};

use super::{LoadedConfig, NoModel};

impl Snapshot for LoadedConfig {
    fn zone(&self, id: &HostedZoneId) -> Result<Arc<HostedZone>, CommitError> {
        self.zone_model(id).map_err(CommitError::from)
    }

    fn zones(&self) -> Vec<ZoneSummary> {
        self.zone_summaries().collect()
    }

    fn health_checks(&self) -> &[HealthCheck] {
        &self.checks
    }

    fn cidr_collections(&self) -> &[CidrCollection] {
        &self.common.cidr_collections
    }

    fn delegation_sets(&self) -> &[DelegationSet] {
        &self.common.delegation_sets
    }

    fn traffic_policies(&self) -> &[TrafficPolicy] {
        &self.common.traffic_policies
    }

    fn alias_target(&self, name: &str) -> Option<&AliasResource> {
        self.alias_targets().find(|target| target.name == name)
    }

    fn shared_name_servers(&self) -> Vec<Name> {
        self.settings.dns.name_servers.iter().map(|server| server.name.clone()).collect()
    }

    fn locations_in_use(&self, collection: &CidrCollectionId) -> Result<Vec<String>, CommitError> {
        let mut used = Vec::new();
        for file in self.files.iter().filter(|file| file.depends_on_other_files()) {
            let Some(id) = file.id() else { continue };
            for set in &self.zone(id)?.record_sets {
                match &set.routing_policy {
                    RoutingPolicy::IpBased { collection: other, location } if other == collection => {
                        used.push(location.clone().unwrap_or_else(|| "*".to_owned()));
                    }
                    _ => {}
                }
            }
        }
        Ok(used)
    }

    fn was_used(&self, id: &ObjectId, caller_reference: &str) -> bool {
        self.history.had_reference(id, caller_reference)
    }

    fn default_record_sets(&self, zone: &HostedZone) -> Vec<ResourceRecordSet> {
        config::default_record_sets(zone, &self.settings.dns)
    }

    fn default_addresses(&self, zone: &HostedZone) -> Vec<ResourceRecordSet> {
        config::default_addresses(zone, &self.settings.dns)
    }

    fn is_sound(&self, id: &HostedZoneId) -> bool {
        let file = self.files.iter().find(|file| file.id() == Some(id));
        file.is_some_and(|file| file.warnings.is_empty() && !file.is_unavailable())
    }

    fn largest_removal(&self) -> Option<Percentage> {
        self.settings.api.as_ref()?.largest_removal
    }

    fn udp_payload_max(&self) -> u16 {
        self.settings.dns.udp_payload_max
    }
}

impl From<NoModel> for CommitError {
    fn from(error: NoModel) -> CommitError {
        match error {
            // The sentence is Route 53's.
            NoModel::Unknown(id) => {
                Refusal::new(ErrorCode::NoSuchHostedZone, format!("No hosted zone found with ID: {}", id.0)).into()
            }
            NoModel::Unavailable(_) | NoModel::Lost { .. } => CommitError::Unavailable(error.to_string()),
        }
    }
}

//! Objects as text, as a new file has them: for the history, from which a user can paste them back.

use super::members::lines;
use super::{References, collection, delegation_set, health_check, record, traffic_policy, zone};
use crate::config::secrecy::Covered;
use crate::model::{
    CidrCollection, DelegationSet, HealthCheck, HostedZone, Name, RecordGroup, ResourceRecordSet, TrafficPolicy,
};

/// The `[[record]]` of a record set.
pub fn record_set_text(set: &ResourceRecordSet, zone: &Name, references: &References<'_>) -> String {
    record::text(set, zone, references)
}

/// The `[[record_group]]` of the settings of a group.
pub fn record_group_text(group: &RecordGroup, zone: &Name) -> String {
    record::group_text(group, zone)
}

/// The members of a zone.
pub fn zone_members_text(zone: &HostedZone) -> String {
    lines(&zone::head(zone))
}

/// The `[[health_check]]` of a check, without what is secret.
pub fn health_check_text(check: &HealthCheck, references: &References<'_>) -> String {
    let text = format!("[[health_check]]\n{}", lines(&health_check::new_members(check, references)));
    Covered::of(&text).shown(0..text.len(), &text).into_owned()
}

/// Whether the text of an object hides something secret, or would if it had it.
pub fn hides_secrets(text: &str) -> bool {
    Covered::of(text).has_asterisks(&(0..text.len()))
}

/// The `[[cidr_collection]]` of a collection.
pub fn cidr_collection_text(collection: &CidrCollection) -> String {
    format!("[[cidr_collection]]\n{}", lines(&collection::new_members(collection)))
}

/// The `[[reusable_delegation_set]]` of a set.
pub fn delegation_set_text(set: &DelegationSet) -> String {
    format!("[[reusable_delegation_set]]\n{}", lines(&delegation_set::members(set)))
}

/// The `[[traffic_policy]]` of a policy.
pub fn traffic_policy_text(policy: &TrafficPolicy) -> String {
    format!("[[traffic_policy]]\n{}", lines(&traffic_policy::members(policy)))
}

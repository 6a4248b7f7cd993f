//! The groups of record sets that a zone answers with, and where the aliases of each lead.
//!
//! A name alone does not say which group is meant: a resource outside the zone can have the same
//! name as the record sets whose addresses it has.

use super::{
    AliasResource, AliasTarget, Content, HostedZone, HostedZoneId, Name, RecordGroup, RecordType, ResourceRecordSet,
    ZoneAddresses,
};

/// What has the record sets of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupHolder {
    /// The zone itself.
    Zone,
    /// The resource that aliases of the zone target in this hosted zone.
    Resource(HostedZoneId),
    /// The zone with this name, in which a resource has its addresses.
    OtherZone(Name),
}

/// A group that a zone answers with: what has it, its name and its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// What has its record sets.
    pub holder: GroupHolder,
    /// The name: of a resource, the one that aliases target.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
}

impl GroupKey {
    /// A group of the zone itself.
    pub fn in_zone(name: Name, record_type: RecordType) -> GroupKey {
        GroupKey { holder: GroupHolder::Zone, name, record_type }
    }

    /// Whether the zone itself has the group.
    pub fn is_in_zone(&self) -> bool {
        self.holder == GroupHolder::Zone
    }

    fn has(&self, set: &ResourceRecordSet) -> bool {
        set.record_type == self.record_type && set.name == self.name
    }
}

impl HostedZone {
    /// The record sets of a group, in the order of its members.
    pub fn sets_of(&self, group: &GroupKey) -> Vec<&ResourceRecordSet> {
        match &group.holder {
            GroupHolder::Zone => self.answered_sets().filter(|set| group.has(set)).collect(),
            GroupHolder::Resource(_) => {
                let resource = self.resource_of_group(group);
                resource.and_then(|resource| resource.record_set(group.record_type)).into_iter().collect()
            }
            GroupHolder::OtherZone(zone) => {
                let sets = self.other_zone(zone).into_iter().flat_map(|other| &other.record_sets);
                sets.map(|set| &**set).filter(|set| group.has(set)).collect()
            }
        }
    }

    /// The group that an alias of `group` leads to.
    pub fn target_of(&self, group: &GroupKey, alias: &AliasTarget) -> GroupKey {
        let holder = match (&alias.hosted_zone, &group.holder) {
            (Some(id), _) => GroupHolder::Resource(id.clone()),
            (None, GroupHolder::Resource(_)) => match self.other_zone_of(&alias.name) {
                Some(other) => GroupHolder::OtherZone(other.zone.clone()),
                None => GroupHolder::Zone,
            },
            (None, holder) => holder.clone(),
        };
        GroupKey { holder, name: alias.name.clone(), record_type: group.record_type }
    }

    /// The groups that the aliases of a group lead to.
    pub fn targets_of(&self, group: &GroupKey) -> impl Iterator<Item = GroupKey> {
        let alias = move |set: &ResourceRecordSet| match &set.content {
            Content::Alias(alias) => Some(self.target_of(group, alias)),
            Content::Records { .. } => None,
        };
        self.sets_of(group).into_iter().filter_map(alias)
    }

    /// The resource whose records a group has.
    pub fn resource_of_group(&self, group: &GroupKey) -> Option<&AliasResource> {
        match &group.holder {
            GroupHolder::Resource(id) => self.alias_resources.find(id, &group.name),
            GroupHolder::Zone | GroupHolder::OtherZone(_) => None,
        }
    }

    /// The settings of a group beyond Route 53's.
    pub fn settings_of(&self, group: &GroupKey) -> Option<&RecordGroup> {
        let groups = match &group.holder {
            GroupHolder::Zone => &self.record_groups,
            GroupHolder::Resource(_) => return None,
            GroupHolder::OtherZone(zone) => &self.other_zone(zone)?.record_groups,
        };
        groups.iter().find(|known| known.record_type == group.record_type && known.name == group.name)
    }

    /// The traffic policy, with its version and rule, that the record sets of a group come from.
    pub fn traffic_policy_of(&self, group: &GroupKey) -> Option<&str> {
        let mut sets = self.policy_sets.iter().filter(|_| group.is_in_zone());
        sets.find(|policy| group.has(&policy.set)).map(|policy| policy.origin.as_str())
    }

    fn other_zone(&self, name: &Name) -> Option<&ZoneAddresses> {
        self.alias_resources.zones().find(|other| other.zone == *name)
    }
}

//! The groups of resources that aliases target outside the zone, and of the names in other zones
//! whose addresses these have. No name of the zone leads to them.

use foldhash::HashMap;

use super::{Builder, Candidates, Content, Group, GroupIndex, Member, SIMPLE, WrittenNames, count};
use crate::model::{self, HostedZoneId, MAX_ALIAS_CHAIN, Name, RecordType, ResourceRecordSet, ZoneAddresses};

/// The hosted zone and the name of a resource, and the type of its records.
pub(super) type ResourceKey = (HostedZoneId, Name, RecordType);

/// The groups that are there already; `None` for those without records, and for those that are
/// being made: an alias that leads back to one of them has no target.
#[derive(Default)]
pub(super) struct OutsideGroups {
    resources: HashMap<ResourceKey, Option<GroupIndex>>,
    /// By the name of the other zone, the name, and the type.
    names: HashMap<(Name, Name, RecordType), Option<GroupIndex>>,
}

impl<'m> Builder<'m> {
    /// Gives the aliases their targets outside the zone.
    pub(super) fn add_resources(&mut self, written_names: &WrittenNames) {
        for (member, key) in std::mem::take(&mut self.lists.resources) {
            let group = self.resource(&key, 0, written_names);
            if let Content::Alias { target, .. } = &mut self.lists.members[member].content {
                *target = group;
            }
        }
    }

    /// The group of a resource: one simple record set. `None` if no file describes the resource.
    fn resource(&mut self, key: &ResourceKey, depth: usize, written_names: &WrittenNames) -> Option<GroupIndex> {
        if let Some(known) = self.lists.outside.resources.get(key) {
            return *known;
        }
        let (id, name, record_type) = key;
        let resource = self.zone.alias_resources.find(id, name)?;
        self.lists.outside.resources.insert(key.clone(), None);
        let check = resource.health_check.as_ref().and_then(self.slot_of);
        let content = match resource.record_set(*record_type).map(|set| &set.content) {
            Some(model::Content::Records { ttl, values }) => self.leaf(*record_type, *ttl, values),
            Some(model::Content::Alias(target)) => match self.zone.other_zone_of(&target.name) {
                Some(other) => self.addresses_of_other(other, (&target.name, *record_type), depth, written_names),
                None => self.addresses_of_own(&target.name, *record_type, written_names),
            },
            None => Content::NoData,
        };
        let start = count(self.lists.members.len());
        self.lists.members.push(Member { check, content });
        self.lists.groups.push(Group {
            record_type: *record_type,
            policy: SIMPLE,
            members: start..start + 1,
            first_bit: Candidates::ALWAYS_USABLE,
            when_all_unhealthy: Default::default(),
            repeats_data: false,
            least_ttl: 0,
        });
        let group = GroupIndex::elsewhere(count(self.lists.groups.len() - 1));
        self.lists.outside.resources.insert(key.clone(), Some(group));
        Some(group)
    }

    /// The records of a name in the zone. A name without any addresses is no target.
    fn addresses_of_own(&self, name: &Name, record_type: RecordType, written_names: &WrittenNames) -> Content {
        let node = name.relative_to(&self.zone.name).and_then(|labels| self.names.find(labels));
        let target = node.and_then(|node| self.group_at(node, record_type, written_names));
        let has = |other| node.is_some_and(|node| self.names.has(node, other));
        if target.is_none() && (has(RecordType::A) || has(RecordType::Aaaa)) {
            return Content::NoData;
        }
        Content::Alias { target, evaluate_target_health: true }
    }

    /// The records of a name in another zone.
    fn addresses_of_other(
        &mut self,
        other: &'m ZoneAddresses,
        owner: (&Name, RecordType),
        depth: usize,
        written_names: &WrittenNames,
    ) -> Content {
        let target = self.other_group(other, owner, depth, written_names);
        if target.is_none() && other.record_sets.iter().any(|set| set.name == *owner.0) {
            return Content::NoData;
        }
        Content::Alias { target, evaluate_target_health: true }
    }

    /// A copy of a group of another zone.
    fn other_group(
        &mut self,
        other: &'m ZoneAddresses,
        (name, record_type): (&Name, RecordType),
        depth: usize,
        written_names: &WrittenNames,
    ) -> Option<GroupIndex> {
        let key = (other.zone.clone(), name.clone(), record_type);
        if let Some(known) = self.lists.outside.names.get(&key) {
            return *known;
        }
        let sets = other.record_sets.iter().map(|set| &**set);
        let sets: Vec<&'m ResourceRecordSet> =
            sets.filter(|set| set.record_type == record_type && set.name == *name).collect();
        // An answer follows no longer chain.
        if sets.is_empty() || depth == MAX_ALIAS_CHAIN {
            return None;
        }
        self.lists.outside.names.insert(key.clone(), None);
        // Each may add groups with members of their own first.
        let mut members = Vec::with_capacity(sets.len());
        for set in &sets {
            members.push(self.other_member(other, set, depth, written_names));
        }
        let start = count(self.lists.members.len());
        self.lists.members.extend(members);
        let policy = self.policy(&sets);
        let rules = other.record_groups.iter().find(|group| group.record_type == record_type && group.name == *name);
        let group = GroupIndex::elsewhere(self.add_group(sets[0], start, policy, rules));
        self.lists.outside.names.insert(key, Some(group));
        Some(group)
    }

    fn other_member(
        &mut self,
        other: &'m ZoneAddresses,
        set: &'m ResourceRecordSet,
        depth: usize,
        written_names: &WrittenNames,
    ) -> Member {
        let check = set.health_check.as_ref().and_then(self.slot_of);
        let content = match &set.content {
            model::Content::Records { ttl, values } => self.leaf(set.record_type, *ttl, values),
            model::Content::Alias(target) => {
                let evaluate_target_health = self.zone.evaluates(target);
                let target = match &target.hosted_zone {
                    None => self.other_group(other, (&target.name, set.record_type), depth + 1, written_names),
                    Some(id) => {
                        let key = (id.clone(), target.name.clone(), set.record_type);
                        self.resource(&key, depth + 1, written_names)
                    }
                };
                Content::Alias { target, evaluate_target_health }
            }
        };
        Member { check, content }
    }
}

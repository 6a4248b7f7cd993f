//! The groups of resources that aliases target outside the zone. No name leads to them.

use foldhash::{HashMap, HashMapExt};

use super::{Builder, Candidates, Content, Group, GroupIndex, Member, SIMPLE, WrittenNames, count};
use crate::model::{self, HostedZoneId, Name, RecordType};

/// The hosted zone and the name of a resource, and the type of its records.
pub(super) type ResourceKey = (HostedZoneId, Name, RecordType);

impl Builder<'_> {
    /// Adds a group for each type of each resource that aliases target.
    pub(super) fn add_resources(&mut self, written_names: &WrittenNames) {
        let mut groups: HashMap<ResourceKey, Option<GroupIndex>> = HashMap::new();
        for (member, key) in std::mem::take(&mut self.lists.resources) {
            let known = groups.get(&key).copied();
            let group = known.unwrap_or_else(|| self.resource(&key, written_names));
            groups.insert(key, group);
            if let Content::Alias { target, .. } = &mut self.lists.members[member].content {
                *target = group;
            }
        }
    }

    /// The group of a resource: one simple record set. `None` if no file describes the resource.
    fn resource(&mut self, (id, name, record_type): &ResourceKey, written_names: &WrittenNames) -> Option<GroupIndex> {
        let resource = self.zone.alias_resources.find(id, name)?;
        let check = resource.health_check.as_ref().and_then(self.slot_of);
        let content = match resource.record_set(*record_type).map(|set| &set.content) {
            Some(model::Content::Records { ttl, values }) => self.leaf(*record_type, *ttl, values),
            Some(model::Content::Alias(target)) => self.addresses_of(&target.name, *record_type, written_names),
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
        Some(GroupIndex::elsewhere(count(self.lists.groups.len() - 1)))
    }

    /// The records of a name in the zone. A name without any addresses is no target.
    fn addresses_of(&self, name: &Name, record_type: RecordType, written_names: &WrittenNames) -> Content {
        let node = name.relative_to(&self.zone.name).and_then(|labels| self.names.find(labels));
        let target = node.and_then(|node| self.group_at(node, record_type, written_names));
        let has = |other| node.is_some_and(|node| self.names.has(node, other));
        if target.is_none() && (has(RecordType::A) || has(RecordType::Aaaa)) {
            return Content::NoData;
        }
        Content::Alias { target, evaluate_target_health: true }
    }
}

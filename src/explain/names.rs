//! Maps the numbers of a compiled zone to names: the record sets of a group, and the target of an
//! alias.

use crate::model::{AliasResource, Content, HostedZone, Name, RecordType, ResourceRecordSet};
use crate::policy::MemberIndex;
use crate::zonetree::{NodeIndex, Zone};

/// Name and type of a group.
pub(crate) type Owner = (Name, RecordType);

/// The source of a zone. Members are numbered in the order of the record sets that share name and
/// type.
pub(crate) struct Names<'m>(pub(crate) &'m HostedZone);

impl<'m> Names<'m> {
    /// The record sets of a group, by member; for a name outside the zone, those that aliases of
    /// the zone lead to.
    pub(crate) fn sets(&self, owner: &Owner) -> Vec<&'m ResourceRecordSet> {
        let is_member = |set: &&ResourceRecordSet| set.record_type == owner.1 && set.name == owner.0;
        let sets: Vec<_> = self.0.answered_sets().filter(is_member).collect();
        if sets.is_empty() { self.0.outside_sets(&owner.0, owner.1) } else { sets }
    }

    /// The traffic policy that the record sets of a group come from.
    pub(crate) fn origin(&self, owner: &Owner) -> Option<&'m str> {
        let is_of = |set: &ResourceRecordSet| set.record_type == owner.1 && set.name == owner.0;
        self.0.policy_sets.iter().find(|policy| is_of(&policy.set)).map(|policy| policy.origin.as_str())
    }

    /// The resource with this DNS name that an alias of the zone targets.
    pub(crate) fn resource(&self, name: &Name) -> Option<&'m AliasResource> {
        let target = |set: &'m ResourceRecordSet| match &set.content {
            Content::Alias(target) if target.name == *name => self.0.resource_of(target),
            _ => None,
        };
        self.0.answered_sets().find_map(target)
    }

    /// The group that an alias points to.
    pub(crate) fn alias_target(&self, owner: &Owner, member: MemberIndex) -> Option<Owner> {
        match &self.sets(owner).get(usize::from(member))?.content {
            Content::Alias(target) => Some((target.name.clone(), owner.1)),
            Content::Records { .. } => None,
        }
    }

    /// The name of a node.
    pub(crate) fn of_node(&self, zone: &Zone, node: NodeIndex) -> Name {
        self.of_labels(zone.labels(node))
    }

    /// The name of these labels (wire form, without a root) in the zone.
    pub(crate) fn of_labels(&self, labels: &[u8]) -> Name {
        let wire = [labels, self.0.name.wire()].concat();
        Name::from_wire(&wire).expect("a compiled zone holds names")
    }
}

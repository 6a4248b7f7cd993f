//! Maps the numbers of a compiled zone to names: the record sets of a group, and the target of an
//! alias.

use crate::model::{Content, GroupKey, HostedZone, Name, ResourceRecordSet};
use crate::policy::MemberIndex;
use crate::zonetree::{NodeIndex, Zone};

/// The source of a zone. Members are numbered in the order of the record sets of their group.
pub(crate) struct Names<'m>(pub(crate) &'m HostedZone);

impl<'m> Names<'m> {
    /// The record sets of a group, by member.
    pub(crate) fn sets(&self, group: &GroupKey) -> Vec<&'m ResourceRecordSet> {
        self.0.sets_of(group)
    }

    /// The group that an alias points to.
    pub(crate) fn alias_target(&self, group: &GroupKey, member: MemberIndex) -> Option<GroupKey> {
        match &self.sets(group).get(usize::from(member))?.content {
            Content::Alias(target) => Some(self.0.target_of(group, target)),
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

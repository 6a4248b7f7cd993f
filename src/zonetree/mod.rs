//! One compiled zone: a table of names, the groups at each name, their policies, and leaves with
//! records in wire format.
//!
//! Compiling replaces all strings by numbers: a node is a name, a group is the record sets of one
//! name and type, and a member is one record set. Aliases, CNAME targets and additional addresses
//! are resolved to nodes and groups. Health is propagated once per change: `propagate` turns the
//! status of each check into one usable bit per member, from the targets of aliases upward, so that
//! a query only reads bits and never follows health through aliases.
//!
//! Most names of most zones have one simple set of records. Such a set is stored directly after its
//! name ([`arena`]). A set with a policy, health, an alias or additional addresses is in the lists
//! of groups, members and policies.

mod arena;
mod compile;
#[cfg(test)]
pub(crate) mod fixture;
mod propagate;
mod propagation_order;
mod query_name;
mod records;
mod servers;
mod suffix_table;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use propagate::{Bits, PropagationReason};
pub use query_name::{MalformedName, QueryName};
pub use records::{Data, Records};
pub use servers::ZoneServers;
pub(crate) use suffix_table::SuffixTable;

use arena::Arena;
use propagate::RecoveryGroup;
use servers::Ready;

use crate::geo::Client;
use crate::health::CheckSlot;
use crate::model::{HostedZoneId, Name, RecordType, Ttl, WhenAllUnhealthy};
use crate::policy::{
    Candidates, Choice, FailOpen, GroupPolicy, MemberIndex, PolicyTrace, SeededRng, UsableBits, ZoneBit,
};
use crate::prefetch::fetch;

/// A name in the zone, including empty non-terminals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeIndex(u32);

impl NodeIndex {
    /// Not a node: the node at which the records were found, which can be reached through an alias
    /// or a wildcard.
    pub const OWNER: NodeIndex = NodeIndex(u32::MAX);
}

/// The record sets of one name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupIndex(u32);

impl GroupIndex {
    /// The bit that marks an offset in the arena instead of a number in `groups`.
    const ELSEWHERE: u32 = 1 << 31;

    fn elsewhere(number: u32) -> GroupIndex {
        GroupIndex(number | GroupIndex::ELSEWHERE)
    }

    /// Its number in `groups`; `None` for a plain group.
    fn listed(self) -> Option<usize> {
        (self.0 & GroupIndex::ELSEWHERE != 0).then_some((self.0 & !GroupIndex::ELSEWHERE) as usize)
    }
}

/// One compiled hosted zone. Equal zones give equal answers. The fields that every answer reads
/// come first, to use few cache lines.
#[derive(Debug, PartialEq)]
#[repr(C)]
pub struct Zone {
    name: Name,
    table: SuffixTable,
    /// Names and plain groups.
    arena: Arena,
    /// The zone's own NS set and the addresses of its servers, as answers carry them.
    servers: Option<Ready>,
    name_servers: GroupIndex,
    name_hash: u32,
    label_count: usize,
    /// The groups that are not plain.
    groups: Box<[Group]>,
    members: Box<[Member]>,
    policies: Box<[GroupPolicy]>,
    /// Record data of members.
    data: Box<[u8]>,
    /// Nodes whose addresses go into the additional section for some leaf.
    additional_targets: Box<[NodeIndex]>,
    apex: NodeIndex,
    soa: GroupIndex,
    negative_ttl: Ttl,
    bit_count: u32,
    id: HostedZoneId,
    private: bool,
    /// Whether it has a query logging configuration.
    logs_queries: bool,
    /// Whether the zone has no records to answer with: the answer is SERVFAIL.
    unavailable: bool,
    /// Groups with health by number, each after the groups its aliases point to.
    propagation_order: Box<[u32]>,
    /// Groups with a failback delay, slow start or drain, by their first bits.
    recovery_groups: Box<[RecoveryGroup]>,
    /// The checks that members use, sorted, each once.
    checks: Box<[CheckSlot]>,
}

#[derive(Debug, PartialEq)]
struct Group {
    record_type: RecordType,
    /// In `policies`; `SIMPLE` for a group of one that always answers.
    policy: u32,
    members: Range<u32>,
    /// The first usable bit in the zone's bits; `Candidates::ALWAYS_USABLE` for a group without
    /// health.
    first_bit: ZoneBit,
    when_all_unhealthy: WhenAllUnhealthy,
    /// Whether two members have the same data, which matters if several members are answered.
    repeats_data: bool,
    /// The lowest TTL of its records, aliases included.
    least_ttl: Ttl,
}

/// The policy of most groups, which need none of their own.
const SIMPLE: u32 = u32::MAX;

#[derive(Debug, PartialEq)]
struct Member {
    check: Option<CheckSlot>,
    content: Content,
}

#[derive(Debug, PartialEq)]
enum Content {
    Leaf {
        ttl: Ttl,
        count: u16,
        /// In `data`.
        data: Span,
        /// In `additional_targets` of the zone.
        additional_targets: Span,
    },
    Cname {
        ttl: Ttl,
        /// In `data`.
        data: Span,
        /// In `additional_targets` of the zone.
        additional_targets: Span,
        /// `None` when the target lies outside this zone.
        leads: Option<Found>,
    },
    Alias {
        /// `None` if there is no target: the alias has no data, and is unhealthy.
        target: Option<GroupIndex>,
        evaluate_target_health: bool,
    },
    /// The resource that an alias targets has no records of this type.
    NoData,
}

/// A range of a longer list.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Span {
    start: u32,
    length: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

/// The result of looking up a name in the zone that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The name exists, possibly only as an ancestor of others.
    Name(NodeIndex),
    /// The name does not exist and this wildcard matches it (RFC 4592 section 3.3).
    Wildcard(NodeIndex),
    /// The name is at or below this delegation point.
    Delegation(NodeIndex),
    /// The name does not exist.
    Nothing,
}

/// The content of a chosen member.
#[derive(Clone, Copy, Debug)]
pub enum MemberContent<'z> {
    /// Its records, and the nodes for the additional section, possibly [`NodeIndex::OWNER`].
    Records(Records<'z>, &'z [NodeIndex]),
    /// The answer of this group; `None` if there is no target, or it has no such records.
    Alias(Option<GroupIndex>),
}

impl Zone {
    /// The hosted zone's id.
    pub fn id(&self) -> &HostedZoneId {
        &self.id
    }

    /// The name of the zone.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether queries for its names are logged because of a query logging configuration.
    pub fn logs_queries(&self) -> bool {
        self.logs_queries
    }

    /// Whether only clients in its VPCs see the zone.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// Whether only the zone's name is known: every query is answered with SERVFAIL.
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }

    /// The hash of the zone's name, as query names have it.
    pub(crate) fn name_hash(&self) -> u32 {
        self.name_hash
    }

    /// The number of labels of the zone's name.
    pub fn label_count(&self) -> usize {
        self.label_count
    }

    /// The checks that the zone's members use.
    pub fn checks(&self) -> &[CheckSlot] {
        &self.checks
    }

    /// The number of usable bits that the zone needs.
    pub fn bit_count(&self) -> u32 {
        self.bit_count
    }

    /// Prefetches the memory that the answers to these names read, each in its zone. All names are
    /// processed step by step together, so that the loads overlap.
    pub(crate) fn prefetch(asked: &[(&Zone, &QueryName)]) {
        fetch(asked.iter().map(|(zone, _)| u64::from(zone.name_hash) ^ zone.name.wire().len() as u64));
        fetch(asked.iter().map(|(zone, name)| {
            name.prefetch_word(&zone.table, 0) ^ zone.servers.as_ref().map_or(0, Ready::first_word)
        }));
        // The first entry with this hash is nearly always the right one.
        fetch(asked.iter().filter_map(|(zone, name)| {
            let node = name.find_suffix(&zone.table, 0, |_| true)?;
            Some(u64::from(zone.arena.first_word(NodeIndex(node))))
        }));
    }

    /// The approximate number of bytes that answers read.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Zone>() + self.table.bytes() + self.arena.bytes()
    }

    /// Looks up `name`, which is in this zone: the name itself, otherwise the closest encloser and
    /// its wildcard (RFC 4592).
    pub fn find(&self, name: &QueryName) -> Found {
        if let Some(node) = self.node_of_suffix(name, 0) {
            return match self.arena.cut(node) {
                Some(cut) => Found::Delegation(cut),
                None => Found::Name(node),
            };
        }
        let depth = name.label_count() - self.label_count;
        let encloser = (1..=depth).find_map(|skip| self.node_of_suffix(name, skip)).unwrap_or(self.apex);
        match (self.arena.cut(encloser), self.arena.wildcard(encloser)) {
            (Some(cut), _) => Found::Delegation(cut),
            (None, Some(wildcard)) => Found::Wildcard(wildcard),
            (None, None) => Found::Nothing,
        }
    }

    fn node_of_suffix(&self, name: &QueryName, skip: usize) -> Option<NodeIndex> {
        let suffix = name.suffix(skip);
        let labels = &suffix[..suffix.len() - self.name.wire().len()];
        name.find_suffix(&self.table, skip, |node| self.labels(NodeIndex(node)) == labels).map(NodeIndex)
    }

    /// The labels of a name relative to the zone's name, in wire format without a root.
    pub fn labels(&self, node: NodeIndex) -> &[u8] {
        self.arena.labels(node)
    }

    /// The group of this type at a name.
    pub fn group(&self, node: NodeIndex, record_type: RecordType) -> Option<GroupIndex> {
        self.arena.groups(node).of_type(record_type)
    }

    /// All groups at a name.
    pub fn groups_at(&self, node: NodeIndex) -> impl Iterator<Item = GroupIndex> + use<'_> {
        self.arena.groups(node).map(|(_, group)| group)
    }

    /// The type of a group's records.
    pub fn record_type(&self, group: GroupIndex) -> RecordType {
        match group.listed() {
            Some(number) => self.groups[number].record_type,
            None => self.arena.record_type(group),
        }
    }

    /// The zone's own NS set.
    pub fn name_servers(&self) -> GroupIndex {
        self.name_servers
    }

    /// The NS set and the addresses of its servers in one block; `None` if a policy chooses their
    /// addresses.
    pub fn servers(&self) -> Option<ZoneServers<'_>> {
        self.servers.as_ref().map(|ready| ZoneServers::new(self, ready))
    }

    /// The SOA for negative answers: its TTL is the lower of its own and its minimum field (RFC
    /// 2308 section 3).
    pub fn negative_soa(&self) -> Option<Records<'_>> {
        match self.content(self.soa, MemberIndex(0)) {
            MemberContent::Records(records, _) => Some(records.with_ttl(self.negative_ttl)),
            MemberContent::Alias(_) => None,
        }
    }

    /// Runs the group's policy and reports its steps to `trace`.
    pub fn choose<T: PolicyTrace>(
        &self,
        group: GroupIndex,
        usable: UsableBits<'_>,
        client: &Client<'_>,
        rng: &mut SeededRng,
        trace: &mut T,
    ) -> Choice {
        let Some(number) = group.listed() else { return Choice::of_one(trace) };
        let group = &self.groups[number];
        let count = u16::try_from(group.members.len()).unwrap_or(u16::MAX);
        let fail_open = match group.when_all_unhealthy {
            WhenAllUnhealthy::None => FailOpen::NoMember,
            WhenAllUnhealthy::All | WhenAllUnhealthy::LastHealthy => FailOpen::All,
        };
        let candidates = Candidates::new(usable, group.first_bit, count).with_fail_open(fail_open);
        let policy = if group.policy == SIMPLE { &GroupPolicy::Simple } else { &self.policies[group.policy as usize] };
        policy.choose(candidates, client, rng, trace)
    }

    /// The negative TTL cap: how long resolvers may cache that a group had nothing to answer
    /// because of its members' health. It is no longer than the TTL of its records.
    pub fn negative_ttl_cap(&self, group: GroupIndex) -> Option<Ttl> {
        let group = &self.groups[group.listed()?];
        (group.when_all_unhealthy == WhenAllUnhealthy::None).then_some(group.least_ttl)
    }

    /// The content of a member of a group.
    pub fn content(&self, group: GroupIndex, member: MemberIndex) -> MemberContent<'_> {
        let Some(number) = group.listed() else { return MemberContent::Records(self.arena.records(group), &[]) };
        let group = &self.groups[number];
        self.content_of(group.record_type, self.member(group, member))
    }

    /// The contents of these members of a group that is not plain.
    pub fn contents<'z>(
        &'z self,
        group: GroupIndex,
        members: &[MemberIndex],
    ) -> impl Iterator<Item = MemberContent<'z>> {
        let group = group.listed().map(|number| &self.groups[number]);
        let listed = group.map_or(&[][..], |group| &self.members[group.member_range()]);
        let record_type = group.map_or(RecordType::A, |group| group.record_type);
        members.iter().map(move |&member| self.content_of(record_type, &listed[usize::from(member)]))
    }

    #[inline]
    fn content_of(&self, record_type: RecordType, member: &Member) -> MemberContent<'_> {
        let records = |ttl, count, data: Span| Records::new(record_type, ttl, count, &self.data[data.range()]);
        match member.content {
            Content::Leaf { ttl, count, data, additional_targets } => {
                MemberContent::Records(records(ttl, count, data), &self.additional_targets[additional_targets.range()])
            }
            Content::Cname { ttl, data, additional_targets, .. } => {
                MemberContent::Records(records(ttl, 1, data), &self.additional_targets[additional_targets.range()])
            }
            Content::Alias { target, .. } => MemberContent::Alias(target),
            Content::NoData => MemberContent::Alias(None),
        }
    }

    /// Whether members of a group that answers with several members have the same data.
    pub fn repeats_data(&self, group: GroupIndex) -> bool {
        group.listed().is_some_and(|number| self.groups[number].repeats_data)
    }

    /// The target of a chosen CNAME; `None` if it is outside this zone.
    pub fn cname_target(&self, group: GroupIndex, member: MemberIndex) -> Option<Found> {
        match self.member(&self.groups[group.listed()?], member).content {
            Content::Cname { leads, .. } => leads,
            _ => None,
        }
    }

    fn member(&self, group: &Group, member: MemberIndex) -> &Member {
        &self.members[group.members.start as usize + usize::from(member)]
    }
}

impl Group {
    fn member_range(&self) -> Range<usize> {
        self.members.start as usize..self.members.end as usize
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a zone has fewer than four billion of anything")
}

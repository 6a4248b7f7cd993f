//! One zone, compiled: a table of names, the groups at each name, their plans, and leaves of ready wire bytes.
//!
//! Everything a string could say has become a number by now: a node is a name, a group the record sets of one name and
//! type, a member one record set. Aliases, CNAME targets and the addresses that help a client are resolved to nodes and
//! groups when the zone is compiled. Health is settled once per change: `settle` turns the verdicts of the checks into
//! one usable bit per member, from the targets of aliases upward, so that a query reads bits and never climbs.
//!
//! Most names of most zones have one simple set of records. Such a set stands right behind its name ([`arena`]); whatever
//! needs more (a policy, health, an alias, addresses that help) has its place in the lists of groups, members and plans.

mod arena;
mod compile;
#[cfg(test)]
pub(crate) mod fixture;
mod propagate;
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
use propagate::RuledGroup;
use servers::Ready;

use crate::geo::Client;
use crate::health::CheckSlot;
use crate::model::{HostedZoneId, Name, RecordType, Ttl, WhenAllUnhealthy};
use crate::policy::{Candidates, Choice, Dice, FailOpen, Plan, Trace, UsableBits};
use crate::prefetch::fetch;

/// A name in the zone, the empty non-terminals included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeIndex(u32);

impl NodeIndex {
    /// No node of its own: the one whose records these are, at which an alias or a wildcard may
    /// answer with them.
    pub const OWNER: NodeIndex = NodeIndex(u32::MAX);
}

/// The record sets of one name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupIndex(u32);

impl GroupIndex {
    /// The bit that tells a number in `groups` from a place in the arena.
    const ELSEWHERE: u32 = 1 << 31;

    fn elsewhere(number: u32) -> GroupIndex {
        GroupIndex(number | GroupIndex::ELSEWHERE)
    }

    /// Its number in `groups`; `None` for a plain group.
    fn listed(self) -> Option<usize> {
        (self.0 & GroupIndex::ELSEWHERE != 0).then_some((self.0 & !GroupIndex::ELSEWHERE) as usize)
    }
}

/// One compiled hosted zone. Equal ones answer alike. What every answer needs stands first, in as few lines of the cache as it
/// takes.
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
    plans: Box<[Plan]>,
    /// Record data of members.
    data: Box<[u8]>,
    /// Nodes with addresses that help the client of some leaf.
    additional_targets: Box<[NodeIndex]>,
    apex: NodeIndex,
    soa: GroupIndex,
    negative_ttl: Ttl,
    bit_count: u32,
    id: HostedZoneId,
    private: bool,
    /// Whether there are no records to answer with: the answer is SERVFAIL.
    unavailable: bool,
    /// Groups with health in them, by number, each after the groups its aliases point to.
    settle_order: Box<[u32]>,
    /// Groups whose records do not come back at once, by their first bits.
    ruled_groups: Box<[RuledGroup]>,
    /// The checks that any member asks for, sorted, each once.
    checks: Box<[CheckSlot]>,
}

#[derive(Debug, PartialEq)]
struct Group {
    record_type: RecordType,
    /// In `plans`; `SIMPLE` for a group of one that always answers.
    plan: u32,
    members: Range<u32>,
    /// Among the zone's usable bits; `Candidates::ALWAYS_USABLE` when there is no health in the group.
    first_bit: u32,
    when_all_unhealthy: WhenAllUnhealthy,
    /// Whether two members hold the same data, which matters where several may answer.
    repeats_data: bool,
    /// The least TTL among its records, through its aliases.
    least_ttl: Ttl,
}

/// The plan of most groups, who need none of their own.
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
        /// In `helpers`.
        additional_targets: Span,
    },
    Cname {
        ttl: Ttl,
        /// In `data`.
        data: Span,
        /// In `helpers`.
        additional_targets: Span,
        /// `None` when the target lies outside this zone.
        leads: Option<Found>,
    },
    Alias {
        /// `None` when there is nothing to point to: no data, and unhealthy (spec 1.10).
        target: Option<GroupIndex>,
        evaluate_target_health: bool,
    },
}

/// A stretch of a longer list.
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

/// Where a name leads in a zone that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The name exists, perhaps only as an ancestor of others.
    Name(NodeIndex),
    /// The name does not exist and this wildcard answers for it (RFC 4592 section 3.3).
    Wildcard(NodeIndex),
    /// The name is at or below this delegation point.
    Delegation(NodeIndex),
    /// The name does not exist.
    Nothing,
}

/// What a chosen member answers with.
#[derive(Clone, Copy, Debug)]
pub enum MemberContent<'z> {
    /// Its records, and the nodes whose addresses help; [`NodeIndex::OWNER`] may be among them.
    Records(Records<'z>, &'z [NodeIndex]),
    /// Whatever this group answers with; nothing when the target is gone.
    Alias(Option<GroupIndex>),
}

impl Zone {
    /// What the API calls it.
    pub fn id(&self) -> &HostedZoneId {
        &self.id
    }

    /// Its apex.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether only the clients of its VPCs see it.
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// Whether nothing but its name is known: every query for it is answered with SERVFAIL.
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
    }

    /// The hash of its name, as questions carry it.
    pub(crate) fn name_hash(&self) -> u32 {
        self.name_hash
    }

    /// How many labels its name has.
    pub fn label_count(&self) -> usize {
        self.label_count
    }

    /// The checks that its members ask for.
    pub fn checks(&self) -> &[CheckSlot] {
        &self.checks
    }

    /// How many usable bits it needs.
    pub fn bit_count(&self) -> u32 {
        self.bit_count
    }

    /// Asks for the memory that answers to these names, each in its zone, will read: all of it that can be known of each before any
    /// is waited for.
    pub(crate) fn fetch_ahead(asked: &[(&Zone, &QueryName)]) {
        fetch(asked.iter().map(|(zone, _)| u64::from(zone.name_hash) ^ zone.name.wire().len() as u64));
        fetch(
            asked.iter().map(|(zone, name)| {
                name.word_ahead(&zone.table, 0) ^ zone.servers.as_ref().map_or(0, Ready::first_word)
            }),
        );
        // The first with this hash is nearly always the one.
        fetch(asked.iter().filter_map(|(zone, name)| {
            let node = name.find_suffix(&zone.table, 0, |_| true)?;
            Some(u64::from(zone.arena.first_word(NodeIndex(node))))
        }));
    }

    /// Roughly how many octets answers read of it.
    pub(crate) fn octets(&self) -> usize {
        size_of::<Zone>() + self.table.octets() + self.arena.octets()
    }

    /// Where `name`, which lies in this zone, leads: the name itself, else the closest encloser and its wildcard (RFC 4592).
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

    /// The labels of a name left of the zone's, wire form without a root.
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

    /// That set and the addresses of its servers in one piece; `None` where their addresses are chosen by a policy.
    pub fn servers(&self) -> Option<ZoneServers<'_>> {
        self.servers.as_ref().map(|ready| ZoneServers::new(self, ready))
    }

    /// The SOA as negative answers carry it: its TTL is the lesser of its own and its minimum field (RFC 2308 section 3).
    pub fn negative_soa(&self) -> Option<Records<'_>> {
        match self.content(self.soa, 0) {
            MemberContent::Records(records, _) => Some(records.with_ttl(self.negative_ttl)),
            MemberContent::Alias(_) => None,
        }
    }

    /// Lets the group's policy choose, while `trace` looks on.
    pub fn choose<T: Trace>(
        &self,
        group: GroupIndex,
        usable: UsableBits<'_>,
        client: &Client<'_>,
        dice: &mut Dice,
        trace: &mut T,
    ) -> Choice {
        let Some(number) = group.listed() else { return Choice::of_one(trace) };
        let group = &self.groups[number];
        let count = u16::try_from(group.members.len()).unwrap_or(u16::MAX);
        let fail_open = match group.when_all_unhealthy {
            WhenAllUnhealthy::None => FailOpen::Nobody,
            WhenAllUnhealthy::All | WhenAllUnhealthy::LastHealthy => FailOpen::All,
        };
        let candidates = Candidates::new(usable, group.first_bit, count).with_fail_open(fail_open);
        let plan = if group.plan == SIMPLE { &Plan::Simple } else { &self.plans[group.plan as usize] };
        plan.choose(candidates, client, dice, trace)
    }

    /// How long resolvers may remember that a group had nothing to answer, when that may be for its members' health:
    /// no longer than they may keep what it answers otherwise.
    pub fn negative_ttl_cap(&self, group: GroupIndex) -> Option<Ttl> {
        let group = &self.groups[group.listed()?];
        (group.when_all_unhealthy == WhenAllUnhealthy::None).then_some(group.least_ttl)
    }

    /// What a member of a group answers with.
    pub fn content(&self, group: GroupIndex, member: u16) -> MemberContent<'_> {
        let Some(number) = group.listed() else { return MemberContent::Records(self.arena.records(group), &[]) };
        let group = &self.groups[number];
        self.content_of(group.record_type, self.member(group, member))
    }

    /// What these members of a group answer with that is no plain one.
    pub fn contents<'z>(&'z self, group: GroupIndex, members: &[u16]) -> impl Iterator<Item = MemberContent<'z>> {
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
        }
    }

    /// Whether members of a group that answers with several at once hold the same data.
    pub fn repeats_data(&self, group: GroupIndex) -> bool {
        group.listed().is_some_and(|number| self.groups[number].repeats_data)
    }

    /// Where the target of a chosen CNAME leads; `None` when it lies outside this zone.
    pub fn cname_target(&self, group: GroupIndex, member: u16) -> Option<Found> {
        match self.member(&self.groups[group.listed()?], member).content {
            Content::Cname { leads, .. } => leads,
            _ => None,
        }
    }

    fn member(&self, group: &Group, member: u16) -> &Member {
        &self.members[group.members.start as usize + usize::from(member)]
    }
}

impl Group {
    fn member_range(&self) -> Range<usize> {
        self.members.start as usize..self.members.end as usize
    }
}

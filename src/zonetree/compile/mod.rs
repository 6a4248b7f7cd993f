//! Compiles a hosted zone. The zone has passed the model's rules. If it breaks one, the compiled
//! zone still answers with what is left: an alias without a target has no data. The resources that
//! aliases target outside the zone become groups that no name has.
//!
//! Names are numbered in the order they are found, and their record sets are sorted by name and
//! type. Then the entries are written one after the other, and forward references are filled in at
//! the end.

mod resources;

use std::ops::Range;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use super::arena::{NewName, Writer, Written};
use super::propagate::RecoveryGroup;
use super::propagation_order::{note_least_ttls, number_bits, targets_first, with_health};
use super::query_name::hash_name;
use super::servers::Ready;
use super::{
    Content, Group, GroupIndex, Member, NodeIndex, QueryName, SIMPLE, Span, SuffixTable, Zone, count, records,
};
use crate::background;
use crate::health::{CheckSlot, RecoveryRules};
use crate::model::{
    self, AliasTarget, HealthCheckId, HostedZone, Name, RecordData, RecordGroup, RecordType, ResourceRecordSet,
    RoutingPolicy, ZoneIdentity,
};
use crate::policy::{Candidates, CidrTables, GroupPolicy, ZoneBit};

/// The approximate size of a name's entries in bytes, used to reserve memory in advance.
const OCTETS_A_NAME: usize = 28;

impl Zone {
    /// Compiles `zone`. `slot_of` returns the slot of each health check; an unknown check counts as
    /// healthy.
    pub fn compile(
        zone: &HostedZone,
        slot_of: &dyn Fn(&HealthCheckId) -> Option<CheckSlot>,
        tables: &CidrTables,
    ) -> Zone {
        let rules = zone.record_groups.iter().map(|group| ((&group.name, group.record_type), group)).collect();
        let names = Names::of(zone);
        let writer = Writer::with_capacity(names.list.len() * OCTETS_A_NAME);
        let lists = Lists::default();
        Builder { zone, names, slot_of, tables, rules, writer, lists }.build()
    }

    /// A zone of which only the name is known: it has no records to answer with.
    pub fn unavailable(zone: &ZoneIdentity) -> Zone {
        let ZoneIdentity { id, name, vpcs } = zone.clone();
        // Never answered, but every compiled zone has an NS set and a SOA.
        let apex = [(RecordType::Soa, ". . 1 7200 900 1209600 86400"), (RecordType::Ns, ".")];
        let set = |(record_type, value)| ResourceRecordSet {
            name: name.clone(),
            record_type,
            set_identifier: None,
            routing_policy: RoutingPolicy::Simple,
            content: model::Content::Records {
                ttl: 0,
                values: vec![RecordData::parse(record_type, value).expect("the root is a name")],
            },
            health_check: None,
        };
        let record_sets = apex.map(set).map(Arc::new).into();
        let zone = HostedZone { vpcs, record_sets, ..HostedZone::new(id, name) };
        Zone { unavailable: true, ..Zone::compile(&zone, &|_| None, &CidrTables::default()) }
    }
}

/// All names of the zone by number, including empty non-terminals; the apex is first.
struct Names<'m> {
    list: Vec<NewNode<'m>>,
    numbers: HashMap<&'m [u8], u32>,
    /// All record sets, by name and type. Within a group they keep their order.
    sets: Vec<&'m ResourceRecordSet>,
    has_cuts: bool,
}

/// A name to compile.
struct NewNode<'m> {
    /// The labels, relative to the zone's name.
    labels: &'m [u8],
    parent: u32,
    /// The number of a longer name whose labels end in those of this one.
    shared_with: Option<u32>,
    wildcard: Option<u32>,
    /// The range in `sets`.
    sets: Range<u32>,
}

impl<'m> Names<'m> {
    fn of(zone: &'m HostedZone) -> Names<'m> {
        let answered: Vec<&ResourceRecordSet> = zone.answered_sets().collect();
        let count = answered.len();
        let apex = NewNode { labels: &[], parent: 0, shared_with: None, wildcard: None, sets: 0..0 };
        let (mut list, mut numbers) = (Vec::with_capacity(count + 1), HashMap::with_capacity(count + 1));
        list.push(apex);
        numbers.insert(&[][..], 0);
        let mut names = Names { list, numbers, sets: Vec::new(), has_cuts: false };
        let mut placed = Vec::with_capacity(count);
        for (at, set) in (0..).zip(background::yielding(&answered)) {
            if let Some(labels) = set.name.relative_to(&zone.name) {
                let node = names.number(labels);
                names.has_cuts |= node > 0 && set.record_type == RecordType::Ns;
                placed.push((node, set.record_type, at));
            }
        }
        placed.sort_unstable();
        names.place(&placed, &answered);
        names
    }

    /// The number of a name. Assigns numbers to it and to the names between it and the apex if they
    /// have none.
    fn number(&mut self, labels: &'m [u8]) -> u32 {
        if let Some(&known) = self.numbers.get(labels) {
            // It may have been only an ancestor so far. Now it has records; nothing else changes.
            return known;
        }
        let (mut child, mut labels) = (self.add(labels, None), labels);
        let first = child;
        loop {
            let rest = &labels[1 + usize::from(labels[0])..];
            // Most names are right below the apex.
            let known = if rest.is_empty() { Some(0) } else { self.numbers.get(rest).copied() };
            let parent = known.unwrap_or_else(|| self.add(rest, Some(first)));
            self.list[child as usize].parent = parent;
            if labels.starts_with(&[1, b'*']) {
                self.list[parent as usize].wildcard = Some(child);
            }
            if known.is_some() {
                return first;
            }
            (child, labels) = (parent, rest);
        }
    }

    fn add(&mut self, labels: &'m [u8], shared_with: Option<u32>) -> u32 {
        let number = count(self.list.len());
        self.list.push(NewNode { labels, parent: 0, shared_with, wildcard: None, sets: 0..0 });
        self.numbers.insert(labels, number);
        number
    }

    /// Takes the sets, sorted by the number of their name and by type.
    fn place(&mut self, placed: &[(u32, RecordType, usize)], sets: &[&'m ResourceRecordSet]) {
        self.sets = placed.iter().map(|&(_, _, at)| sets[at]).collect();
        for (at, &(node, ..)) in (0..).zip(placed) {
            let range = &mut self.list[node as usize].sets;
            *range = if range.end == 0 { at..at + 1 } else { range.start..at + 1 };
        }
    }

    fn find(&self, labels: &[u8]) -> Option<u32> {
        self.numbers.get(labels).copied()
    }

    fn sets(&self, node: u32) -> &[&'m ResourceRecordSet] {
        let range = &self.list[node as usize].sets;
        &self.sets[range.start as usize..range.end as usize]
    }

    fn has(&self, node: u32, record_type: RecordType) -> bool {
        self.sets(node).iter().any(|set| set.record_type == record_type)
    }

    /// The delegation point nearest to the apex at or above a name. Names below it belong to
    /// another zone.
    fn cut(&self, node: u32) -> Option<u32> {
        if !self.has_cuts {
            return None;
        }
        let (mut at, mut highest) = (node, None);
        while at != 0 {
            if self.has(at, RecordType::Ns) {
                highest = Some(at);
            }
            at = self.list[at as usize].parent;
        }
        highest
    }
}

/// The parts of a zone that are not in the arena.
#[derive(Default)]
struct Lists {
    groups: Vec<Group>,
    members: Vec<Member>,
    policies: Vec<GroupPolicy>,
    data: Vec<u8>,
    additional_targets: Vec<u32>,
    /// The numbers of groups whose records can have a failback delay or slow start, with their
    /// sets.
    with_recovery: Vec<(usize, Range<usize>)>,
    /// The targets of CNAMEs in the zone, by member.
    cnames: Vec<(usize, Name)>,
    /// The targets of aliases outside the zone, by member.
    resources: Vec<(usize, resources::ResourceKey)>,
    /// The groups of these, and of the names in other zones whose addresses they have.
    outside: resources::OutsideGroups,
}

struct Builder<'m> {
    zone: &'m HostedZone,
    names: Names<'m>,
    slot_of: &'m dyn Fn(&HealthCheckId) -> Option<CheckSlot>,
    tables: &'m CidrTables,
    rules: HashMap<(&'m Name, RecordType), &'m RecordGroup>,
    writer: Writer,
    lists: Lists,
}

/// The offsets of names and groups.
#[derive(Default)]
struct WrittenNames {
    nodes: Vec<Written>,
    /// By name and type.
    groups: Vec<GroupIndex>,
    /// The first group of each name.
    first_groups: Vec<u32>,
}

impl Builder<'_> {
    fn build(mut self) -> Zone {
        let written_names = self.write();
        let hashes = self.hashes(&written_names);
        self.resolve_aliases(&written_names);
        self.add_resources(&written_names);
        let mut lists = std::mem::take(&mut self.lists);
        let arena = std::mem::take(&mut self.writer).finish();
        let order = targets_first(&lists.groups, &mut lists.members);
        let plain_ttl = |group| arena.records(group).ttl;
        note_least_ttls(&order, &mut lists.groups, &lists.members, &plain_ttl);
        let propagation_order = with_health(order, &lists.groups, &lists.members);
        let bit_count = number_bits(&propagation_order, &mut lists.groups);
        let recovery_groups = self.recovery_groups(&lists);
        let mut checks: Vec<CheckSlot> = lists.members.iter().filter_map(|member| member.check).collect();
        checks.sort_unstable();
        checks.dedup();
        let mut zone = Zone {
            id: self.zone.id.clone(),
            name: self.zone.name.clone(),
            name_hash: hash_name(&self.zone.name),
            label_count: self.zone.name.label_count(),
            private: self.zone.is_private(),
            logs_queries: self.zone.attachments.query_logging.is_some(),
            unavailable: false,
            table: SuffixTable::build(&hashes),
            arena,
            apex: written_names.nodes[0].node,
            groups: lists.groups.into(),
            members: lists.members.into(),
            policies: lists.policies.into(),
            data: lists.data.into(),
            additional_targets: lists
                .additional_targets
                .iter()
                .map(|&additional_target| written_names.additional_target(additional_target))
                .collect(),
            propagation_order: propagation_order.into(),
            recovery_groups,
            checks: checks.into(),
            bit_count,
            soa: self.apex_group(RecordType::Soa, &written_names),
            negative_ttl: negative_ttl(self.zone),
            name_servers: self.apex_group(RecordType::Ns, &written_names),
            servers: None,
        };
        resolve_cnames(&mut zone, &lists.cnames);
        zone.servers = Ready::of(&zone);
        zone
    }

    fn apex_group(&self, record_type: RecordType, written_names: &WrittenNames) -> GroupIndex {
        self.group_at(0, record_type, written_names).expect("a hosted zone always has SOA and NS")
    }

    fn group_at(&self, node: u32, record_type: RecordType, written_names: &WrittenNames) -> Option<GroupIndex> {
        let groups = self.names.sets(node).chunk_by(|one, other| one.record_type == other.record_type);
        let at = groups
            .zip(written_names.first_groups[node as usize]..)
            .find(|(sets, _)| sets[0].record_type == record_type);
        Some(written_names.groups[at?.1 as usize])
    }

    /// The hash and number of each name.
    fn hashes(&self, written_names: &WrittenNames) -> Vec<(u32, u32)> {
        let mut name = QueryName::default();
        let (origin, mut wire) = (self.zone.name.wire(), Vec::new());
        let hash = |(node, written): (&NewNode<'_>, &Written)| {
            wire.clear();
            wire.extend(node.labels);
            wire.extend(origin);
            name.read(&wire, 0).expect("a Name is well formed");
            (name.whole_hash(), written.node.0)
        };
        background::yielding(&self.names.list).zip(&written_names.nodes).map(hash).collect()
    }

    /// Writes all names with their groups.
    fn write(&mut self) -> WrittenNames {
        let mut written_names = WrittenNames::default();
        let names = self.names.list.len();
        written_names.nodes.reserve_exact(names);
        written_names.groups.reserve_exact(names);
        written_names.first_groups.reserve_exact(names);
        let mut cuts = Vec::new();
        for node in background::yielding(0..count(names)) {
            let cut = self.names.cut(node);
            if let Some(cut) = cut {
                cuts.push((node, cut));
            }
            let written = self.write_name(node, cut.is_some(), &written_names);
            written_names.nodes.push(written);
            written_names.first_groups.push(count(written_names.groups.len()));
            let sets = self.names.list[node as usize].sets.clone();
            self.write_groups(sets, &mut written_names.groups);
        }
        for (node, cut) in cuts {
            let at = written_names.nodes[node as usize].cut.expect("room was left for it");
            self.writer.set(at, written_names.node(cut));
        }
        for (node, written) in self.names.list.iter().zip(&written_names.nodes) {
            if let (Some(wildcard), Some(at)) = (node.wildcard, written.wildcard) {
                self.writer.set(at, written_names.node(wildcard));
            }
        }
        written_names
    }

    fn write_name(&mut self, number: u32, has_cut: bool, written_names: &WrittenNames) -> Written {
        let node = &self.names.list[number as usize];
        // The name whose labels this one shares was written before it.
        let borrowed = node.shared_with.map(|shared_with| {
            let shared_with = shared_with as usize;
            let length = self.names.list[shared_with].labels.len() - node.labels.len();
            written_names.nodes[shared_with].labels + count(length)
        });
        let sets = self.names.sets(number).chunk_by(|one, other| one.record_type == other.record_type);
        let groups = u8::try_from(sets.count()).expect("there are 17 types");
        let has_wildcard = node.wildcard.is_some();
        self.writer.name(&NewName { labels: node.labels, borrowed, has_cut, has_wildcard, groups })
    }

    fn write_groups(&mut self, sets: Range<u32>, groups: &mut Vec<GroupIndex>) {
        let (mut at, end) = (sets.start as usize, sets.end as usize);
        while at < end {
            let record_type = self.names.sets[at].record_type;
            let same = self.names.sets[at..end].iter().take_while(|set| set.record_type == record_type).count();
            groups.push(self.group(at..at + same));
            at += same;
        }
    }

    /// Writes the group of these sets: into the arena if it is plain, otherwise into the lists.
    fn group(&mut self, sets: Range<usize>) -> GroupIndex {
        let first = self.names.sets[sets.start];
        let has_rules = !self.rules.is_empty();
        let rules = has_rules.then(|| self.rules.get(&(&first.name, first.record_type)).copied()).flatten();
        if sets.len() == 1
            && rules.is_none()
            && let Some((ttl, values)) = self.plain(first)
        {
            let origin = self.zone.name.wire();
            return self.writer.plain(first.record_type, count_of(values), ttl, |data| {
                records::append(data, values, origin);
            });
        }
        let start = count(self.lists.members.len());
        for at in sets.clone() {
            let member = self.member(self.names.sets[at]);
            self.lists.members.push(member);
        }
        let policy = self.policy(&self.names.sets[sets.clone()]);
        let number = self.add_group(first, start, policy, rules);
        if rules.is_some() {
            self.lists.with_recovery.push((number as usize, sets));
        }
        self.writer.elsewhere(first.record_type, number)
    }

    /// Adds the group of the members from number `start` on, of which this is the first set.
    /// Returns its number.
    fn add_group(
        &mut self,
        first: &ResourceRecordSet,
        start: u32,
        policy: Option<GroupPolicy>,
        rules: Option<&RecordGroup>,
    ) -> u32 {
        let policy = policy.map_or(SIMPLE, |policy| {
            self.lists.policies.push(policy);
            count(self.lists.policies.len() - 1)
        });
        self.lists.groups.push(Group {
            record_type: first.record_type,
            policy,
            members: start..count(self.lists.members.len()),
            first_bit: Candidates::ALWAYS_USABLE,
            when_all_unhealthy: rules.map_or_else(Default::default, |rules| rules.when_all_unhealthy),
            repeats_data: first.routing_policy == RoutingPolicy::MultivalueAnswer && self.repeats_data(start as usize),
            least_ttl: 0,
        });
        count(self.lists.groups.len() - 1)
    }

    /// Whether two of the members from number `start` on have the same data.
    fn repeats_data(&self, start: usize) -> bool {
        let data = |member: &Member| match member.content {
            Content::Leaf { data, .. } | Content::Cname { data, .. } => Some(&self.lists.data[data.range()]),
            Content::Alias { .. } | Content::NoData => None,
        };
        let mut seen = HashSet::new();
        !self.lists.members[start..].iter().filter_map(data).all(|data| seen.insert(data))
    }

    /// The groups with a failback delay, slow start or drain, in the order of their bits.
    fn recovery_groups(&self, lists: &Lists) -> Box<[RecoveryGroup]> {
        let with_recovery = |(group, sets): &(usize, Range<usize>)| {
            self.recovery_group(lists.groups[*group].first_bit, &self.names.sets[sets.clone()])
        };
        let mut with_recovery: Vec<RecoveryGroup> = lists.with_recovery.iter().filter_map(with_recovery).collect();
        with_recovery.sort_unstable_by_key(|with_recovery| with_recovery.first_bit);
        with_recovery.into()
    }

    fn recovery_group(&self, first_bit: ZoneBit, sets: &[&ResourceRecordSet]) -> Option<RecoveryGroup> {
        let (name, record_type) = (&sets[0].name, sets[0].record_type);
        let RecordGroup { failback_delay, slow_start, .. } = **self.rules.get(&(name, record_type))?;
        let rules = RecoveryRules { failback_delay, slow_start };
        if rules.are_none() || first_bit == Candidates::ALWAYS_USABLE {
            return None;
        }
        let set_identifiers = sets.iter().map(|set| set.set_identifier.as_deref().map(Into::into)).collect();
        Some(RecoveryGroup { first_bit, rules, name: name.clone(), record_type, set_identifiers })
    }

    /// The records of a plain set.
    fn plain<'s>(&self, set: &'s ResourceRecordSet) -> Option<(u32, &'s [RecordData])> {
        let model::Content::Records { ttl, values } = &set.content else { return None };
        let is_alone = set.routing_policy == RoutingPolicy::Simple && set.health_check.is_none();
        let leads_inwards = |value: &RecordData| {
            value.targets_owner() || value.target().is_some_and(|target| target.is_within(&self.zone.name))
        };
        (is_alone && !values.iter().any(leads_inwards)).then_some((*ttl, values))
    }

    /// The policy of a group with these sets; `None` if it is simple.
    fn policy(&self, sets: &[&ResourceRecordSet]) -> Option<GroupPolicy> {
        let ip_based = matches!(sets[0].routing_policy, RoutingPolicy::IpBased { .. });
        match sets[0].routing_policy {
            RoutingPolicy::Simple => None,
            _ if ip_based && self.zone.is_private() => Some(GroupPolicy::NotServed),
            _ => Some(GroupPolicy::new(sets, self.tables)),
        }
    }

    fn member(&mut self, set: &ResourceRecordSet) -> Member {
        let check = set.health_check.as_ref().and_then(self.slot_of);
        let content = match &set.content {
            model::Content::Records { ttl, values } => self.leaf(set.record_type, *ttl, values),
            model::Content::Alias(target) => self.alias(target, set.record_type),
        };
        Member { check, content }
    }

    fn leaf(&mut self, record_type: RecordType, ttl: u32, values: &[RecordData]) -> Content {
        let start = self.lists.data.len();
        records::append(&mut self.lists.data, values, self.zone.name.wire());
        let data = span(start, self.lists.data.len());
        let start = self.lists.additional_targets.len();
        self.add_additional_targets(values);
        let additional_targets = span(start, self.lists.additional_targets.len());
        if record_type != RecordType::Cname || values.len() != 1 {
            return Content::Leaf { ttl, count: count_of(values), data, additional_targets };
        }
        if let Some(target) = values[0].target().filter(|target| target.is_within(&self.zone.name)) {
            self.lists.cnames.push((self.lists.members.len(), target));
        }
        Content::Cname { ttl, data, additional_targets, leads: None }
    }

    /// The names in the data whose addresses this zone holds (Developer Guide, "DNS behavior": MX,
    /// CNAME, NS, SRV; RFC 9460 section 4.1: SVCB, HTTPS).
    fn add_additional_targets(&mut self, values: &[RecordData]) {
        let start = self.lists.additional_targets.len();
        for value in values {
            let additional_target =
                if value.targets_owner() { Some(NodeIndex::OWNER.0) } else { self.additional_target(value) };
            let is_new = |additional_target: &u32| !self.lists.additional_targets[start..].contains(additional_target);
            if let Some(additional_target) = additional_target.filter(is_new) {
                self.lists.additional_targets.push(additional_target);
            }
        }
    }

    /// The number of the name that a value points to, if the name has addresses. Below a delegation
    /// only the addresses of name servers count, as glue.
    fn additional_target(&self, value: &RecordData) -> Option<u32> {
        let node = self.names.find(value.target()?.relative_to(&self.zone.name)?)?;
        let occluded = value.record_type() != RecordType::Ns && self.names.cut(node).is_some();
        let service = value.is_service_alias().then_some(value.record_type());
        let mut useful = [RecordType::A, RecordType::Aaaa].into_iter().chain(service);
        (!occluded && useful.any(|record_type| self.names.has(node, record_type))).then_some(node)
    }

    /// The target is the number of its name until all names are written.
    fn alias(&mut self, target: &AliasTarget, record_type: RecordType) -> Content {
        let evaluate_target_health = self.zone.evaluates(target);
        if let Some(id) = &target.hosted_zone {
            let key = (id.clone(), target.name.clone(), record_type);
            self.lists.resources.push((self.lists.members.len(), key));
            return Content::Alias { target: None, evaluate_target_health };
        }
        let labels = target.name.relative_to(&self.zone.name);
        let target = labels.and_then(|labels| self.names.find(labels)).map(GroupIndex);
        Content::Alias { target, evaluate_target_health }
    }

    /// Replaces the number of the name by the group.
    fn resolve_aliases(&mut self, written_names: &WrittenNames) {
        let mut lists = std::mem::take(&mut self.lists);
        for group in &lists.groups {
            for member in &mut lists.members[group.member_range()] {
                if let Content::Alias { target, .. } = &mut member.content {
                    *target = target.and_then(|node| self.group_at(node.0, group.record_type, written_names));
                }
            }
        }
        self.lists = lists;
    }
}

impl WrittenNames {
    fn node(&self, number: u32) -> NodeIndex {
        self.nodes[number as usize].node
    }

    fn additional_target(&self, number: u32) -> NodeIndex {
        if number == NodeIndex::OWNER.0 { NodeIndex::OWNER } else { self.node(number) }
    }
}

/// RFC 2308 section 3: the TTL of a negative answer is the lesser of the SOA's own TTL and its
/// minimum field.
fn negative_ttl(zone: &HostedZone) -> u32 {
    let soa = zone.record_sets.iter().find(|set| set.record_type == RecordType::Soa);
    let Some(model::Content::Records { ttl, values }) = soa.map(|set| &set.content) else { return 0 };
    let minimum = values.first().and_then(|soa| soa.wire().last_chunk::<4>());
    minimum.map_or(*ttl, |minimum| u32::from_be_bytes(*minimum).min(*ttl))
}

/// Records the target of each CNAME that stays in the zone.
fn resolve_cnames(zone: &mut Zone, cnames: &[(usize, Name)]) {
    let mut question = QueryName::default();
    for (member, target) in cnames {
        question.set(target);
        let found = zone.find(&question);
        if let Content::Cname { leads, .. } = &mut zone.members[*member].content {
            *leads = Some(found);
        }
    }
}

fn count_of(values: &[RecordData]) -> u16 {
    // Route 53 allows 400.
    u16::try_from(values.len()).unwrap_or(u16::MAX - 1)
}

fn span(start: usize, end: usize) -> Span {
    Span { start: count(start), length: count(end - start) }
}

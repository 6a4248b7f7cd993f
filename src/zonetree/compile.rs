//! From a hosted zone to its compiled form. The zone has passed the model's rules; where it has not, the compiled zone
//! still answers, with less: an alias that leads nowhere has no data.

use std::collections::{BTreeMap, HashMap};

use super::query_name::hash_name;
use super::settle::RuledGroup;
use super::{
    Content, Found, Group, GroupIndex, Member, Node, NodeIndex, QueryName, SIMPLE, Span, SuffixTable, Zone, records,
};
use crate::health::{CheckSlot, ComebackRules};
use crate::model::{
    self, AliasTarget, CidrCollection, HealthCheckId, HostedZone, Name, RecordData, RecordGroup, RecordType,
    ResourceRecordSet, RoutingPolicy,
};
use crate::policy::{Candidates, Plan};

/// The record sets of one name by type; empty for an empty non-terminal.
type SetsByType<'m> = BTreeMap<RecordType, Vec<&'m ResourceRecordSet>>;

impl Zone {
    /// Compiles `zone`. `slot_of` names the slot of each health check; an unknown check counts as healthy.
    pub fn compile(
        zone: &HostedZone,
        slot_of: &dyn Fn(&HealthCheckId) -> Option<CheckSlot>,
        collections: &[CidrCollection],
    ) -> Zone {
        let names = sets_by_name(zone);
        let layout = Layout::of(zone, &names);
        let rules = zone.record_groups.iter().map(|group| ((&group.name, group.record_type), group)).collect();
        let (arena, helpers) = (Vec::new(), Vec::new());
        let mut builder = Builder { zone, layout, slot_of, collections, rules, arena, helpers };
        builder.build(&names)
    }
}

/// Every name with its record sets, the empty non-terminals between them and the apex included, the apex first.
fn sets_by_name(zone: &HostedZone) -> Vec<(Name, SetsByType<'_>)> {
    let mut names: BTreeMap<Name, SetsByType<'_>> = BTreeMap::from([(zone.name.clone(), BTreeMap::new())]);
    for set in zone.record_sets.iter().filter(|set| set.name.is_within(&zone.name)) {
        names.entry(set.name.clone()).or_default().entry(set.record_type).or_default().push(set);
        let mut ancestor = set.name.clone();
        while ancestor != zone.name {
            names.entry(ancestor.clone()).or_default();
            let Some(parent) = ancestor.parent() else { break };
            ancestor = parent;
        }
    }
    let mut names: Vec<_> = names.into_iter().collect();
    let apex = names.iter().position(|(name, _)| *name == zone.name).expect("the apex was put in first");
    names.swap(0, apex);
    names
}

/// The numbers of names and groups, known before any of them is built.
struct Layout {
    nodes: BTreeMap<Name, NodeIndex>,
    groups: BTreeMap<(NodeIndex, RecordType), GroupIndex>,
    cuts: Vec<Option<NodeIndex>>,
    wildcards: Vec<Option<NodeIndex>>,
}

impl Layout {
    fn of(zone: &HostedZone, names: &[(Name, SetsByType<'_>)]) -> Layout {
        let nodes: BTreeMap<Name, NodeIndex> =
            (0..).zip(names).map(|(index, (name, _))| (name.clone(), NodeIndex(index))).collect();
        let nodes_with_sets = (0..).map(NodeIndex).zip(names);
        let types =
            nodes_with_sets.flat_map(|(node, (_, sets))| sets.keys().map(move |&record_type| (node, record_type)));
        let groups = types.zip((0..).map(GroupIndex)).collect();
        let is_cut = |name: &Name| {
            *name != zone.name
                && nodes.get(name).is_some_and(|node| names[node.0 as usize].1.contains_key(&RecordType::Ns))
        };
        let cuts = names.iter().map(|(name, _)| highest_cut(name, &zone.name, &nodes, is_cut)).collect();
        let wildcards = names.iter().map(|(name, _)| wildcard_below(name, &nodes)).collect();
        Layout { nodes, groups, cuts, wildcards }
    }

    fn group(&self, node: NodeIndex, record_type: RecordType) -> Option<GroupIndex> {
        self.groups.get(&(node, record_type)).copied()
    }
}

/// The delegation point nearest to the apex at or above a name: what lies below it is another zone's.
fn highest_cut(
    name: &Name,
    apex: &Name,
    nodes: &BTreeMap<Name, NodeIndex>,
    is_cut: impl Fn(&Name) -> bool,
) -> Option<NodeIndex> {
    let mut highest = None;
    let mut at = Some(name.clone());
    while let Some(name) = at.filter(|name| name != apex) {
        if is_cut(&name) {
            highest = nodes.get(&name).copied();
        }
        at = name.parent();
    }
    highest
}

fn wildcard_below(name: &Name, nodes: &BTreeMap<Name, NodeIndex>) -> Option<NodeIndex> {
    let asterisk = Name::parse("*").expect("an asterisk is a label");
    nodes.get(&asterisk.under(name).ok()?).copied()
}

struct Builder<'m> {
    zone: &'m HostedZone,
    layout: Layout,
    slot_of: &'m dyn Fn(&HealthCheckId) -> Option<CheckSlot>,
    collections: &'m [CidrCollection],
    rules: HashMap<(&'m Name, RecordType), &'m RecordGroup>,
    arena: Vec<u8>,
    helpers: Vec<NodeIndex>,
}

impl Builder<'_> {
    fn build(&mut self, names: &[(Name, SetsByType<'_>)]) -> Zone {
        let nodes = self.nodes(names);
        let (mut groups, mut members, mut plans) = (Vec::new(), Vec::new(), Vec::new());
        for sets in names.iter().flat_map(|(_, sets)| sets.values()) {
            groups.push(self.group(sets, &mut members, &mut plans));
        }
        let order = targets_first(&groups, &mut members);
        note_least_ttls(&order, &mut groups, &members);
        let settle_order = with_health(order, &groups, &members);
        let bit_count = number_bits(&settle_order, &mut groups);
        let ruled_groups = self.ruled_groups(names, &groups);
        let mut checks: Vec<CheckSlot> = members.iter().filter_map(|member: &Member| member.check).collect();
        checks.sort_unstable();
        checks.dedup();
        let hashes: Vec<u32> = names.iter().map(|(name, _)| hash_name(name)).collect();
        let mut zone = Zone {
            id: self.zone.id.clone(),
            name: self.zone.name.clone(),
            name_hash: hash_name(&self.zone.name),
            label_count: self.zone.name.label_count(),
            private: self.zone.is_private(),
            table: SuffixTable::build(&hashes),
            nodes,
            groups: groups.into(),
            members: members.into(),
            plans: plans.into(),
            arena: std::mem::take(&mut self.arena).into(),
            helpers: std::mem::take(&mut self.helpers).into(),
            cname_targets: Box::default(),
            settle_order: settle_order.into(),
            ruled_groups,
            checks: checks.into(),
            bit_count,
            soa: self.apex_group(RecordType::Soa),
            negative_ttl: negative_ttl(self.zone),
            name_servers: self.apex_group(RecordType::Ns),
        };
        zone.cname_targets = cname_targets(&zone, names);
        zone
    }

    fn apex_group(&self, record_type: RecordType) -> GroupIndex {
        self.layout.group(NodeIndex(0), record_type).expect("a hosted zone always has SOA and NS")
    }

    fn nodes(&mut self, names: &[(Name, SetsByType<'_>)]) -> Box<[Node]> {
        let mut next_group = 0;
        let mut nodes = Vec::with_capacity(names.len());
        for (index, (name, sets)) in names.iter().enumerate() {
            let labels = name.relative_to(&self.zone.name).expect("only names in the zone are kept").to_vec();
            let groups = next_group..next_group + count(sets.len());
            next_group = groups.end;
            let labels = self.store(&labels);
            nodes.push(Node { labels, groups, cut: self.layout.cuts[index], wildcard: self.layout.wildcards[index] });
        }
        nodes.into()
    }

    fn group(&mut self, sets: &[&ResourceRecordSet], members: &mut Vec<Member>, plans: &mut Vec<Plan>) -> Group {
        let first = count(members.len());
        for set in sets {
            let member = self.member(set);
            members.push(member);
        }
        let name_and_type = (&sets[0].name, sets[0].record_type);
        Group {
            record_type: sets[0].record_type,
            plan: self.plan(sets, plans),
            members: first..count(members.len()),
            first_bit: Candidates::ALWAYS_USABLE,
            when_all_unhealthy: self.rules.get(&name_and_type).map_or_else(Default::default, |g| g.when_all_unhealthy),
            least_ttl: 0,
        }
    }

    /// The groups whose records do not come back at once, in the order of their bits.
    fn ruled_groups(&self, names: &[(Name, SetsByType<'_>)], groups: &[Group]) -> Box<[RuledGroup]> {
        let sets = names.iter().flat_map(|(_, sets)| sets.values());
        let mut ruled: Vec<RuledGroup> =
            groups.iter().zip(sets).filter_map(|(group, sets)| self.ruled_group(group, sets)).collect();
        ruled.sort_unstable_by_key(|ruled| ruled.first_bit);
        ruled.into()
    }

    fn ruled_group(&self, group: &Group, sets: &[&ResourceRecordSet]) -> Option<RuledGroup> {
        let (name, record_type) = (&sets[0].name, sets[0].record_type);
        let RecordGroup { failback_delay, slow_start, .. } = **self.rules.get(&(name, record_type))?;
        let rules = ComebackRules { failback_delay, slow_start };
        if rules.are_none() || group.first_bit == Candidates::ALWAYS_USABLE {
            return None;
        }
        let set_identifiers = sets.iter().map(|set| set.set_identifier.as_deref().map(Into::into)).collect();
        Some(RuledGroup { first_bit: group.first_bit, rules, name: name.clone(), record_type, set_identifiers })
    }

    fn plan(&self, sets: &[&ResourceRecordSet], plans: &mut Vec<Plan>) -> u32 {
        let ip_based = matches!(sets[0].routing_policy, RoutingPolicy::IpBased { .. });
        let plan = match sets[0].routing_policy {
            RoutingPolicy::Simple => return SIMPLE,
            _ if ip_based && self.zone.is_private() => Plan::NotServed,
            _ => Plan::new(sets, self.collections),
        };
        plans.push(plan);
        count(plans.len() - 1)
    }

    fn member(&mut self, set: &ResourceRecordSet) -> Member {
        let check = set.health_check.as_ref().and_then(self.slot_of);
        let content = match &set.content {
            model::Content::Records { ttl, values } => self.leaf(*ttl, values),
            model::Content::Alias(target) => self.alias(set.record_type, target),
        };
        Member { check, content }
    }

    fn leaf(&mut self, ttl: u32, values: &[RecordData]) -> Content {
        let start = self.arena.len();
        records::append(&mut self.arena, values, self.zone.name.wire());
        let data = span(start, self.arena.len());
        let start = self.helpers.len();
        self.add_helpers(values);
        let helpers = span(start, self.helpers.len());
        Content::Leaf { ttl, count: u16::try_from(values.len()).unwrap_or(u16::MAX), data, helpers }
    }

    /// The names in the data whose addresses this zone holds (Developer Guide, "DNS behavior": MX, CNAME, NS, SRV). Below a
    /// delegation only name servers' addresses count, as glue.
    fn add_helpers(&mut self, values: &[RecordData]) {
        let start = self.helpers.len();
        for value in values {
            let Some(node) = value.target().and_then(|target| self.layout.nodes.get(&target).copied()) else {
                continue;
            };
            let occluded = self.layout.cuts[node.0 as usize].is_some() && value.record_type() != RecordType::Ns;
            let addressed = [RecordType::A, RecordType::Aaaa].iter().any(|&t| self.layout.group(node, t).is_some());
            if addressed && !occluded && !self.helpers[start..].contains(&node) {
                self.helpers.push(node);
            }
        }
    }

    fn alias(&self, record_type: RecordType, target: &AliasTarget) -> Content {
        let node = self.layout.nodes.get(&target.name);
        Content::Alias {
            target: node.and_then(|&node| self.layout.group(node, record_type)),
            evaluate_target_health: target.evaluate_target_health,
        }
    }

    fn store(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend(bytes);
        span(start, self.arena.len())
    }
}

/// All groups, each after the groups its aliases point to. An alias that would close a circle leads nowhere from now on:
/// whoever followed it would never arrive.
fn targets_first(groups: &[Group], members: &mut [Member]) -> Vec<GroupIndex> {
    let mut order = Vec::new();
    let mut states = vec![State::Unseen; groups.len()];
    for start in (0..count(groups.len())).map(GroupIndex) {
        let mut path = vec![(start, 0)];
        while let Some((group, step)) = path.pop() {
            let state = &mut states[group.0 as usize];
            if step == 0 && *state != State::Unseen {
                continue;
            }
            *state = State::Open;
            match next_target(&groups[group.0 as usize], members, step) {
                Some((member, target, next)) => {
                    path.push((group, next));
                    match states[target.0 as usize] {
                        State::Open => lead_nowhere(&mut members[member as usize]),
                        State::Unseen => path.push((target, 0)),
                        State::Done => {}
                    }
                }
                None => {
                    states[group.0 as usize] = State::Done;
                    order.push(group);
                }
            }
        }
    }
    order
}

/// Notes it once for each group, targets first: aliases may meet again and again, and a walk for each would never end.
fn note_least_ttls(order: &[GroupIndex], groups: &mut [Group], members: &[Member]) {
    for group in order {
        let ttl = |member: &Member| match member.content {
            Content::Leaf { ttl, .. } => Some(ttl),
            Content::Alias { target, .. } => target.map(|target| groups[target.0 as usize].least_ttl),
        };
        let least = members[groups[group.0 as usize].member_range()].iter().filter_map(ttl).min();
        groups[group.0 as usize].least_ttl = least.unwrap_or(0);
    }
}

/// Those of the groups with health in them, in the same order.
fn with_health(mut order: Vec<GroupIndex>, groups: &[Group], members: &[Member]) -> Vec<GroupIndex> {
    let mut alive = vec![false; groups.len()];
    order.retain(|group| {
        let range = &groups[group.0 as usize].members;
        alive[group.0 as usize] = range.clone().any(|member| has_health(&members[member as usize], &alive));
        alive[group.0 as usize]
    });
    order
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Unseen,
    Open,
    Done,
}

/// The alias target of the first member from number `step` on that has one: member, target, and the step after it.
fn next_target(group: &Group, members: &[Member], step: u32) -> Option<(u32, GroupIndex, u32)> {
    group.members.clone().skip(step as usize).find_map(|member| match members[member as usize].content {
        Content::Alias { target: Some(target), .. } => Some((member, target, member - group.members.start + 1)),
        _ => None,
    })
}

fn lead_nowhere(member: &mut Member) {
    if let Content::Alias { target, .. } = &mut member.content {
        *target = None;
    }
}

/// Whether a member can ever be unhealthy. `alive` says it of the groups that come before.
fn has_health(member: &Member, alive: &[bool]) -> bool {
    let target = match member.content {
        Content::Alias { target: None, .. } => true,
        Content::Alias { target: Some(target), evaluate_target_health: true } => alive[target.0 as usize],
        _ => false,
    };
    target || member.check.is_some()
}

/// Gives each group with health its stretch of usable bits and returns how many there are.
fn number_bits(settle_order: &[GroupIndex], groups: &mut [Group]) -> u32 {
    let mut next = 0;
    for group in settle_order {
        let group = &mut groups[group.0 as usize];
        group.first_bit = next;
        next += count(group.members.len());
    }
    next
}

/// RFC 2308 section 3: the TTL of a negative answer is the lesser of the SOA's own TTL and its minimum field.
fn negative_ttl(zone: &HostedZone) -> u32 {
    let soa = zone.record_sets.iter().find(|set| set.record_type == RecordType::Soa);
    let Some(model::Content::Records { ttl, values }) = soa.map(|set| &set.content) else { return 0 };
    let minimum = values.first().and_then(|soa| soa.wire().last_chunk::<4>());
    minimum.map_or(*ttl, |minimum| u32::from_be_bytes(*minimum).min(*ttl))
}

/// Where each CNAME leads that stays in the zone, by member.
fn cname_targets(zone: &Zone, names: &[(Name, SetsByType<'_>)]) -> Box<[(u32, Found)]> {
    let sets = names.iter().flat_map(|(_, sets)| sets.values().flatten());
    let mut question = QueryName::default();
    let mut leads = |set: &ResourceRecordSet| {
        let model::Content::Records { values, .. } = &set.content else { return None };
        let target = values.first().filter(|value| value.record_type() == RecordType::Cname)?.target()?;
        if !target.is_within(&zone.name) {
            return None;
        }
        question.set(&target);
        Some(zone.find(&question))
    };
    (0..).zip(sets).filter_map(|(member, set)| Some((member, leads(set)?))).collect()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a zone has fewer than four billion of anything")
}

fn span(start: usize, end: usize) -> Span {
    Span { start: count(start), length: count(end - start) }
}

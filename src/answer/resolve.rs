//! From a query to an answer: zone, name, wildcard, delegation, CNAME chain, policy, alias, NODATA, NXDOMAIN.

use std::net::IpAddr;

use arrayvec::ArrayVec;

use super::{Answer, MAX_ADDITIONAL_PARTS, MAX_CHAIN, Need, Owner, Part, Query, QueryName, Rcode, Step, Trace};
use crate::geo::Client;
use crate::model::{MAX_NAME_OCTETS, RecordType, Ttl};
use crate::policy::{Dice, MAX_CHOSEN, Untraced};
use crate::stats::ZoneNumber;
use crate::world::{World, ZoneView};
use crate::zonetree::{Found, GroupIndex, MemberContent, NodeIndex, Records, ZoneServers};

/// QTYPE 255, `ANY` (RFC 8482).
const ANY: u16 = 255;

/// Answers `query` from `world`. Nothing is allocated; the answer refers into the world.
pub fn resolve<'w>(query: &Query<'_>, world: &'w World, dice: &mut Dice) -> Answer<'w> {
    resolve_traced(query, world, dice, &mut Untraced)
}

/// The same answer, while `trace` looks on.
pub fn resolve_traced<'w, T: Trace<'w>>(
    query: &Query<'_>,
    world: &'w World,
    dice: &mut Dice,
    trace: &mut T,
) -> Answer<'w> {
    let mut answer = Answer::default();
    resolve_into(query, world, dice, trace, &mut answer);
    answer
}

/// The same answer again, put into `answer`, which has to be a new one: answers are too large to be moved about.
pub fn resolve_into<'w, T: Trace<'w>>(
    query: &Query<'_>,
    world: &'w World,
    dice: &mut Dice,
    trace: &mut T,
    answer: &mut Answer<'w>,
) {
    // A name in no zone of ours stays REFUSED (spec 2.4, as widely observed).
    if let Some(zone_view) = scene_of(query.name, query.record_type, query.source, world) {
        answer_from(zone_view, query, world, dice, trace, answer);
    }
}

fn answer_from<'w, T: Trace<'w>>(
    zone_view: ZoneView<'w>,
    query: &Query<'_>,
    world: &'w World,
    dice: &mut Dice,
    trace: &mut T,
    answer: &mut Answer<'w>,
) {
    trace.step(|| Step::Zone(zone_view));
    answer.zone_octets = zone_view.zone.name().wire().len();
    answer.zone_number = zone_view.number;
    answer.zone_id = Some(zone_view.zone.id());
    if zone_view.is_unavailable {
        // Nothing else may answer for its names, a parent zone of ours least of all: NXDOMAIN would be believed and cached.
        answer.rcode = Rcode::ServFail;
        return;
    }
    let client = client_of(query, &zone_view);
    trace.step(|| Step::Client { address: client.address(), prefix: client.prefix(), place: *client.place() });
    answer.rcode = Rcode::NoError;
    answer.authoritative = true;
    let (question, qtype, source) = (query.name.wire(), query.record_type, query.source);
    let mut resolution =
        Resolution { world, source, zone_view, client, dice, trace, question, qtype, negative_ttl_cap: None, answer };
    resolution.answer_at(resolution.zone_view.zone.find(query.name));
    resolution.answer.needed_place = resolution.client.is_located();
    if resolution.zone_view.vpc_region.is_some() {
        // ECS is ignored for private zones (Developer Guide, "How Route 53 uses EDNS0").
        resolution.answer.scope = 0;
    }
}

/// REFUSED, from no zone and with no records.
impl Default for Answer<'_> {
    #[inline(always)]
    fn default() -> Self {
        Answer {
            rcode: Rcode::Refused,
            authoritative: false,
            zone_octets: 0,
            zone_number: ZoneNumber::NONE,
            zone_id: None,
            counted: ArrayVec::new(),
            answer: ArrayVec::new(),
            authority: None,
            additional: ArrayVec::new(),
            servers: None,
            scope: 0,
            needed_place: false,
        }
    }
}

impl<'w> Answer<'w> {
    /// The authority and additional sections part by part, whether or not they came in one piece.
    pub fn closing_parts(&self) -> (Option<Part<'w>>, ArrayVec<Part<'w>, MAX_ADDITIONAL_PARTS>) {
        let Some(servers) = self.servers else { return (self.authority, self.additional.clone()) };
        let part = |(labels, records)| Part { owner: Owner::InZone(labels), records, need: Need::Optional };
        let mut parts = servers.parts().map(part);
        (parts.next(), parts.take(MAX_ADDITIONAL_PARTS).collect())
    }
}

/// The zone that answers for a name. At the apex of a zone of ours DS is the parent's to answer,
/// when that is ours too and delegates the name (RFC 4035 section 3.1.4.1).
fn scene_of<'w>(name: &QueryName, qtype: u16, source: IpAddr, world: &'w World) -> Option<ZoneView<'w>> {
    let zone_view = world.zone_view(name, source)?;
    if qtype != RecordType::Ds.code() || zone_view.zone.name().wire() != name.wire() {
        return Some(zone_view);
    }
    let delegates = |parent: &ZoneView<'_>| matches!(parent.zone.find(name), Found::Delegation(_));
    Some(world.scene_above(name, source).filter(delegates).unwrap_or(zone_view))
}

/// Who the policies take the client to be: the subnet a resolver asks for, else the resolver itself.
pub fn client_of<'q>(query: &Query<'q>, zone_view: &ZoneView<'q>) -> Client<'q> {
    let client = match query.client_subnet {
        Some(subnet) => zone_view.client(subnet.address, subnet.source_prefix),
        None => zone_view.client(query.source, if query.source.is_ipv4() { 32 } else { 128 }),
    };
    client.located(query.located)
}

/// One answer in the making.
struct Resolution<'w, 'd, T> {
    world: &'w World,
    source: IpAddr,
    zone_view: ZoneView<'w>,
    client: Client<'d>,
    dice: &'d mut Dice,
    trace: &'d mut T,
    /// The name in the question, lower case.
    question: &'d [u8],
    qtype: u16,
    /// Set by a group that withholds its answer: how long that may be remembered, seconds.
    negative_ttl_cap: Option<Ttl>,
    answer: &'d mut Answer<'w>,
}

/// A chosen record set with what belongs to it.
struct Chosen<'w> {
    group: GroupIndex,
    member: u16,
    records: Records<'w>,
    additional_targets: &'w [NodeIndex],
}

impl<'w, T: Trace<'w>> Resolution<'w, '_, T> {
    /// Answers for the name in the question and for every CNAME target after it.
    fn answer_at(&mut self, found: Found) {
        let (mut found, mut owner) = (found, Owner::Question);
        // A chain that does not end within the bound is answered as far as it went.
        for _ in 0..MAX_CHAIN {
            found = self.on_parents_side(found, owner);
            self.trace.step(|| Step::Name { owner, found });
            let node = match found {
                Found::Name(node) | Found::Wildcard(node) => node,
                Found::Delegation(cut) => return self.referral(cut),
                Found::Nothing => return self.negative_answer(Rcode::NxDomain),
            };
            let Some(chosen) = self.choose_at(node, owner) else { return self.negative_answer(Rcode::NoError) };
            let answered = self.zone_view.zone.record_type(chosen.group);
            let chased = answered == RecordType::Cname && !self.is_asked(RecordType::Cname);
            if !chased {
                return self.positive_answer(&chosen, node, owner);
            }
            let Some(target) = self.zone_view.zone.cname_target(chosen.group, chosen.member) else {
                return self.positive_answer(&chosen, node, owner);
            };
            let target_owner = target_owner(chosen.records);
            if self.is_answered(target_owner) {
                // A circle: no record stands in an answer twice (RFC 2181 section 5).
                return;
            }
            if self.is_another_zones(target_owner) {
                // The chain ends at the zone's edge (docs/decisions/0002-answers.md).
                return self.positive_answer(&chosen, node, owner);
            }
            (found, owner) = (target, target_owner);
        }
    }

    /// DS at a delegation point is the parent's to answer (RFC 4035 section 3.1.4.1), for the name
    /// in the question and for the target of a CNAME alike; below it every type is the child's.
    fn on_parents_side(&self, found: Found, owner: Owner<'_>) -> Found {
        match found {
            Found::Delegation(cut)
                if self.qtype == RecordType::Ds.code()
                    && self.zone_view.zone.labels(cut).len() == self.labels(owner).len() =>
            {
                Found::Name(cut)
            }
            found => found,
        }
    }

    /// Answers from the group of the type asked for, else from the CNAME (RFC 1034 section 3.6.2). For ANY it is the first
    /// group that has something for this client (RFC 8482 section 4.1).
    fn choose_at(&mut self, node: NodeIndex, owner: Owner<'w>) -> Option<Chosen<'w>> {
        let zone = self.zone_view.zone;
        if self.qtype == ANY {
            return zone.groups_at(node).find_map(|group| self.choose(group, owner));
        }
        let qtype = RecordType::from_code(self.qtype).and_then(|record_type| zone.group(node, record_type));
        let group = qtype.or_else(|| zone.group(node, RecordType::Cname))?;
        self.choose(group, owner)
    }

    /// Whether the answer section holds records of this owner already.
    fn is_answered(&self, owner: Owner<'w>) -> bool {
        // Names in data are in the case they were written in.
        let same = |part: &Part<'w>| self.labels(part.owner).eq_ignore_ascii_case(self.labels(owner));
        self.answer.answer.iter().any(same)
    }

    /// Whether another zone of ours answers for the name: one below this one, or for DS at the apex
    /// the one above. Few zones have one below, and only they pay for the look.
    fn is_another_zones(&self, owner: Owner<'_>) -> bool {
        let may_be_parents = self.qtype == RecordType::Ds.code() && self.labels(owner).is_empty();
        if !self.zone_view.has_zones_below && !may_be_parents {
            return false;
        }
        let mut wire: ArrayVec<u8, MAX_NAME_OCTETS> = ArrayVec::new();
        let parts = [self.labels(owner), self.zone_view.zone.name().wire()];
        let fits = parts.iter().all(|part| wire.try_extend_from_slice(part).is_ok());
        let mut name = QueryName::default();
        if !fits || name.read(&wire, 0).is_err() {
            return false;
        }
        let zone_view = scene_of(&name, self.qtype, self.source, self.world);
        zone_view.is_some_and(|zone_view| !std::ptr::eq(zone_view.zone, self.zone_view.zone))
    }

    /// The labels of an owner left of the zone's name.
    fn labels<'s>(&'s self, owner: Owner<'s>) -> &'s [u8] {
        match owner {
            Owner::Question => &self.question[..self.question.len() - self.answer.zone_octets],
            Owner::InZone(labels) => labels,
        }
    }

    fn is_asked(&self, record_type: RecordType) -> bool {
        self.qtype == ANY || self.qtype == record_type.code()
    }

    /// Lets the group's policy choose, follows aliases, and puts what comes out into the answer section. The first chosen
    /// set is returned; `None` is NODATA.
    fn choose(&mut self, group: GroupIndex, owner: Owner<'w>) -> Option<Chosen<'w>> {
        self.pick(group, |answer, records| answer.answer.push(Part { owner, records, need: Need::Required }))
    }

    /// The records that a group answers with, through however many aliases: each level runs its own policy for the same
    /// client and fails open by itself (Developer Guide, "How health checks work in complex configurations"). `put` puts each
    /// set of them into the answer.
    fn pick(&mut self, group: GroupIndex, mut put: impl FnMut(&mut Answer<'w>, Records<'w>)) -> Option<Chosen<'w>> {
        let zone = self.zone_view.zone;
        let mut group = group;
        for _ in 0..MAX_CHAIN {
            self.trace.step(|| Step::Group(group));
            let choice = zone.choose(group, self.zone_view.usable, &self.client, self.dice, self.trace);
            self.answer.scope = self.answer.scope.max(choice.scope);
            if let Some(counted) = self.zone_view.counted {
                let numbers = counted.numbers(group, &choice.members);
                self.answer.counted.extend(numbers.take(self.answer.counted.remaining_capacity()));
            }
            let Some(&first) = choice.members.first() else {
                self.negative_ttl_cap = zone.negative_ttl_cap(group);
                return None;
            };
            let (records, additional_targets) = match zone.content(group, first) {
                MemberContent::Records(records, additional_targets) => (records, additional_targets),
                MemberContent::Alias(target) => {
                    self.trace.step(|| Step::Alias { group, member: first, target });
                    group = target?;
                    continue;
                }
            };
            put(self.answer, records);
            if choice.members.len() > 1 {
                self.pick_others(group, &choice.members[1..], records, put);
            }
            return Some(Chosen { group, member: first, records, additional_targets });
        }
        None
    }

    /// The sets of the chosen members behind the first. One RRset has one TTL (RFC 2181 section 5.2), the first chosen
    /// member's, and no record twice (section 5).
    fn pick_others(
        &mut self,
        group: GroupIndex,
        members: &[u16],
        first: Records<'w>,
        mut put: impl FnMut(&mut Answer<'w>, Records<'w>),
    ) {
        let zone = self.zone_view.zone;
        let repeats = zone.repeats_data(group);
        let mut sets: ArrayVec<Records<'w>, MAX_CHOSEN> = ArrayVec::new();
        for content in zone.contents(group, members) {
            let MemberContent::Records(more, _) = content else { continue };
            if repeats {
                if first.has_data_of(&more) || sets.iter().any(|set| set.has_data_of(&more)) {
                    continue;
                }
                sets.push(more);
            }
            put(self.answer, more.with_ttl(first.ttl));
        }
    }

    /// A positive answer: the zone's NS set stands in the authority section (Developer Guide, "DNS
    /// behavior"), and the addresses of what the records point to in the additional section. `node`
    /// and `owner` are where the records were found.
    fn positive_answer(&mut self, chosen: &Chosen<'w>, node: NodeIndex, owner: Owner<'w>) {
        self.trace.step(|| Step::Addresses);
        self.add_targets(chosen, node, owner);
        let name_servers = self.zone_view.zone.name_servers();
        if chosen.group == name_servers {
            return;
        }
        if let Some(servers) = self.zone_view.zone.servers().filter(|servers| self.may_close_with(servers)) {
            self.answer.servers = Some(servers);
            return;
        }
        if let MemberContent::Records(records, additional_targets) = self.zone_view.zone.content(name_servers, 0) {
            self.answer.authority = Some(Part { owner: Owner::InZone(&[]), records, need: Need::Optional });
            self.add_addresses(additional_targets, Need::Optional);
        }
    }

    /// Whether nothing in the answer stands in the way of the zone's servers in one piece: no address of theirs is there
    /// already, or might be.
    fn may_close_with(&self, servers: &ZoneServers<'w>) -> bool {
        let is_server = |owner: Owner<'_>| servers.has(self.labels(owner));
        let (mut parts, mut question) = (self.answer.answer.iter(), false);
        self.answer.additional.is_empty()
            && !parts.any(|part| match part.owner {
                // Many parts may be the question's: its name is compared once.
                Owner::Question => !std::mem::replace(&mut question, true) && is_server(part.owner),
                Owner::InZone(_) => is_server(part.owner),
            })
    }

    /// NODATA and NXDOMAIN carry the SOA (RFC 2308 section 2).
    fn negative_answer(&mut self, rcode: Rcode) {
        self.answer.rcode = rcode;
        let longest = self.negative_ttl_cap;
        self.trace.step(|| Step::Denial { rcode, longest });
        let longest = longest.unwrap_or(Ttl::MAX);
        let soa = self.zone_view.zone.negative_soa().map(|soa| soa.with_ttl(soa.ttl.min(longest)));
        self.answer.authority = soa.map(|records| Part { owner: Owner::InZone(&[]), records, need: Need::Required });
    }

    /// A referral: not authoritative (unless a CNAME of ours led here), the child's name servers, and their addresses,
    /// without which a resolver may not get any further (RFC 9471).
    fn referral(&mut self, cut: NodeIndex) {
        let zone = self.zone_view.zone;
        self.answer.authoritative = !self.answer.answer.is_empty();
        self.trace.step(|| Step::Addresses);
        let Some(group) = zone.group(cut, RecordType::Ns) else { return };
        if let MemberContent::Records(records, additional_targets) = zone.content(group, 0) {
            self.answer.authority =
                Some(Part { owner: Owner::InZone(zone.labels(cut)), records, need: Need::Required });
            self.add_addresses(additional_targets, Need::Required);
        }
    }

    /// The addresses of what the chosen records point to. A service that points to its owner has
    /// the addresses of the name that was found, through whatever alias or wildcard (RFC 9460
    /// section 2.5.2); one that is an alias brings the service records of its target along (section
    /// 4.1).
    fn add_targets(&mut self, chosen: &Chosen<'w>, node: NodeIndex, owner: Owner<'w>) {
        for &target in chosen.additional_targets {
            let (node, owner) = match target {
                NodeIndex::OWNER => (node, owner),
                target => (target, Owner::InZone(self.zone_view.zone.labels(target))),
            };
            if chosen.records.are_service_aliases() {
                self.add_set(node, owner, chosen.records.record_type, Need::Optional);
            }
            self.add_addresses_of(node, owner, Need::Optional);
        }
    }

    /// Addresses of these names, each once, chosen by their own policies.
    fn add_addresses(&mut self, nodes: &[NodeIndex], need: Need) {
        for &node in nodes {
            self.add_addresses_of(node, Owner::InZone(self.zone_view.zone.labels(node)), need);
        }
    }

    fn add_addresses_of(&mut self, node: NodeIndex, owner: Owner<'w>, need: Need) {
        self.add_set(node, owner, RecordType::A, need);
        self.add_set(node, owner, RecordType::Aaaa, need);
    }

    fn add_set(&mut self, node: NodeIndex, owner: Owner<'w>, record_type: RecordType, need: Need) {
        let Some(group) = self.zone_view.zone.group(node, record_type) else { return };
        if self.has(owner, record_type) {
            return;
        }
        self.pick(group, |answer, records| {
            // What does not fit is only left out: these records are a help (RFC 2181 section 9).
            let _ = answer.additional.try_push(Part { owner, records, need });
        });
    }

    /// Whether the answer holds such a set already: another throw of the dice must not add to it (RFC 2181 section 5).
    fn has(&self, owner: Owner<'_>, record_type: RecordType) -> bool {
        let owner = self.labels(owner);
        let same = |part: &Part<'_>| {
            part.records.record_type == record_type && self.labels(part.owner).eq_ignore_ascii_case(owner)
        };
        self.answer.answer.iter().chain(&self.answer.additional).any(same)
    }
}

/// The owner of what a CNAME in this zone leads to: the labels of its target left of the zone's name.
fn target_owner(cname: Records<'_>) -> Owner<'_> {
    cname.target_labels().map_or(Owner::Question, Owner::InZone)
}

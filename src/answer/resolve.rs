//! From a query to an answer: zone, name, wildcard, delegation, CNAME chain, policy, alias, NODATA,
//! NXDOMAIN.

use arrayvec::ArrayVec;

use super::{
    Accounting, Answer, AnswerStep, AnswerTrace, MAX_ADDITIONAL_PARTS, MAX_CHAIN, Owner, Part, Presence, Query,
    QueryName, Rcode,
};
use crate::geo::Client;
use crate::model::{MAX_NAME_OCTETS, PrefixLength, QueryType, RecordType, Ttl};
use crate::policy::{MAX_CHOSEN, MemberIndex, SeededRng, Untraced};
use crate::requestor::Requestor;
use crate::world::{World, ZoneView};
use crate::zonetree::{Found, GroupIndex, MemberContent, NodeIndex, Records, ZoneServers};

/// Answers `query` from `world`. Nothing is allocated; the answer borrows from the world.
pub fn resolve<'w>(query: &Query<'_>, world: &'w World, rng: &mut SeededRng) -> Answer<'w> {
    resolve_traced(query, world, rng, &mut Untraced)
}

/// The answer of this zone, which contains the name, even if another zone would answer for it.
pub fn resolve_in<'w>(zone_view: ZoneView<'w>, query: &Query<'_>, world: &'w World, rng: &mut SeededRng) -> Answer<'w> {
    let mut answer = Answer::default();
    answer_from(zone_view, query, world, rng, &mut Untraced, &mut answer, &mut Accounting::default());
    answer
}

/// The same answer, with its steps reported to `trace`.
pub fn resolve_traced<'w, T: AnswerTrace<'w>>(
    query: &Query<'_>,
    world: &'w World,
    rng: &mut SeededRng,
    trace: &mut T,
) -> Answer<'w> {
    let mut answer = Answer::default();
    resolve_into(query, world, rng, trace, &mut answer, &mut Accounting::default());
    answer
}

/// The same, written to `answer` and `accounting`, which must be empty: they are too large to move.
pub fn resolve_into<'w, T: AnswerTrace<'w>>(
    query: &Query<'_>,
    world: &'w World,
    rng: &mut SeededRng,
    trace: &mut T,
    answer: &mut Answer<'w>,
    accounting: &mut Accounting<'w>,
) {
    // A name in no zone of this server is REFUSED (as widely observed).
    let Some(zone_view) = zone_view_of(query.name, query.qtype, query.requestor, world) else { return };
    accounting.zone = Some(zone_view.zone);
    accounting.zone_number = zone_view.number;
    answer_from(zone_view, query, world, rng, trace, answer, accounting);
}

fn answer_from<'w, T: AnswerTrace<'w>>(
    zone_view: ZoneView<'w>,
    query: &Query<'_>,
    world: &'w World,
    rng: &mut SeededRng,
    trace: &mut T,
    answer: &mut Answer<'w>,
    accounting: &mut Accounting<'w>,
) {
    trace.answer_step(|| AnswerStep::Zone(zone_view));
    answer.zone_octets = zone_view.zone.name().wire().len();
    if zone_view.is_unavailable {
        // No other zone may answer for its names, in particular not a parent zone here: resolvers
        // would cache its NXDOMAIN.
        answer.rcode = Rcode::ServFail;
        return;
    }
    let client = client_of(query, &zone_view);
    trace.answer_step(|| AnswerStep::Client {
        address: client.address(),
        prefix: client.prefix(),
        location: *client.location(),
    });
    answer.rcode = Rcode::NoError;
    answer.authoritative = true;
    let (question, qtype, requestor) = (query.name.wire(), query.qtype, query.requestor);
    let mut resolution = Resolution {
        world,
        requestor,
        zone_view,
        client,
        rng,
        trace,
        question,
        qtype,
        negative_ttl_cap: None,
        answer,
        accounting,
    };
    resolution.answer_at(resolution.zone_view.zone.find(query.name));
    resolution.accounting.needed_location = resolution.client.is_located();
    if resolution.zone_view.vpc_region.is_some() {
        // ECS is ignored for private zones (Developer Guide, "How Route 53 uses EDNS0").
        resolution.answer.scope = PrefixLength::ZERO;
    }
}

/// REFUSED, without a zone and without records.
impl Default for Answer<'_> {
    #[inline(always)]
    fn default() -> Self {
        Answer {
            rcode: Rcode::Refused,
            authoritative: false,
            zone_octets: 0,
            answer: ArrayVec::new(),
            authority: None,
            additional: ArrayVec::new(),
            servers: None,
            scope: PrefixLength::ZERO,
        }
    }
}

impl<'w> Answer<'w> {
    /// The authority and additional sections part by part, also if they are in one block.
    pub fn closing_parts(&self) -> (Option<Part<'w>>, ArrayVec<Part<'w>, MAX_ADDITIONAL_PARTS>) {
        let Some(servers) = self.servers else { return (self.authority, self.additional.clone()) };
        let part = |(labels, records)| Part { owner: Owner::InZone(labels), records, presence: Presence::Optional };
        let mut parts = servers.parts().map(part);
        (parts.next(), parts.take(MAX_ADDITIONAL_PARTS).collect())
    }
}

/// The zone that answers for a name. At a zone's apex, the parent zone answers DS queries if it is
/// served here too and delegates the name (RFC 4035 section 3.1.4.1).
fn zone_view_of<'w>(
    name: &QueryName,
    qtype: QueryType,
    requestor: &Requestor,
    world: &'w World,
) -> Option<ZoneView<'w>> {
    let zone_view = world.zone_view(name, requestor.address())?;
    if qtype != QueryType::from(RecordType::Ds) || zone_view.zone.name().wire() != name.wire() {
        return Some(zone_view);
    }
    let delegates = |parent: &ZoneView<'_>| matches!(parent.zone.find(name), Found::Delegation(_));
    Some(world.parent_zone_view(name, requestor.address()).filter(delegates).unwrap_or(zone_view))
}

/// The client for the policies: the client subnet, otherwise the source address.
pub fn client_of<'q>(query: &Query<'q>, zone_view: &ZoneView<'q>) -> Client<'q> {
    let client = match query.client_subnet {
        Some(subnet) => zone_view.client(subnet.address, subnet.source_prefix),
        None => {
            let address = query.requestor.address();
            zone_view.client(address, PrefixLength::whole(address))
        }
    };
    client.located(query.located)
}

/// An answer under construction.
struct Resolution<'w, 'd, T> {
    world: &'w World,
    requestor: &'d Requestor,
    zone_view: ZoneView<'w>,
    client: Client<'d>,
    rng: &'d mut SeededRng,
    trace: &'d mut T,
    /// The name in the question, lower case.
    question: &'d [u8],
    qtype: QueryType,
    /// Set by a group that withholds its answer: the negative TTL cap, in seconds.
    negative_ttl_cap: Option<Ttl>,
    answer: &'d mut Answer<'w>,
    accounting: &'d mut Accounting<'w>,
}

/// A chosen record set with its context.
struct Chosen<'w> {
    group: GroupIndex,
    member: MemberIndex,
    records: Records<'w>,
    additional_targets: &'w [NodeIndex],
}

impl<'w, T: AnswerTrace<'w>> Resolution<'w, '_, T> {
    /// Answers for the name in the question and then for each CNAME target.
    fn answer_at(&mut self, found: Found) {
        let (mut found, mut owner) = (found, Owner::Question);
        // A chain longer than the limit is answered up to the limit.
        for _ in 0..MAX_CHAIN {
            found = self.on_parents_side(found, owner);
            self.trace.answer_step(|| AnswerStep::Name { owner, found });
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
                // A loop: no record appears in an answer twice (RFC 2181 section 5).
                return;
            }
            if self.is_another_zones(target_owner) {
                // The chain ends when it leaves the zone (docs/decisions/0002-answers.md).
                return self.positive_answer(&chosen, node, owner);
            }
            (found, owner) = (target, target_owner);
        }
    }

    /// At a delegation point the parent answers DS queries (RFC 4035 section 3.1.4.1), for the name
    /// in the question and for the target of a CNAME; all names below belong to the child.
    fn on_parents_side(&self, found: Found, owner: Owner<'_>) -> Found {
        match found {
            Found::Delegation(cut)
                if self.qtype == QueryType::from(RecordType::Ds)
                    && self.zone_view.zone.labels(cut).len() == self.labels(owner).len() =>
            {
                Found::Name(cut)
            }
            found => found,
        }
    }

    /// Answers from the group of the queried type, otherwise from the CNAME (RFC 1034 section
    /// 3.6.2). For ANY it is the first group that has records for this client (RFC 8482 section
    /// 4.1).
    fn choose_at(&mut self, node: NodeIndex, owner: Owner<'w>) -> Option<Chosen<'w>> {
        let zone = self.zone_view.zone;
        if self.qtype == QueryType::ANY {
            return zone.groups_at(node).find_map(|group| self.choose(group, owner));
        }
        let qtype = RecordType::from_code(self.qtype.0).and_then(|record_type| zone.group(node, record_type));
        let group = qtype.or_else(|| zone.group(node, RecordType::Cname))?;
        self.choose(group, owner)
    }

    /// Whether the answer section already has records of this owner.
    fn is_answered(&self, owner: Owner<'w>) -> bool {
        // Names in record data keep the case of the zone file.
        let same = |part: &Part<'w>| self.labels(part.owner).eq_ignore_ascii_case(self.labels(owner));
        self.answer.answer.iter().any(same)
    }

    /// Whether another zone served here answers for the name: a zone below this one, or the zone
    /// above for DS at the apex. Few zones have a zone below, and only they pay for this lookup.
    fn is_another_zones(&self, owner: Owner<'_>) -> bool {
        let may_be_parents = self.qtype == QueryType::from(RecordType::Ds) && self.labels(owner).is_empty();
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
        let zone_view = zone_view_of(&name, self.qtype, self.requestor, self.world);
        zone_view.is_some_and(|zone_view| !std::ptr::eq(zone_view.zone, self.zone_view.zone))
    }

    /// The labels of an owner relative to the zone's name.
    fn labels<'s>(&'s self, owner: Owner<'s>) -> &'s [u8] {
        match owner {
            Owner::Question => &self.question[..self.question.len() - self.answer.zone_octets],
            Owner::InZone(labels) => labels,
        }
    }

    fn is_asked(&self, record_type: RecordType) -> bool {
        self.qtype == QueryType::ANY || self.qtype == QueryType::from(record_type)
    }

    /// Runs the group's policy, follows aliases, and adds the result to the answer section. Returns
    /// the first chosen set; `None` is NODATA.
    fn choose(&mut self, group: GroupIndex, owner: Owner<'w>) -> Option<Chosen<'w>> {
        self.pick(group, |answer, records| answer.answer.push(Part { owner, records, presence: Presence::Required }))
    }

    /// The records of a group, through at most `MAX_CHAIN` groups. Each level runs its own policy
    /// for the same client and fails open separately (Developer Guide, "How health checks work in
    /// complex configurations"). `put` adds each set to the answer.
    fn pick(&mut self, group: GroupIndex, mut put: impl FnMut(&mut Answer<'w>, Records<'w>)) -> Option<Chosen<'w>> {
        let zone = self.zone_view.zone;
        let mut group = group;
        for _ in 0..MAX_CHAIN {
            self.trace.answer_step(|| AnswerStep::Group(group));
            let choice = zone.choose(group, self.zone_view.usable, &self.client, self.rng, self.trace);
            self.answer.scope = self.answer.scope.max(choice.scope);
            if let Some(counted) = self.zone_view.counted {
                let numbers = counted.numbers(group, &choice.members);
                self.accounting.counted.extend(numbers.take(self.accounting.counted.remaining_capacity()));
            }
            let Some(&first) = choice.members.first() else {
                self.negative_ttl_cap = zone.negative_ttl_cap(group);
                return None;
            };
            let (records, additional_targets) = match zone.content(group, first) {
                MemberContent::Records(records, additional_targets) => (records, additional_targets),
                MemberContent::Alias(target) => {
                    self.trace.answer_step(|| AnswerStep::Alias { group, member: first, target });
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

    /// Adds the sets of the chosen members after the first. One RRset has one TTL, that of the
    /// first chosen member (RFC 2181 section 5.2), and no duplicate records (section 5).
    fn pick_others(
        &mut self,
        group: GroupIndex,
        members: &[MemberIndex],
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

    /// A positive answer: the zone's NS set in the authority section (Developer Guide, "DNS
    /// behavior"), and the addresses of names in the records in the additional section. `node` and
    /// `owner` are where the records were found.
    fn positive_answer(&mut self, chosen: &Chosen<'w>, node: NodeIndex, owner: Owner<'w>) {
        self.trace.answer_step(|| AnswerStep::Addresses);
        self.add_targets(chosen, node, owner);
        let name_servers = self.zone_view.zone.name_servers();
        if chosen.group == name_servers {
            return;
        }
        if let Some(servers) = self.zone_view.zone.servers().filter(|servers| self.may_close_with(servers)) {
            self.answer.servers = Some(servers);
            return;
        }
        if let MemberContent::Records(records, additional_targets) =
            self.zone_view.zone.content(name_servers, MemberIndex(0))
        {
            self.answer.authority = Some(Part { owner: Owner::InZone(&[]), records, presence: Presence::Optional });
            self.add_addresses(additional_targets, Presence::Optional);
        }
    }

    /// Whether the zone's servers can be added in one block: none of their addresses is, or could
    /// be, in the answer already.
    fn may_close_with(&self, servers: &ZoneServers<'w>) -> bool {
        let is_server = |owner: Owner<'_>| servers.has(self.labels(owner));
        let (mut parts, mut question) = (self.answer.answer.iter(), false);
        self.answer.additional.is_empty()
            && !parts.any(|part| match part.owner {
                // Many parts can have the owner of the question; its name is compared once.
                Owner::Question => !std::mem::replace(&mut question, true) && is_server(part.owner),
                Owner::InZone(_) => is_server(part.owner),
            })
    }

    /// NODATA and NXDOMAIN have the SOA (RFC 2308 section 2).
    fn negative_answer(&mut self, rcode: Rcode) {
        self.answer.rcode = rcode;
        let ttl_cap = self.negative_ttl_cap;
        self.trace.answer_step(|| AnswerStep::NegativeAnswer { rcode, ttl_cap });
        let ttl_cap = ttl_cap.unwrap_or(Ttl::MAX);
        let soa = self.zone_view.zone.negative_soa().map(|soa| soa.with_ttl(soa.ttl.min(ttl_cap)));
        self.answer.authority =
            soa.map(|records| Part { owner: Owner::InZone(&[]), records, presence: Presence::Required });
    }

    /// A referral: not authoritative (unless a CNAME of this server led here), with the child's
    /// name servers and their addresses, without which a resolver may be unable to continue (RFC
    /// 9471).
    fn referral(&mut self, cut: NodeIndex) {
        let zone = self.zone_view.zone;
        self.answer.authoritative = !self.answer.answer.is_empty();
        self.trace.answer_step(|| AnswerStep::Addresses);
        let Some(group) = zone.group(cut, RecordType::Ns) else { return };
        if let MemberContent::Records(records, additional_targets) = zone.content(group, MemberIndex(0)) {
            self.answer.authority =
                Some(Part { owner: Owner::InZone(zone.labels(cut)), records, presence: Presence::Required });
            self.add_addresses(additional_targets, Presence::Required);
        }
    }

    /// The addresses of names in the chosen records. A service record whose target is its own owner
    /// needs the addresses of the name that was found, through any alias or wildcard (RFC 9460
    /// section 2.5.2). An AliasMode record also adds the service records of its target (section
    /// 4.1).
    fn add_targets(&mut self, chosen: &Chosen<'w>, node: NodeIndex, owner: Owner<'w>) {
        for &target in chosen.additional_targets {
            let (node, owner) = match target {
                NodeIndex::OWNER => (node, owner),
                target => (target, Owner::InZone(self.zone_view.zone.labels(target))),
            };
            if chosen.records.are_service_aliases() {
                self.add_set(node, owner, chosen.records.record_type, Presence::Optional);
            }
            self.add_addresses_of(node, owner, Presence::Optional);
        }
    }

    /// Addresses of these names, each once, chosen by their own policies.
    fn add_addresses(&mut self, nodes: &[NodeIndex], presence: Presence) {
        for &node in nodes {
            self.add_addresses_of(node, Owner::InZone(self.zone_view.zone.labels(node)), presence);
        }
    }

    fn add_addresses_of(&mut self, node: NodeIndex, owner: Owner<'w>, presence: Presence) {
        self.add_set(node, owner, RecordType::A, presence);
        self.add_set(node, owner, RecordType::Aaaa, presence);
    }

    fn add_set(&mut self, node: NodeIndex, owner: Owner<'w>, record_type: RecordType, presence: Presence) {
        let Some(group) = self.zone_view.zone.group(node, record_type) else { return };
        if self.has(owner, record_type) {
            return;
        }
        self.pick(group, |answer, records| {
            // What does not fit is omitted: these records are optional (RFC 2181 section 9).
            let _ = answer.additional.try_push(Part { owner, records, presence });
        });
    }

    /// Whether the answer already has such a set: a second random choice must not be added to it
    /// (RFC 2181 section 5).
    fn has(&self, owner: Owner<'_>, record_type: RecordType) -> bool {
        let owner = self.labels(owner);
        let same = |part: &Part<'_>| {
            part.records.record_type == record_type && self.labels(part.owner).eq_ignore_ascii_case(owner)
        };
        self.answer.answer.iter().chain(&self.answer.additional).any(same)
    }
}

/// The owner for a CNAME target in this zone: its labels relative to the zone's name.
fn target_owner(cname: Records<'_>) -> Owner<'_> {
    cname.target_labels().map_or(Owner::Question, Owner::InZone)
}

//! Turns a recording into the steps of an explanation.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::candidates::GroupExplainer;
use super::json::{
    AliasStepShape, AnswerShape, ClientShape, Explanation, GroupShape, LookupResult, NameShape, NegativeAnswerShape,
    QuestionShape, RecordShape, ShareShape, StepShape, VpcShape, ZoneShape,
};
use super::message::messages;
use super::names::Names;
use super::recorder::{PolicySteps, RecordedStep, Recorder};
use super::shares::shares;
use super::{ClientFacts, ExplainContext, Question};
use crate::answer::{
    self, Answer, AnswerStep, Data, Part, Presence, Query, QueryName, Rcode, Records, Requestor, SeededRng,
    resolve_traced,
};
use crate::geo::{Location, LocationSource};
use crate::model::{GroupHolder, GroupKey, HostedZone, LocationNetwork, Name, PrefixLength, RecordData, RecordType};
use crate::policy::MemberIndex;
use crate::world::ZoneView;
use crate::zonetree::{Found, GroupIndex, Zone};

pub(super) fn explain(question: &Question, context: &ExplainContext<'_>) -> Result<Explanation, String> {
    let mut name = QueryName::default();
    name.set(&question.name);
    let requestor = Requestor::at(question.resolver);
    let client_subnet = question.client_subnet.filter(|_| context.uses_client_subnet);
    let query = Query { client_subnet, ..Query::new(&name, question.query_type, &requestor) };
    let mut recorder = Recorder::default();
    let answer = resolve_traced(&query, context.world, &mut SeededRng::new(question.seed), &mut recorder);
    let mut recorded = recorder.0.into_iter();
    let Some(RecordedStep::Answer(AnswerStep::Zone(zone_view))) = recorded.next() else {
        let why = format!("No zone of this server contains {}: the query is refused.", question.name);
        return Ok(without_records(question, context, None, answer.rcode, why));
    };
    let zone = match (context.model)(zone_view.zone.id()) {
        Err(why) if zone_view.is_unavailable => {
            let zone = zone_shape(zone_view.zone, vpc(question, context).as_ref());
            return Ok(without_records(question, context, Some(zone), answer.rcode, why));
        }
        zone => zone?,
    };
    let mut explanation = ExplanationBuilder::new(question, context, &zone, zone_view);
    recorded.for_each(|step| explanation.add_step(step));
    explanation.close_group();
    let shares = explanation.shares(&query);
    Ok(explanation.finish(&answer, shares))
}

/// The explanation for a name in no zone, or in a zone without records.
fn without_records(
    question: &Question,
    context: &ExplainContext<'_>,
    zone: Option<ZoneShape>,
    rcode: Rcode,
    why: String,
) -> Explanation {
    Explanation {
        question: question_shape(question, context),
        vpc: vpc(question, context),
        zone,
        client: None,
        steps: vec![StepShape::NegativeAnswer(NegativeAnswerShape { kind: name_of(rcode).to_owned(), why })],
        answer: AnswerShape {
            rcode: name_of(rcode).to_owned(),
            authoritative: false,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            ttl_why: String::new(),
            messages: Vec::new(),
            scope: 0,
            scope_why: "no policy depends on the client's location".to_owned(),
        },
        shares: Vec::new(),
        shares_complete: true,
    }
}

fn name_of(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::NoError => "NOERROR",
        Rcode::ServFail => "SERVFAIL",
        Rcode::NxDomain => "NXDOMAIN",
        Rcode::Refused => "REFUSED",
    }
}

/// The zone that answers, and why.
fn zone_shape(zone: &Zone, vpc: Option<&VpcShape>) -> ZoneShape {
    let why = match (vpc, zone.is_private()) {
        (Some(vpc), true) => format!("the most specific private zone of {}, which is final", vpc.id),
        (Some(vpc), false) => format!("public; {} has no private zone for this name", vpc.id),
        (None, _) => "the most specific public zone".to_owned(),
    };
    ZoneShape { name: zone.name().to_string(), id: zone.id().0.clone(), private: zone.is_private(), why }
}

fn question_shape(question: &Question, context: &ExplainContext<'_>) -> QuestionShape {
    QuestionShape {
        name: question.name.to_string(),
        record_type: question.query_type.to_string(),
        resolver: question.resolver.to_canonical().to_string(),
        subnet: question.client_subnet.map(|subnet| format!("{}/{}", subnet.address, subnet.source_prefix)),
        seed: question.seed,
        as_if: context.as_if.to_vec(),
        source: context.source.to_owned(),
    }
}

fn vpc(question: &Question, context: &ExplainContext<'_>) -> Option<VpcShape> {
    let (id, region) = context.world.vpc_of(question.resolver.to_canonical())?;
    Some(VpcShape { id: id.0.clone(), region: region.to_string() })
}

/// An explanation that is being built.
struct ExplanationBuilder<'s> {
    question: &'s Question,
    context: &'s ExplainContext<'s>,
    names: Names<'s>,
    zone_view: ZoneView<'s>,
    facts: ClientFacts,
    client: Option<ClientShape>,
    /// The last name that was looked up: the QNAME or the target of a CNAME.
    sought: Name,
    /// What has the next group, and its name.
    current: (GroupHolder, Name),
    /// The group whose policy is choosing, and its steps.
    open: Option<(GroupIndex, GroupKey, PolicySteps)>,
    /// The first group that answered; the shares start there.
    first: Option<(GroupIndex, GroupKey)>,
    steps: Vec<StepShape>,
    /// True once only additional addresses follow, which are not explained.
    is_over: bool,
}

impl<'s> ExplanationBuilder<'s> {
    fn new(
        question: &'s Question,
        context: &'s ExplainContext<'s>,
        zone: &'s Arc<HostedZone>,
        zone_view: ZoneView<'s>,
    ) -> ExplanationBuilder<'s> {
        ExplanationBuilder {
            question,
            context,
            names: Names(zone),
            zone_view,
            facts: ClientFacts { address: question.resolver, is_located: false },
            client: None,
            sought: question.name.clone(),
            current: (GroupHolder::Zone, question.name.clone()),
            open: None,
            first: None,
            steps: Vec::new(),
            is_over: false,
        }
    }

    fn add_step(&mut self, step: RecordedStep<'_>) {
        if self.is_over {
            return;
        }
        match step {
            RecordedStep::Policy(step) => {
                if let Some((.., steps)) = &mut self.open {
                    steps.0.push(step);
                }
            }
            RecordedStep::Answer(step) => {
                self.close_group();
                self.answer_step(&step);
            }
        }
    }

    fn answer_step(&mut self, step: &AnswerStep<'_>) {
        match step {
            AnswerStep::Zone(_) => {}
            AnswerStep::Client { address, prefix, location } => self.set_client(*address, *prefix, location),
            AnswerStep::Name { owner, found } => self.add_lookup(owner, *found),
            AnswerStep::Group(group) => {
                self.open = Some((*group, self.current_key(*group), PolicySteps::default()));
            }
            AnswerStep::Alias { group, member, target } => self.follow_alias(*group, *member, *target),
            AnswerStep::NegativeAnswer { rcode, .. } => self.add_negative_answer(*rcode),
            AnswerStep::Addresses => self.is_over = true,
        }
    }

    /// Turns the steps of the current group's policy into a step.
    fn close_group(&mut self) {
        let Some((group, key, steps)) = self.open.take() else { return };
        // A resource without records of the type has nothing to choose from.
        if self.names.sets(&key).is_empty() {
            return;
        }
        let shape = GroupExplainer::new(self.context, &self.names, &key, &steps, &self.facts).group();
        if self.first.is_none() && !steps.choice().members.is_empty() {
            self.first = Some((group, key));
        }
        self.steps.push(StepShape::Group(shape));
    }

    fn current_key(&self, group: GroupIndex) -> GroupKey {
        let (holder, name) = self.current.clone();
        GroupKey { holder, name, record_type: self.zone_view.zone.record_type(group) }
    }

    fn set_client(&mut self, address: IpAddr, prefix: PrefixLength, location: &Location) {
        self.facts = ClientFacts { address, is_located: location.country.is_some() || location.continent.is_some() };
        let vpc = self.context.world.vpc_of(self.question.resolver.to_canonical());
        let is_private = location.source == LocationSource::Vpc;
        let address_source = match (is_private, self.question.client_subnet) {
            (_, Some(_)) if !self.context.uses_client_subnet => {
                "the resolver's address, as the settings ignore client subnets"
            }
            (true, Some(_)) => "the resolver's address; in a private zone the client subnet is ignored",
            (false, Some(_)) => "the client subnet in the query",
            (_, None) => "the resolver's address, as there is no client subnet",
        };
        let at = location.point.map(|point| point.coordinates());
        self.client = Some(ClientShape {
            network: format!("{address}/{prefix}"),
            address_source: address_source.to_owned(),
            location: in_words(location),
            location_source: match location.source {
                LocationSource::Unknown => "the location is unknown".to_owned(),
                LocationSource::Network => network(self.context.networks, address),
                LocationSource::Database(index) => {
                    let database = self.context.world.geo_lookup().databases().get(usize::from(index));
                    database.map_or_else(String::new, |database| format!("the geo database {}", database.name()))
                }
                LocationSource::Vpc => {
                    let id = vpc.map_or("", |(id, _)| id.0.as_str());
                    format!("in a private zone clients count as being in the region of their VPC, {id}")
                }
            },
            continent: location.continent.map(|continent| continent.code().to_owned()),
            country: location.country.map(|country| country.to_string()),
            subdivision: location.subdivision.map(|subdivision| subdivision.to_string()),
            latitude: at.map(|at| at.latitude),
            longitude: at.map(|at| at.longitude),
            region: location.region.map(|region| region.to_string()),
        });
    }

    fn add_lookup(&mut self, owner: &answer::Owner<'_>, found: Found) {
        let name = match owner {
            answer::Owner::Question => self.question.name.clone(),
            answer::Owner::InZone(labels) => self.names.of_labels(labels),
        };
        let zone = self.zone_view.zone;
        let (node, found) = match found {
            Found::Name(node) if zone.groups_at(node).next().is_none() => (Some(node), LookupResult::EmptyNonTerminal),
            Found::Name(node) => (Some(node), LookupResult::Name),
            Found::Wildcard(node) => (Some(node), LookupResult::Wildcard),
            Found::Delegation(node) => (Some(node), LookupResult::Delegation),
            Found::Nothing => (None, LookupResult::Nothing),
        };
        let at = node.map(|node| self.names.of_node(zone, node));
        let groups = node.into_iter().flat_map(|node| zone.groups_at(node));
        let types: Vec<String> = groups.map(|group| zone.record_type(group).to_string()).collect();
        if let Some(at) = &at {
            self.current = (GroupHolder::Zone, at.clone());
        }
        let node = at.map(|at| at.to_string());
        let why = found_in_words(found, node.as_deref().unwrap_or_default(), &types);
        self.steps.push(StepShape::Name(NameShape { name: name.to_string(), found, node, types, why }));
        self.sought = name;
    }

    fn follow_alias(&mut self, group: GroupIndex, member: MemberIndex, target: Option<GroupIndex>) {
        let Some(next) = self.names.alias_target(&self.current_key(group), member) else { return };
        let GroupKey { holder, name, record_type } = next.clone();
        let why = match (target, self.names.0.resource_of_group(&next)) {
            (Some(_), Some(resource)) => format!("the alias target `{}` answers for this name", resource.name),
            (Some(_), None) => "an alias answers as its target would, under its own name".to_owned(),
            (None, _) => format!("there are no {record_type} records to answer with"),
        };
        let (target, record_type) = (name.to_string(), record_type.to_string());
        self.steps.push(StepShape::Alias(AliasStepShape { target, record_type, why }));
        self.current = (holder, name);
    }

    fn add_negative_answer(&mut self, rcode: Rcode) {
        let (query_type, zone, name) = (self.question.query_type, self.zone_view.zone.name(), &self.sought);
        let why = match (rcode, self.steps.last()) {
            (Rcode::NxDomain, _) => format!("{name} does not exist in the zone {zone}"),
            (_, Some(StepShape::Group(group))) => group.why.clone(),
            (_, Some(StepShape::Alias(alias))) => self.without_records(alias),
            (_, Some(StepShape::Name(found))) if found.types.is_empty() => {
                format!("{name} is an empty non-terminal: there are names below it, but it has no records.")
            }
            _ => format!("{name} exists, but it has no records of type {query_type}."),
        };
        let kind = if rcode == Rcode::NxDomain { "NXDOMAIN" } else { "NODATA" };
        self.steps.push(StepShape::NegativeAnswer(NegativeAnswerShape { kind: kind.to_owned(), why }));
    }

    /// Why the target of an alias answers nothing.
    fn without_records(&self, alias: &AliasStepShape) -> String {
        let AliasStepShape { target, record_type, .. } = alias;
        if self.leads_back(record_type) {
            return format!("The aliases lead from {target} back to it: they form a cycle, without records.");
        }
        match &self.current {
            (GroupHolder::Zone, _) => format!("The target of the alias, {target}, does not exist."),
            (GroupHolder::OtherZone(_), _) => {
                format!("The target of the alias, {target}, has no {record_type} records.")
            }
            (GroupHolder::Resource(id), name) => match self.names.0.alias_resources.find(id, name) {
                Some(resource) => format!("The alias target `{}` has no {record_type} records.", resource.name),
                None => format!("No `[[alias_target]]` matches the target of the alias, {target}."),
            },
        }
    }

    /// Whether aliases of this type lead from the current name to it again.
    fn leads_back(&self, record_type: &str) -> bool {
        let Ok(record_type) = record_type.parse() else { return false };
        let (holder, name) = self.current.clone();
        let start = GroupKey { holder, name, record_type };
        let (mut seen, mut rest) = (HashSet::new(), vec![start.clone()]);
        while let Some(group) = rest.pop() {
            for next in self.names.0.targets_of(&group) {
                if next == start {
                    return true;
                }
                if seen.insert(next.clone()) {
                    rest.push(next);
                }
            }
        }
        false
    }

    fn shares(&self, query: &Query<'_>) -> (Vec<ShareShape>, bool) {
        let Some(first) = &self.first else { return (Vec::new(), true) };
        let client = answer::client_of(query, &self.zone_view);
        let found = shares(&self.zone_view, &client, &self.names, self.question.query_type, first);
        let share = |((group, member), share): (&(GroupKey, MemberIndex), &f64)| {
            let set = *self.names.sets(group).get(usize::from(*member))?;
            let values = set.content.values().iter().map(ToString::to_string).collect();
            let (name, record_type) = (group.name.to_string(), group.record_type.to_string());
            Some(ShareShape { name, record_type, set_identifier: set.set_identifier.clone(), values, share: *share })
        };
        let mut shapes: Vec<ShareShape> = found.leaves.iter().filter_map(share).collect();
        shapes.sort_by(|one, other| other.share.total_cmp(&one.share));
        (shapes, found.complete)
    }

    fn finish(self, answer: &Answer<'_>, (shares, shares_complete): (Vec<ShareShape>, bool)) -> Explanation {
        let vpc = vpc(self.question, self.context);
        let zone = zone_shape(self.zone_view.zone, vpc.as_ref());
        Explanation {
            question: question_shape(self.question, self.context),
            vpc,
            zone: Some(zone),
            answer: self.answer(answer),
            client: self.client,
            steps: self.steps,
            shares,
            shares_complete,
        }
    }

    fn answer(&self, answer: &Answer<'_>) -> AnswerShape {
        let records = |parts: &[Part<'_>]| parts.iter().flat_map(|part| self.records(part)).collect::<Vec<_>>();
        let (authority, additional) = answer.closing_parts();
        AnswerShape {
            rcode: name_of(answer.rcode).to_owned(),
            authoritative: answer.authoritative,
            answer: records(&answer.answer),
            authority: records(authority.as_slice()),
            additional: records(&additional),
            ttl_why: self.ttl_why(answer),
            messages: messages(self.question, self.context, answer),
            scope: answer.scope.0,
            scope_why: self.scope_why(answer.scope.0),
        }
    }

    fn records(&self, part: &Part<'_>) -> Vec<RecordShape> {
        let owner = match part.owner {
            answer::Owner::Question => self.question.name.clone(),
            answer::Owner::InZone(labels) => self.names.of_labels(labels),
        };
        let (ttl, record_type) = (part.records.ttl, part.records.record_type);
        let record = |data: Data<'_>| RecordShape {
            name: owner.to_string(),
            ttl,
            record_type: record_type.to_string(),
            data: RecordData::from_wire(record_type, data.whole(self.zone_view.zone.name())).to_text(),
        };
        part.records.iter().map(record).collect()
    }

    fn groups(&self) -> impl Iterator<Item = &GroupShape> {
        self.steps.iter().filter_map(|step| match step {
            StepShape::Group(group) => Some(group),
            _ => None,
        })
    }

    fn ttl_why(&self, answer: &Answer<'_>) -> String {
        let followed = self.steps.iter().any(|step| matches!(step, StepShape::Alias(_)));
        let is_chain = answer.answer.chunk_by(Part::is_of_same_set).nth(1).is_some();
        let records = match answer.answer.as_slice() {
            [] => None,
            _ if is_chain && followed => Some("each record's own TTL, an alias with its target's".to_owned()),
            _ if is_chain => Some("each record's own TTL".to_owned()),
            [one, ..] if followed => Some(format!("{} s: an alias answers with its target's TTL", one.records.ttl)),
            [one] => Some(format!("{} s: the record's own TTL", one.records.ttl)),
            [first, ..] => {
                let ttl = first.records.ttl;
                Some(format!("{ttl} s: the TTL of the first record chosen, which all records of the answer have"))
            }
        };
        match (records, self.end_ttl_why(answer)) {
            (Some(records), Some((what, end))) => format!("{records}; for the {what} {end}"),
            (records, end) => records.or(end.map(|(_, end)| end)).unwrap_or_default(),
        }
    }

    /// The authority records of an answer that does not end in records of the name, and their TTL:
    /// the SOA of a negative answer, or the NS records of a delegation.
    fn end_ttl_why(&self, answer: &Answer<'_>) -> Option<(&'static str, String)> {
        let Records { record_type, ttl, .. } =
            answer.authority.filter(|part| part.presence == Presence::Required)?.records;
        Some(match record_type {
            RecordType::Soa => ("negative answer", self.negative_ttl_why(ttl)),
            _ => ("delegation", format!("{ttl} s: the delegation's own TTL")),
        })
    }

    /// RFC 2308 section 3.
    fn negative_ttl_why(&self, ttl: u32) -> String {
        let withheld = self.zone_view.zone.negative_soa().is_some_and(|soa| soa.ttl > ttl);
        match withheld {
            true => format!("{ttl} s: resolvers cache this no longer than an answer of the group"),
            false => format!("{ttl} s: the lesser of the SOA's TTL and its minimum field (RFC 2308)"),
        }
    }

    fn scope_why(&self, scope: u8) -> String {
        let is_sent = match self.question.client_subnet {
            Some(_) if self.context.uses_client_subnet => "",
            Some(_) => "; not sent, as the settings ignore client subnets",
            None => "; not sent, as the query has no client subnet",
        };
        if self.zone_view.zone.is_private() {
            return format!("in a private zone the client's address does not matter{is_sent}");
        }
        let decisive = self.groups().filter(|group| group.scope > 0 && group.scope == scope).last();
        let Some(group) = decisive else { return format!("no policy depends on the client's location{is_sent}") };
        let decided = match group.policy.as_str() {
            "IP-based" => "the CIDR blocks of its collection",
            _ => self
                .client
                .as_ref()
                .filter(|client| client.location.is_some())
                .map_or("the client's location is unknown", |client| client.location_source.as_str()),
        };
        format!("{} routing depends on these bits of the address: {decided}{is_sent}", group.policy)
    }
}

fn found_in_words(found: LookupResult, node: &str, types: &[String]) -> String {
    match found {
        LookupResult::Name => format!("it exists, with {}", types.join(", ")),
        LookupResult::EmptyNonTerminal => {
            "it is an empty non-terminal: it has no records, but there are names below it".to_owned()
        }
        LookupResult::Wildcard => {
            format!("it does not exist; the wildcard {node} answers for it, with {}", types.join(", "))
        }
        LookupResult::Delegation => format!("it is at or below {node}, which is delegated to other name servers"),
        LookupResult::Nothing => "it does not exist, and no wildcard answers for it".to_owned(),
    }
}

/// Such as `US-CA, NA; 37.77, -122.42; in us-west-1`.
fn in_words(location: &Location) -> Option<String> {
    let country = location.country.map(|country| match location.subdivision {
        Some(subdivision) => format!("{country}-{subdivision}"),
        None => country.to_string(),
    });
    let areas: Vec<String> =
        country.into_iter().chain(location.continent.map(|continent| continent.code().to_owned())).collect();
    let at = location.point.map(|point| point.coordinates()).map(|at| format!("{}, {}", at.latitude, at.longitude));
    let parts = [
        Some(areas.join(", ")).filter(|areas| !areas.is_empty()),
        at,
        location.region.map(|region| format!("in {region}")),
    ];
    let words = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some(words).filter(|words| !words.is_empty())
}

fn network(networks: &[LocationNetwork], address: IpAddr) -> String {
    let holding = networks.iter().filter(|network| network.cidr.contains(&address));
    let longest = holding.max_by_key(|network| network.cidr.prefix_len());
    longest.map_or_else(
        || "[[location.network]] in the settings".to_owned(),
        |network| format!("[[location.network]] {} in the settings", network.cidr),
    )
}

//! Properties of any zone, any health and any client: the answers equal those of slow, naive
//! reference implementations that follow the wording of the rules and use only the types of
//! `model`.
//!
//! The references have no trees, tables, bits or plans. If they and the server disagree, one of
//! them misreads a rule.

#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fiftythree::answer::{Answer, ClientSubnet, Owner, Query, QueryName, Rcode, SeededRng, resolve};
use fiftythree::explain::json::RecordShape;
use fiftythree::explain::{ExplainContext, Explanation, Question, explain};
use fiftythree::geo::GeoLookup;
use fiftythree::health::{CheckBits, CheckSlot, Timestamp};
use fiftythree::model::{
    AliasTarget, CidrCollection, CidrCollectionId, Content, Coordinates, Country, FailoverRole, GeoLocation,
    GeoproximityLocation, HealthCheckId, HostedZone, HostedZoneId, LocationNetwork, Name, PrefixLength, RecordData,
    RecordType, Region, ResourceRecordSet, RoutingPolicy, Subdivision, geography,
};
use fiftythree::policy::CidrTables;
use fiftythree::serve::{ClientSubnetUse, MAX_UDP_OCTETS, Received, Requestor, Responder, ResponderSettings};
use fiftythree::world::{Catalog, ServedZone, World};
use fiftythree::zonetree::Zone;
use hickory_proto::op::{Edns, Message, Query as WireQuery};
use hickory_proto::rr::rdata::opt::{ClientSubnet as WireSubnet, EdnsOption};
use hickory_proto::rr::{Name as WireName, RData, RecordType as WireType};
use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REQUESTOR: Requestor = Requestor::at(SOURCE);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A record set of one value in `lab.test`.
fn record(owner: &str, record_type: RecordType, value: &str) -> ResourceRecordSet {
    ResourceRecordSet {
        name: name(owner),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: Content::Records { ttl: 60, values: vec![RecordData::parse(record_type, value).unwrap()] },
        health_check: None,
    }
}

fn zone(apex: &str, sets: impl IntoIterator<Item = ResourceRecordSet>) -> HostedZone {
    let soa = record(apex, RecordType::Soa, "ns.elsewhere.test. h.elsewhere.test. 1 7200 900 1209600 86400");
    let ns = record(apex, RecordType::Ns, "ns.elsewhere.test.");
    HostedZone {
        id: HostedZoneId(apex.to_uppercase()),
        name: name(apex),
        comment: None,
        vpcs: Vec::new(),
        vpc_regions: Vec::new(),
        caller_reference: None,
        tags: Default::default(),
        record_sets: [soa, ns].into_iter().chain(sets).map(std::sync::Arc::new).collect(),
        record_groups: Vec::new(),
        default_addresses: Vec::new(),
        attachments: Default::default(),
        policy_sets: Default::default(),
        alias_resources: Default::default(),
    }
}

/// The id of a health check is its slot.
fn slot_of(id: &HealthCheckId) -> Option<CheckSlot> {
    id.0.parse().ok().map(CheckSlot)
}

fn world(zones: &[HostedZone], collections: &[CidrCollection], networks: &[LocationNetwork], down: &[u32]) -> World {
    let tables = CidrTables::build(collections);
    let compile = |zone: &HostedZone| Arc::new(Zone::compile(zone, &slot_of, &tables));
    let served: Vec<ServedZone> =
        zones.iter().map(|zone| ServedZone { zone: compile(zone), vpcs: Vec::new() }).collect();
    let checks = CheckBits::with_unhealthy(down.iter().copied().map(CheckSlot));
    let geo_lookup = GeoLookup::build(networks, Vec::new(), &[]);
    World::new(Arc::new(Catalog::build(&served, &[])), &checks, Arc::new(geo_lookup))
}

/// The response for a client: response code, answers (labels of the owner or `?` for the question,
/// data), scope.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    rcode: Rcode,
    authoritative: bool,
    answers: Vec<(Vec<u8>, Vec<u8>)>,
    scope: u8,
}

fn ask(world: &World, asked: &Name, record_type: RecordType, client: Option<Client>, rng: &mut SeededRng) -> Reply {
    let mut question = QueryName::default();
    question.set(asked);
    let client_subnet = client.map(|client| ClientSubnet {
        address: IpAddr::V4(client.network.network()),
        source_prefix: PrefixLength(client.network.prefix_len()),
    });
    let query = Query { client_subnet, ..Query::new(&question, record_type.into(), &REQUESTOR) };
    reply(&question, &resolve(&query, world, rng))
}

fn reply(question: &QueryName, answer: &Answer<'_>) -> Reply {
    let asked = &question.wire()[..question.wire().len() - answer.zone_octets];
    let owner = |owner: Owner<'_>| match owner {
        Owner::Question => asked.to_vec(),
        Owner::InZone(labels) => labels.to_ascii_lowercase(),
    };
    let data = answer.answer.iter().flat_map(|part| part.records.iter().map(move |data| (owner(part.owner), data)));
    // In the leaves a name inside the zone lacks the labels of the zone, where a pointer will be.
    let whole = |data: fiftythree::answer::Data<'_>| data.bytes.to_vec();
    Reply {
        rcode: answer.rcode,
        authoritative: answer.authoritative,
        answers: data.map(|(owner, data)| (owner, whole(data))).collect(),
        scope: answer.scope.0,
    }
}

// -------------------------------------------------------------------------------------------------
// The tree against a naive scan.

/// The content of a name in a random zone.
#[derive(Clone, Debug)]
enum At {
    Address,
    Text,
    Alias,
    Delegation,
}

fn any_labels() -> impl Strategy<Value = String> {
    let label = prop_oneof![4 => "[abc]", 1 => Just(r"\052".to_owned()), 1 => "_[ab]"];
    prop::collection::vec(label, 1..5).prop_map(|labels| labels.join("."))
}

fn any_at() -> impl Strategy<Value = At> {
    prop_oneof![5 => Just(At::Address), 2 => Just(At::Text), 2 => Just(At::Alias), 1 => Just(At::Delegation)]
}

/// A zone as a list of names; the address of each name is its number.
struct Naive {
    apex: Name,
    names: BTreeMap<Name, At>,
    /// The target of every CNAME.
    target: Name,
    /// Owned by another zone, with all names below.
    below: Option<Name>,
}

impl Naive {
    fn new(apex: &str, names: &BTreeMap<String, At>, target: &str) -> Naive {
        let wildcard = |name: &Name| name.is_wildcard();
        let placed = names.iter().map(|(labels, at)| (name(&format!("{labels}.{apex}")), at.clone()));
        // NS records cannot be wildcards.
        let names = placed.filter(|(name, at)| !(wildcard(name) && matches!(at, At::Delegation))).collect();
        Naive { apex: name(apex), names, target: name(&format!("{target}.{apex}")), below: None }
    }

    fn address_of(&self, name: &Name) -> Ipv4Addr {
        let number = self.names.keys().position(|known| known == name).unwrap();
        Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap())
    }

    fn hosted(&self) -> HostedZone {
        let set = |(owner, at): (&Name, &At)| match at {
            At::Address => record(&owner.to_string(), RecordType::A, &self.address_of(owner).to_string()),
            At::Text => record(&owner.to_string(), RecordType::Txt, "\"t\""),
            At::Alias => record(&owner.to_string(), RecordType::Cname, &self.target.to_string()),
            At::Delegation => record(&owner.to_string(), RecordType::Ns, "ns.elsewhere.test."),
        };
        zone(&self.apex.to_string(), self.names.iter().map(set))
    }

    /// The name and its ancestors up to the apex.
    fn up(&self, from: &Name) -> Vec<Name> {
        let up = std::iter::successors(Some(from.clone()), Name::parent);
        up.take_while(|name| name.is_within(&self.apex)).collect()
    }

    fn exists(&self, asked: &Name) -> bool {
        *asked == self.apex || self.names.keys().any(|known| known.is_within(asked))
    }

    /// RFC 1034 section 4.3.2 with RFC 4592: response code, AA, and the address or `None`, after
    /// the chain of CNAMEs.
    fn answer(&self, asked: &Name) -> (Rcode, bool, Vec<Name>, Option<Ipv4Addr>) {
        let (mut at, mut chain) = (asked.clone(), Vec::new());
        loop {
            if !chain.is_empty() && self.below.as_ref().is_some_and(|below| at.is_within(below)) {
                return (Rcode::NoError, true, chain, None);
            }
            let cut = self.up(&at).into_iter().find(|name| matches!(self.names.get(name), Some(At::Delegation)));
            if cut.is_some() {
                return (Rcode::NoError, !chain.is_empty(), chain, None);
            }
            let source = if self.exists(&at) { Some(at.clone()) } else { self.wildcard_for(&at) };
            let Some(source) = source else { return (Rcode::NxDomain, true, chain, None) };
            match self.names.get(&source) {
                Some(At::Address) => return (Rcode::NoError, true, chain, Some(self.address_of(&source))),
                Some(At::Alias) if chain.contains(&at) => return (Rcode::NoError, true, chain, None),
                Some(At::Alias) => {
                    chain.push(at);
                    at = self.target.clone();
                }
                _ => return (Rcode::NoError, true, chain, None),
            }
        }
    }

    /// The asterisk below the closest encloser, if it exists (RFC 4592 section 3.3.1).
    fn wildcard_for(&self, asked: &Name) -> Option<Name> {
        let encloser = self.up(asked).into_iter().find(|name| self.exists(name))?;
        let wildcard = name("*").under(&encloser).ok()?;
        self.exists(&wildcard).then_some(wildcard)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_name_in_any_zone_is_answered_as_the_rfcs_say(
        parent in prop::collection::btree_map(any_labels(), any_at(), 0..12),
        child in prop::collection::btree_map(any_labels(), any_at(), 0..4),
        target in any_labels(),
        asked in prop::collection::vec(any_labels(), 8),
    ) {
        let child = Naive::new("a.lab.test", &child, &target);
        let zones = [Naive { below: Some(child.apex.clone()), ..Naive::new("lab.test", &parent, &target) }, child];
        let world = world(&zones.iter().map(Naive::hosted).collect::<Vec<_>>(), &[], &[], &[]);
        for asked in asked.iter().map(|labels| name(&format!("{labels}.lab.test"))) {
            let zone = zones.iter().rev().find(|zone| asked.is_within(&zone.apex)).unwrap();
            let (rcode, authoritative, chain, address) = zone.answer(&asked);
            let reply = ask(&world, &asked, RecordType::A, None, &mut SeededRng::new(1));
            prop_assert_eq!((reply.rcode, reply.authoritative), (rcode, authoritative), "{}", asked);
            let owners: Vec<Vec<u8>> = reply.answers.iter().map(|(owner, _)| owner.clone()).collect();
            let last = if chain.is_empty() { asked.clone() } else { zone.target.clone() };
            let expected: Vec<Vec<u8>> =
                chain.iter().cloned().chain(address.map(|_| last)).map(|name| name.relative_to(&zone.apex).unwrap().to_vec()).collect();
            prop_assert_eq!(owners, expected, "{}", asked);
            if let Some(address) = address {
                prop_assert_eq!(&reply.answers.last().unwrap().1, &address.octets().to_vec());
            }
        }
    }
}

// -------------------------------------------------------------------------------------------------
// The policies against the rules, member by member.

/// The client.
#[derive(Clone, Copy, Debug)]
struct Client {
    network: Ipv4Net,
}

/// One group of `app.lab.test`: the policy of each member, and whether it is healthy (`None`: it
/// has no check).
#[derive(Clone, Debug)]
struct Group {
    members: Vec<(RoutingPolicy, Option<bool>)>,
}

impl Group {
    fn sets(&self) -> Vec<ResourceRecordSet> {
        let member = |(number, (policy, health)): (usize, &(RoutingPolicy, Option<bool>))| ResourceRecordSet {
            set_identifier: Some(identifier(number)),
            routing_policy: policy.clone(),
            health_check: health.map(|_| HealthCheckId(number.to_string())),
            ..record("app.lab.test", RecordType::A, &format!("192.0.2.{number}"))
        };
        self.members.iter().enumerate().map(member).collect()
    }

    fn down(&self) -> Vec<u32> {
        let numbered = (0..).zip(&self.members);
        numbered.filter(|(_, (_, health))| *health == Some(false)).map(|(number, _)| number).collect()
    }

    fn is_usable(&self, member: usize) -> bool {
        self.members[member].1 != Some(false)
    }

    /// The first usable one of `preferred`, else the first one.
    fn first_usable(&self, preferred: &[usize]) -> Option<usize> {
        let usable = preferred.iter().copied().find(|&member| self.is_usable(member));
        usable.or(preferred.first().copied())
    }

    /// The members in the order of a cost. Ties are broken by string.
    fn by_cost(&self, cost: impl Fn(&RoutingPolicy) -> f64, tie: impl Fn(usize) -> String) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by(|&a, &b| {
            let [x, y] = [a, b].map(|member| cost(&self.members[member].0));
            x.total_cmp(&y).then_with(|| tie(a).cmp(&tie(b)))
        });
        order
    }
}

/// Members are numbered against the order of their identifiers, so that written order cannot decide
/// a tie.
fn identifier(number: usize) -> String {
    format!("m{:03}", 999 - number)
}

/// The place of a client: that of its longest network.
fn network_of(networks: &[LocationNetwork], client: Client) -> Option<&LocationNetwork> {
    let holds = |network: &&LocationNetwork| network.cidr.contains(&IpAddr::V4(client.network.network()));
    networks.iter().filter(holds).max_by_key(|network| network.cidr.prefix_len())
}

/// Great-circle distance by the haversine formula.
fn haversine_km(a: Coordinates, b: Coordinates) -> f64 {
    let [(lat_a, lon_a), (lat_b, lon_b)] = [a, b].map(|at| (at.latitude.to_radians(), at.longitude.to_radians()));
    let half =
        ((lat_b - lat_a) / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * ((lon_b - lon_a) / 2.0).sin().powi(2);
    2.0 * 6371.0088 * half.sqrt().min(1.0).asin()
}

/// The answering member by the rules of Route 53, for the policies without random choice.
fn rule(group: &Group, networks: &[LocationNetwork], collection: &CidrCollection, client: Client) -> Option<usize> {
    let network = network_of(networks, client);
    let find = |wanted: &dyn Fn(&RoutingPolicy) -> bool| group.members.iter().position(|(policy, _)| wanted(policy));
    match &group.members[0].0 {
        RoutingPolicy::Failover { .. } => {
            let side =
                |wanted| find(&move |policy| matches!(policy, RoutingPolicy::Failover { role } if *role == wanted));
            let order = [side(FailoverRole::Primary), side(FailoverRole::Secondary)];
            group.first_usable(&order.into_iter().flatten().collect::<Vec<_>>())
        }
        RoutingPolicy::Geolocation { .. } => {
            let country = network.and_then(|network| network.country);
            let areas = [
                country
                    .zip(network.and_then(|network| network.subdivision))
                    .map(|(c, s)| GeoLocation::Subdivision(c, s)),
                country.map(GeoLocation::Country),
                country.and_then(geography::continent_of).map(GeoLocation::Continent),
                Some(GeoLocation::Default),
            ];
            let member = |area: GeoLocation| {
                find(&move |policy| matches!(policy, RoutingPolicy::Geolocation { location } if *location == area))
            };
            group.first_usable(&areas.into_iter().flatten().filter_map(member).collect::<Vec<_>>())
        }
        RoutingPolicy::Latency { .. } => {
            let region_of = |policy: &RoutingPolicy| match policy {
                RoutingPolicy::Latency { region } => *region,
                _ => unreachable!(),
            };
            let cost = |policy: &RoutingPolicy| {
                let Some(network) = network else { return 0.0 };
                if network.region == Some(region_of(policy)) {
                    return -1.0;
                }
                haversine_km(network.coordinates.unwrap(), region_of(policy).coordinates())
            };
            group.first_usable(&group.by_cost(cost, |member| region_of(&group.members[member].0).name().to_owned()))
        }
        RoutingPolicy::Geoproximity { .. } => {
            let cost = |policy: &RoutingPolicy| {
                let RoutingPolicy::Geoproximity { location: GeoproximityLocation::Coordinates(at), bias } = policy
                else {
                    unreachable!()
                };
                let Some(network) = network else { return 0.0 };
                haversine_km(network.coordinates.unwrap(), *at) * (1.0 - f64::from(*bias) / 100.0)
            };
            group.first_usable(&group.by_cost(cost, identifier))
        }
        RoutingPolicy::IpBased { .. } => {
            let located = |wanted: Option<&str>| {
                find(
                    &|policy| matches!(policy, RoutingPolicy::IpBased { location, .. } if location.as_deref() == wanted),
                )
            };
            let blocks = collection
                .locations
                .iter()
                .flat_map(|(location, blocks)| blocks.iter().map(move |block| (block, location)));
            let whole = |(block, _): &(&IpNet, &String)| block.contains(&IpNet::V4(client.network));
            let mut matching: Vec<_> = blocks.filter(whole).collect();
            matching.sort_by_key(|(block, _)| std::cmp::Reverse(block.prefix_len()));
            let members: Vec<Option<usize>> = matching.iter().map(|(_, location)| located(Some(location))).collect();
            // The longest block decides the location, even if it has no record.
            let members = if members.first().is_some_and(Option::is_some) { members } else { Vec::new() };
            group.first_usable(&members.into_iter().flatten().chain(located(None)).collect::<Vec<_>>())
        }
        _ => unreachable!("the rng decide"),
    }
}

/// Blocks close together and nested, so that they overlap.
fn any_block() -> impl Strategy<Value = Ipv4Net> {
    let lengths = prop_oneof![Just(8u8), 9..=24u8, Just(16), Just(24)];
    (0..4u8, prop_oneof![0..4u8, Just(128)], lengths)
        .prop_map(|(b, c, length)| Ipv4Net::new(Ipv4Addr::new(10, b, c, 0), length).unwrap().trunc())
}

fn any_client() -> impl Strategy<Value = Client> {
    let address = (9..12u8, 0..5u8, prop_oneof![0..5u8, 127..130u8], 0..3u8, 8..=32u8);
    address.prop_map(|(a, b, c, d, length)| Client {
        network: Ipv4Net::new(Ipv4Addr::new(a, b, c, d), length).unwrap().trunc(),
    })
}

fn country(code: &str) -> Country {
    Country::from_code(code).unwrap()
}

/// Networks with every attribute that a policy may use, none twice.
fn any_networks() -> impl Strategy<Value = Vec<LocationNetwork>> {
    let parts = (
        any_block(),
        prop_oneof![
            Just(("US", Some("CA"))),
            Just(("US", Some("NY"))),
            Just(("US", None)),
            Just(("DE", None)),
            Just(("BR", None))
        ],
        (-900..=900i32, -1800..=1800i32),
        prop::option::weighted(0.2, 0..Region::COUNT),
    );
    let network = parts.prop_map(|(cidr, (code, part), (latitude, longitude), region)| LocationNetwork {
        cidr: IpNet::V4(cidr),
        country: Some(country(code)),
        subdivision: part.map(|part| Subdivision::from_code(part).unwrap()),
        coordinates: Some(Coordinates { latitude: f64::from(latitude) / 10.0, longitude: f64::from(longitude) / 10.0 }),
        region: region.and_then(|index| Region::all().nth(index)),
    });
    prop::collection::vec(network, 0..8).prop_map(|networks| {
        let mut seen = BTreeSet::new();
        networks.into_iter().filter(|network| seen.insert(network.cidr)).collect()
    })
}

const LOCATIONS: [&str; 3] = ["a", "b", "c"];

fn any_collection() -> impl Strategy<Value = CidrCollection> {
    prop::collection::btree_map(any_block(), 0..LOCATIONS.len(), 0..8).prop_map(|blocks| CidrCollection {
        id: CidrCollectionId("offices".to_owned()),
        name: "offices".to_owned(),
        caller_reference: None,
        version: 1,
        locations: (0..)
            .zip(LOCATIONS)
            .map(|(number, location)| {
                let of = blocks.iter().filter(|(_, at)| **at == number).map(|(block, _)| IpNet::V4(*block));
                (location.to_owned(), of.collect())
            })
            .collect(),
    })
}

fn any_area() -> impl Strategy<Value = GeoLocation> {
    use fiftythree::model::Continent;
    let part = |code| GeoLocation::Subdivision(country("US"), Subdivision::from_code(code).unwrap());
    prop_oneof![
        Just(part("CA")),
        Just(part("NY")),
        Just(GeoLocation::Country(country("US"))),
        Just(GeoLocation::Country(country("DE"))),
        Just(GeoLocation::Continent(Continent::from_code("NA").unwrap())),
        Just(GeoLocation::Continent(Continent::from_code("EU").unwrap())),
        Just(GeoLocation::Default),
    ]
}

/// The policies of a group without random choice, no two members alike.
fn any_policies() -> impl Strategy<Value = Vec<RoutingPolicy>> {
    let failover = Just(vec![FailoverRole::Primary, FailoverRole::Secondary]).prop_shuffle().prop_flat_map(|roles| {
        (1..=2usize)
            .prop_map(move |count| roles[..count].iter().map(|&role| RoutingPolicy::Failover { role }).collect())
    });
    let geolocation = prop::collection::vec(any_area(), 1..7).prop_map(|areas| {
        let mut seen = Vec::new();
        let new = areas.into_iter().filter(|area| {
            !seen.contains(area) && {
                seen.push(*area);
                true
            }
        });
        new.map(|location| RoutingPolicy::Geolocation { location }).collect::<Vec<_>>()
    });
    let regions: Vec<Region> = Region::all().collect();
    let latency = prop::sample::subsequence(regions, 1..6)
        .prop_shuffle()
        .prop_map(|regions| regions.into_iter().map(|region| RoutingPolicy::Latency { region }).collect());
    let point =
        (-90..=90i32, -180..=180i32, prop_oneof![Just(0i8), -99..=99i8]).prop_map(|(latitude, longitude, bias)| {
            let at = Coordinates { latitude: f64::from(latitude), longitude: f64::from(longitude) };
            RoutingPolicy::Geoproximity { location: GeoproximityLocation::Coordinates(at), bias }
        });
    let geoproximity = prop::collection::vec(point, 1..6);
    let locations = [None, Some("a"), Some("b"), Some("c")];
    let ip_based = prop::sample::subsequence(locations.to_vec(), 1..=4).prop_shuffle().prop_map(|locations| {
        let policy = |location: Option<&str>| RoutingPolicy::IpBased {
            collection: CidrCollectionId("offices".to_owned()),
            location: location.map(str::to_owned),
        };
        locations.into_iter().map(policy).collect()
    });
    prop_oneof![failover, geolocation, latency, geoproximity, ip_based]
}

fn any_health() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![Just(None), Just(Some(true)), Just(Some(false)), Just(Some(false))]
}

fn with_health(policies: impl Strategy<Value = Vec<RoutingPolicy>>) -> impl Strategy<Value = Group> {
    policies.prop_flat_map(|policies| {
        let count = policies.len();
        prop::collection::vec(any_health(), count)
            .prop_map(move |health| Group { members: policies.iter().cloned().zip(health).collect() })
    })
}

/// The members that answered, by their addresses.
fn members(reply: &Reply) -> Vec<usize> {
    reply.answers.iter().map(|(_, data)| usize::from(data[3])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_member_that_the_rules_name_answers(
        group in with_health(any_policies()),
        networks in any_networks(),
        collection in any_collection(),
        clients in prop::collection::vec(any_client(), 4),
    ) {
        let zones = [zone("lab.test", group.sets())];
        let world = world(&zones, std::slice::from_ref(&collection), &networks, &group.down());
        for client in clients {
            let reply = ask(&world, &name("app.lab.test"), RecordType::A, Some(client), &mut SeededRng::new(1));
            let expected: Vec<usize> = rule(&group, &networks, &collection, client).into_iter().collect();
            prop_assert_eq!(reply.rcode, Rcode::NoError);
            prop_assert_eq!(members(&reply), expected, "{:?}", client);
        }
    }

    #[test]
    fn weights_of_zero_wait_and_the_unusable_answer_only_when_all_are(
        group in with_health(prop::collection::vec(prop_oneof![Just(0u8), 0..=255u8].prop_map(|weight| RoutingPolicy::Weighted { weight }), 1..8)),
        seed in any::<u64>(),
    ) {
        let weight = |member: usize| match group.members[member].0 {
            RoutingPolicy::Weighted { weight } => weight,
            _ => unreachable!(),
        };
        let all: Vec<usize> = (0..group.members.len()).collect();
        let of = |usable: bool, positive: bool| -> Vec<usize> {
            all.iter().copied().filter(|&m| (!usable || group.is_usable(m)) && (!positive || weight(m) > 0)).collect()
        };
        // Developer Guide, "How health checks work": positive and healthy, else healthy, else
        // positive, else all.
        let tiers = [of(true, true), of(true, false), of(false, true), all.clone()];
        let tier = tiers.iter().find(|tier| !tier.is_empty()).unwrap();
        let world = world(&[zone("lab.test", group.sets())], &[], &[], &group.down());
        let mut rng = SeededRng::new(seed);
        for _ in 0..20 {
            let reply = ask(&world, &name("app.lab.test"), RecordType::A, None, &mut rng);
            let chosen = members(&reply);
            prop_assert!(chosen.len() == 1 && tier.contains(&chosen[0]), "{:?} of {:?}", chosen, tier);
            prop_assert_eq!(reply.scope, 0);
        }
    }

    #[test]
    fn multivalue_answers_the_healthy_ones_up_to_eight(
        group in with_health(prop::collection::vec(Just(RoutingPolicy::MultivalueAnswer), 1..20)),
        seed in any::<u64>(),
    ) {
        let usable: BTreeSet<usize> = (0..group.members.len()).filter(|&member| group.is_usable(member)).collect();
        let pool = if usable.is_empty() { (0..group.members.len()).collect() } else { usable };
        let world = world(&[zone("lab.test", group.sets())], &[], &[], &group.down());
        let chosen = members(&ask(&world, &name("app.lab.test"), RecordType::A, None, &mut SeededRng::new(seed)));
        let different: BTreeSet<usize> = chosen.iter().copied().collect();
        prop_assert_eq!((chosen.len(), different.len()), (pool.len().min(8), pool.len().min(8)));
        prop_assert!(different.is_subset(&pool));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Pearson's chi-squared over the members that can be drawn at all. With k degrees of freedom
    /// it has mean k and variance 2k; a bound of k + 8·√2k + 40 lies beyond one in a hundred
    /// million for every k here.
    #[test]
    fn weights_hold_over_many_draws(
        group in with_health(prop::collection::vec((0..=255u8).prop_map(|weight| RoutingPolicy::Weighted { weight }), 2..10)),
        seed in any::<u64>(),
    ) {
        const DRAWS: u32 = 20_000;
        let weight = |member: usize| match group.members[member].0 {
            RoutingPolicy::Weighted { weight } => f64::from(weight),
            _ => unreachable!(),
        };
        let eligible: Vec<usize> = (0..group.members.len()).filter(|&m| group.is_usable(m) && weight(m) > 0.0).collect();
        prop_assume!(!eligible.is_empty());
        let sum: f64 = eligible.iter().map(|&member| weight(member)).sum();
        let world = world(&[zone("lab.test", group.sets())], &[], &[], &group.down());
        let mut rng = SeededRng::new(seed);
        let mut seen = vec![0u32; group.members.len()];
        for _ in 0..DRAWS {
            seen[members(&ask(&world, &name("app.lab.test"), RecordType::A, None, &mut rng))[0]] += 1;
        }
        let chi_squared: f64 = eligible.iter().map(|&member| {
            let expected = f64::from(DRAWS) * weight(member) / sum;
            (f64::from(seen[member]) - expected).powi(2) / expected
        }).sum();
        let freedom = f64::from(u32::try_from(eligible.len() - 1).unwrap());
        prop_assert!(chi_squared <= freedom + 8.0 * (2.0 * freedom).sqrt() + 40.0, "{chi_squared} for {seen:?}");
        prop_assert_eq!(eligible.iter().map(|&member| seen[member]).sum::<u32>(), DRAWS);
    }
}

// -------------------------------------------------------------------------------------------------
// ECS scopes: every client within the returned prefix gets the same answer.

/// A group whose members are aliases to groups, each with a policy that may use the client.
fn any_tree() -> impl Strategy<Value = (Group, Vec<Group>)> {
    with_health(any_policies()).prop_flat_map(|top| {
        let branches = prop::collection::vec(with_health(any_policies()), top.members.len());
        (Just(top), branches)
    })
}

/// The tree as record sets; the checks of branch n are numbered from 100·(n+1), its addresses are
/// 198.51.n.m.
fn planted(top: &Group, branches: &[Group], evaluate: bool) -> (Vec<ResourceRecordSet>, Vec<u32>) {
    let mut sets = top.sets();
    let mut down = top.down();
    for (number, (set, branch)) in sets.iter_mut().zip(branches).enumerate() {
        let target = name(&format!("b{number}.lab.test"));
        set.content = Content::Alias(AliasTarget { name: target, hosted_zone: None, evaluate_target_health: evaluate });
        down.extend(branch.down().iter().map(|check| check + first_check(number)));
    }
    for (number, branch) in branches.iter().enumerate() {
        sets.extend(branch.sets().into_iter().enumerate().map(|(member, set)| {
            ResourceRecordSet {
                name: name(&format!("b{number}.lab.test")),
                content: record("x.test", RecordType::A, &format!("198.51.{number}.{member}")).content,
                health_check: set
                    .health_check
                    .map(|id| HealthCheckId((id.0.parse::<u32>().unwrap() + first_check(number)).to_string())),
                ..set
            }
        }));
    }
    (sets, down)
}

fn first_check(branch: usize) -> u32 {
    100 * (u32::try_from(branch).unwrap() + 1)
}

/// An address that shares the first `scope` bits with `client`'s and differs at random behind them.
fn neighbour(client: Client, scope: u8, bits: u32) -> Ipv4Addr {
    let keep = u32::MAX.checked_shl(32 - u32::from(scope)).unwrap_or(0);
    Ipv4Addr::from((u32::from(client.network.network()) & keep) | (bits & !keep))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// RFC 7871 section 7.3.1: a resolver caches an answer for all clients in ADDRESS/SCOPE, as
    /// long as the scope is not longer than what it sent. Neighbours are drawn near the borders of
    /// the tables and anywhere.
    #[test]
    fn clients_that_share_the_scope_share_the_answer(
        (top, branches) in any_tree(),
        evaluate in any::<bool>(),
        networks in any_networks(),
        collection in any_collection(),
        client in any_client(),
        neighbours in prop::collection::vec((any_client(), any::<u32>(), any::<bool>(), 0..=32u8), 24),
    ) {
        let (sets, down) = planted(&top, &branches, evaluate);
        let world = world(&[zone("lab.test", sets)], std::slice::from_ref(&collection), &networks, &down);
        let ask = |client| ask(&world, &name("app.lab.test"), RecordType::A, Some(client), &mut SeededRng::new(1));
        let reply = ask(client);
        prop_assume!(reply.scope <= client.network.prefix_len());
        for (near, far, is_near, length) in neighbours {
            let bits = if is_near { u32::from(near.network.network()) } else { far };
            let address = neighbour(client, reply.scope, bits);
            // Another resolver may send more or less of the address, but a cache asks for at least
            // the scope.
            let network = Ipv4Net::new(address, length.max(reply.scope).max(1)).unwrap().trunc();
            let other = ask(Client { network });
            prop_assert_eq!(&other.answers, &reply.answers, "{} and {} share /{}", client.network, network, reply.scope);
        }
    }

    /// An answer that does not depend on the location must not split the caches of resolvers.
    #[test]
    fn policies_that_do_not_look_have_no_scope(
        roles in prop::sample::select(vec![1usize, 2]),
        networks in any_networks(),
        client in any_client(),
    ) {
        let role = |number: usize| if number == 0 { FailoverRole::Primary } else { FailoverRole::Secondary };
        let members = (0..roles).map(|number| (RoutingPolicy::Failover { role: role(number) }, None)).collect();
        let world = world(&[zone("lab.test", Group { members }.sets())], &[], &networks, &[]);
        for asked in ["app.lab.test", "gone.lab.test", "lab.test", "www.elsewhere.test"] {
            let reply = ask(&world, &name(asked), RecordType::A, Some(client), &mut SeededRng::new(1));
            prop_assert_eq!(reply.scope, 0, "{}", asked);
        }
    }
}

// -------------------------------------------------------------------------------------------------
// Explanations against the wire: an explanation has the same answer as the server.

/// A tree with random choice at both levels.
fn any_tree_with_seed() -> impl Strategy<Value = (Group, Vec<Group>)> {
    let weighted = || {
        prop::collection::vec(
            prop_oneof![Just(0u8), 1..=9u8].prop_map(|weight| RoutingPolicy::Weighted { weight }),
            1..5,
        )
    };
    let multivalue = || prop::collection::vec(Just(RoutingPolicy::MultivalueAnswer), 1..12);
    let top = prop_oneof![weighted(), any_policies()];
    with_health(top).prop_flat_map(move |top| {
        let branch = prop_oneof![weighted(), multivalue(), any_policies()];
        let branches = prop::collection::vec(with_health(branch), top.members.len());
        (Just(top), branches)
    })
}

fn explained(world: &World, zone: &HostedZone, asked: &Name, client: Client, seed: u64) -> Explanation {
    let zone = Arc::new(zone.clone());
    let client_subnet = ClientSubnet {
        address: IpAddr::V4(client.network.network()),
        source_prefix: PrefixLength(client.network.prefix_len()),
    };
    let question = Question {
        name: asked.clone(),
        query_type: RecordType::A.into(),
        resolver: SOURCE,
        client_subnet: Some(client_subnet),
        seed,
    };
    let stage = ExplainContext {
        world,
        model: &|_| Ok(Arc::clone(&zone)),
        checks: &|_| None,
        networks: &[],
        uses_client_subnet: true,
        udp_payload_max: 1232,
        as_if: &[],
        source: "a test",
    };
    explain(&question, &stage).unwrap()
}

/// Queries in wire format, with responses read by another decoder.
struct Wire(Responder);

impl Wire {
    fn new(seed: u64) -> Wire {
        let settings = ResponderSettings {
            udp_payload_max: 4096,
            nsid: None,
            client_subnet: ClientSubnetUse::Use,
            ..ResponderSettings::default()
        };
        Wire(Responder::new(settings, seed))
    }

    fn ask(&mut self, world: &World, asked: &Name, client: Client) -> Message {
        let mut message = Message::query();
        message.add_query(WireQuery::query(WireName::from_utf8(asked.to_string()).unwrap(), WireType::A));
        let mut edns = Edns::new();
        edns.set_max_payload(4096);
        let subnet = WireSubnet::new(IpAddr::V4(client.network.network()), client.network.prefix_len(), 0);
        edns.options_mut().insert(EdnsOption::Subnet(subnet));
        message.edns = Some(edns);
        let mut out = [0; MAX_UDP_OCTETS];
        let packet = message.to_vec().unwrap();
        let received = Received::new(&packet, REQUESTOR, Timestamp::default());
        let octets = self.0.respond(world, &received, &mut out);
        Message::from_vec(&out[..octets]).unwrap()
    }
}

/// Code, AA, scope, and the sorted answer section.
type Seen = (String, bool, u8, Vec<RecordShape>);

fn seen_on_the_wire(message: &Message) -> Seen {
    let record = |record: &hickory_proto::rr::Record| {
        let RData::A(address) = &record.data else { panic!("{record} is no address") };
        let (name, data) = (record.name.to_string(), address.to_string());
        RecordShape { name, ttl: record.ttl, record_type: "A".to_owned(), data }
    };
    let mut records: Vec<RecordShape> = message.answers.iter().map(record).collect();
    records.sort_unstable();
    let options = message.edns.as_ref().unwrap().options();
    let scope = options.options.iter().find_map(|(_, option)| match option {
        EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
        _ => None,
    });
    let code = format!("{:?}", message.metadata.response_code).to_uppercase();
    (code, message.metadata.authoritative, scope.unwrap(), records)
}

fn seen_by_explain(explanation: &Explanation) -> Seen {
    let answer = &explanation.answer;
    let mut records = answer.answer.clone();
    records.sort_unstable();
    (answer.rcode.clone(), answer.authoritative, answer.scope, records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn with_the_same_seed_an_explanation_has_the_wires_answer(
        (top, branches) in any_tree_with_seed(),
        evaluate in any::<bool>(),
        networks in any_networks(),
        collection in any_collection(),
        client in any_client(),
        seed in any::<u64>(),
    ) {
        let (sets, down) = planted(&top, &branches, evaluate);
        let zone = zone("lab.test", sets);
        let world = world(std::slice::from_ref(&zone), std::slice::from_ref(&collection), &networks, &down);
        for asked in ["app.lab.test.", "b0.lab.test.", "gone.lab.test."].map(name) {
            let explanation = explained(&world, &zone, &asked, client, seed);
            let message = Wire::new(seed).ask(&world, &asked, client);
            prop_assert_eq!(seen_by_explain(&explanation), seen_on_the_wire(&message), "{}", asked);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Each record's part of many wire answers against the share that an explanation states. A
    /// count of n draws with probability p has a standard deviation of √(n·p·(1-p)); six of them,
    /// and two draws for the smallest p, are beyond one in a hundred million.
    #[test]
    fn stated_shares_are_those_of_many_wire_answers(
        (top, branches) in any_tree_with_seed(),
        evaluate in any::<bool>(),
        networks in any_networks(),
        collection in any_collection(),
        client in any_client(),
        seed in any::<u64>(),
    ) {
        const DRAWS: u32 = 4000;
        let (sets, down) = planted(&top, &branches, evaluate);
        let zone = zone("lab.test", sets);
        let world = world(std::slice::from_ref(&zone), std::slice::from_ref(&collection), &networks, &down);
        let asked = name("app.lab.test.");
        let explanation = explained(&world, &zone, &asked, client, seed);
        prop_assert!(explanation.shares_complete);
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut wire = Wire::new(seed);
        for _ in 0..DRAWS {
            for record in seen_on_the_wire(&wire.ask(&world, &asked, client)).3 {
                *counts.entry(record.data).or_default() += 1;
            }
        }
        // No two record sets of a tree have an address in common.
        for share in &explanation.shares {
            let expected = f64::from(DRAWS) * share.share;
            let seen = f64::from(counts.remove(&share.values[0]).unwrap_or_default());
            let bound = 6.0 * (expected * (1.0 - share.share)).max(0.0).sqrt() + if share.share < 1.0 { 2.0 } else { 0.0 };
            prop_assert!((seen - expected).abs() <= bound + 1e-6, "{:?}: {} seen, {} stated", share, seen, expected);
        }
        prop_assert!(counts.is_empty(), "answered, but not stated: {:?}", counts);
    }
}

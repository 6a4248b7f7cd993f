//! The test vectors of each policy, and properties of all policies.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::geo::GeoLookup;
use crate::model::{
    CidrCollection, CidrCollectionId, Content, Continent, Coordinates, Country, FailoverRole, GeoLocation,
    GeoproximityLocation, LocationNetwork, Name, RecordData, RecordType, Region, Subdivision,
};

/// A record set with this policy; its set identifier is its number.
fn set(number: usize, routing_policy: RoutingPolicy) -> ResourceRecordSet {
    ResourceRecordSet {
        name: Name::parse("app.lab.test").unwrap(),
        record_type: RecordType::A,
        set_identifier: Some(format!("{number:03}")),
        routing_policy,
        content: Content::Records { ttl: 60, values: vec![RecordData::parse(RecordType::A, "192.0.2.1").unwrap()] },
        health_check: None,
    }
}

/// A group with these policies, and its usable members.
struct Case {
    policy: GroupPolicy,
    words: Vec<u64>,
    count: u16,
}

impl Case {
    fn new(policies: impl IntoIterator<Item = (RoutingPolicy, bool)>) -> Case {
        Case::with_collections(policies, &[])
    }

    fn with_collections(
        policies: impl IntoIterator<Item = (RoutingPolicy, bool)>,
        collections: &[CidrCollection],
    ) -> Case {
        let (policies, usable): (Vec<_>, Vec<bool>) = policies.into_iter().unzip();
        let sets: Vec<_> = policies.into_iter().enumerate().map(|(number, policy)| set(number, policy)).collect();
        let mut words = vec![0; 2];
        for (bit, _) in usable.iter().enumerate().filter(|(_, usable)| **usable) {
            words[bit / 64] |= 1 << (bit % 64);
        }
        let policy = GroupPolicy::new(&sets.iter().collect::<Vec<_>>(), &CidrTables::build(collections));
        Case { policy, words, count: u16::try_from(sets.len()).unwrap() }
    }

    fn choose(&self, client: &Client<'_>, rng: &mut SeededRng) -> Choice {
        let candidates = Candidates::new(UsableBits::new(&self.words, BitIndex(0)), ZoneBit(0), self.count);
        self.policy.choose(candidates, client, rng, &mut Untraced)
    }

    /// How often each member answered in `draws`.
    fn tally(&self, draws: u32) -> Vec<f64> {
        let (geo_lookup, mut rng) = (GeoLookup::default(), SeededRng::new(53));
        let client = client(&geo_lookup, "192.0.2.1/32");
        let mut counts = vec![0.0; usize::from(self.count)];
        for _ in 0..draws {
            let choice = self.choose(&client, &mut rng);
            assert_eq!(choice.members.len(), 1);
            counts[usize::from(choice.members[0])] += 1.0 / f64::from(draws);
        }
        counts
    }

    fn first(&self, client: &Client<'_>) -> Option<u16> {
        self.choose(client, &mut SeededRng::new(1)).members.first().map(|member| member.0)
    }
}

fn client<'l>(geo_lookup: &'l GeoLookup, prefix: &str) -> Client<'l> {
    let (address, length) = prefix.split_once('/').unwrap();
    Client::new(geo_lookup, address.parse::<IpAddr>().unwrap(), PrefixLength(length.parse().unwrap()))
}

fn weighted(members: &[(u8, bool)]) -> Case {
    Case::new(members.iter().map(|&(weight, usable)| (RoutingPolicy::Weighted { weight }, usable)))
}

fn failover(members: &[(FailoverRole, bool)]) -> Case {
    Case::new(members.iter().map(|&(role, usable)| (RoutingPolicy::Failover { role }, usable)))
}

fn near(shares: &[f64], expected: &[f64]) {
    // 100 000 draws: five standard deviations of a share are at most 0.008.
    for (share, expected) in shares.iter().zip(expected) {
        assert!((share - expected).abs() < 0.008, "{shares:?} is not {expected:?}");
    }
}

#[test]
fn weights_are_shares_of_their_sum() {
    near(&weighted(&[(1, true), (255, true)]).tally(100_000), &[1.0 / 256.0, 255.0 / 256.0]);
    near(&weighted(&[(10, true), (20, true), (20, false)]).tally(100_000), &[1.0 / 3.0, 2.0 / 3.0, 0.0]);
}

#[test]
fn zero_weights_are_a_standby() {
    near(&weighted(&[(0, true), (0, true), (0, true)]).tally(100_000), &[1.0 / 3.0; 3]);
    near(&weighted(&[(5, false), (0, true), (0, true)]).tally(100_000), &[0.0, 0.5, 0.5]);
    near(&weighted(&[(5, true), (0, true)]).tally(1_000), &[1.0, 0.0]);
    near(&weighted(&[(5, false), (0, false)]).tally(1_000), &[1.0, 0.0]);
    near(&weighted(&[(0, false), (0, false)]).tally(100_000), &[0.5, 0.5]);
}

#[test]
fn the_primary_answers_while_healthy_and_when_both_are_unhealthy() {
    use FailoverRole::{Primary, Secondary};
    let geo_lookup = GeoLookup::default();
    let client = client(&geo_lookup, "192.0.2.1/32");
    let answers = |members: &[_]| failover(members).first(&client);
    assert_eq!(answers(&[(Secondary, true), (Primary, true)]), Some(1));
    assert_eq!(answers(&[(Secondary, true), (Primary, false)]), Some(0));
    assert_eq!(answers(&[(Secondary, false), (Primary, false)]), Some(1));
    assert_eq!(answers(&[(Primary, false)]), Some(0));
    assert_eq!(answers(&[(Secondary, false)]), Some(0));
}

fn multivalue(usable: &[bool]) -> Case {
    Case::new(usable.iter().map(|&usable| (RoutingPolicy::MultivalueAnswer, usable)))
}

#[test]
fn multivalue_answers_eight_healthy_ones() {
    let geo_lookup = GeoLookup::default();
    let client = client(&geo_lookup, "192.0.2.1/32");
    let mut rng = SeededRng::new(7);
    let mut answered = |case: &Case| {
        let mut members: Vec<u16> = case.choose(&client, &mut rng).members.iter().map(|member| member.0).collect();
        members.sort_unstable();
        members
    };
    let distinct = |members: &[u16]| members.windows(2).all(|pair| pair[0] < pair[1]);
    let healthy = answered(&multivalue(&[true; 12]));
    assert!(healthy.len() == 8 && distinct(&healthy));
    let three: Vec<bool> = (0..12).map(|number| number % 4 == 1).collect();
    assert_eq!(answered(&multivalue(&three)), [1, 5, 9]);
    let none = answered(&multivalue(&[false; 12]));
    assert!(none.len() == 8 && distinct(&none));
    assert_eq!(answered(&multivalue(&[true; 8])), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn every_multivalue_member_appears_in_every_position() {
    let geo_lookup = GeoLookup::default();
    let client = client(&geo_lookup, "192.0.2.1/32");
    let case = multivalue(&[true; 12]);
    let mut rng = SeededRng::new(9);
    let mut first = [0.0; 12];
    for _ in 0..100_000 {
        first[usize::from(case.choose(&client, &mut rng).members[0])] += 1.0 / 100_000.0;
    }
    near(&first, &[1.0 / 12.0; 12]);
}

fn place(cidr: &str, country: &str, subdivision: Option<&str>) -> LocationNetwork {
    LocationNetwork {
        cidr: cidr.parse().unwrap(),
        country: Country::from_code(country),
        subdivision: subdivision.and_then(Subdivision::from_code),
        coordinates: None,
        region: None,
    }
}

fn world_map() -> GeoLookup {
    let networks = [
        place("192.0.2.0/24", "US", Some("CA")),
        place("198.51.100.0/24", "BR", None),
        place("203.0.113.0/24", "DE", None),
    ];
    GeoLookup::build(&networks, Vec::new(), &[])
}

fn geolocation(members: &[(GeoLocation, bool)]) -> Case {
    Case::new(members.iter().map(|&(location, usable)| (RoutingPolicy::Geolocation { location }, usable)))
}

#[test]
fn the_smallest_area_answers_and_an_unhealthy_one_falls_outward() {
    let us = Country::from_code("US").unwrap();
    let california = Subdivision::from_code("CA").unwrap();
    let areas = [
        GeoLocation::Default,
        GeoLocation::Continent(Continent::NorthAmerica),
        GeoLocation::Country(us),
        GeoLocation::Subdivision(us, california),
    ];
    let map = world_map();
    let californian = client(&map, "192.0.2.7/32");
    let with_health = |usable: [bool; 4]| geolocation(&areas.into_iter().zip(usable).collect::<Vec<_>>());
    assert_eq!(with_health([true; 4]).first(&californian), Some(3));
    assert_eq!(with_health([true, true, true, false]).first(&californian), Some(2));
    assert_eq!(with_health([true, true, false, false]).first(&californian), Some(1));
    assert_eq!(with_health([true, false, false, false]).first(&californian), Some(0));
    assert_eq!(with_health([false; 4]).first(&californian), Some(3));
    assert_eq!(with_health([true; 4]).first(&client(&map, "198.51.100.1/32")), Some(0));
}

#[test]
fn a_client_in_no_area_gets_the_default_or_nothing() {
    let map = world_map();
    let europe = (GeoLocation::Continent(Continent::Europe), true);
    assert_eq!(geolocation(&[europe]).first(&client(&map, "198.51.100.1/32")), None);
    assert_eq!(geolocation(&[europe]).first(&client(&map, "203.0.113.9/32")), Some(0));
    let default_only = geolocation(&[(GeoLocation::Default, true)]);
    assert_eq!(default_only.first(&client(&map, "10.9.9.9/32")), Some(0));
    // The client's location made no difference, so its address must not have either.
    assert_eq!(default_only.choose(&client(&map, "192.0.2.7/32"), &mut SeededRng::new(1)).scope, PrefixLength::ZERO);
}

fn block(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

fn offices(located: &[(Option<&str>, bool)]) -> Case {
    let id = CidrCollectionId("offices".to_owned());
    let collection = CidrCollection {
        id: id.clone(),
        name: "offices".to_owned(),
        caller_reference: None,
        version: 1,
        locations: vec![
            ("a".to_owned(), vec![block("10.0.0.0/16")]),
            ("b".to_owned(), vec![block("10.0.1.0/24")]),
            ("elsewhere".to_owned(), vec![block("10.0.1.128/25")]),
        ],
    };
    let policy = |location: Option<&str>| RoutingPolicy::IpBased {
        collection: id.clone(),
        location: location.map(str::to_owned),
    };
    Case::with_collections(located.iter().map(|&(location, usable)| (policy(location), usable)), &[collection])
}

#[test]
fn the_longest_block_that_holds_the_whole_prefix_decides() {
    let nowhere = GeoLookup::default();
    let all = offices(&[(Some("a"), true), (Some("b"), true), (None, true)]);
    let asked = |case: &Case, prefix| case.first(&client(&nowhere, prefix));
    assert_eq!(asked(&all, "10.0.1.7/32"), Some(1));
    assert_eq!(asked(&all, "10.0.2.7/32"), Some(0));
    assert_eq!(asked(&all, "10.0.0.0/12"), Some(2));
    assert_eq!(asked(&all, "10.0.1.0/20"), Some(0));
    assert_eq!(asked(&all, "192.0.2.1/32"), Some(2));
    // The deepest block's location has no member in the group: the default, not the next block.
    assert_eq!(asked(&all, "10.0.1.200/32"), Some(2));
    assert_eq!(asked(&offices(&[(Some("a"), true)]), "192.0.2.1/32"), None);
    assert_eq!(asked(&offices(&[(Some("a"), true), (Some("b"), false), (None, true)]), "10.0.1.7/32"), Some(0));
    assert_eq!(asked(&offices(&[(Some("a"), false), (Some("b"), false), (None, true)]), "10.0.1.7/32"), Some(2));
    assert_eq!(asked(&offices(&[(Some("a"), false), (Some("b"), false), (None, false)]), "10.0.1.7/32"), Some(1));
}

fn at_region(name: &str) -> Region {
    Region::from_name(name).unwrap()
}

fn in_region(cidr: &str, region: &str) -> LocationNetwork {
    LocationNetwork { region: Some(at_region(region)), ..place(cidr, "", None) }
}

#[test]
fn the_nearest_region_answers_and_then_the_next() {
    let map = GeoLookup::build(&[in_region("192.0.2.0/24", "eu-central-1")], Vec::new(), &[]);
    let frankfurt = client(&map, "192.0.2.1/32");
    let regions = ["us-east-1", "eu-west-1", "eu-central-1"];
    let with_health = |usable: [bool; 3]| {
        let policy = |name| RoutingPolicy::Latency { region: at_region(name) };
        Case::new(regions.into_iter().map(policy).zip(usable))
    };
    assert_eq!(with_health([true; 3]).first(&frankfurt), Some(2));
    assert_eq!(with_health([true, true, false]).first(&frankfurt), Some(1));
    assert_eq!(with_health([true, false, false]).first(&frankfurt), Some(0));
    assert_eq!(with_health([false; 3]).first(&frankfurt), Some(2));
    // This client has no known location: always the same region, the first by name.
    assert_eq!(with_health([true; 3]).first(&client(&map, "10.0.0.1/32")), Some(2));
}

#[test]
fn everybody_in_china_gets_the_beijing_region() {
    let map = GeoLookup::build(&[place("192.0.2.0/24", "CN", None)], Vec::new(), &[]);
    let policy = |name| RoutingPolicy::Latency { region: at_region(name) };
    let case = |beijing| Case::new([(policy("ap-east-1"), true), (policy("cn-north-1"), beijing)]);
    assert_eq!(case(true).first(&client(&map, "192.0.2.1/32")), Some(1));
    assert_eq!(case(false).first(&client(&map, "192.0.2.1/32")), Some(0));
}

#[test]
fn bias_moves_the_border() {
    // One degree of the equator is 111.195 km: members 3000 and 4000 km from a client at 0, 0.
    let coordinates = |longitude: f64| Coordinates { latitude: 0.0, longitude };
    let network = LocationNetwork { coordinates: Some(coordinates(0.0)), ..place("192.0.2.0/24", "", None) };
    let map = GeoLookup::build(&[network], Vec::new(), &[]);
    let case = |bias_a, bias_b| {
        let member = |longitude, bias| {
            let location = GeoproximityLocation::Coordinates(coordinates(longitude));
            (RoutingPolicy::Geoproximity { location, bias }, true)
        };
        Case::new([member(3000.0 / 111.195, bias_a), member(-4000.0 / 111.195, bias_b)])
    };
    let answers = |bias_a, bias_b| case(bias_a, bias_b).first(&client(&map, "192.0.2.1/32"));
    assert_eq!(answers(0, 0), Some(0));
    assert_eq!(answers(0, 50), Some(1));
    assert_eq!(answers(-50, 0), Some(1));
    assert_eq!(answers(-30, 0), Some(0));
}

/// The steps that a trace received.
#[derive(Default)]
struct PolicySteps(Vec<PolicyStep>);

impl PolicyTrace for PolicySteps {
    fn policy_step(&mut self, step: impl FnOnce() -> PolicyStep) {
        self.0.push(step());
    }
}

/// East and west of the client are equally far, so rounding decides, and it must decide the same
/// way for the answer and for its explanation.
#[test]
fn whom_a_trace_puts_first_is_who_answers() {
    for degrees in 1..=178 {
        let at = |latitude: f64, longitude: f64| Coordinates { latitude, longitude };
        let member = |longitude, bias| {
            let location = GeoproximityLocation::Coordinates(at(f64::from(degrees % 60), longitude));
            (RoutingPolicy::Geoproximity { location, bias }, true)
        };
        let here = 0.1 * f64::from(degrees);
        let network = LocationNetwork { coordinates: Some(at(0.3, here)), ..place("192.0.2.0/24", "", None) };
        let map = GeoLookup::build(&[network], Vec::new(), &[]);
        let (east, west) = (here + f64::from(degrees), here - f64::from(degrees));
        for bias in [0, 30] {
            let case = Case::new([east, west].map(|longitude| member((longitude + 540.0) % 360.0 - 180.0, bias)));
            let candidates = Candidates::new(UsableBits::new(&case.words, BitIndex(0)), ZoneBit(0), case.count);
            let mut steps = PolicySteps::default();
            let choice =
                case.policy.choose(candidates, &client(&map, "192.0.2.1/32"), &mut SeededRng::new(1), &mut steps);
            let first = steps.0.iter().find_map(|step| match step {
                PolicyStep::Distances(distances) => Some(distances[0].member),
                _ => None,
            });
            assert_eq!(choice.members.first(), first.as_ref(), "{degrees}");
        }
    }
}

fn any_policies() -> impl Strategy<Value = Vec<(RoutingPolicy, bool)>> {
    let region = (0..Region::COUNT).prop_map(|index| Region::all().nth(index).unwrap());
    let coordinates = (-90.0..90.0, -180.0..180.0)
        .prop_map(|(latitude, longitude)| GeoproximityLocation::Coordinates(Coordinates { latitude, longitude }));
    let policies = prop_oneof![
        prop::collection::vec(any::<u8>().prop_map(|weight| RoutingPolicy::Weighted { weight }), 1..20),
        prop::collection::vec(region.prop_map(|region| RoutingPolicy::Latency { region }), 1..20),
        prop::collection::vec(Just(RoutingPolicy::MultivalueAnswer), 1..100),
        prop::collection::vec(
            (coordinates, -99i8..=99).prop_map(|(location, bias)| RoutingPolicy::Geoproximity { location, bias }),
            1..20
        ),
    ];
    policies.prop_flat_map(|policies| {
        let count = policies.len();
        (Just(policies), prop::collection::vec(any::<bool>(), count)).prop_map(|(p, u)| p.into_iter().zip(u).collect())
    })
}

proptest! {
    #[test]
    fn an_unusable_member_answers_only_when_none_is_usable(members in any_policies(), seed in any::<u64>()) {
        let usable: Vec<bool> = members.iter().map(|(_, usable)| *usable).collect();
        let geo_lookup = world_map();
        let choice = Case::new(members).choose(&client(&geo_lookup, "192.0.2.1/32"), &mut SeededRng::new(seed));
        prop_assert!(!choice.members.is_empty());
        for &member in &choice.members {
            prop_assert!(usable[usize::from(member)] || !usable.contains(&true));
        }
    }
}

//! Tests of locations and round trips as policies see them, with generated databases.

use std::net::IpAddr;

use ipnet::IpNet;
use mmdb_writer::{IpVersion, Ipv4Aliasing, RecordSize, Value, Writer};

use super::*;
use crate::model::{
    Continent, Coordinates, Country, LatencyClients, LatencyRow, LocationNetwork, PrefixLength, Region, Subdivision,
    geography,
};

fn region(name: &str) -> Region {
    Region::from_name(name).unwrap()
}

fn country(code: &str) -> Country {
    Country::from_code(code).unwrap()
}

fn at(latitude: f64, longitude: f64) -> Coordinates {
    Coordinates { latitude, longitude }
}

fn network(cidr: &str) -> LocationNetwork {
    let cidr = cidr.parse().unwrap();
    LocationNetwork { cidr, country: None, subdivision: None, coordinates: None, region: None }
}

fn network_in(cidr: &str, code: &str) -> LocationNetwork {
    LocationNetwork { country: Some(country(code)), ..network(cidr) }
}

fn network_at(cidr: &str, name: &str) -> LocationNetwork {
    LocationNetwork { region: Some(region(name)), ..network(cidr) }
}

fn row(clients: LatencyClients, round_trips: &[(&str, f64)]) -> LatencyRow {
    let round_trip_ms = round_trips.iter().map(|&(name, ms)| (region(name), ms)).collect();
    LatencyRow { clients, round_trip_ms }
}

fn client<'l>(geo_lookup: &'l GeoLookup, address: &str) -> Client<'l> {
    Client::new(geo_lookup, address.parse().unwrap(), PrefixLength::IPV6)
}

fn location_of(geo_lookup: &GeoLookup, address: &str) -> Location {
    *client(geo_lookup, address).location()
}

/// A record as in GeoIP2 City.
fn city(continent: &str, country: &str, subdivision: &str, latitude: f64, longitude: f64) -> Value {
    let code = |key: &'static str, code: &str| Value::map([(key, Value::from(code))]);
    Value::map([
        ("continent", code("code", continent)),
        ("country", code("iso_code", country)),
        ("location", Value::map([("latitude", Value::from(latitude)), ("longitude", Value::from(longitude))])),
        ("subdivisions", Value::array([code("iso_code", subdivision)])),
    ])
}

/// A record as in GeoIP2 Country.
fn of_country(continent: &str, country: &str) -> Value {
    let names = Value::map([("en", Value::from("somewhere"))]);
    Value::map([
        ("continent", Value::map([("code", Value::from(continent)), ("names", names.clone())])),
        ("country", Value::map([("iso_code", Value::from(country)), ("names", names)])),
    ])
}

/// A record as in ip-location-db.
fn flat(country: &str) -> Value {
    Value::map([("country_code", Value::from(country))])
}

fn bytes_of(mut writer: Writer, networks: &[(&str, Value)]) -> Vec<u8> {
    for (network, value) in networks {
        writer.insert_value(network.parse::<IpNet>().unwrap(), value.clone()).unwrap();
    }
    writer.to_bytes().unwrap()
}

fn database(networks: &[(&str, Value)]) -> Database {
    Database::from_bytes("test.mmdb", bytes_of(Writer::new("Test-City"), networks)).unwrap()
}

fn geo_lookup_of(networks: &[(&str, Value)]) -> GeoLookup {
    GeoLookup::build(&[], vec![database(networks)], &[])
}

#[test]
fn nothing_is_known_by_default() {
    let geo_lookup = GeoLookup::default();
    assert_eq!(location_of(&geo_lookup, "192.0.2.1"), Location::default());
    assert_eq!(client(&geo_lookup, "192.0.2.1").round_trips().ms_to(region("eu-west-1")), None);
    assert_eq!(client(&geo_lookup, "192.0.2.1").round_trips().scope, PrefixLength::ZERO);
}

#[test]
fn a_network_says_where_its_clients_are() {
    let california = Subdivision::from_code("CA");
    let spot = LocationNetwork {
        subdivision: california,
        coordinates: Some(at(37.77, -122.41)),
        region: Some(region("us-west-1")),
        ..network_in("10.53.1.0/24", "US")
    };
    let geo_lookup = GeoLookup::build(&[spot], Vec::new(), &[]);
    let location = location_of(&geo_lookup, "10.53.1.7");
    assert_eq!((location.country, location.subdivision), (Some(country("US")), california));
    assert_eq!(location.continent, Some(Continent::NorthAmerica));
    assert_eq!(location.point, Some(at(37.77, -122.41).into()));
    assert_eq!(
        (location.region, location.source, location.scope.0),
        (Some(region("us-west-1")), LocationSource::Network, 24)
    );
    let outside = location_of(&geo_lookup, "10.53.0.7");
    assert_eq!(outside, Location { scope: PrefixLength(24), ..Location::default() });
}

#[test]
fn a_region_provides_the_missing_fields_of_a_network() {
    let moved = LocationNetwork { country: Some(country("CH")), ..network_at("10.2.0.0/16", "eu-central-1") };
    let geo_lookup = GeoLookup::build(&[network_at("10.1.0.0/16", "us-east-1"), moved], Vec::new(), &[]);
    let virginia = location_of(&geo_lookup, "10.1.0.1");
    assert_eq!((virginia.country, virginia.subdivision), (Some(country("US")), Subdivision::from_code("VA")));
    assert_eq!(virginia.point, Some(region("us-east-1").coordinates().into()));
    let swiss = location_of(&geo_lookup, "10.2.0.1");
    assert_eq!((swiss.country, swiss.subdivision), (Some(country("CH")), None));
    assert_eq!(swiss.point, Some(region("eu-central-1").coordinates().into()));
}

#[test]
fn without_coordinates_the_centre_of_the_subdivision_or_country_counts() {
    let texas = LocationNetwork { subdivision: Subdivision::from_code("TX"), ..network_in("10.1.0.0/16", "US") };
    let geo_lookup = GeoLookup::build(&[texas, network_in("10.2.0.0/16", "DE")], Vec::new(), &[]);
    let centre = geography::subdivision_centroid(country("US"), Subdivision::from_code("TX").unwrap());
    assert_eq!(location_of(&geo_lookup, "10.1.0.1").point, centre.map(Point::from));
    assert_eq!(location_of(&geo_lookup, "10.2.0.1").point, geography::centroid(country("DE")).map(Point::from));
}

#[test]
fn coordinates_alone_make_a_place_without_a_country() {
    let bare = LocationNetwork { coordinates: Some(at(1.0, 2.0)), ..network("10.1.0.0/16") };
    let geo_lookup = GeoLookup::build(&[bare], vec![database(&[("10.0.0.0/8", flat("DE"))])], &[]);
    let location = location_of(&geo_lookup, "10.1.0.1");
    assert_eq!((location.country, location.continent, location.point), (None, None, Some(at(1.0, 2.0).into())));
}

#[test]
fn a_prefix_is_located_by_its_first_address_and_mapped_ipv4_is_ipv4() {
    let geo_lookup = GeoLookup::build(&[network_in("10.1.0.0/16", "DE")], Vec::new(), &[]);
    let mapped = Client::new(&geo_lookup, "::ffff:10.1.2.3".parse().unwrap(), PrefixLength(128));
    assert_eq!((mapped.address(), mapped.prefix().0), ("10.1.2.3".parse::<IpAddr>().unwrap(), 32));
    assert_eq!((mapped.location().country, mapped.location().scope.0), (Some(country("DE")), 16));
    let wide = Client::new(&geo_lookup, "10.1.0.0".parse().unwrap(), PrefixLength(8));
    assert_eq!((wide.prefix().0, wide.location().country, wide.location().scope.0), (8, Some(country("DE")), 16));
    let all_of_ipv4 = Client::new(&geo_lookup, "::ffff:0:0".parse().unwrap(), PrefixLength(64));
    assert_eq!((all_of_ipv4.address().is_ipv6(), all_of_ipv4.prefix().0), (true, 64));
}

#[test]
fn a_client_in_a_vpc_is_where_its_region_is() {
    let geo_lookup = GeoLookup::build(&[network_in("10.0.0.0/8", "JP")], Vec::new(), &[]);
    let client = Client::in_vpc(&geo_lookup, "10.1.2.3".parse().unwrap(), region("us-east-2"));
    let location = client.location();
    assert_eq!((location.country, location.subdivision), (Some(country("US")), Subdivision::from_code("OH")));
    assert_eq!(location.continent, Some(Continent::NorthAmerica));
    assert_eq!(
        (location.region, location.source, location.scope.0),
        (Some(region("us-east-2")), LocationSource::Vpc, 0)
    );
    assert_eq!(client.prefix(), PrefixLength::IPV4);
}

#[test]
fn the_first_hit_wins_and_misses_lengthen_the_scope() {
    let first = database(&[("20.1.0.0/16", flat("FR"))]);
    let second = database(&[("20.0.0.0/8", flat("IT")), ("30.0.0.0/8", flat("ES"))]);
    let geo_lookup = GeoLookup::build(&[network_in("20.1.2.0/24", "DE")], vec![first, second], &[]);
    let check = |address: &str, code: &str, source: LocationSource, scope: u8| {
        let location = location_of(&geo_lookup, address);
        assert_eq!(
            (location.country, location.source, location.scope.0),
            (Some(country(code)), source, scope),
            "{address}"
        );
    };
    check("20.1.2.3", "DE", LocationSource::Network, 24);
    check("20.1.3.3", "FR", LocationSource::Database(0), 24);
    check("20.1.128.1", "FR", LocationSource::Database(0), 17);
    check("20.2.0.1", "IT", LocationSource::Database(1), 15);
    check("30.2.0.1", "ES", LocationSource::Database(1), 8);
    assert_eq!(location_of(&geo_lookup, "200.0.0.1"), Location { scope: PrefixLength(1), ..Location::default() });
}

#[test]
fn clients_located_side_by_side_are_where_each_of_them_is() {
    let first = database(&[("20.1.0.0/16", flat("FR")), ("2001:db8::/32", flat("NO"))]);
    let second = database(&[("20.0.0.0/8", flat("IT")), ("30.0.0.0/8", flat("ES")), ("2001::/16", flat("SE"))]);
    let networks = [network_in("20.1.2.0/24", "DE"), network_at("2001:db8:53::/48", "eu-north-1")];
    let addresses = [
        "20.1.2.3",
        "2001:db8:53::1",
        "20.1.3.3",
        "2001:db8:1::1",
        "20.1.128.1",
        "2001:1::1",
        "20.2.0.1",
        "30.2.0.1",
        "200.0.0.1",
        "3001::1",
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "ffff::",
    ];
    let addresses = addresses.map(|address| address.parse::<IpAddr>().unwrap());
    for geo_lookup in [
        GeoLookup::default(),
        GeoLookup::build(&networks, Vec::new(), &[]),
        GeoLookup::build(&networks, vec![first, second], &[]),
    ] {
        let each = addresses.map(|address| Located { address, location: geo_lookup.locate(address) });
        assert_eq!(geo_lookup.locate_each(&addresses)[..], each);
        assert!(geo_lookup.locate_each(&[]).is_empty());
    }
}

#[test]
fn what_is_known_of_another_address_is_passed_over() {
    let geo_lookup = GeoLookup::build(&[network_in("10.1.0.0/16", "DE")], Vec::new(), &[]);
    let elsewhere = Location { country: Some(country("JP")), ..Location::default() };
    let known = |address: &str| Located { address: address.parse().unwrap(), location: elsewhere };
    let (same, other) = (known("10.1.2.3"), known("10.1.2.4"));
    let location = |located| client(&geo_lookup, "10.1.2.3").located(Some(located)).location().country;
    assert_eq!((location(&same), location(&other)), (Some(country("JP")), Some(country("DE"))));
    let in_vpc = Client::in_vpc(&geo_lookup, "10.1.2.3".parse().unwrap(), region("us-east-2")).located(Some(&same));
    assert_eq!(in_vpc.location().country, Some(country("US")));
}

#[test]
fn the_continent_follows_from_the_country() {
    let geo_lookup = geo_lookup_of(&[
        ("20.0.0.0/8", of_country("AS", "CY")),
        ("30.0.0.0/8", Value::map([("continent", Value::map([("code", Value::from("EU"))]))])),
        ("40.0.0.0/8", of_country("OC", "HM")),
    ]);
    assert_eq!(location_of(&geo_lookup, "20.0.0.1").continent, Some(Continent::Europe));
    assert_eq!(location_of(&geo_lookup, "30.0.0.1").continent, Some(Continent::Europe));
    let unlisted = location_of(&geo_lookup, "40.0.0.1");
    assert_eq!((unlisted.country, unlisted.continent), (None, Some(Continent::Oceania)));
}

/// Coordinates of a database are stored to a metre.
fn is_within_a_metre(location: &Location, coordinates: Coordinates) -> bool {
    location.point.is_some_and(|point| point.distance_km(&coordinates.into()) < 1e-3)
}

#[test]
fn the_city_layout_gives_subdivision_and_coordinates() {
    let geo_lookup = geo_lookup_of(&[
        ("20.0.0.0/8", city("NA", "US", "CA", 37.77, -122.41)),
        ("30.0.0.0/8", city("EU", "GB", "ENG", 51.5, -0.1)),
        ("40.0.0.0/8", city("EU", "UA", "43", 200.0, 0.0)),
        ("2001:db8::/32", city("EU", "UA", "30", 50.45, 30.5)),
    ]);
    let american = location_of(&geo_lookup, "20.0.0.1");
    assert_eq!(american.subdivision, Subdivision::from_code("CA"));
    assert!(is_within_a_metre(&american, at(37.77, -122.41)));
    assert_eq!(location_of(&geo_lookup, "30.0.0.1").subdivision, None);
    let crimean = location_of(&geo_lookup, "40.0.0.1");
    assert_eq!(crimean.subdivision, Subdivision::from_code("11"));
    assert!(
        is_within_a_metre(&crimean, at(45.30, 34.40)),
        "coordinates off the globe are none: it is the centre of Crimea"
    );
    assert_eq!(location_of(&geo_lookup, "2001:db8::1").subdivision, Subdivision::from_code("30"));
}

#[test]
fn scopes_in_an_ipv6_tree_are_those_of_the_ipv4_address() {
    for aliasing in [Ipv4Aliasing::Enabled, Ipv4Aliasing::Disabled] {
        for size in [RecordSize::Bits24, RecordSize::Bits28, RecordSize::Bits32] {
            let writer = Writer::builder("Test").ipv4_aliasing(aliasing).record_size(size).build();
            let bytes = bytes_of(
                writer,
                &[("20.1.0.0/16", flat("DE")), ("20.0.0.0/16", flat("DE")), ("2a00::/12", flat("FR"))],
            );
            let geo_lookup = GeoLookup::build(&[], vec![Database::from_bytes("six", bytes).unwrap()], &[]);
            let german = location_of(&geo_lookup, "20.1.2.3");
            assert_eq!((german.country, german.scope.0), (Some(country("DE")), 15));
            let french = location_of(&geo_lookup, "2a00:53::1");
            assert_eq!((french.country, french.scope.0), (Some(country("FR")), 12));
        }
    }
}

#[test]
fn an_ipv4_tree_knows_no_ipv6_client() {
    let writer = Writer::builder("Test-Country").ip_version(IpVersion::V4).build();
    let bytes = bytes_of(writer, &[("20.1.0.0/16", of_country("EU", "DE"))]);
    let geo_lookup = GeoLookup::build(&[], vec![Database::from_bytes("four", bytes).unwrap()], &[]);
    assert_eq!(location_of(&geo_lookup, "20.1.2.3").scope.0, 16);
    assert_eq!(location_of(&geo_lookup, "2a00::1"), Location::default());
}

#[test]
fn a_record_above_the_ipv4_tree_is_that_of_every_ipv4_client() {
    let geo_lookup = geo_lookup_of(&[("::/1", flat("DE"))]);
    let german = location_of(&geo_lookup, "20.1.2.3");
    assert_eq!((german.country, german.scope.0), (Some(country("DE")), 0));
}

#[test]
fn other_databases_are_refused_by_their_kind() {
    let number = Value::map([("autonomous_system_number", Value::from(64_512_u32))]);
    let bytes = bytes_of(Writer::new("GeoLite2-ASN"), &[("20.0.0.0/8", number)]);
    let message = Database::from_bytes("asn.mmdb", bytes).unwrap_err().to_string();
    assert!(message.contains("asn.mmdb") && message.contains("GeoLite2-ASN"), "{message}");
    assert!(message.contains("City and Country"), "{message}");
}

#[test]
fn a_plain_string_as_country_hides_neither_the_code_nor_the_rest() {
    let odd = Value::map([("country", Value::from("Germany")), ("country_code", Value::from("DE"))]);
    assert_eq!(location_of(&geo_lookup_of(&[("20.0.0.0/8", odd)]), "20.0.0.1").country, Some(country("DE")));
}

#[test]
fn what_is_no_database_is_refused() {
    for bytes in [&b""[..], b"hello", b"\xab\xcd\xefMaxMind.com", &[0; 4096]] {
        assert!(matches!(Database::from_bytes("x", bytes.to_vec()), Err(DatabaseError::Broken { .. })));
    }
}

fn small_database() -> Vec<u8> {
    let networks = [
        ("20.0.0.0/8", city("NA", "US", "CA", 37.77, -122.41)),
        ("30.1.0.0/16", of_country("EU", "DE")),
        ("2001:db8::/32", flat("FR")),
    ];
    bytes_of(Writer::builder("Test-City").record_size(RecordSize::Bits24).build(), &networks)
}

#[test]
fn a_database_cut_off_anywhere_is_refused() {
    let bytes = small_database();
    assert!(Database::from_bytes("whole", bytes.clone()).is_ok());
    for length in 0..bytes.len() {
        let cut = Database::from_bytes("cut", bytes[..length].to_vec());
        assert!(matches!(cut, Err(DatabaseError::Broken { .. })), "{length} of {}", bytes.len());
    }
}

#[test]
fn a_database_missing_its_beginning_or_middle_never_panics() {
    let bytes = small_database();
    for from in (0..bytes.len()).step_by(37) {
        for missing in [1, 6, 100, 1000] {
            let mut holed = bytes.clone();
            holed.drain(from..bytes.len().min(from + missing));
            let _ = Database::from_bytes("holed", holed);
        }
    }
}

#[test]
fn a_damaged_database_never_panics_and_ends() {
    let bytes = small_database();
    let mut rng = fastrand::Rng::with_seed(53);
    for _ in 0..3000 {
        let mut damaged = bytes.clone();
        for _ in 0..rng.usize(1..8) {
            let index = rng.usize(..damaged.len());
            damaged[index] = rng.u8(..);
        }
        if let Ok(database) = Database::from_bytes("damaged", damaged) {
            let _ = database.lookup(IpAddr::from([20, 1, 2, 3]));
        }
    }
}

#[test]
fn a_tree_whose_nodes_lead_to_each_other_is_refused() {
    let mut bytes = small_database();
    // Both branches of the root lead back to it; 24 bits each.
    bytes[..6].fill(0);
    assert!(matches!(Database::from_bytes("circle", bytes), Err(DatabaseError::Broken { .. })));
}

#[test]
fn measured_round_trips_come_by_network_then_country_then_region() {
    let rows = [
        row(LatencyClients::Country(country("DE")), &[("eu-west-1", 20.0)]),
        row(LatencyClients::Region(region("eu-central-1")), &[("eu-west-1", 30.0)]),
        row(LatencyClients::Cidr("10.1.0.0/16".parse().unwrap()), &[("eu-west-1", 10.0)]),
        row(LatencyClients::Cidr("10.1.1.0/24".parse().unwrap()), &[("eu-west-1", 11.0)]),
    ];
    let abroad = LocationNetwork { country: Some(country("CH")), ..network_at("10.128.0.0/9", "eu-central-1") };
    let geo_lookup = GeoLookup::build(&[network_at("10.0.0.0/9", "eu-central-1"), abroad], Vec::new(), &rows);
    let check = |address: &str, ms: f64, scope: u8| {
        let client = client(&geo_lookup, address);
        let trips = client.round_trips();
        assert_eq!((trips.ms_to(region("eu-west-1")), trips.scope.0), (Some(ms), scope), "{address}");
    };
    check("10.1.1.1", 11.0, 24);
    check("10.1.2.1", 10.0, 23);
    check("10.2.2.1", 20.0, 15);
    check("10.200.2.1", 30.0, 9);
}

#[test]
fn a_region_that_was_not_measured_counts_by_distance() {
    let rows = [row(LatencyClients::Cidr("10.0.0.0/8".parse().unwrap()), &[("us-east-1", 90.0)])];
    let geo_lookup = GeoLookup::build(&[network_at("10.0.0.0/8", "eu-central-1")], Vec::new(), &rows);
    let client = client(&geo_lookup, "10.1.1.1");
    let trips = client.round_trips();
    assert_eq!(trips.ms_to(region("us-east-1")), Some(90.0));
    assert_eq!(trips.ms_to(region("eu-central-1")), Some(0.0), "its own region");
    let dublin = trips.ms_to(region("eu-west-1")).unwrap();
    assert!((20.0..23.0).contains(&dublin), "{dublin}");
}

#[test]
fn a_complete_row_does_not_ask_where_the_client_is() {
    let everywhere: Vec<(Region, f64)> = Region::all().map(|region| (region, 5.0)).collect();
    let rows = [LatencyRow { clients: LatencyClients::Cidr("10.0.0.0/8".parse().unwrap()), round_trip_ms: everywhere }];
    let geo_lookup = GeoLookup::build(&[network_in("10.1.1.1/32", "DE")], Vec::new(), &rows);
    assert_eq!(client(&geo_lookup, "10.1.1.1").round_trips().scope.0, 8);
}

#[test]
fn in_a_vpc_the_same_region_wins_then_the_nearest() {
    let rows = [
        row(LatencyClients::Region(region("eu-west-1")), &[("eu-west-1", 3.0), ("eu-west-2", 1.0)]),
        row(LatencyClients::Cidr("10.0.0.0/8".parse().unwrap()), &[("eu-central-1", 0.1)]),
    ];
    let geo_lookup = GeoLookup::build(&[], Vec::new(), &rows);
    let client = Client::in_vpc(&geo_lookup, "10.1.1.1".parse().unwrap(), region("eu-west-1"));
    let trips = client.round_trips();
    assert_eq!((trips.ms_to(region("eu-west-1")), trips.scope.0), (Some(0.0), 0));
    assert_eq!(trips.ms_to(region("eu-west-2")), Some(1.0));
    let (near, far) = (trips.ms_to(region("eu-central-1")).unwrap(), trips.ms_to(region("us-east-1")).unwrap());
    assert!(near > 1.0 && near < far, "{near} {far}");
}

#[test]
fn the_estimate_is_near_what_is_usually_measured() {
    // Rounded times between well-connected regions. A third more or less is good enough to choose
    // by.
    let pairs = [
        ("eu-central-1", "eu-west-1", 22.0),
        ("eu-central-1", "us-east-1", 90.0),
        ("us-east-1", "us-west-2", 65.0),
        ("ap-northeast-1", "us-east-1", 155.0),
        ("eu-west-2", "ap-southeast-2", 260.0),
    ];
    for (from, to, usual) in pairs {
        let [from, to] = [from, to].map(|name| Point::from(region(name).coordinates()));
        let estimate = estimated_ms(from.distance_km(&to));
        assert!((usual * 0.67..usual * 1.33).contains(&estimate), "{estimate} is not near {usual}");
    }
}

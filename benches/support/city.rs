//! A generated database in the layout of GeoLite2 City, with any number of networks in places all
//! over the world.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fiftythree::geo::Database;
use fiftythree::model::{Coordinates, Country, geography};
use ipnet::IpNet;
use mmdb_writer::{Value, Writer};

/// The approximate number of networks in GeoLite2 City in 2025; two thirds are IPv4.
pub(crate) const CITY_NETWORKS: u32 = 5_000_000;
/// The average number of networks per place. GeoLite2 City has some 120 000 places.
const NETWORKS_PER_PLACE: u32 = 40;
const SEED: u64 = 53;

/// The file, in MaxMind's format.
pub(crate) fn file(networks: u32) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let countries: Vec<Country> = geography::countries().collect();
    let places: Vec<Value> = (0..(networks / NETWORKS_PER_PLACE).max(countries.len() as u32))
        .map(|number| place(countries[number as usize % countries.len()], &mut rng))
        .collect();
    let mut writer = Writer::new("GeoLite2-City");
    let mut insert = |network: IpNet, rng: &mut fastrand::Rng| {
        let place = places[rng.usize(..places.len())].clone();
        writer.insert_value(network, place).expect("the networks fit the tree");
    };
    for network in ipv4_networks(networks / 3 * 2, &mut rng) {
        insert(network, &mut rng);
    }
    for network in ipv6_networks(networks / 3, &mut rng) {
        insert(network, &mut rng);
    }
    writer.to_bytes().expect("a writer writes what it took")
}

/// The file as the server reads it.
pub(crate) fn database(networks: u32) -> Database {
    Database::from_bytes("city.mmdb", file(networks)).expect("what was just made is whole")
}

/// A random client of such a file: two IPv4 clients for one IPv6 client.
pub(crate) fn client(networks: u32, rng: &mut fastrand::Rng) -> IpAddr {
    match rng.u8(..3) {
        0 => {
            let block = u128::from(rng.u32(..(networks / 3).max(1))) << IPV6_STEP_BITS;
            Ipv6Addr::from(IPV6_FIRST + block + (u128::from(rng.u64(..)) << 32)).into()
        }
        _ => ipv4_client(rng).into(),
    }
}

/// A random IPv4 address in one of the networks.
pub(crate) fn ipv4_client(rng: &mut fastrand::Rng) -> Ipv4Addr {
    Ipv4Addr::from(rng.u32(IPV4_FIRST..IPV4_END))
}

/// Unicast, from 1.0.0.0 to 224.0.0.0.
const IPV4_FIRST: u32 = 1 << 24;
const IPV4_END: u32 = 224 << 24;
/// 2400:: and above, in steps of a /32.
const IPV6_FIRST: u128 = 0x2400 << 112;
const IPV6_STEP_BITS: u32 = 96;

/// Blocks one after the other, of /18 to /28, of such sizes that about `wanted` of them fill the
/// space.
fn ipv4_networks(wanted: u32, rng: &mut fastrand::Rng) -> Vec<IpNet> {
    let mut networks = Vec::new();
    let mean = (IPV4_END - IPV4_FIRST) / wanted.max(1);
    // Lengths around the mean, three shorter to three longer, so that they differ.
    let shortest = (32 - (mean.max(1).ilog2() + 2)).clamp(8, 27);
    let mut at = IPV4_FIRST;
    while at < IPV4_END && networks.len() < wanted as usize {
        let length = (shortest + rng.u32(..5)).max(32 - at.trailing_zeros().min(24));
        networks.push(IpNet::new_assert(Ipv4Addr::from(at).into(), length as u8));
        at = at.saturating_add(1 << (32 - length));
    }
    networks
}

/// Blocks of /32 to /36, each in a separate /32.
fn ipv6_networks(wanted: u32, rng: &mut fastrand::Rng) -> Vec<IpNet> {
    let block = |number: u32| IPV6_FIRST + (u128::from(number) << IPV6_STEP_BITS);
    (0..wanted).map(|number| IpNet::new_assert(Ipv6Addr::from(block(number)).into(), rng.u8(32..=36))).collect()
}

/// A city: continent, country, perhaps a subdivision, coordinates near those of the country.
fn place(country: Country, rng: &mut fastrand::Rng) -> Value {
    let code = |code: &str| Value::map([("iso_code", Value::from(code))]);
    let centre = geography::centroid(country).unwrap_or(Coordinates { latitude: 0.0, longitude: 0.0 });
    let near = |value: f64, rng: &mut fastrand::Rng| ((value + rng.f64() * 4.0 - 2.0) * 100.0).round() / 100.0;
    let location = [
        ("latitude", Value::from(near(centre.latitude, rng).clamp(-90.0, 90.0))),
        ("longitude", Value::from(near(centre.longitude, rng).clamp(-180.0, 180.0))),
    ];
    let name = Value::map([("names", Value::map([("en", Value::from(format!("City {}", rng.u16(..))))]))]);
    let mut entries = vec![("city", name), ("country", code(&country.to_string())), ("location", Value::map(location))];
    if let Some(continent) = geography::continent_of(country) {
        entries.push(("continent", Value::map([("code", Value::from(continent.code()))])));
    }
    let subdivisions: Vec<_> = geography::subdivisions(country).collect();
    if !subdivisions.is_empty() {
        let subdivision = subdivisions[rng.usize(..subdivisions.len())].to_string();
        entries.push(("subdivisions", Value::array([code(&subdivision)])));
    }
    Value::map(entries)
}

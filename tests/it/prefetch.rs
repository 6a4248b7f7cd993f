//! Prefetching changes no answer and allocates nothing.
//!
//! Two responders with the same random numbers answer the same packets from the same world, one in
//! batches and one packet by packet. The world has more locations and names than caches hold,
//! several tables of locations, private zones, clients of all kinds, and packets that are not
//! questions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::support::{LOOPBACK, TYPE_A, city, query, zones};
use fiftythree::answer::Timestamp;
use fiftythree::geo::GeoLookup;
use fiftythree::health::CheckBits;
use fiftythree::model::{Coordinates, LocationNetwork, Region, geography};
use fiftythree::serve::{
    BATCH_PACKETS, ClientSubnetUse, MAX_UDP_OCTETS, Received, Requestor, Responder, ResponderSettings,
};
use fiftythree::world::World;
use ipnet::IpNet;

/// Enough names for a large world.
const MANY_NAMES: u32 = 150_000;
/// Configured networks. A location takes some 70 bytes.
const MANY_PLACES: u32 = 80_000;
const DATABASE_NETWORKS: u32 = 5000;

const SETTINGS: &str = "[[vpc]]\nid = 'vpc-1'\nregion = 'eu-west-1'\ncidrs = ['10.0.0.0/8']\n";
const PRIVATE: &str = "name = 'inside.test'\nvpcs = ['vpc-1']
[[record]]\nname = 'app'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.1']\nset_identifier = 'a'\nregion = 'eu-west-1'
[[record]]\nname = 'app'\ntype = 'A'\nttl = 60\nvalues = ['192.0.2.2']\nset_identifier = 'b'\nregion = 'us-east-1'
";

fn world(names: u32, networks: &[LocationNetwork]) -> World {
    let zones = [zones::every_policy(names), PRIVATE.to_owned()];
    let databases = vec![city::database(DATABASE_NETWORKS), city::database(DATABASE_NETWORKS / 2)];
    let geo_lookup = Arc::new(GeoLookup::build(networks, databases, &[]));
    World::new(
        Arc::clone(crate::support::world(SETTINGS, &zones, Vec::new()).catalog()),
        &CheckBits::default(),
        geo_lookup,
    )
}

/// Every second of this many IPv4 networks in different countries, so that clients between them are
/// looked up in the next table.
fn places(count: u32) -> Vec<LocationNetwork> {
    let countries: Vec<_> = geography::countries().collect();
    let network = |number: u32| LocationNetwork {
        cidr: IpNet::new_assert(Ipv4Addr::from((20 << 24) + (number << 9)).into(), 24),
        country: Some(countries[number as usize % countries.len()]),
        subdivision: None,
        coordinates: Some(Coordinates { latitude: f64::from(number % 179) - 89.0, longitude: f64::from(number % 359) }),
        region: Region::all().nth(number as usize % 40).filter(|_| number.is_multiple_of(3)),
    };
    (0..count).map(network).collect()
}

/// Clients inside and outside the configured networks, in a database, of both families, mapped, and
/// none.
fn client(rng: &mut fastrand::Rng) -> Option<IpAddr> {
    let near = Ipv4Addr::from((20 << 24) + (rng.u32(..MANY_PLACES) << 9) + rng.u32(..512));
    match rng.u8(..5) {
        0 => None,
        1 => Some(Ipv6Addr::from(near.to_ipv6_mapped().to_bits()).into()),
        2 => Some(city::client(DATABASE_NETWORKS, rng)),
        _ => Some(near.into()),
    }
}

/// A batch with the source addresses of its packets.
fn batch(size: usize, rng: &mut fastrand::Rng) -> Vec<(Vec<u8>, IpAddr)> {
    let mut names: Vec<String> = zones::POLICIES.iter().map(|(name, _)| format!("{name}.bench.test")).collect();
    names.extend(["app.inside.test", "nobody.bench.test", "x.wild.bench.test", "elsewhere.test"].map(str::to_owned));
    names.extend((0..10).map(|_| format!("h{}.bench.test", rng.u32(..MANY_NAMES))));
    let sources = [LOOPBACK, IpAddr::from([10, 1, 2, 3]), "::ffff:20.0.2.1".parse().expect("an address")];
    let mut packet = |_| {
        let mut packet = query(&names[rng.usize(..names.len())], TYPE_A, client(rng));
        match rng.u8(..10) {
            0 => packet.truncate(rng.usize(..packet.len())),
            1 => packet[rng.usize(..20)] = rng.u8(..),
            _ => {}
        }
        (packet, sources[rng.usize(..sources.len())])
    };
    (0..size).map(&mut packet).collect()
}

fn responder(client_subnet: ClientSubnetUse) -> Responder {
    Responder::new(
        ResponderSettings { udp_payload_max: 1232, nsid: None, client_subnet, ..ResponderSettings::default() },
        53,
    )
}

fn check(world: &World, client_subnet: ClientSubnetUse) {
    let mut rng = fastrand::Rng::with_seed(53);
    let (mut prefetching, mut plain) = (responder(client_subnet), responder(client_subnet));
    let (mut out, mut expected) = (vec![0; MAX_UDP_OCTETS], vec![0; MAX_UDP_OCTETS]);
    let sizes = [BATCH_PACKETS, BATCH_PACKETS, 40, 33, 32, 5, 4, 3, 1, BATCH_PACKETS].into_iter().cycle();
    for batch in sizes.take(200).map(|size| batch(size, &mut rng)).collect::<Vec<_>>() {
        let counted = allocation_counter::measure(|| {
            prefetching.prefetch(world, batch.iter().map(|(packet, source)| Some((&packet[..], *source))));
            for (number, (packet, source)) in batch.iter().enumerate() {
                let received = Received::new(packet, Requestor::at(*source), Timestamp::default());
                let octets = prefetching.respond_prefetched(number, world, &received, &mut out);
                assert_eq!(octets, plain.respond(world, &received, &mut expected), "{packet:?}");
                assert_eq!(out[..octets], expected[..octets], "{packet:?}");
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}

#[test]
fn prefetching_changes_no_answer_and_allocates_nothing() {
    let large = world(MANY_NAMES, &places(MANY_PLACES));
    assert!(large.is_large() && large.geo_lookup().is_large());
    check(&large, ClientSubnetUse::Use);
    check(&large, ClientSubnetUse::Ignore);
    let small = world(MANY_NAMES / 100, &places(100));
    assert!(!small.is_large() && !small.geo_lookup().is_large());
    check(&small, ClientSubnetUse::Use);
}

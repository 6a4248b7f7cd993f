//! A large CIDR collection is stored once, regardless of how many groups refer to it.

use std::net::Ipv4Addr;

use crate::support::{TYPE_A, query, received, responder, zones};
use allocation_counter::AllocationInfo;
use fiftythree::serve::MAX_UDP_OCTETS;
use fiftythree::world::World;

const GROUPS: u32 = 100;
const RECORDS_A_GROUP: u64 = 100;

fn load(groups: u32) -> (World, AllocationInfo) {
    let zones = [zones::large_collection(groups)];
    let mut world = None;
    let info = allocation_counter::measure(|| world = Some(crate::support::world("", &zones, Vec::new())));
    (world.expect("it was made"), info)
}

/// Memory and allocations of ten thousand records over a hundred thousand networks, beyond one
/// group over them. They depend only on the records: a separate table per group would take
/// megabytes.
#[test]
fn groups_over_one_collection_share_it() {
    drop(load(1)); // Creates everything that exists once per process.
    let ((_, one), (world, all)) = (load(1), load(GROUPS));
    let records = u64::from(GROUPS - 1) * RECORDS_A_GROUP;
    let octets = u64::try_from(all.bytes_current - one.bytes_current).expect("more records take more") / records;
    let allocations = (all.count_total - one.count_total) / records;
    let peak = (all.bytes_max - one.bytes_max) / records;
    assert!(octets < 200, "{octets} octets a record stay");
    assert!(allocations < 100, "{allocations} allocations a record");
    assert!(peak < 10_000, "{peak} octets a record at the most");
    check_answers(&world);
}

/// The member for the location of the /24 of the client, which is longer than the /20 around it.
fn check_answers(world: &World) {
    let (mut responder, mut rng, mut out) = (responder(), fastrand::Rng::with_seed(53), [0; MAX_UDP_OCTETS]);
    for _ in 0..1000 {
        let (group, network) = (rng.u32(..GROUPS), rng.u32(..94_128));
        let client = zones::collection_network(network);
        let question = query(&format!("g{group}.{}", zones::ZONE), TYPE_A, Some(client.into()));
        let octets = responder.respond(world, &received(&question), &mut out);
        let location = u8::try_from(network % 100).expect("a hundred locations");
        let wanted = Ipv4Addr::new(10, u8::try_from(group).expect("a hundred groups"), location, 1).octets();
        let found = out[..octets].windows(4).any(|octets| octets == wanted);
        assert!(found, "g{group} for {client}: {wanted:?} is not in {:?}", &out[..octets]);
    }
}

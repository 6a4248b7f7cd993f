//! Answering allocates no memory: a counting allocator observes every kind of query.
//!
//! The scenarios check this too, for each of their queries. Here all kinds are answered in turn
//! with a city database, and packets that no scenario sends. `serve::udp` checks a whole batch of a
//! UDP worker, and `prefetch.rs` checks prefetched batches.

use std::net::IpAddr;

use crate::support::{LOOPBACK, TYPE_A, TYPE_AAAA, city, query, received, responder, zones};
use fiftythree::answer::Timestamp;
use fiftythree::serve::{MAX_TCP_OCTETS, Received, Requestor, Responder, Transport};
use fiftythree::world::World;

const TYPE_CNAME: u16 = 5;
const TYPE_MX: u16 = 15;
const TYPE_ANY: u16 = 255;
const TYPE_AXFR: u16 = 252;

/// How often each packet is sent, so that random choices and clients do not matter.
const TIMES: usize = 50;

/// Enough for lookups to use the index.
const NETWORKS: u32 = 20_000;

/// A name for every kind of answer, and the type to query.
const KINDS: [(&str, u16); 14] = [
    ("bench.test", TYPE_A),
    ("bench.test", TYPE_MX),
    ("www.bench.test", TYPE_AAAA),
    ("www.bench.test", TYPE_ANY),
    ("wWw.bEnCh.TeSt", TYPE_A),
    ("anybody.wild.bench.test", TYPE_A),
    ("deep.below.wild.bench.test", TYPE_A),
    ("nobody.bench.test", TYPE_A),
    ("a.b.c.d.e.f.nobody.bench.test", TYPE_A),
    ("docs.bench.test", TYPE_A),
    ("docs.bench.test", TYPE_CNAME),
    ("www.child.bench.test", TYPE_A),
    ("www.elsewhere.test", TYPE_A),
    ("bench.test", TYPE_AXFR),
];

fn bench_world() -> World {
    let values: Vec<String> = (0..9).map(|number| format!("'\"{number}{}\"'", "x".repeat(200))).collect();
    let long = format!("[[record]]\nname = 'long'\ntype = 'TXT'\nttl = 60\nvalues = [{}]\n", values.join(", "));
    crate::support::world("", &[zones::every_policy(1000) + &long], vec![city::database(NETWORKS)])
}

/// Allocations while each of these packets is answered `TIMES` times, after one round that is not
/// counted.
fn allocations(responder: &mut Responder, world: &World, packets: &[Vec<u8>], transport: Transport) -> u64 {
    let mut out = vec![0; MAX_TCP_OCTETS];
    let requestor = Requestor::new((LOOPBACK, 53).into(), transport);
    let mut round = |times: usize| {
        for packet in (0..times).flat_map(|_| packets) {
            responder.respond(world, &Received::new(packet, requestor, Timestamp::default()), &mut out);
        }
    };
    round(1);
    allocation_counter::measure(|| round(TIMES)).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocation_counter::measure(|| drop(std::hint::black_box(vec![0; 10]))).count_total, 1);
}

#[test]
fn no_kind_of_query_allocates() {
    let (world, mut responder) = (bench_world(), responder());
    let mut rng = fastrand::Rng::with_seed(53);
    let mut clients: Vec<Option<IpAddr>> = (0..50).map(|_| Some(city::client(NETWORKS, &mut rng))).collect();
    clients.push(None);
    let policies = zones::POLICIES.iter().map(|(name, _)| (format!("{name}.bench.test"), TYPE_A));
    let kinds = KINDS.iter().map(|&(name, record_type)| (name.to_owned(), record_type));
    for (name, record_type) in policies.chain(kinds) {
        let packets: Vec<_> = clients.iter().map(|&client| query(&name, record_type, client)).collect();
        for transport in [Transport::Udp, Transport::Tcp] {
            let counted = allocations(&mut responder, &world, &packets, transport);
            assert_eq!(counted, 0, "{name}, type {record_type}, over {transport}");
        }
    }
}

#[test]
fn a_truncated_answer_allocates_nothing() {
    let (world, mut responder) = (bench_world(), responder());
    let packet = query("long.bench.test", 16, None);
    let mut out = vec![0; MAX_TCP_OCTETS];
    responder.respond(&world, &received(&packet), &mut out);
    assert_eq!(out[2] & 2, 2, "TC is set");
    assert_eq!(allocations(&mut responder, &world, &[packet], Transport::Udp), 0);
}

#[test]
fn a_policy_finds_where_clients_are() {
    let (world, mut responder) = (bench_world(), responder());
    let mut rng = fastrand::Rng::with_seed(53);
    let mut out = vec![0; MAX_TCP_OCTETS];
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let packet = query("geolocation.bench.test", TYPE_A, Some(city::ipv4_client(&mut rng).into()));
        let octets = responder.respond(&world, &received(&packet), &mut out);
        // The address of the only answer is 12 octets after its owner, a pointer that follows the
        // question.
        let question_end = packet.len() - 11 - 11;
        assert!(octets > question_end + 16);
        seen.insert(out[question_end + 15]);
    }
    assert!(seen.len() >= 3, "clients in different areas get different members, not only {seen:?}");
}

/// Damaged packets: truncated anywhere, every octet changed in turn, random octets.
#[test]
fn packets_that_are_none_allocate_nothing() {
    let (world, mut responder) = (bench_world(), responder());
    let whole = query("www.bench.test", TYPE_A, Some("192.0.2.1".parse().unwrap()));
    let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
    let damaged = (0..whole.len()).flat_map(|at| {
        [0, 0x40, 0x7f, 0xc0, 0xff].map(|octet| {
            let mut packet = whole.clone();
            packet[at] = octet;
            packet
        })
    });
    let mut rng = fastrand::Rng::with_seed(53);
    let noise = (0..500).map(|_| (0..rng.usize(..600)).map(|_| rng.u8(..)).collect());
    let packets: Vec<Vec<u8>> = cut.chain(damaged).chain(noise).collect();
    assert_eq!(allocations(&mut responder, &world, &packets, Transport::Udp), 0);
}

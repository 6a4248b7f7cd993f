//! Time per answer for each kind of answer, without sockets: one packet in, one packet out.
//!
//! `cargo bench --bench answer` measures; words after `--` select rows. `cargo test --bench answer`
//! runs each once and checks that it is an answer. The zone has a name for each policy and ten
//! thousand plain ones. The database is as large as GeoLite2 City. Queries have EDNS. Those "from
//! everywhere" have client subnets from 100 000 networks in turn, so the data of one has left the
//! caches when its turn comes again.

mod support;

use std::sync::OnceLock;

use divan::Bencher;
use fiftythree::serve::{BATCH_PACKETS, MAX_UDP_OCTETS};
use fiftythree::world::World;
use support::{LOOPBACK, TYPE_A, city, query, received, responder, zones};

const NAMES: u32 = 10_000;
/// Different packets per row.
const PACKETS: u32 = 100_000;
/// Networks in the database when nothing is measured.
const FEW_NETWORKS: u32 = 5000;

fn main() {
    divan::main();
}

#[divan::bench(sample_size = 1000, args = [
    "www", "www8", "weighted", "failover", "latency", "geolocation", "geoproximity", "multivalue", "multivalue8", "cidr", "alias", "tree",
    "nobody", "x.wild", "docs", "www.child", "ns1",
])]
fn one_client(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, &[query(&format!("{name}.{}", zones::ZONE), TYPE_A, None)]);
}

#[divan::bench(sample_size = 1000, args = ["www", "latency", "geolocation", "geoproximity", "cidr", "tree"])]
fn clients_everywhere(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, &from_everywhere(name));
}

#[divan::bench(sample_size = 1000)]
fn ten_thousand_names(bencher: Bencher<'_, '_>) {
    let name = |number: u32| format!("h{}.{}", number * 7919 % NAMES, zones::ZONE);
    let packets: Vec<_> = (0..NAMES).map(|number| query(&name(number), TYPE_A, None)).collect();
    measure(bencher, &packets);
}

fn from_everywhere(name: &str) -> Vec<Vec<u8>> {
    let name = format!("{name}.{}", zones::ZONE);
    let mut rng = fastrand::Rng::with_seed(53);
    (0..PACKETS).map(|_| query(&name, TYPE_A, Some(city::client(networks(), &mut rng)))).collect()
}

fn measure(bencher: Bencher<'_, '_>, packets: &[Vec<u8>]) {
    let (world, mut responder) = (world(), responder());
    let mut out = [0; MAX_UDP_OCTETS];
    let mut packets = packets.iter().cycle();
    bencher.bench_local(|| {
        let packet = packets.next().expect("a cycle does not end");
        let octets = responder.respond(world, &received(packet), &mut out);
        assert!(octets > packet.len(), "an answer is longer than its question");
    });
}

/// One for all rows: making a database takes longer than measuring.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| support::world("", &[zones::every_policy(NAMES)], vec![city::database(networks())]))
}

fn networks() -> u32 {
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    if is_measured { city::CITY_NETWORKS } else { FEW_NETWORKS }
}

/// Like a worker: a batch is prefetched before its packets are answered. Times are per batch.
#[divan::bench(sample_size = 20, args = ["www", "latency", "geolocation", "geoproximity", "cidr", "tree"])]
fn batches_from_everywhere(bencher: Bencher<'_, '_>, name: &str) {
    let packets = from_everywhere(name);
    let (world, mut responder) = (world(), responder());
    let mut out = [0; MAX_UDP_OCTETS];
    let mut batches = packets.chunks_exact(BATCH_PACKETS).cycle();
    bencher.bench_local(|| {
        let batch = batches.next().expect("a cycle does not end");
        responder.prefetch(world, batch.iter().map(|packet| Some((&packet[..], LOOPBACK))));
        for (number, packet) in batch.iter().enumerate() {
            let octets = responder.respond_prefetched(number, world, &received(packet), &mut out);
            assert!(octets > packet.len(), "an answer is longer than its question");
        }
    });
}

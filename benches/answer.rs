//! One packet in, one packet out, without sockets: what each policy costs.
//!
//! `cargo bench --bench answer` measures; `cargo test --bench answer` runs each once and checks that it is an answer. The zone is
//! the shipped `zones/lab.test.toml` with ten thousand names beside it. Queries have EDNS; those with a client subnet come from
//! 256 networks in turn.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use divan::Bencher;
use fiftythree::config::{self, Settings, SourceFile};
use fiftythree::geo::Locator;
use fiftythree::health::{Moment, Tracker};
use fiftythree::policy::CidrTables;
use fiftythree::serve::{ClientSubnetUse, MAX_UDP_OCTETS, Responder, ResponderSettings, Transport};
use fiftythree::world::{Catalog, ServedZone, World};
use fiftythree::zonetree::Zone;

const NAMES: u32 = 10_000;
const CLIENTS: u8 = 255;
const TYPE_A: u16 = 1;

fn main() {
    divan::main();
}

#[divan::bench(sample_size = 100, args = [
    "www", "nobody", "x.users", "weighted", "app", "multi", "lab.test", "shop", "docs", "www.child",
])]
fn from_anywhere(bencher: Bencher<'_, '_>, name: &str) {
    measure(bencher, &[query(name, None)]);
}

#[divan::bench(sample_size = 100, args = ["latency", "geo", "near", "cidr", "shop"])]
fn by_client_subnet(bencher: Bencher<'_, '_>, name: &str) {
    let packets: Vec<_> = (0..=CLIENTS).map(|client| query(name, Some([198, 51, 100, client]))).collect();
    measure(bencher, &packets);
}

#[divan::bench(sample_size = 100)]
fn ten_thousand_names(bencher: Bencher<'_, '_>) {
    let packets: Vec<_> = (0..NAMES).map(|number| query(&format!("h{}", number * 7919 % NAMES), None)).collect();
    measure(bencher, &packets);
}

fn measure(bencher: Bencher<'_, '_>, packets: &[Vec<u8>]) {
    let world = world();
    let settings = ResponderSettings { udp_payload_max: 1232, nsid: None, client_subnet: ClientSubnetUse::Use };
    let mut responder = Responder::new(settings, 53);
    let mut out = [0; MAX_UDP_OCTETS];
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut packets = packets.iter().cycle();
    bencher.bench_local(|| {
        let packet = packets.next().expect("a cycle does not end");
        let octets = responder.respond(&world, packet, source, Transport::Udp, &mut out);
        assert!(octets > packet.len(), "an answer is longer than its question");
    });
}

fn world() -> World {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let settings = Settings::read(&source(directory.join("config/fiftythree.toml"), ""))
        .0
        .expect("the shipped settings are right");
    let many: String = (0..NAMES)
        .map(|number| {
            format!(
                "[[record]]\nname = \"h{number}\"\ntype = \"A\"\nttl = 300\nvalues = [\"10.0.{}.{}\"]\n",
                number >> 8,
                number & 255
            )
        })
        .collect();
    let files =
        [source(directory.join("zones/lab.test.toml"), &many), source(directory.join("zones/health_checks.toml"), "")];
    let configuration = config::read_zones(&files, &settings).configuration;
    let mut tracker = Tracker::new();
    tracker.apply(&configuration.health_checks, Moment::default());
    let tables = CidrTables::build(&configuration.cidr_collections);
    let zones: Vec<_> = configuration
        .zones
        .iter()
        .map(|zone| ServedZone {
            zone: Arc::new(Zone::compile(&zone.zone, &|id| tracker.slot_of(id), &tables)),
            vpcs: zone.zone.vpcs.clone(),
        })
        .collect();
    let locator = Locator::build(&settings.location.networks, Vec::new(), &settings.location.latency);
    World::new(Arc::new(Catalog::build(&zones, &settings.vpcs)), &tracker.bits(), Arc::new(locator))
}

fn source(path: PathBuf, more: &str) -> SourceFile {
    let text = std::fs::read_to_string(&path).expect("the file ships with the repository");
    SourceFile { path, text: format!("{text}\n{more}").into() }
}

/// A query for A with EDNS, and a client subnet of /24 when there is a client.
fn query(name: &str, client: Option<[u8; 4]>) -> Vec<u8> {
    let mut packet = vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let name = if name == "lab.test" { name.to_owned() } else { format!("{name}.lab.test") };
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).expect("a label is short"));
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend([TYPE_A, 1].map(u16::to_be_bytes).concat());
    // OPT: root, type 41, 1232 octets, no flags; then option 8 (RFC 7871 section 6): family 1, /24.
    packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
    match client {
        Some([a, b, c, d]) => packet.extend([0, 11, 0, 8, 0, 7, 0, 1, 24, 0, a, b, c ^ d]),
        None => packet.extend([0, 0]),
    }
    packet
}

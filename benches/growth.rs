//! CPU time per answer as the configuration grows: records, members of a policy, zones, aliases on
//! the way.
//!
//! `cargo bench --bench growth` measures and writes docs/performance/growth.tsv and
//! docs/performance/growth.svg for the documentation. It answers packets in batches like a busy
//! worker, in one thread, with names in random order. CPU time is the count of the scheduler
//! (`/proc/self/schedstat`), so other processes affect it only through the caches. Each point is
//! the minimum of several rounds. `cargo test` runs the smallest points and writes nothing. Linux
//! only.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

mod support;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use fiftythree::geo::GeoLookup;
use fiftythree::health::{CheckBits, CheckSlot};
use fiftythree::model::{
    AliasTarget, Content, HealthCheckId, HostedZone, HostedZoneId, Name, RecordData, RecordType, Region,
    ResourceRecordSet, RoutingPolicy,
};
use fiftythree::policy::CidrTables;
use fiftythree::serve::{BATCH_PACKETS, MAX_UDP_OCTETS};
use fiftythree::world::{Catalog, ServedZone, World};
use fiftythree::zonetree::Zone;
use support::{LOOPBACK, TYPE_A, query, received, responder};

/// Different packets per point, more than a cache holds the names of.
const PACKETS: u32 = 1 << 16;
const ROUNDS: usize = 7;
/// How often a round sends all packets. The count of the scheduler advances in ticks of up to 10
/// ms, which must be short compared to the round.
const TURNS: usize = 8;

fn main() {
    let measured = env::args().any(|argument| argument == "--bench");
    let series = [
        Series { what: "records in a zone", sizes: &[10, 100, 1000, 10_000, 100_000, 1_000_000], world: records },
        Series { what: "zones", sizes: &[1, 10, 100, 1000, 10_000, 100_000], world: zones },
        Series { what: "members, weighted", sizes: &[1, 2, 5, 10, 20, 50, 100], world: weighted },
        Series { what: "members, multivalue", sizes: &[1, 2, 5, 10, 20, 50, 100], world: multivalue },
        Series { what: "members, latency", sizes: &[1, 2, 5, 10, 20, 30], world: latency },
        Series { what: "aliases on the way", sizes: &[1, 2, 3, 4, 5, 6, 7, 8], world: aliases },
    ];
    let (packets, rounds) = if measured { (PACKETS, ROUNDS) } else { (100, 1) };
    let mut curves = Vec::new();
    for series in series {
        let sizes = if measured { series.sizes } else { &series.sizes[..2] };
        let points: Vec<(u32, f64)> = sizes.iter().map(|&size| (size, series.measure(size, packets, rounds))).collect();
        let times = points.iter().map(|&(_, time)| time);
        let (least, most) =
            times.fold((f64::INFINITY, 0.0_f64), |(least, most), time| (least.min(time), most.max(time)));
        println!("{:22} {:.3} to {:.3} µs: {:.3} apart", series.what, least, most, most - least);
        curves.push((series.what, points));
    }
    if measured {
        let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/performance");
        fs::create_dir_all(&home).expect("the repository can be written");
        fs::write(home.join("growth.tsv"), table(&curves)).expect("the repository can be written");
        fs::write(home.join("growth.svg"), drawing(&curves)).expect("the repository can be written");
    }
}

struct Series {
    what: &'static str,
    sizes: &'static [u32],
    /// The world of this size and the names to query.
    world: fn(u32) -> (World, Vec<String>),
}

impl Series {
    /// CPU time per answer in µs.
    fn measure(&self, size: u32, packets: u32, rounds: usize) -> f64 {
        let (world, names) = (self.world)(size);
        let mut rng = fastrand::Rng::with_seed(53);
        let packets: Vec<Vec<u8>> =
            (0..packets).map(|_| query(&names[rng.usize(..names.len())], TYPE_A, None)).collect();
        let mut responder = responder();
        let mut out = [0; MAX_UDP_OCTETS];
        let mut round = || {
            let before = nanoseconds_on_cpu();
            for batch in (0..TURNS).flat_map(|_| packets.chunks(BATCH_PACKETS)) {
                responder.prefetch(&world, batch.iter().map(|packet| Some((&packet[..], LOOPBACK))));
                for (number, packet) in batch.iter().enumerate() {
                    let octets = responder.respond_prefetched(number, &world, &received(packet), &mut out);
                    assert!(octets > packet.len() && out[3] & 0xf == 0, "an answer is longer than its question");
                }
            }
            (nanoseconds_on_cpu() - before) as f64 / 1000.0 / (packets.len() * TURNS) as f64
        };
        round();
        (0..rounds).map(|_| round()).fold(f64::INFINITY, f64::min)
    }
}

/// CPU time of this single-threaded process.
fn nanoseconds_on_cpu() -> u64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux counts it");
    text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("the first number is CPU time")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("names here are right")
}

fn record(owner: &str, record_type: RecordType, value: &str) -> ResourceRecordSet {
    let value = RecordData::parse(record_type, value).expect("values here are right");
    ResourceRecordSet {
        name: name(owner),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: Content::Records { ttl: 60, values: vec![value] },
        health_check: None,
    }
}

fn address(owner: &str, number: u32) -> ResourceRecordSet {
    let [_, b, c, d] = number.to_be_bytes();
    record(owner, RecordType::A, &format!("10.{b}.{c}.{d}"))
}

fn zone(apex: &str, sets: impl IntoIterator<Item = ResourceRecordSet>) -> Arc<Zone> {
    let head = [
        record(apex, RecordType::Soa, &format!("ns1.{apex}. host.{apex}. 1 7200 900 1209600 300")),
        record(apex, RecordType::Ns, &format!("ns1.{apex}.")),
        record(&format!("ns1.{apex}"), RecordType::A, "192.0.2.1"),
    ];
    let zone = HostedZone {
        id: HostedZoneId(apex.to_owned()),
        name: name(apex),
        comment: None,
        vpcs: Vec::new(),
        vpc_regions: Vec::new(),
        caller_reference: None,
        tags: Default::default(),
        record_sets: head.into_iter().chain(sets).map(std::sync::Arc::new).collect(),
        record_groups: Vec::new(),
        default_addresses: Vec::new(),
        attachments: Default::default(),
        policy_sets: Default::default(),
        alias_resources: Default::default(),
    };
    Arc::new(Zone::compile(&zone, &|id: &HealthCheckId| id.0.parse().ok().map(CheckSlot), &CidrTables::default()))
}

fn world(zones: impl IntoIterator<Item = Arc<Zone>>) -> World {
    let served: Vec<_> = zones.into_iter().map(|zone| ServedZone { zone, vpcs: Vec::new() }).collect();
    World::new(Arc::new(Catalog::build(&served, &[])), &CheckBits::default(), Arc::new(GeoLookup::default()))
}

fn records(count: u32) -> (World, Vec<String>) {
    let names: Vec<String> = (0..count).map(|number| format!("h{number}.bench.test")).collect();
    let sets = names.iter().zip(0..).map(|(owner, number)| address(owner, number));
    (world([zone("bench.test", sets)]), names)
}

fn zones(count: u32) -> (World, Vec<String>) {
    let zone = |number: u32| zone(&format!("z{number}.test"), [address(&format!("www.z{number}.test"), number)]);
    (world((0..count).map(zone)), (0..count).map(|number| format!("www.z{number}.test")).collect())
}

/// A group with a health check for each member, all healthy.
fn group(policies: impl IntoIterator<Item = RoutingPolicy>) -> (World, Vec<String>) {
    let sets = (0..).zip(policies).map(|(number, routing_policy)| ResourceRecordSet {
        set_identifier: Some(format!("{number:03}")),
        routing_policy,
        health_check: Some(HealthCheckId(number.to_string())),
        ..address("app.bench.test", number)
    });
    (world([zone("bench.test", sets)]), vec!["app.bench.test".to_owned()])
}

fn weighted(members: u32) -> (World, Vec<String>) {
    group((0..members).map(|_| RoutingPolicy::Weighted { weight: 10 }))
}

fn multivalue(members: u32) -> (World, Vec<String>) {
    group((0..members).map(|_| RoutingPolicy::MultivalueAnswer))
}

fn latency(members: u32) -> (World, Vec<String>) {
    group(Region::all().take(members as usize).map(|region| RoutingPolicy::Latency { region }))
}

fn aliases(depth: u32) -> (World, Vec<String>) {
    let owner = |level: u32| format!("a{level}.bench.test");
    let alias = |level: u32| ResourceRecordSet {
        content: Content::Alias(AliasTarget {
            hosted_zone: None,
            name: name(&owner(level - 1)),
            evaluate_target_health: true,
        }),
        ..address(&owner(level), 0)
    };
    let sets = [address(&owner(0), 1)].into_iter().chain((1..=depth).map(alias));
    (world([zone("bench.test", sets)]), vec![owner(depth)])
}

type Curve = (&'static str, Vec<(u32, f64)>);

fn table(curves: &[Curve]) -> String {
    let mut table = "of what\thow many\tCPU time an answer, µs\n".to_owned();
    for (what, points) in curves {
        for (size, time) in points {
            let _ = writeln!(table, "{what}\t{size}\t{time:.4}");
        }
    }
    table
}

/// One panel per curve, three in a row. Sizes have a logarithmic scale, times start at 0.
fn drawing(curves: &[Curve]) -> String {
    const PANEL: [f64; 2] = [300.0, 200.0];
    const PLOT: [f64; 4] = [46.0, 30.0, 240.0, 128.0];
    const ACROSS: usize = 3;
    let most = curves.iter().flat_map(|(_, points)| points).map(|&(_, time)| time).fold(0.0, f64::max);
    let top = (most * 10.0).ceil() / 10.0;
    let (width, height) = (PANEL[0] * ACROSS as f64, PANEL[1] * curves.len().div_ceil(ACROSS) as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>CPU time an answer, in µs, as things grow</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (number, (what, points)) in curves.iter().enumerate() {
        let (left, above) = ((number % ACROSS) as f64 * PANEL[0], (number / ACROSS) as f64 * PANEL[1]);
        let last = points.last().map_or(1, |&(size, _)| size).max(2);
        let x = |size: u32| PLOT[0] + f64::from(size).ln() / f64::from(last).ln() * PLOT[2];
        let y = |time: f64| PLOT[1] + PLOT[3] - time / top * PLOT[3];
        let _ = writeln!(svg, "<g transform=\"translate({left} {above})\">");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"18\" font-size=\"13\">{what}</text>", PLOT[0]);
        for step in 0..=4 {
            let time = top * f64::from(step) / 4.0;
            let _ = writeln!(
                svg,
                "<path d=\"M{} {:.1}h{}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{time:.2}</text>",
                PLOT[0],
                y(time),
                PLOT[2],
                PLOT[0] - 5.0,
                y(time) + 4.0,
            );
        }
        let line: Vec<String> = points.iter().map(|&(size, time)| format!("{:.1},{:.1}", x(size), y(time))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#0a58ca\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for &(size, time) in points {
            let (x, y, below) = (x(size), y(time), PLOT[1] + PLOT[3] + 16.0);
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#0a58ca\"><title>{size}: {time:.3} µs</title></circle>"
            );
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>", short(size));
        }
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn short(size: u32) -> String {
    match size {
        1_000_000.. => format!("{}M", size / 1_000_000),
        1000.. => format!("{}k", size / 1000),
        _ => size.to_string(),
    }
}

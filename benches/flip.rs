//! Time of a health status change: from the observation that reaches the threshold to the new world
//! at the readers.
//!
//! 20 000 checks and 100 000 record sets in three very different shapes: a hundred zones with a
//! thousand record sets each, one zone with all of them, and one check that all of them use. Run
//! `cargo bench --bench flip`; `cargo test` runs it briefly.

#![allow(clippy::print_stdout)] // its table is what it is for

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fiftythree::geo::GeoLookup;
use fiftythree::health::{CheckSlot, Observation, Timestamp, Tracker};
use fiftythree::model::{
    AddressFamily, Content, EndpointCheck, EndpointProtocol, EndpointTarget, FailoverRole, HealthCheck, HealthCheckId,
    HealthCheckKind, HostedZone, HostedZoneId, Name, RecordData, RecordType, ResourceRecordSet, RoutingPolicy,
    Timeouts,
};
use fiftythree::policy::CidrTables;
use fiftythree::world::{Catalog, Publisher, ServedZone, World};
use fiftythree::zonetree::Zone;

/// Goal: answers change within this time.
const GOAL: Duration = Duration::from_millis(5);

/// The distribution of the record sets.
#[derive(Clone, Copy)]
struct Shape {
    what: &'static str,
    zones: u32,
    record_sets: u32,
    checks: u32,
    /// How many checks the record sets use.
    used: u32,
    flips: u32,
    /// How many checks change together.
    at_once: u32,
}

fn main() {
    let measured = env::args().any(|argument| argument == "--bench");
    let (record_sets, checks, flips) = if measured { (100_000, 20_000, 200) } else { (1000, 200, 4) };
    let shape = |what, zones, used, at_once| Shape { what, zones, record_sets, checks, used, flips, at_once };
    println!("{record_sets} record sets, {checks} checks; µs to the published world (goal: {})", GOAL.as_micros());
    println!("| shape | observe | bits | settle | publish | all, median | all, slowest |");
    println!("|---|---|---|---|---|---|---|");
    measure(shape("100 zones", 100, checks, 1));
    measure(shape("one zone", 1, checks, 1));
    measure(shape("one zone, one check for all", 1, 1, 1));
    measure(shape("one zone, all checks at once", 1, checks, checks));
}

fn measure(shape: Shape) {
    let checks: Vec<HealthCheck> = (0..shape.checks).map(check).collect();
    let mut tracker = Tracker::new();
    tracker.apply(&checks, Timestamp::default());
    let generations: Vec<_> = tracker.probes().iter().map(|scheduled| scheduled.generation).collect();
    let zones: Vec<ServedZone> = (0..shape.zones).map(|number| zone(number, shape, &tracker)).collect();
    let catalog = Arc::new(Catalog::build(&zones, &[]));
    let (publisher, reader) = Publisher::new(World::new(catalog, &tracker.bits(), Arc::new(GeoLookup::default())));
    for (slot, &generation) in (0..).map(CheckSlot).zip(&generations) {
        tracker.observe(slot, generation, Observation::Pass, Timestamp::default());
    }
    let mut times = Vec::new();
    for flip in 0..shape.flips {
        // Checks far apart become unhealthy at once, and healthy again when all have changed: their
        // thresholds are 1.
        let turn = flip * shape.at_once;
        let slots: Vec<CheckSlot> = (turn..turn + shape.at_once)
            .map(|at| CheckSlot((u64::from(at) * 7919 % u64::from(shape.used)) as u32))
            .collect();
        let up = !(turn / shape.used).is_multiple_of(2);
        let observation = if up { Observation::Pass } else { Observation::Fail };
        let start = Instant::now();
        let transitions = slots.into_iter().flat_map(|slot| {
            tracker.observe(slot, generations[slot.0 as usize], observation, Timestamp::default()).into_transitions()
        });
        let flipped: Vec<CheckSlot> = transitions.map(|transition| transition.slot).collect();
        let observed = start.elapsed();
        let bits = tracker.bits();
        let copied = start.elapsed();
        let world = reader.load().with_health(&bits, &flipped, Timestamp::default());
        let settled = start.elapsed();
        publisher.publish(world);
        let published = start.elapsed();
        assert_eq!(flipped.len(), shape.at_once as usize, "one result turns each");
        times.push([observed, copied - observed, settled - copied, published - settled, published]);
    }
    let column = |number: usize| {
        let mut column: Vec<f64> = times.iter().map(|row| row[number].as_secs_f64() * 1e6).collect();
        column.sort_by(f64::total_cmp);
        (column[column.len() / 2], column[column.len() - 1])
    };
    let [observe, bits, settle, publish] = [0, 1, 2, 3].map(|number| column(number).0);
    let (all, slowest) = column(4);
    println!("| {} | {observe:.1} | {bits:.1} | {settle:.1} | {publish:.1} | {all:.1} | {slowest:.1} |", shape.what);
}

fn check(number: u32) -> HealthCheck {
    HealthCheck {
        id: HealthCheckId(number.to_string()),
        name: number.to_string(),
        caller_reference: None,
        version: 1,
        tags: Default::default(),
        inverted: false,
        disabled: false,
        agreement: None,
        kind: HealthCheckKind::Endpoint(EndpointCheck {
            protocol: EndpointProtocol::Tcp,
            target: EndpointTarget::Domain(format!("app-{number}.lab.test")),
            port: 80,
            request_interval: Duration::from_secs(10),
            failure_threshold: 1,
            recovery_threshold: 1,
            measure_latency: false,
            address_family: AddressFamily::default(),
            timeouts: Timeouts::default(),
            regions: Vec::new(),
        }),
    }
}

/// Failover pairs with a separate check for each half.
fn zone(number: u32, shape: Shape, tracker: &Tracker) -> ServedZone {
    let name = Name::parse(&format!("zone-{number}.test")).expect("a name");
    let each = shape.record_sets / shape.zones;
    let sets = (0..each).map(|set| failover(&name, set, (number * each + set) % shape.used));
    let apex = [
        (RecordType::Soa, "ns1.lab.test. hostmaster.lab.test. 1 7200 900 1209600 86400"),
        (RecordType::Ns, "ns1.lab.test."),
    ];
    let apex = apex.map(|(record_type, text)| ResourceRecordSet {
        name: name.clone(),
        record_type,
        set_identifier: None,
        routing_policy: RoutingPolicy::Simple,
        content: records(record_type, text),
        health_check: None,
    });
    let id = HostedZoneId(format!("Z{number}"));
    let record_sets = apex.into_iter().chain(sets).map(std::sync::Arc::new).collect();
    let zone = HostedZone {
        id,
        name: name.clone(),
        comment: None,
        vpcs: Vec::new(),
        vpc_regions: Vec::new(),
        caller_reference: None,
        tags: Default::default(),
        record_sets,
        record_groups: Vec::new(),
        default_addresses: Vec::new(),
        attachments: Default::default(),
        policy_sets: Default::default(),
        alias_resources: Default::default(),
    };
    ServedZone {
        zone: Arc::new(Zone::compile(&zone, &|id| tracker.slot_of(id), &CidrTables::default())),
        vpcs: Vec::new(),
    }
}

fn failover(zone: &Name, set: u32, check: u32) -> ResourceRecordSet {
    let label = Name::parse(&format!("app-{}", set / 2)).expect("a label");
    let role = if set.is_multiple_of(2) { FailoverRole::Primary } else { FailoverRole::Secondary };
    ResourceRecordSet {
        name: label.under(zone).expect("it is short enough"),
        record_type: RecordType::A,
        set_identifier: Some(set.to_string()),
        routing_policy: RoutingPolicy::Failover { role },
        content: records(RecordType::A, "192.0.2.1"),
        health_check: Some(HealthCheckId(check.to_string())),
    }
}

fn records(record_type: RecordType, text: &str) -> Content {
    Content::Records { ttl: 60, values: vec![RecordData::parse(record_type, text).expect("good data")] }
}

//! Health over several nodes: false failovers and detection times by rule, in simulated time.
//!
//! Run `cargo bench --bench agreement`; `cargo test` runs it briefly. The clusters and their faults
//! are the same for every rule: a seed says what breaks, and when.

#![allow(clippy::print_stdout)] // its table is what it is for

use std::env;
use std::time::Instant;

use fiftythree::model::Agreement;
use support::cluster::{Cluster, Faults, Outcome};

#[path = "support/mod.rs"]
mod support;

/// What breaks, in words and an hour.
const SITUATIONS: [(&str, u32, Faults); 5] = [
    ("5 % of all probes are lost", 50, NOTHING),
    ("a path from one node to one endpoint is gone", 0, Faults { path: 6.0, ..NOTHING }),
    ("a third of the nodes loses an endpoint", 0, Faults { region: 6.0, ..NOTHING }),
    ("nodes lose their uplink, etcd with it", 0, Faults { uplink: 2.0, ..NOTHING }),
    ("nodes lose etcd, crash, have wrong clocks", 0, Faults { etcd: 2.0, crash: 2.0, clock: 2.0, ..NOTHING }),
];
const NOTHING: Faults =
    Faults { endpoint: 0.0, path: 0.0, region: 0.0, etcd: 0.0, uplink: 0.0, crash: 0.0, clock: 0.0, change: 0.0 };

const RULES: [(&str, Option<Agreement>); 5] = [
    ("18 %", Some(Agreement::ROUTE_53)),
    ("majority", Some(Agreement::Majority)),
    ("all", Some(Agreement::All)),
    ("any", Some(Agreement::Any)),
    ("each alone", None),
];

fn main() {
    let is_measured = env::args().any(|argument| argument == "--bench");
    let (seeds, duration_s) = if is_measured { (4, 3600) } else { (1, 120) };
    let began = Instant::now();
    for nodes in if is_measured { vec![3, 16] } else { vec![3] } {
        let base = Cluster {
            nodes,
            endpoints: 10,
            agreement: Agreement::default(),
            alone: false,
            duration_s,
            lost_probes: 0,
            faults: NOTHING,
        };
        let hours = nodes as f64 * base.endpoints as f64 * duration_s as f64 / 3600.0 * f64::from(seeds);
        println!("{nodes} nodes; false failovers in 1000 hours of a node and an endpoint");
        heading();
        for (what, lost_probes, faults) in SITUATIONS {
            row(what, |agreement| {
                let outcomes = runs(Cluster { lost_probes, faults, ..with(base, agreement) }, seeds);
                let all: u64 = outcomes.iter().map(|outcome| outcome.false_failovers).sum();
                format!("{:.1}", all as f64 / hours * 1000.0)
            });
        }
        println!("\n{nodes} nodes; an endpoint fails: seconds until answers change at a node, and at the last node");
        heading();
        let faults = Faults { endpoint: 6.0, ..NOTHING };
        detection("nothing else breaks", Cluster { faults, ..base }, seeds);
        let faults = Faults { endpoint: 6.0, path: 6.0, etcd: 2.0, uplink: 2.0, crash: 2.0, ..NOTHING };
        detection("with lost paths, uplinks, etcd and crashes", Cluster { lost_probes: 10, faults, ..base }, seeds);
        println!();
    }
    println!("seeds 0 to {}, {:.0} s", seeds - 1, began.elapsed().as_secs_f64());
}

fn with(base: Cluster, agreement: Option<Agreement>) -> Cluster {
    Cluster { alone: agreement.is_none(), agreement: agreement.unwrap_or_default(), ..base }
}

fn runs(cluster: Cluster, seeds: u32) -> Vec<Outcome> {
    (0..seeds).map(|seed| cluster.run(seed.into())).collect()
}

fn heading() {
    let rules = RULES.map(|(rule, _)| rule).join(" | ");
    println!("| | {rules} |\n|---|{}", "---|".repeat(RULES.len()));
}

fn row(what: &str, cell: impl Fn(Option<Agreement>) -> String) {
    let cells: Vec<String> = RULES.iter().map(|(_, agreement)| cell(*agreement)).collect();
    println!("| {what} | {} |", cells.join(" | "));
}

/// The median and the longest time.
fn detection(what: &str, cluster: Cluster, seeds: u32) {
    row(what, |agreement| {
        let outcomes = runs(with(cluster, agreement), seeds);
        let mut single: Vec<u64> = outcomes.iter().flat_map(|outcome| outcome.detections.clone()).collect();
        let mut last: Vec<u64> = outcomes.iter().flat_map(|outcome| outcome.detections_everywhere.clone()).collect();
        single.sort_unstable();
        last.sort_unstable();
        let seconds = |times: &[u64], at: usize| times.get(at).map_or(0.0, |time| *time as f64 / 1000.0);
        let (median, longest) = (single.len() / 2, last.len().saturating_sub(1));
        format!("{:.0}, at most {:.0}", seconds(&single, median), seconds(&last, longest))
    });
}

//! Nodes of a cluster agree on health whatever breaks, in simulated time.
//! `benches/support/cluster.rs` holds every change of a status against the rules; `cargo bench
//! --bench agreement` prints figures.

use fiftythree::model::Agreement;

use crate::support::cluster::{Cluster, Faults, Outcome};

const ALL_RULES: [Agreement; 5] =
    [Agreement::ROUTE_53, Agreement::Majority, Agreement::All, Agreement::Any, Agreement::AtLeast(2)];

fn cluster(agreement: Agreement, faults: Faults) -> Cluster {
    Cluster { nodes: 5, endpoints: 3, agreement, alone: false, duration_s: 600, lost_probes: 20, faults }
}

/// Faults, so many an hour that several overlap at every moment.
fn everything() -> Faults {
    Faults {
        endpoint: 20.0,
        path: 20.0,
        region: 10.0,
        etcd: 20.0,
        uplink: 20.0,
        crash: 10.0,
        clock: 20.0,
        change: 20.0,
    }
}

#[test]
fn nodes_agree_whatever_breaks() {
    for (agreement, seed) in ALL_RULES.into_iter().flat_map(|agreement| (0..8).map(move |seed| (agreement, seed))) {
        let outcome = cluster(agreement, everything()).run(seed);
        assert!(outcome.transitions > 0, "{agreement}, seed {seed}: nothing happens: {outcome:?}");
    }
}

#[test]
fn sixty_nodes_agree() {
    let faults = Faults {
        endpoint: 200.0,
        path: 5.0,
        region: 30.0,
        etcd: 2.0,
        uplink: 2.0,
        crash: 2.0,
        clock: 2.0,
        change: 20.0,
    };
    let large = Cluster { nodes: 60, endpoints: 2, duration_s: 150, ..cluster(Agreement::Majority, faults) };
    assert!(large.run(1).transitions > 0);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    let run = |seed| cluster(Agreement::Majority, everything()).run(seed);
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// A path between one node and one endpoint is gone, or a node's uplink, or its etcd: Route 53's
/// rule keeps the endpoint, one server by itself gives it up.
#[test]
fn what_one_node_cannot_see_fails_nothing_over() {
    let faults = Faults { path: 12.0, uplink: 2.0, etcd: 2.0, crash: 2.0, ..Faults::default() };
    let run = |agreement, alone| {
        let cluster = Cluster { nodes: 9, duration_s: 1800, lost_probes: 0, alone, ..cluster(agreement, faults) };
        (0..3).fold(0, |all, seed| all + cluster.run(seed).false_failovers_connected)
    };
    assert_eq!(run(Agreement::ROUTE_53, false), 0);
    assert_eq!(run(Agreement::Any, false), 0);
    assert!(run(Agreement::All, false) > 0);
    assert!(run(Agreement::ROUTE_53, true) > 0);
}

/// A changed check is decided by all nodes, not by the fastest one, which may be the one that
/// cannot see its endpoint.
#[test]
fn a_changed_check_fails_nothing_over() {
    let faults = Faults { path: 6.0, change: 120.0, ..Faults::default() };
    let run = |agreement, alone| {
        let cluster = Cluster { nodes: 9, duration_s: 1800, lost_probes: 0, alone, ..cluster(agreement, faults) };
        (0..3).fold(0, |all, seed| all + cluster.run(seed).false_failovers_connected)
    };
    assert_eq!(run(Agreement::ROUTE_53, false), 0);
    assert_eq!(run(Agreement::Any, false), 0);
    assert!(run(Agreement::Any, true) > 0);
}

/// Three failures 10 s apart, a probe that takes up to 4 s to fail, the first of them up to 10 s
/// after the failure; then the quiet, two ways and a tick.
#[test]
fn an_endpoint_that_fails_is_out_everywhere_within_the_time_of_one_node_and_a_second() {
    let faults = Faults { endpoint: 30.0, ..Faults::default() };
    for agreement in ALL_RULES {
        let cluster = Cluster { duration_s: 1800, lost_probes: 0, ..cluster(agreement, faults) };
        let Outcome { detections, detections_everywhere, .. } = cluster.run(3);
        assert!(detections_everywhere.len() >= 5, "{agreement}");
        let longest = detections.into_iter().chain(detections_everywhere).max().unwrap();
        assert!(longest <= 3 * 14_000 + 1000, "{agreement}: {longest} ms");
    }
}

//! Health over three nodes, while hosts cannot reach each other: the table in `docs/cluster.md`.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::server::wait_for;
use crate::universe::{ALL_MEMBERS, ALL_NODES, CHECKED, ENDPOINT, PRIMARY, SECONDARY, Universe};

fn seconds(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// There is no failover while one node reaches the endpoint, and one when none does.
pub(crate) fn nodes_are_cut_from_an_endpoint_one_after_the_other() {
    let (universe, _endpoint, _uplink) = Universe::with_checks(&[]);
    let report = universe.under_load(&["node1"], || {
        universe.stays(&ALL_NODES, PRIMARY, || {
            universe.network.separate(&["node3"], &["endpoint"]);
            let took = universe.until_opinions(&ALL_NODES, &["node1", "node2"], &["node3"]);
            println!("all nodes know that node3 does not reach the endpoint after {took:?}");
            universe.network.separate(&["node2"], &["endpoint"]);
            universe.until_opinions(&ALL_NODES, &["node1"], &["node2", "node3"]);
            seconds(3);
        });
        universe.network.separate(&["node1"], &["endpoint"]);
        let began = Instant::now();
        universe.until(&["node1"], CHECKED, SECONDARY);
        let (all, rest) = (began.elapsed(), universe.until(&ALL_NODES, CHECKED, SECONDARY));
        println!("failover on node1 {all:?} after the last cut, on all nodes {rest:?} later");
        universe.stays(&ALL_NODES, SECONDARY, || seconds(2));
        universe.network.rejoin(&["node2"], &["endpoint"]);
        println!("one node reaches it again: all use it after {:?}", universe.until(&ALL_NODES, CHECKED, PRIMARY));
        universe.network.rejoin(&["node1", "node3"], &["endpoint"]);
        universe.stays(&ALL_NODES, PRIMARY, || {
            universe.until_opinions(&ALL_NODES, &ALL_NODES, &[]);
        });
    });
    report.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("cut from an endpoint", &report);
}

/// A node that is cut from all but its clients is isolated and changes nothing. If only etcd and
/// the endpoint are out of its reach, it decides by its own results, but not before the opinions of
/// others are old.
pub(crate) fn a_node_is_cut_from_etcd_and_from_the_endpoint() {
    let (universe, _endpoint, _uplink) = Universe::with_checks(&[]);
    let cut: Vec<&str> = ALL_MEMBERS.into_iter().chain(["endpoint"]).collect();
    universe.stays(&ALL_NODES, PRIMARY, || {
        universe.network.separate(&["node3"], &["uplink"]);
        universe.network.separate(&["node3"], &cut);
        universe.wait_for_log("node3", "isolated");
        // Longer than opinions count, and than its lease lasts.
        seconds(25);
        universe.until_opinions(&["node1", "node2"], &["node1", "node2"], &[]);
        universe.network.rejoin(&["node3"], &["uplink"]);
        universe.network.rejoin(&["node3"], &cut);
        println!("isolated: counts again after {:?}", universe.until_opinions(&ALL_NODES, &ALL_NODES, &[]));
    });
    let began = Instant::now();
    universe.stays(&["node1", "node2"], PRIMARY, || {
        universe.stays(&["node3"], PRIMARY, || {
            universe.network.separate(&["node3"], &cut);
            seconds(8);
        });
        universe.until(&["node3"], CHECKED, SECONDARY);
        println!("cut from etcd and the endpoint: its own opinion decides after {:?}", began.elapsed());
        universe.network.rejoin(&["node3"], &ALL_MEMBERS);
        let took = universe.until(&["node3"], CHECKED, PRIMARY);
        println!("etcd is back: the others decide with it after {took:?}");
        universe.network.rejoin(&["node3"], &["endpoint"]);
        universe.until_opinions(&ALL_NODES, &ALL_NODES, &[]);
    });
}

/// Without etcd each node decides by its own results, and nothing changes before they do.
pub(crate) fn all_of_etcd_is_down_and_the_endpoint_fails_meanwhile() {
    let (universe, endpoint, _uplink) = Universe::with_checks(&[]);
    universe.stays(&ALL_NODES, PRIMARY, || {
        ALL_MEMBERS.iter().for_each(|member| universe.member(member).kill());
        // Longer than the opinions of others count.
        seconds(20);
        for node in ALL_NODES {
            universe.until_opinions(&[node], &[node], &[]);
        }
    });
    endpoint.stop();
    println!("failover without etcd after {:?}", universe.until(&ALL_NODES, CHECKED, SECONDARY));
    universe.stays(&ALL_NODES, SECONDARY, || {
        ALL_MEMBERS.iter().for_each(|member| universe.start_member(member));
        let took = universe.until_opinions(&ALL_NODES, &[], &ALL_NODES);
        println!("all nodes decide together {took:?} after the start of etcd");
    });
    let _endpoint = universe.start_endpoint();
    println!("recovery on all nodes after {:?}", universe.until(&ALL_NODES, CHECKED, PRIMARY));
}

/// All of 20 000 checks fail in the same 30 seconds.
pub(crate) fn many_checks_flip_at_once() {
    const CHECKS: usize = 20_000;
    let universe = Universe::with(&[], "[health]\nwait_for_first_result = '0s'\n", "");
    let endpoint = universe.start_endpoint();
    // Each node probes 667 of them a second.
    let check = |number: usize| {
        format!(
            "[[health_check]]\nname = 'check-{number}'\ntype = 'tcp'\nip_address = '{ENDPOINT}'\nport = 80\n\
             request_interval = 30\nfailure_threshold = 1\n"
        )
    };
    universe.apply(&(0..CHECKS).map(check).collect::<String>());
    let took = until_all_have(&universe, CHECKS, 0);
    println!("{CHECKS} checks on three nodes have their first results after {:?}", took.1);
    let written = || {
        let status = universe.post("etcd1", "/v3/maintenance/status", "{}").unwrap();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["dbSize"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let before = written();
    let report = universe.under_load(&[], || {
        endpoint.stop();
        let (first, all) = until_all_have(&universe, CHECKS, CHECKS);
        println!("all fail: the first node has all {first:?} after it, the last one {:?} later", all - first);
    });
    report.never_wrong(&ALL_NODES);
    println!("etcd has grown by {} MB", (written() - before) / 1_000_000);
    let longest = wait_for("opinions in etcd", || longest_opinion(&universe));
    println!("the longest value has {longest} octets");
    assert!(longest < 512 << 10);
}

/// Waits until all nodes have this number of checks, of which these are unhealthy. Returns how long
/// the first and the last node took.
fn until_all_have(universe: &Universe, checks: usize, unhealthy: usize) -> (Duration, Duration) {
    let has_them = |node: &str| {
        let counts = universe.get(node, "/v1/status")["checks"].clone();
        counts["all"] == checks && counts["pending"] == 0 && counts["unhealthy"] == unhealthy
    };
    let began = Instant::now();
    let mut first = None;
    let mut waiting: Vec<&str> = ALL_NODES.to_vec();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|node| !has_them(node));
        if waiting.len() < before {
            first.get_or_insert(began.elapsed());
        }
        assert!(began.elapsed() < Duration::from_secs(240), "{waiting:?} have not {unhealthy} unhealthy checks");
        std::thread::sleep(Duration::from_millis(100));
    }
    (first.unwrap(), began.elapsed())
}

/// The length of the longest `/fiftythree/opinions/NODE/value`.
fn longest_opinion(universe: &Universe) -> Option<usize> {
    let range = "{\"key\": \"L2ZpZnR5dGhyZWUvb3BpbmlvbnMv\", \"range_end\": \"L2ZpZnR5dGhyZWUvb3BpbmlvbnMw\"}";
    let pairs: serde_json::Value = serde_json::from_str(&universe.post("etcd1", "/v3/kv/range", range).ok()?).ok()?;
    let decoded = |pair: &serde_json::Value, part: &str| STANDARD.decode(pair[part].as_str().unwrap()).unwrap();
    let values = pairs["kvs"].as_array()?.iter().filter(|pair| decoded(pair, "key").ends_with(b"/value"));
    values.map(|pair| decoded(pair, "value").len()).max()
}

//! What nodes answer, and which changes they make, while hosts cannot reach each other, and when a
//! node starts, ends or has a wrong clock meanwhile: the table in `docs/cluster.md`.

use std::process::Command;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use crate::server::{text, wait_for};
use crate::universe::{ALL_MEMBERS, ALL_NODES, FIXED, Universe};

fn seconds(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// One node reaches no member of etcd, which forgets what the node has not seen.
pub(crate) fn a_node_is_cut_from_etcd_which_compacts_meanwhile() {
    let universe = Universe::new();
    let report = universe.under_load(&["node1", "node2"], || {
        universe.network.separate(&["node3"], &ALL_MEMBERS);
        let cut = Instant::now();
        let id = universe.change("node1", "meanwhile.lab.test.", "192.0.2.2").unwrap();
        assert_eq!(universe.status_of("node2", &id), "PENDING", "node3 does not have it");
        let (_, why) = universe.refusal("node3", "refused.lab.test");
        assert!(why.contains("etcd"), "{why}");
        wait_for("the end of its lease", || (universe.status_of("node1", &id) == "INSYNC").then_some(()));
        println!("cut from etcd: others do not wait for the node any more after {:?}", cut.elapsed());
        let (took, why) = universe.refusal("node3", "refused.lab.test");
        assert!(why.contains("nothing can be changed without etcd"), "{took:?} {why}");
        let range = universe.post("etcd1", "/v3/kv/range", "{\"key\": \"AA==\"}").unwrap();
        let revision = serde_json::from_str::<serde_json::Value>(&range).unwrap()["header"]["revision"].clone();
        universe.post("etcd1", "/v3/kv/compaction", &format!("{{\"revision\": {revision}}}")).unwrap();
        assert_ne!(universe.ask("node3", "meanwhile.lab.test.").unwrap().addresses, ["192.0.2.2"]);
        universe.network.rejoin(&["node3"], &ALL_MEMBERS);
        let took = universe.until(&["node3"], "meanwhile.lab.test.", "192.0.2.2");
        println!("cut from etcd: it has what changed {took:?} after its return");
    });
    universe.change_when_possible("node3", "again.lab.test.", "192.0.2.2");
    report.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("cut from etcd", &report);
    universe.until_status_is_complete();
}

/// The leader of etcd is alone with one node, without the other two members.
pub(crate) fn the_network_is_split_two_to_one() {
    let universe = Universe::new();
    let report = universe.under_load(&ALL_NODES, || {
        let (leader, others) = universe.leader_and_others();
        let minority = [leader, "node3"];
        let majority = [others[0], others[1], "node1", "node2"];
        universe.network.separate(&minority, &majority);
        let began = Instant::now();
        for node in ["node1", "node2"] {
            universe.change_when_possible(node, &format!("{node}-split.lab.test."), "192.0.2.2");
        }
        println!("split: both nodes of the majority make changes {:?} after it", began.elapsed());
        universe.until(&["node1", "node2"], "node2-split.lab.test.", "192.0.2.2");
        let (_, why) = universe.refusal("node3", "refused.lab.test");
        assert!(why.contains("etcd"), "{why}");
        seconds(10);
        universe.network.rejoin(&minority, &majority);
        let took = universe.until(&ALL_NODES, "node2-split.lab.test.", "192.0.2.2");
        println!("split: the node of the minority has what changed {took:?} after its end");
    });
    universe.change_when_possible("node3", "again.lab.test.", "192.0.2.2");
    report.never_wrong(&ALL_NODES);
    assert!(!report.refused("node3").is_empty());
    universe.until_nothing_is_lost("split", &report);
}

/// Nodes do not speak to each other, only to etcd.
pub(crate) fn a_node_is_cut_from_the_others_and_from_clients() {
    let universe = Universe::new();
    let report = universe.under_load(&["node1", "node3"], || {
        universe.network.separate(&["node3"], &["node1", "node2", "client"]);
        seconds(2);
        let id = universe.change("node1", "meanwhile.lab.test.", "192.0.2.2").unwrap();
        wait_for("INSYNC", || (universe.status_of("node3", &id) == "INSYNC").then_some(()));
        seconds(2);
        universe.network.rejoin(&["node3"], &["node1", "node2", "client"]);
        let took = universe.until(&["node3"], "meanwhile.lab.test.", "192.0.2.2");
        println!("cut from clients: it answers {took:?} after its return");
    });
    report.never_wrong(&["node1", "node2"]);
    for node in ["node1", "node3"] {
        assert_eq!(report.refused(node), []);
    }
    universe.until_nothing_is_lost("cut from clients", &report);
}

/// With copies of the last run, without them, and with a damaged one.
pub(crate) fn nodes_start_without_etcd() {
    let universe = Universe::new();
    // Copies are written within a second of a change.
    let report = universe.under_load(&["node1"], || seconds(2));
    universe.until_nothing_is_lost("before the start", &report);
    seconds(2);
    ALL_NODES.iter().for_each(|node| universe.stop_node(node));
    universe.network.separate(&ALL_NODES, &ALL_MEMBERS);
    std::fs::remove_dir_all(universe.lab("node2").path("state")).unwrap();
    assert!(damage(&universe.lab("node3").path("state")) > 0);
    let began = Instant::now();
    ALL_NODES.iter().for_each(|node| universe.start_node(node));
    println!("three nodes have started without etcd after {:?}", began.elapsed());
    universe.wait_for_log("node1", "1 file of the cluster is served as the last run had it");
    universe.wait_for_log("node2", "no file of the cluster is served until it is reached");
    universe.until(&["node1"], FIXED.0, FIXED.1);
    let code = |node: &str| universe.ask(node, FIXED.0).unwrap().code;
    assert_eq!((code("node2"), code("node3")), (ResponseCode::Refused, ResponseCode::ServFail));
    // Nobody has lost what was acknowledged.
    let (name, address) = report.written["node1"].acknowledged.last().unwrap();
    universe.until(&["node1"], name, address);
    universe.network.rejoin(&ALL_NODES, &ALL_MEMBERS);
    let took = universe.until(&ALL_NODES, FIXED.0, FIXED.1);
    println!("started without etcd: all nodes answer {took:?} after its return");
    universe.until_nothing_is_lost("started without etcd", &report);
    universe.change_when_possible("node3", "again.lab.test.", "192.0.2.2");
}

/// Makes the copies of the zone unreadable. Returns how many there were.
fn damage(directory: &std::path::Path) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            damaged += damage(&entry.path());
        } else if std::fs::read(entry.path()).is_ok_and(|bytes| text(&bytes).contains("id = 'Z0LAB'")) {
            std::fs::write(entry.path(), "id = 'Z0LAB' and no more").unwrap();
            damaged += 1;
        }
    }
    damaged
}

/// Every node writes, also the same record.
pub(crate) fn three_nodes_write_one_record() {
    let universe = Universe::new();
    let report = universe.under_load(&ALL_NODES, || seconds(8));
    report.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("three writers", &report);
    ALL_NODES.iter().for_each(|node| assert!(!report.written[node].acknowledged.is_empty()));
}

/// A node is ended in the middle of changes, again and again, as by a power cut.
pub(crate) fn a_node_is_killed_in_the_middle_of_changes() {
    let universe = Universe::new();
    let report = universe.under_load(&["node1", "node2"], || {
        for _ in 0..4 {
            seconds(1);
            universe.kill_node("node1");
            universe.start_node("node1");
            universe.until(&["node1"], FIXED.0, FIXED.1);
        }
    });
    report.never_wrong(&["node2", "node3"]);
    universe.until_nothing_is_lost("killed", &report);
    // The lease of the killed run ends; then the node is registered again.
    let took = universe.until_status_is_complete();
    println!("killed: the node is registered again after {took:?}");
}

/// A node stands still for so long that its lease ends.
pub(crate) fn a_node_is_suspended() {
    let universe = Universe::new();
    let report = universe.under_load(&["node1", "node2"], || {
        universe.signal_node("node3", "STOP");
        seconds(17);
        universe.change("node1", "meanwhile.lab.test.", "192.0.2.2").unwrap();
        universe.signal_node("node3", "CONT");
        let took = universe.until(&["node3"], "meanwhile.lab.test.", "192.0.2.2");
        println!("suspended: it has what changed {took:?} after its return");
    });
    report.never_wrong(&["node1", "node2"]);
    universe.until_nothing_is_lost("suspended", &report);
    universe.until_status_is_complete();
}

/// One node is an hour ahead, another one is an hour behind.
pub(crate) fn clocks_are_wrong() {
    let (universe, _endpoint, _uplink) = Universe::with_checks(&[]);
    let shown = Command::new("faketime").args(["-f", "+1h", "sh", "-c", "echo $LD_PRELOAD"]).output().unwrap();
    let library = text(&shown.stdout).trim().to_owned();
    for (node, offset) in [("node2", "+1h"), ("node3", "-1h")] {
        universe.stop_node(node);
        universe.start_node_with(node, &[("LD_PRELOAD", &library), ("FAKETIME", offset), ("DONT_FAKE_MONOTONIC", "1")]);
    }
    let hour = |node: &str| universe.log(node).get(..13).map(str::to_owned);
    assert!(hour("node2") != hour("node3"), "the clocks differ: {}", universe.log("node2"));
    universe.until_opinions(&ALL_NODES, &ALL_NODES, &[]);
    let report = universe.under_load(&ALL_NODES, || {
        seconds(3);
        // A change is PENDING until every node has it, whatever the clock of its node says.
        universe.signal_node("node1", "STOP");
        let ids = ["node2", "node3"].map(|node| (node, universe.change(node, "clock.lab.test.", "192.0.2.2").unwrap()));
        for (node, id) in &ids {
            assert_eq!(universe.status_of(node, id), "PENDING");
        }
        universe.signal_node("node1", "CONT");
        for (node, id) in &ids {
            wait_for("INSYNC", || (universe.status_of(node, id) == "INSYNC").then_some(()));
            wait_for("INSYNC", || (universe.status_of("node1", id) == "INSYNC").then_some(()));
        }
    });
    report.never_wrong(&["node2", "node3"]);
    universe.until_nothing_is_lost("wrong clocks", &report);
}

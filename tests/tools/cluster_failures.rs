//! What nodes answer, and which changes they make, while something is broken: the table in
//! `docs/cluster.md`.
//!
//! In each test, writers change records and count what is acknowledged, and probers ask all nodes.
//! At the end every node has every acknowledged change, and no answer was wrong or empty.

use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use crate::server::wait_for;
use crate::universe::{ALL_MEMBERS, ALL_NODES, FIXED, PRIMARY, Universe};

/// A node answers a caller within 5 s. A busy machine takes longer to start a command.
const REFUSED_WITHIN: Duration = Duration::from_secs(8);

fn seconds(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

/// One member after the other is ended and comes back, also the leader.
pub(crate) fn one_member_of_three_is_down() {
    let universe = Universe::new();
    let report = universe.under_load(&["node1", "node2"], || {
        let (leader, others) = universe.leader_and_others();
        for member in [others[0], others[1], leader] {
            universe.member(member).kill();
            let name = format!("without-{member}.lab.test.");
            let took = universe.change_when_possible("node3", &name, "192.0.2.2");
            println!("without {member}, node3 makes a change after {took:?}");
            universe.until(&ALL_NODES, &name, "192.0.2.2");
            universe.start_member(member);
            universe.member(member).wait(&universe.network);
        }
    });
    report.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("one member down", &report);
    // Changes wait for a new leader. Before they did, most were refused.
    for node in ["node1", "node2"] {
        let (made, refused) = (report.written[node].acknowledged.len(), report.refused(node));
        assert!(made > refused.len(), "{node} made {made} changes and refused {refused:?}");
    }
}

pub(crate) fn all_members_are_down() {
    let universe = Universe::new();
    let report = universe.under_load(&["node1", "node2"], || {
        seconds(1);
        ALL_MEMBERS.iter().for_each(|member| universe.member(member).kill());
        seconds(5);
        let (took, why) = universe.refusal("node3", "refused.lab.test");
        assert!(why.contains("nothing can be changed without etcd"), "{why}");
        assert!(took < REFUSED_WITHIN, "{took:?}");
        ALL_MEMBERS.iter().for_each(|member| universe.start_member(member));
        let began = Instant::now();
        for node in ALL_NODES {
            universe.change_when_possible(node, &format!("{node}-again.lab.test."), "192.0.2.2");
        }
        println!("all members down: every node makes changes again {:?} after their start", began.elapsed());
    });
    report.never_wrong(&ALL_NODES);
    assert!(!report.refused("node1").is_empty());
    universe.until_nothing_is_lost("all members down", &report);
    assert_eq!(universe.ask("node3", "refused.lab.test.").unwrap().code, ResponseCode::NXDomain);
}

/// Each member stands still for a third of the time; then all of them hang.
pub(crate) fn members_are_slow_and_then_hang() {
    let universe = Universe::new();
    let pause = || std::thread::sleep(Duration::from_millis(200));
    let slow = universe.under_load(&["node1", "node2"], || {
        for member in ALL_MEMBERS.iter().cycle().take(40) {
            universe.member(member).signal("STOP");
            pause();
            universe.member(member).signal("CONT");
        }
    });
    slow.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("slow members", &slow);
    assert!(slow.written.values().all(|written| !written.acknowledged.is_empty()));
    let hanging = universe.under_load(&["node1"], || {
        ALL_MEMBERS.iter().for_each(|member| universe.member(member).signal("STOP"));
        let (took, why) = universe.refusal("node3", "refused.lab.test");
        assert!(why.contains("etcd") && took < REFUSED_WITHIN, "{took:?} {why}");
        ALL_MEMBERS.iter().for_each(|member| universe.member(member).signal("CONT"));
        for node in ALL_NODES {
            let took = universe.change_when_possible(node, &format!("{node}-again.lab.test."), "192.0.2.2");
            println!("hanging members: {node} makes changes again after {took:?}");
        }
    });
    hanging.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("hanging members", &hanging);
}

/// etcd reaches its quota: it refuses to write until somebody makes room.
pub(crate) fn etcd_is_full() {
    let (universe, _endpoint, _uplink) = Universe::with_checks(&["--quota-backend-bytes", "16777216"]);
    let report = universe.under_load(&["node1"], || {
        // `full/` and further letters, in Base64; 750 000 octets each.
        let fill = |letter: char| {
            let body = format!(
                "{{\"key\": \"ZnVsbC9h{letter}{letter}{letter}{letter}\", \"value\": \"{}\"}}",
                "A".repeat(1_000_000)
            );
            universe.post("etcd1", "/v3/kv/put", &body)
        };
        let refused = ('a'..='z').chain('A'..='Z').find_map(|letter| fill(letter).err());
        assert!(refused.is_some_and(|why| why.contains("database space exceeded")));
        let (_, why) = universe.refusal("node3", "refused.lab.test");
        assert!(why.contains("database space exceeded"), "{why}");
        // A node that starts now reads, and answers.
        universe.stop_node("node2");
        universe.start_node("node2");
        universe.until(&["node2"], FIXED.0, FIXED.1);
        // Opinions of health cannot be written either, and each node decides by its own.
        universe.stays(&["node1", "node3"], PRIMARY, || {
            universe.until_opinions(&["node1"], &["node1"], &[]);
            universe.until_opinions(&["node3"], &["node3"], &[]);
        });
        // What the manual of etcd says: delete, compact, defragment, disarm.
        let post = |member: &str, path: &str, body: &str| {
            universe.post(member, path, body).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let deleted = post("etcd1", "/v3/kv/deleterange", "{\"key\": \"ZnVsbC8=\", \"range_end\": \"ZnVsbDA=\"}");
        let revision = serde_json::from_str::<serde_json::Value>(&deleted).unwrap()["header"]["revision"].clone();
        post("etcd1", "/v3/kv/compaction", &format!("{{\"revision\": {revision}, \"physical\": true}}"));
        ALL_MEMBERS.iter().for_each(|member| drop(post(member, "/v3/maintenance/defragment", "{}")));
        let alarms = post("etcd1", "/v3/maintenance/alarm", "{\"action\": \"GET\"}");
        let alarms = serde_json::from_str::<serde_json::Value>(&alarms).unwrap()["alarms"].clone();
        for alarm in alarms.as_array().unwrap() {
            let id = &alarm["memberID"];
            let disarm = format!("{{\"action\": \"DEACTIVATE\", \"alarm\": \"NOSPACE\", \"memberID\": {id}}}");
            post("etcd1", "/v3/maintenance/alarm", &disarm);
        }
        let took = universe.change_when_possible("node3", "again.lab.test.", "192.0.2.2");
        println!("etcd full: changes are made again after {took:?}");
    });
    report.never_wrong(&["node1", "node3"]);
    assert!(!report.refused("node1").is_empty());
    universe.until_nothing_is_lost("etcd full", &report);
    universe.until_status_is_complete();
    universe.until_opinions(&ALL_NODES, &ALL_NODES, &[]);
}

/// What was changed after the backup is gone on all nodes; what is changed after its return is not.
pub(crate) fn etcd_is_restored_from_an_older_backup() {
    let universe = Universe::new();
    let before = universe.under_load(&["node1", "node2"], || seconds(2));
    universe.until_nothing_is_lost("before the backup", &before);
    let backup = universe.member("etcd2").back_up(&universe.network);
    universe.change("node1", "later.lab.test.", "192.0.2.2").unwrap();
    universe.until(&ALL_NODES, "later.lab.test.", "192.0.2.2");
    let after = universe.under_load(&ALL_NODES, || {
        ALL_MEMBERS.iter().for_each(|member| universe.member(member).kill());
        // Writers may be in the middle of a change.
        seconds(1);
        ALL_MEMBERS.iter().for_each(|member| universe.member(member).restore(&backup));
        ALL_MEMBERS.iter().for_each(|member| universe.start_member(member));
        let began = Instant::now();
        for node in ALL_NODES {
            let is_gone = || {
                let answer = universe.ask(node, "later.lab.test.")?;
                (answer.code == ResponseCode::NXDomain).then_some(())
            };
            wait_for("the configuration of the backup", is_gone);
        }
        println!("restored: all nodes have the backup {:?} after the start of etcd", began.elapsed());
        seconds(2);
    });
    after.never_wrong(&ALL_NODES);
    universe.until_nothing_is_lost("from the backup", &before);
    // A change tells whether every node has it, although revisions began again.
    let id = universe.change("node1", "last.lab.test.", "192.0.2.2").unwrap();
    for node in ALL_NODES {
        wait_for("INSYNC", || (universe.status_of(node, &id) == "INSYNC").then_some(()));
    }
    universe.until(&ALL_NODES, "last.lab.test.", "192.0.2.2");
}

//! Nodes that stand in each other's way: two writers of one zone, and two servers with one name.

use std::time::{Duration, Instant};

use crate::aws::Client;
use crate::cluster::{Etcd, node, run};
use crate::server::{get, text, wait_for};

/// How long two writers write.
const LONG: Duration = Duration::from_secs(5);

/// Sets a record set through the Route 53 API, again and again. Returns how often that worked, and
/// the statuses of the other responses.
fn write(client: &Client, zone: &str, name: &str) -> (usize, Vec<u16>) {
    let (began, mut done, mut refused) = (Instant::now(), 0, Vec::new());
    while began.elapsed() < LONG {
        let set = format!(
            "<Name>{name}</Name><Type>A</Type><TTL>5</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.{}</Value>\
             </ResourceRecord></ResourceRecords>",
            done % 250 + 1
        );
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
             <Change><Action>UPSERT</Action><ResourceRecordSet>{set}</ResourceRecordSet></Change></Changes></ChangeBatch>\
             </ChangeResourceRecordSetsRequest>"
        );
        match client.post(&format!("/hostedzone/{zone}/rrset/"), &body).status {
            200 => done += 1,
            status => refused.push(status),
        }
    }
    (done, refused)
}

pub(crate) fn two_nodes_that_change_one_zone_all_the_time_both_progress() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("two", &etcd.endpoint()));
    let (first, second) = (one.serve(), two.serve());
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    second.wait_for_answer("ns1.lab.test.", &["127.0.0.1"]);
    let (here, there) = (Client::of(&first, "test", "test"), Client::of(&second, "test", "test"));
    let zones = here.get("/hostedzone").body;
    let zone = zones.split_once("<Id>/hostedzone/").unwrap().1.split_once('<').unwrap().0.to_owned();
    let outcomes = std::thread::scope(|scope| {
        let writers = [
            scope.spawn(|| write(&here, &zone, "a.lab.test")),
            // Two clients on one node are faster than one on the other.
            scope.spawn(|| write(&here, &zone, "b.lab.test")),
            scope.spawn(|| write(&there, &zone, "c.lab.test")),
        ];
        writers.map(|writer| writer.join().unwrap())
    });
    println!("{outcomes:?}");
    for (done, refused) in &outcomes {
        assert!(*done >= 5 && refused.is_empty(), "{outcomes:?}\n{}\n{}", first.log(), second.log());
    }
    let [a, b, c] = outcomes.map(|(done, _)| format!("192.0.2.{}", (done - 1) % 250 + 1));
    for running in [&first, &second] {
        for (name, address) in [("a.lab.test.", &a), ("b.lab.test.", &b), ("c.lab.test.", &c)] {
            running.wait_for_answer(name, &[address]);
        }
    }
}

pub(crate) fn two_servers_with_one_name_both_say_so() {
    let etcd = Etcd::start();
    let (one, two) = (node("one", &etcd.endpoint()), node("one", &etcd.endpoint()));
    let first = one.serve();
    run(&one, &first, &["zone", "create", "lab.test"]).unwrap();
    wait_for("the first node is registered", || one.run(&["cluster", "status"]).status.success().then_some(()));
    let second = two.serve();
    second.wait_for_log("another node has the name one, at 127.0.0.1:");
    first.wait_for_log("a second server has the name one, at 127.0.0.1:");
    let status = wait_for("the status shows it", || {
        Some(two.run(&["cluster", "status"])).filter(|status| text(&status.stdout).contains("a second server"))
    });
    assert!(!status.status.success(), "{}", text(&status.stdout));
    let reported = get(&second.admin(), "/v1/status", "application/json").unwrap();
    assert!(reported.contains("another node has the name one"), "{reported}");
    let metric = |running: &crate::server::Running| {
        let metrics = get(&running.admin(), "/metrics", "text/plain").unwrap();
        metrics.lines().find_map(|line| line.strip_prefix("fiftythree_cluster_registered ")).unwrap().to_owned()
    };
    assert_eq!((metric(&first).as_str(), metric(&second).as_str()), ("1", "0"));
    // It answers, and its operator gives it another name.
    second.wait_for_answer("ns1.lab.test.", &["127.0.0.1"]);
    assert!(second.stop().success());
    let settings = std::fs::read_to_string(two.path("fiftythree.toml")).unwrap();
    two.write("fiftythree.toml", &settings.replace("node = 'one'", "node = 'two'"));
    let second = two.serve();
    wait_for("both are registered", || {
        let status = text(&two.run(&["cluster", "status"]).stdout);
        (status.contains("\none  ") && status.contains("\ntwo  ") && !status.contains("a second")).then_some(())
    });
    assert_eq!(metric(&second), "1");
}

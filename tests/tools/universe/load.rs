//! Writers that change records on nodes, and probers that ask all nodes meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use super::{ALL_NODES, Universe};
use crate::aws::Client;
use crate::server::{Answer, PATIENCE, try_ask};

/// The name that stays, with its address.
pub(crate) const FIXED: (&str, &str) = ("fixed.lab.test.", "192.0.2.1");
/// The name that all writers change.
const BUSY: &str = "busy.lab.test.";
/// The pauses leave the processor to what is tested.
const BETWEEN_CHANGES: Duration = Duration::from_millis(150);
const BETWEEN_QUERIES: Duration = Duration::from_millis(4);

/// What writers and probers have seen.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// By node.
    pub(crate) written: BTreeMap<&'static str, Written>,
    /// By node.
    pub(crate) probed: BTreeMap<&'static str, Probed>,
}

/// What a writer did on one node.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Each name that got an address, with it.
    pub(crate) acknowledged: Vec<(String, String)>,
    /// How long each refusal took, and its reason.
    pub(crate) refused: Vec<(Duration, String)>,
    /// How long the slowest acknowledged change took.
    pub(crate) slowest: Duration,
    /// What the node did not answer with although it had acknowledged it.
    unserved: Vec<String>,
}

/// What a prober saw of one node.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) right: u32,
    pub(crate) unanswered: u32,
    /// Empty answers, errors and other addresses.
    pub(crate) wrong: Vec<String>,
}

/// Ends loops, also when a test fails.
pub(super) struct Stop<'f>(pub(super) &'f AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Universe {
    /// Does something while writers change records on these nodes, and probers ask all nodes.
    pub(crate) fn under_load(&self, writers: &[&'static str], run: impl FnOnce()) -> Report {
        let (done, report) = (AtomicBool::new(false), Mutex::new(Report::default()));
        let is_done = || done.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            let _stop = Stop(&done);
            for node in ALL_NODES {
                let (address, report) = (self.address(node), &report);
                scope.spawn(move || {
                    let probed = self.network.on("client", || probe(address, is_done));
                    report.lock().unwrap().probed.insert(node, probed);
                });
            }
            for node in writers {
                let report = &report;
                scope.spawn(move || {
                    let written = self.network.on(node, || self.write(node, is_done));
                    report.lock().unwrap().written.insert(node, written);
                });
            }
            run();
        });
        report.into_inner().unwrap()
    }

    fn write(&self, node: &'static str, is_done: impl Fn() -> bool) -> Written {
        let mut written = Written::default();
        for number in 0.. {
            if is_done() {
                break;
            }
            let busy = (BUSY.to_owned(), format!("198.51.100.{}", number % 256));
            let own = (format!("n{number}.{node}.lab.test."), format!("203.0.113.{}", number % 256));
            let (name, address) = if number % 4 == 3 { busy } else { own };
            let began = Instant::now();
            match change(&self.client(node), &name, &address) {
                Ok(_) if name == BUSY => written.slowest = written.slowest.max(began.elapsed()),
                Ok(_) => {
                    written.slowest = written.slowest.max(began.elapsed());
                    let answer = try_ask(self.address(node), &name);
                    if answer.as_ref().is_some_and(|answer| answer.addresses != [address.as_str()]) {
                        written.unserved.push(format!("{name} is {answer:?}"));
                    }
                    written.acknowledged.push((name, address));
                }
                Err(why) => written.refused.push((began.elapsed(), why)),
            }
            sleep(BETWEEN_CHANGES);
        }
        written
    }

    /// All nodes have every acknowledged change, soon. Returns how long it took, and prints what
    /// happened.
    pub(crate) fn until_nothing_is_lost(&self, what: &str, report: &Report) -> Duration {
        let began = Instant::now();
        let written = report.written.values();
        let acknowledged: Vec<&(String, String)> = written.flat_map(|written| &written.acknowledged).collect();
        for node in ALL_NODES {
            let address = self.address(node);
            let is_there = |(name, expected): &(String, String)| {
                try_ask(address, name).is_some_and(|answer| answer.addresses == [expected.as_str()])
            };
            for change in &acknowledged {
                while !self.network.on("client", || is_there(change)) {
                    let log = || self.log(node);
                    assert!(began.elapsed() < PATIENCE, "{what}: {node} has lost {change:?}:\n{}", log());
                    sleep(Duration::from_millis(10));
                }
            }
        }
        let busy = || ALL_NODES.map(|node| self.ask(node, BUSY).map(|answer| answer.addresses));
        while busy().iter().any(|answer| *answer != busy()[0]) {
            assert!(began.elapsed() < PATIENCE, "{what}: nodes answer differently: {:?}", busy());
        }
        let took = began.elapsed();
        for (node, written) in &report.written {
            assert!(written.unserved.is_empty(), "{node} acknowledged and does not answer: {:?}", written.unserved);
            let (made, refused) = (written.acknowledged.len(), written.refused.len());
            println!("{what}: {node} made {made} changes, the slowest in {:?}, and refused {refused}", written.slowest);
            if let Some((slowest, why)) = written.refused.iter().max() {
                println!("{what}: the slowest refusal took {slowest:?}: {why}");
            }
        }
        for (node, Probed { right, unanswered, .. }) in &report.probed {
            println!("{what}: {node} gave {right} right answers; {unanswered} queries had none");
        }
        println!("{what}: all {} acknowledged changes are on all nodes after {took:?}", acknowledged.len());
        took
    }
}

impl Report {
    /// No node gave an answer that is empty, an error or wrong, and these nodes answered all
    /// queries.
    #[track_caller]
    pub(crate) fn never_wrong(&self, always: &[&str]) {
        for (node, probed) in &self.probed {
            assert!(probed.wrong.is_empty(), "{node}: {:?}", probed.wrong);
            // A datagram may be lost on a busy machine.
            let lost = if always.contains(node) { probed.right / 100 } else { u32::MAX };
            assert!(probed.right > 0 && probed.unanswered <= lost, "{node}: {probed:?}");
        }
    }

    /// The changes that were refused on a node, with how long that took.
    pub(crate) fn refused(&self, node: &str) -> &[(Duration, String)] {
        &self.written[node].refused
    }
}

/// Asks a node until it is done.
fn probe(address: SocketAddr, is_done: impl Fn() -> bool) -> Probed {
    let mut probed = Probed::default();
    let is_busy = |address: &String| address.starts_with("198.51.100.");
    while !is_done() {
        for name in [FIXED.0, BUSY] {
            match try_ask(address, name) {
                None => probed.unanswered += 1,
                Some(Answer { code: ResponseCode::NoError, addresses })
                    if addresses == [FIXED.1] && name == FIXED.0
                        || addresses.len() == 1 && addresses.iter().all(is_busy) && name == BUSY =>
                {
                    probed.right += 1;
                }
                Some(other) if probed.wrong.len() < 10 => probed.wrong.push(format!("{name} is {other:?}")),
                Some(_) => {}
            }
            sleep(BETWEEN_QUERIES);
        }
    }
    probed
}

/// Gives a name an address. Returns the id of the change, or the status and the reason.
pub(super) fn change(client: &Client, name: &str, address: &str) -> Result<String, String> {
    let body = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
         <Change><Action>UPSERT</Action><ResourceRecordSet><Name>{name}</Name><Type>A</Type><TTL>5</TTL><ResourceRecords>\
         <ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes>\
         </ChangeBatch></ChangeResourceRecordSetsRequest>"
    );
    match client.try_post("/hostedzone/Z0LAB/rrset/", &body) {
        None => Err("no response".to_owned()),
        Some(reply) if reply.status == 200 => Ok(reply.element("Id").to_owned()),
        Some(reply) => Err(format!("{}: {}", reply.status, reply.element("Message"))),
    }
}

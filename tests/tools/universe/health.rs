//! An endpoint that all nodes check, and what they say about it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::load::Stop;
use super::{ALL_NODES, ENDPOINT, UPLINK, Universe};
use crate::server::{PATIENCE, WebServer, try_ask};

/// A name that fails over from one address to another.
pub(crate) const CHECKED: &str = "app.lab.test.";
pub(crate) const PRIMARY: &str = "192.0.2.11";
pub(crate) const SECONDARY: &str = "192.0.2.12";

impl Universe {
    /// The same as [`Universe::new`], with more arguments of etcd, and a name that fails over by a
    /// check of the endpoint. Nodes that do not reach the uplink are isolated.
    pub(crate) fn with_checks(arguments: &[&str]) -> (Universe, WebServer, WebServer) {
        let check = |name: &str, address: &str| {
            format!(
                "[[health_check]]\nname = '{name}'\ntype = 'http'\nip_address = '{address}'\nport = 80\n\
                 request_interval = 1\nfailure_threshold = 2\n"
            )
        };
        let settings = "[health]\nsentinels = ['uplink']\nwait_for_first_result = '0s'\n";
        // The sentinel is in a file of each node.
        let universe = Universe::with(arguments, settings, &check("uplink", UPLINK));
        let endpoint = universe.start_endpoint();
        let uplink = universe.web_server("uplink", UPLINK);
        let record = |set: &str, role: &str, address: &str, check: &str| {
            format!(
                "[[record]]\nname = 'app'\ntype = 'A'\nset_identifier = '{set}'\nfailover = '{role}'\nttl = 5\n\
                 values = ['{address}']\n{check}"
            )
        };
        universe.apply(&format!(
            "{}{}{}",
            record("one", "primary", PRIMARY, "health_check = 'blue'\n"),
            record("two", "secondary", SECONDARY, ""),
            check("blue", ENDPOINT)
        ));
        universe.until_opinions(&ALL_NODES, &ALL_NODES, &[]);
        universe.until(&ALL_NODES, CHECKED, PRIMARY);
        (universe, endpoint, uplink)
    }

    /// Starts the endpoint, which stops when this is dropped.
    pub(crate) fn start_endpoint(&self) -> WebServer {
        self.web_server("endpoint", ENDPOINT)
    }

    fn web_server(&self, host: &str, address: &str) -> WebServer {
        self.network.on(host, || WebServer::start_at(format!("{address}:80").parse().unwrap()))
    }

    /// Waits until these nodes know that some consider the endpoint healthy and others do not, and
    /// that no other opinion counts.
    #[track_caller]
    pub(crate) fn until_opinions(&self, nodes: &[&str], healthy: &[&str], unhealthy: &[&str]) -> Duration {
        let began = Instant::now();
        for node in nodes {
            loop {
                let check = self.get(node, "/v1/health?name=blue&history=1")["checks"][0].clone();
                let stated = check["opinions"].as_array().cloned().unwrap_or_default();
                let with = |status: &str| {
                    let is_it = |stated: &&serde_json::Value| stated["counts"] == true && stated["status"] == status;
                    let mut names: Vec<String> =
                        stated.iter().filter(is_it).map(|stated| stated["node"].as_str().unwrap().to_owned()).collect();
                    names.sort_unstable();
                    names
                };
                if with("healthy") == healthy && with("unhealthy") == unhealthy {
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{node} has {stated:?}\n{}", self.log(node));
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        began.elapsed()
    }

    /// Does something while these nodes are asked for the name all the time: each answer has to be
    /// this address.
    #[track_caller]
    pub(crate) fn stays(&self, nodes: &[&str], address: &str, run: impl FnOnce()) {
        let (done, asked) = (AtomicBool::new(false), AtomicU32::new(0));
        let other = std::thread::scope(|scope| {
            let _stop = Stop(&done);
            let (done, asked) = (&done, &asked);
            let ask = |node: &str| {
                let server = self.address(node);
                self.network.on("client", || {
                    let mut other = None;
                    while !done.load(Ordering::Relaxed) && other.is_none() {
                        other = try_ask(server, CHECKED).filter(|answer| answer.addresses != [address]);
                        asked.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    other
                })
            };
            let asking: Vec<_> = nodes.iter().map(|node| scope.spawn(move || (*node, ask(node)))).collect();
            run();
            done.store(true, Ordering::Relaxed);
            asking.into_iter().map(|asking| asking.join().unwrap()).find(|(_, other)| other.is_some())
        });
        if let Some((node, answer)) = other {
            panic!("{node} answered {answer:?} instead of {address}:\n{}", self.log(node));
        }
        println!("{address} was the answer to all {asked:?} queries");
    }
}

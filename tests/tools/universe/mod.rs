//! Three members of an etcd, three nodes and their clients, each on a host of its own.
//!
//! ```text
//! etcd1  etcd2  etcd3    node1  node2  node3    client    endpoint  uplink
//!   └──────┴──────┴────────┴──────┴──────┴────────┴──────────┴────────┘
//! ```
//!
//! A bridge joins them, and any two can be separated.

mod etcd;
mod health;
mod load;
mod network;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::aws::Client;
use crate::server::{Answer, Lab, PATIENCE, Running, get, text, try_ask, wait_for};

pub(crate) use etcd::Member;
pub(crate) use health::{CHECKED, PRIMARY, SECONDARY};
pub(crate) use load::FIXED;
use network::Network;

const MEMBERS: [(&str, &str); 3] = [("etcd1", "10.53.0.1"), ("etcd2", "10.53.0.2"), ("etcd3", "10.53.0.3")];
/// Clients, an endpoint that is checked, and what shows a node that it is not isolated.
const OTHERS: [(&str, &str); 3] = [("client", "10.53.0.100"), ("endpoint", ENDPOINT), ("uplink", UPLINK)];
pub(crate) const ENDPOINT: &str = "10.53.0.51";
const UPLINK: &str = "10.53.0.52";
const NODES: [(&str, &str); 3] = [("node1", "10.53.0.11"), ("node2", "10.53.0.12"), ("node3", "10.53.0.13")];
pub(crate) const ALL_MEMBERS: [&str; 3] = ["etcd1", "etcd2", "etcd3"];
pub(crate) const ALL_NODES: [&str; 3] = ["node1", "node2", "node3"];
/// The zone of all tests: one name that stays, and one that writers change.
const ZONE: &str = "name = 'lab.test'\nid = 'Z0LAB'\n\
    [[record]]\nname = 'fixed'\ntype = 'A'\nttl = 5\nvalues = ['192.0.2.1']\n\
    [[record]]\nname = 'busy'\ntype = 'A'\nttl = 5\nvalues = ['198.51.100.0']\n";

/// All of them. What is first ends first.
pub(crate) struct Universe {
    nodes: Vec<Node>,
    members: Vec<Member>,
    pub(crate) network: Network,
}

struct Node {
    host: &'static str,
    lab: Lab,
    running: Mutex<Option<Running>>,
    client: Mutex<Option<Client>>,
}

impl Universe {
    /// All of them run, and all nodes have the zone.
    pub(crate) fn new() -> Universe {
        Universe::with(&[], "", "")
    }

    /// The same with more arguments of etcd, more settings of each node, and a file that each node
    /// has for itself.
    pub(crate) fn with(arguments: &[&str], settings: &str, own_file: &str) -> Universe {
        let mut network = Network::new();
        for (host, address) in MEMBERS.into_iter().chain(NODES).chain(OTHERS) {
            network.add(host, address);
        }
        let members: Vec<Member> = MEMBERS.iter().map(|(host, _)| Member::new(host, &MEMBERS, arguments)).collect();
        members.iter().for_each(|member| member.start(&network));
        let nodes = NODES.iter().map(|(host, address)| Node::new(host, address, settings, own_file)).collect();
        let universe = Universe { nodes, members, network };
        universe.members.iter().for_each(|member| member.wait(&universe.network));
        universe.apply("");
        ALL_NODES.iter().for_each(|node| universe.start_node(node));
        universe.until(&ALL_NODES, "fixed.lab.test.", "192.0.2.1");
        universe.until_status_is_complete();
        universe
    }

    /// Gives etcd the zone, with more records and checks.
    pub(crate) fn apply(&self, more: &str) {
        let lab = &self.node("node1").lab;
        let _ = std::fs::create_dir(lab.path("files"));
        lab.write("files/lab.test.toml", &(ZONE.to_owned() + more));
        self.run("node1", &["cluster", "apply", "files", "--yes"]).unwrap();
    }

    /// Runs a command on the host of a node. Returns its output, or else all that it wrote.
    pub(crate) fn run(&self, node: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.network.on(node, || self.node(node).lab.run(arguments));
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() { Ok(stdout) } else { Err(stdout + &stderr) }
    }

    /// Waits until all nodes are registered and have every change.
    pub(crate) fn until_status_is_complete(&self) -> Duration {
        let began = Instant::now();
        loop {
            let status = self.run("node1", &["cluster", "status"]);
            if status.as_ref().is_ok_and(|status| status.matches("has every change").count() == NODES.len()) {
                return began.elapsed();
            }
            let logs = || ALL_NODES.map(|node| self.log(node)).join("\n");
            assert!(began.elapsed() < PATIENCE, "not every node has every change: {status:?}\n{}", logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn member(&self, host: &str) -> &Member {
        self.members.iter().find(|member| member.host == host).unwrap()
    }

    /// The leader of etcd, and the other members.
    pub(crate) fn leader_and_others(&self) -> (&'static str, Vec<&'static str>) {
        let leader = wait_for("leader", || self.members.iter().find(|member| member.is_leader(&self.network))).host;
        (leader, ALL_MEMBERS.into_iter().filter(|host| *host != leader).collect())
    }

    pub(crate) fn start_member(&self, host: &str) {
        self.member(host).start(&self.network);
    }

    /// Sends a request to the gateway of a member.
    pub(crate) fn post(&self, host: &str, path: &str, body: &str) -> Result<String, String> {
        self.member(host).post(&self.network, path, body)
    }

    fn node(&self, host: &str) -> &Node {
        self.nodes.iter().find(|node| node.host == host).unwrap()
    }

    pub(crate) fn lab(&self, host: &str) -> &Lab {
        &self.node(host).lab
    }

    pub(crate) fn start_node(&self, host: &str) {
        self.start_node_with(host, &[]);
    }

    /// Starts a node with these variables of its environment.
    pub(crate) fn start_node_with(&self, host: &str, variables: &[(&str, &str)]) {
        let node = self.node(host);
        let running = self.network.on(host, || node.lab.serve_with(&[], variables));
        *node.client.lock().unwrap() = Some(Client::of(&running, "test", "test"));
        *node.running.lock().unwrap() = Some(running);
    }

    /// Ends a node as a power cut does.
    pub(crate) fn kill_node(&self, host: &str) {
        drop(self.node(host).running.lock().unwrap().take());
    }

    /// Stops a node as an init system does.
    pub(crate) fn stop_node(&self, host: &str) {
        let running = self.node(host).running.lock().unwrap().take();
        assert!(running.unwrap().stop().success());
    }

    pub(crate) fn signal_node(&self, host: &str, signal: &str) {
        self.node(host).running.lock().unwrap().as_ref().unwrap().signal(signal);
    }

    pub(crate) fn log(&self, host: &str) -> String {
        self.node(host).running.lock().unwrap().as_ref().map(Running::log).unwrap_or_default()
    }

    pub(crate) fn wait_for_log(&self, host: &str, text: &str) {
        let began = Instant::now();
        while !self.log(host).contains(text) {
            assert!(began.elapsed() < PATIENCE, "{host} does not log `{text}`:\n{}", self.log(host));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The answer of a node to a client, unless there is none.
    pub(crate) fn ask(&self, node: &str, name: &str) -> Option<Answer> {
        let address = self.address(node);
        self.network.on("client", || try_ask(address, name))
    }

    fn address(&self, node: &str) -> SocketAddr {
        (self.network.address(node).parse::<std::net::Ipv4Addr>().unwrap(), 53).into()
    }

    /// Waits until these nodes answer so to a client. Returns how long it took.
    #[track_caller]
    pub(crate) fn until(&self, nodes: &[&str], name: &str, address: &str) -> Duration {
        let began = Instant::now();
        for node in nodes {
            loop {
                let answer = self.ask(node, name);
                if answer.as_ref().is_some_and(|answer| answer.addresses == [address]) {
                    break;
                }
                let log = || self.log(node);
                assert!(began.elapsed() < PATIENCE, "{name} on {node} is {answer:?}, not {address}:\n{}", log());
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        began.elapsed()
    }

    /// Gives a name an address through the API of a node. Returns the id of the change, or the
    /// status and the reason.
    pub(crate) fn change(&self, node: &str, name: &str, address: &str) -> Result<String, String> {
        let client = self.client(node);
        self.network.on(node, || load::change(&client, name, address))
    }

    /// Changes until it works. Returns how long it took.
    #[track_caller]
    pub(crate) fn change_when_possible(&self, node: &str, name: &str, address: &str) -> Duration {
        let began = Instant::now();
        loop {
            match self.change(node, name, address) {
                Ok(_) => return began.elapsed(),
                Err(why) => assert!(began.elapsed() < PATIENCE, "{node}: {why}\n{}", self.log(node)),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same by the command line, which says why a node refuses it. Returns how long that took,
    /// too.
    pub(crate) fn refusal(&self, node: &str, name: &str) -> (Duration, String) {
        let admin = self.node(node).running.lock().unwrap().as_ref().unwrap().admin();
        let began = Instant::now();
        let refused = self.run(node, &["record", "set", name, "A", "192.0.2.9", "--admin", &admin]);
        let refused = refused.expect_err("a change that cannot be made");
        println!("{node} refused after {:?}: {}", began.elapsed(), refused.trim());
        (began.elapsed(), refused)
    }

    /// What GetChange says on a node.
    pub(crate) fn status_of(&self, node: &str, id: &str) -> String {
        let client = self.client(node);
        self.network.on(node, || client.get(id).element("Status").to_owned())
    }

    /// What the admin side of a node responds.
    pub(crate) fn get(&self, node: &str, path: &str) -> serde_json::Value {
        let admin = self.node(node).running.lock().unwrap().as_ref().unwrap().admin();
        let body = self.network.on(node, || get(&admin, path, "application/json")).unwrap();
        serde_json::from_str(&body).unwrap()
    }

    fn client(&self, node: &str) -> Client {
        self.node(node).client.lock().unwrap().clone().unwrap()
    }
}

impl Node {
    fn new(host: &'static str, address: &str, settings: &str, own_file: &str) -> Node {
        let lab = Lab::new(&[("own.toml", own_file)]);
        let endpoints: Vec<String> = MEMBERS.iter().map(|(_, address)| format!("'http://{address}:2379'")).collect();
        lab.write(
            "fiftythree.toml",
            &format!(
                "[dns]\nlisten = ['{address}:53']\n[zones]\ndirectory = 'zones'\n[state]\ndirectory = 'state'\n\
                 [admin]\nlisten = '127.0.0.1:0'\n[api]\nlisten = ['127.0.0.1:0']\n[rate_limit]\nenabled = false\n\
                 [cluster]\nendpoints = [{}]\nnode = '{host}'\n{settings}",
                endpoints.join(", ")
            ),
        );
        Node { host, lab, running: Mutex::default(), client: Mutex::default() }
    }
}

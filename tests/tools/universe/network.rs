//! Network namespaces joined by a bridge, so that a link can be cut and two hosts can be separated.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::server::text;

/// A packet for this address of Ethernet reaches nobody.
const NOBODY: &str = "02:53:00:00:00:00";

/// A network of its own, gone when it is dropped.
pub(crate) struct Network {
    /// The names of its namespaces begin with it.
    prefix: String,
    hosts: Vec<(String, String)>,
}

impl Network {
    pub(crate) fn new() -> Network {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_those_of_dead_processes();
        let prefix = format!("53-{}-{}-", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Network { prefix, hosts: Vec::new() };
        let switch = network.namespace("switch");
        ip(&format!("netns add {switch}"));
        ip(&format!("-n {switch} link add bridge type bridge"));
        ip(&format!("-n {switch} link set bridge up"));
        network
    }

    /// Adds a host with this address.
    pub(crate) fn add(&mut self, host: &str, address: &str) {
        let (switch, namespace) = (self.namespace("switch"), self.namespace(host));
        ip(&format!("netns add {namespace}"));
        self.hosts.push((host.to_owned(), address.to_owned()));
        ip(&format!("-n {switch} link add {host} type veth peer name eth0 netns {namespace}"));
        ip(&format!("-n {switch} link set {host} master bridge up"));
        ip(&format!("-n {namespace} address add {address}/24 dev eth0"));
        ip(&format!("-n {namespace} link set eth0 up"));
        ip(&format!("-n {namespace} link set lo up"));
    }

    /// Runs something on a host: its sockets and processes belong there.
    pub(crate) fn on<T: Send>(&self, host: &str, run: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.namespace(host))).unwrap();
        let enter_and_run = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            run()
        };
        std::thread::scope(|scope| scope.spawn(enter_and_run).join()).unwrap_or_else(|panic| {
            // The message of the assertion is printed already.
            std::panic::resume_unwind(panic)
        })
    }

    /// No packet between a host of the one side and a host of the other arrives, and nobody is
    /// told.
    pub(crate) fn separate(&self, one: &[&str], other: &[&str]) {
        self.each_pair(one, other, |namespace, address| {
            ip(&format!("-n {namespace} neighbour replace {address} lladdr {NOBODY} dev eth0 nud permanent"));
        });
    }

    /// Undoes it.
    pub(crate) fn rejoin(&self, one: &[&str], other: &[&str]) {
        self.each_pair(one, other, |namespace, address| {
            ip(&format!("-n {namespace} neighbour delete {address} dev eth0"));
        });
    }

    fn each_pair(&self, one: &[&str], other: &[&str], change: impl Fn(&str, &str)) {
        for (here, there) in one.iter().flat_map(|here| other.iter().map(move |there| (here, there))) {
            change(&self.namespace(here), self.address(there));
            change(&self.namespace(there), self.address(here));
        }
    }

    pub(crate) fn address(&self, host: &str) -> &str {
        &self.hosts.iter().find(|(name, _)| name == host).unwrap().1
    }

    fn namespace(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        remove(|name| name.starts_with(&self.prefix));
    }
}

/// A test that was killed left its namespaces.
fn remove_those_of_dead_processes() {
    remove(|name| {
        let owner = name.strip_prefix("53-").and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        owner.is_some_and(|id| !std::fs::exists(format!("/proc/{id}")).unwrap())
    });
}

/// Ends the processes of these namespaces, and removes them.
fn remove(is_one: impl Fn(&str) -> bool) {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_one(name)) {
        let quiet = |arguments: &[&str]| {
            Command::new("ip").arg("netns").args(arguments).stderr(Stdio::null()).output().unwrap().stdout
        };
        for id in text(&quiet(&["pids", &name])).lines() {
            let _ = Command::new("kill").args(["-s", "KILL", id]).stderr(Stdio::null()).status();
        }
        quiet(&["delete", &name]);
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", text(&output.stderr));
}

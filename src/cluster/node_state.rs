//! The state of a node, as the others know it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::config::{Settings, is_node_name};
use crate::visible_text::visible;

use super::etcd::KeyValue;
use super::keys::{hash_of, parse};

/// The state of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeState {
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// The addresses on which it answers queries.
    #[serde(default)]
    pub(crate) addresses: Vec<String>,
    /// The version of the program.
    pub(crate) version: String,
    /// When it started, in milliseconds since 1970. Another run of the node has another.
    pub(crate) started: u64,
    /// The machine and state directory: a later run there takes the place of an earlier one. Empty
    /// if it is not known.
    #[serde(default)]
    pub(crate) home: String,
    /// It answers with every change up to this revision.
    pub(crate) revision: i64,
    /// How many files of the cluster it has; `None` of a node of a version that did not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<usize>,
    /// The hash of each group of its own settings that changes answers.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
}

impl NodeState {
    /// Whether another state is of this run, or of an earlier one of the same node. A node with the
    /// same name elsewhere is another one.
    pub(super) fn continues(&self, other: &NodeState) -> bool {
        let is_earlier = !self.home.is_empty() && other.started < self.started;
        self.home == other.home && (is_earlier || other.started == self.started)
    }

    /// Such as `192.0.2.1:53`; where it says nothing, its version.
    pub(crate) fn place(&self) -> String {
        match self.addresses.is_empty() {
            true => format!("an unknown address, version {}", self.version),
            false => self.addresses.join(" "),
        }
    }

    /// The groups of settings that differ from those of this node.
    pub(crate) fn settings_that_differ_from(&self, other: &NodeState) -> Vec<String> {
        let differs = |(group, hash): &(&String, &String)| other.settings.get(*group) != Some(*hash);
        self.settings.iter().filter(differs).map(|(group, _)| group.clone()).collect()
    }
}

/// The nodes that live, by name.
pub(crate) type Nodes = Arc<BTreeMap<String, NodeState>>;

/// The node that a key is about. What cannot be read does not count; the error says why.
pub(crate) fn node(pair: &KeyValue, prefix: &str) -> Result<(String, NodeState), String> {
    let name = pair.key.strip_prefix(prefix).filter(|name| is_node_name(name));
    let name = name.ok_or_else(|| format!("{} is not the name of a node", visible(&pair.key)))?;
    let mut state: NodeState = parse(pair)?;
    // Anyone who can write to etcd can write anything.
    let texts = state.region.iter_mut().chain(&mut state.addresses).chain([&mut state.version]);
    texts.for_each(|text| *text = visible(text));
    Ok((name.to_owned(), state))
}

/// The hash of each group of settings that changes answers and is not shared.
pub(crate) fn settings_hashes(settings: &Settings, secret_id: &str) -> BTreeMap<String, String> {
    let Settings { dns, location, vpcs, api, cluster, .. } = settings;
    let groups = [
        ("cluster.secret_file", secret_id.to_owned()),
        ("dns.name_servers", format!("{:?}", dns.name_servers)),
        ("dns.udp_payload_max", format!("{:?}", dns.udp_payload_max)),
        ("location.client_subnet", format!("{:?}", location.use_client_subnet)),
        ("location.latency", format!("{:?}", location.latency)),
        ("location.network", format!("{:?}", location.networks)),
        ("vpc", format!("{vpcs:?}")),
        ("cluster.agreement", format!("{:?}", cluster.as_ref().map(|cluster| cluster.agreement))),
        ("api.trust", format!("{:?}", api.as_ref().map(|api| &api.trust))),
    ];
    // Enough to see a difference.
    groups.map(|(group, text)| (group.to_owned(), hash_of(&text)[..12].to_owned())).into()
}

/// A hash of the machine's name and of the state directory; empty if it cannot be read.
pub(crate) fn home(state_directory: &Path) -> String {
    let of = || {
        let (directory, host) = (state_directory.canonicalize()?, std::fs::read("/proc/sys/kernel/hostname")?);
        let text = format!("{}\n{}", String::from_utf8_lossy(&host), directory.display());
        std::io::Result::Ok(hash_of(&text)[..16].to_owned())
    };
    of().unwrap_or_default()
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_run_on_the_same_machine_takes_the_place_of_an_earlier_one() {
        let run = |home: &str, started| NodeState { home: home.to_owned(), started, ..NodeState::default() };
        let own = run("here", 20);
        for (other, continues) in [
            (run("here", 20), true),
            (run("here", 10), true),
            (run("here", 30), false),
            (run("there", 10), false),
            (run("there", 20), false),
            (run("", 10), false),
        ] {
            assert_eq!(own.continues(&other), continues, "{other:?}");
        }
        assert!(!run("", 20).continues(&run("", 10)), "an unknown home is no home");
        assert!(run("", 20).continues(&run("", 20)), "it is the same run");
    }

    #[test]
    fn a_home_is_a_machine_and_a_directory() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(home(one.path()), home(&one.path().join(".")));
        assert_ne!(home(one.path()), home(two.path()));
        assert_eq!(home(&one.path().join("missing")), "");
    }
}

//! What `fiftythree cluster status` shows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::{ClusterStatus, NodeState};
use crate::model::Agreement;

use super::disagreements::Disagreement;
use super::files;

/// It may be new, or have lost its data: nodes believe neither.
const NO_CONFIGURATION: &str = "etcd has no configuration: run `fiftythree cluster apply`; if etcd has lost it, nodes serve \
the files that they have\n";

/// What etcd and the nodes have.
pub(super) struct StatusReport {
    pub(super) files: usize,
    /// Whether etcd has a version of the layout.
    pub(super) has_version: bool,
    /// The files that are damaged, with the reason.
    pub(super) damaged: BTreeMap<String, String>,
    pub(super) cookies: CookieSecretsOfNodes,
    /// As the settings of this node say.
    pub(super) agreement: Agreement,
    pub(super) disagreements: Vec<Disagreement>,
    pub(super) etcd: ClusterStatus,
}

/// Which secrets of DNS cookies the nodes have.
pub(super) enum CookieSecretsOfNodes {
    /// The same.
    Shared,
    /// Those of each node, for this reason.
    OfEachNode(&'static str),
    /// What etcd has cannot be used.
    Unusable(String),
}

impl StatusReport {
    /// Whether nothing is wrong.
    pub(super) fn is_good(&self) -> bool {
        let first = self.etcd.nodes.values().next();
        let is_good = |node: &NodeState| {
            node.revision >= self.etcd.revision && node.settings_that_differ_from(first.unwrap_or(node)).is_empty()
        };
        self.etcd.nodes.values().all(is_good)
            && !matches!(self.cookies, CookieSecretsOfNodes::Unusable(_))
            && self.damaged.is_empty()
            && self.etcd.refused.is_empty()
            && self.etcd.unreadable.is_empty()
            && self.has_version
    }

    pub(super) fn json(&self) -> Value {
        let StatusReport { files, has_version, damaged, cookies, agreement: _, disagreements, etcd } = self;
        json!({
            "files": files, "has_version": has_version, "revision": etcd.revision, "nodes": etcd.nodes,
            "refused": etcd.refused, "unreadable_nodes": etcd.unreadable, "unreachable_agreement": self.missing_nodes(),
            "cookie_secrets_shared": matches!(cookies, CookieSecretsOfNodes::Shared),
            "differing_opinions": disagreements, "damaged": damaged,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = match (self.has_version, self.files) {
            (true, count) => format!("{}, last changed at revision {}\n", files(count), self.etcd.revision),
            (false, 0) => NO_CONFIGURATION.to_owned(),
            (false, count) => format!("{}, but not all: run `fiftythree cluster apply` again\n", files(count)),
        };
        text.extend(self.damaged.values().map(|line| format!("{line}\n")));
        text += &match &self.cookies {
            CookieSecretsOfNodes::Shared => "the nodes share the secrets of DNS cookies\n".to_owned(),
            CookieSecretsOfNodes::OfEachNode(why) => format!("each node has its own secrets of DNS cookies: {why}\n"),
            CookieSecretsOfNodes::Unusable(why) => format!("{why}\n"),
        };
        let first = self.etcd.nodes.values().next();
        for (name, node) in &self.etcd.nodes {
            text += &line(name, node, self.etcd.revision, first.unwrap_or(node));
        }
        for (name, second) in &self.etcd.refused {
            let place = second.place();
            text += &format!(
                "a second server has the name {name}, at {place}: it does not count; give it another `node`\n"
            );
        }
        text.extend(self.etcd.unreadable.iter().map(|why| format!("a node does not count: {why}\n")));
        if let Some(count) = self.missing_nodes() {
            let live = self.etcd.nodes.len();
            text += &format!("`agreement = {count}` is more than the {live} nodes: all of them must agree\n");
        }
        text.extend(self.disagreements.iter().map(Disagreement::line));
        text
    }

    /// How many nodes must consider an endpoint healthy, if that is more than are live.
    fn missing_nodes(&self) -> Option<u16> {
        let Agreement::AtLeast(count) = self.agreement else { return None };
        (usize::from(count) > self.etcd.nodes.len()).then_some(count)
    }
}

/// Such as `berlin-1  eu-central-1  192.0.2.1:53  0.1.0  2 files  has every change`.
fn line(name: &str, node: &NodeState, last: i64, first: &NodeState) -> String {
    let region = node.region.as_deref().unwrap_or("-");
    let count = node.files.map_or_else(|| "-".to_owned(), files);
    let behind = match node.revision >= last {
        true => "has every change".to_owned(),
        false => format!("is behind, at revision {}", node.revision),
    };
    let differing = node.settings_that_differ_from(first);
    let settings = match differing.is_empty() {
        true => String::new(),
        false => format!("; its settings differ: {}", differing.join(", ")),
    };
    format!("{name}  {region}  {}  {}  {count}  {behind}{settings}\n", node.addresses.join(" "), node.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_everything_that_is_wrong() {
        let node = |address: &str, revision| NodeState {
            addresses: vec![address.to_owned()],
            version: "0.1.0".to_owned(),
            files: (revision > 6).then_some(1),
            revision,
            ..NodeState::default()
        };
        let of = |name: &str, node| BTreeMap::from([(name.to_owned(), node)]);
        let etcd = ClusterStatus {
            revision: 7,
            nodes: of("one", node("192.0.2.1:53", 7)),
            refused: BTreeMap::new(),
            unreadable: Vec::new(),
        };
        let mut report = StatusReport {
            files: 1,
            has_version: true,
            damaged: BTreeMap::new(),
            cookies: CookieSecretsOfNodes::Shared,
            agreement: Agreement::AtLeast(1),
            disagreements: Vec::new(),
            etcd,
        };
        let good = "1 file, last changed at revision 7\nthe nodes share the secrets of DNS cookies\n\
                    one  -  192.0.2.1:53  0.1.0  1 file  has every change\n";
        assert_eq!((report.text().as_str(), report.is_good()), (good, true));
        report.etcd.refused = of("one", node("192.0.2.3:53", 7));
        assert!(!report.is_good());
        report.etcd.refused.clear();
        report.etcd.unreadable = vec![String::new()];
        assert!(!report.is_good());
        report.agreement = Agreement::AtLeast(3);
        report.etcd.nodes.extend(of("two", node("192.0.2.2:53", 6)));
        report.etcd.refused = of("one", node("192.0.2.3:53", 7));
        report.etcd.unreadable = vec!["/nodes/x cannot be read".to_owned()];
        let more = "two  -  192.0.2.2:53  0.1.0  -  is behind, at revision 6\n\
                    a second server has the name one, at 192.0.2.3:53: it does not count; give it another `node`\n\
                    a node does not count: /nodes/x cannot be read\n\
                    `agreement = 3` is more than the 2 nodes: all of them must agree\n";
        assert_eq!((report.text(), report.is_good()), (format!("{good}{more}"), false));
    }
}

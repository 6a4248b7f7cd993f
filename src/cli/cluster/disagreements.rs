//! The health checks on which the nodes of a cluster disagree.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::cli::output::first_of;
use crate::health::agreement::NodeOpinions;
use crate::health::{CheckFingerprint, Status};
use crate::model::HealthCheckId;
use crate::visible_text::visible;

/// How many nodes of each opinion a line names. Five show whether they have a region or a network
/// in common. All nodes of a cluster of 30 sites would fill the screen for each check.
const MOST_NODES: usize = 5;
/// How many characters of a node's reason are in a line. Every reason that a probe gives says
/// within these what happened. The rest is advice, or what the endpoint sent.
const MOST_CHARACTERS: usize = 80;

/// A check that some nodes consider healthy and others do not.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Disagreement {
    /// The id of the check.
    pub(super) id: String,
    /// Its name, if a file of the cluster defines it.
    pub(super) name: Option<String>,
    /// The nodes that consider it healthy.
    pub(super) healthy: Vec<String>,
    /// The nodes that do not, and their last results.
    pub(super) unhealthy: Vec<NodeReason>,
}

/// Why a node considers an endpoint unhealthy.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct NodeReason {
    pub(super) node: String,
    pub(super) reason: String,
}

/// The checks on which nodes that are not isolated disagree, in the order of their ids. Nodes that
/// ask something else under the same id do not disagree.
pub(super) fn disagreements(
    stated: &[(Arc<str>, Arc<NodeOpinions>)],
    names: &BTreeMap<HealthCheckId, String>,
) -> Vec<Disagreement> {
    let mut all: BTreeMap<(&str, u64), Disagreement> = BTreeMap::new();
    for (node, opinions) in stated.iter().filter(|(_, opinions)| !opinions.isolated) {
        for (check, opinion) in opinions.checks().checks().iter().zip(opinions.opinions()) {
            let Some(opinion) = opinion else { continue };
            let CheckFingerprint(fingerprint) = check.fingerprint;
            let of_check = all.entry((&check.id.0, fingerprint)).or_insert_with(|| Disagreement {
                id: check.id.0.clone(),
                name: names.get(&check.id).cloned(),
                healthy: Vec::new(),
                unhealthy: Vec::new(),
            });
            match opinion.status {
                Status::Healthy => of_check.healthy.push(node.to_string()),
                Status::Unhealthy => {
                    let reason = opinion.text.to_string();
                    of_check.unhealthy.push(NodeReason { node: node.to_string(), reason });
                }
            }
        }
    }
    all.into_values().filter(|one| !one.healthy.is_empty() && !one.unhealthy.is_empty()).collect()
}

impl Disagreement {
    /// Such as `opinions on blue differ: healthy on one; unhealthy on two (Failure: …)`.
    /// It has few nodes and short reasons; `--json` has all of them.
    pub(super) fn line(&self) -> String {
        let Disagreement { id, name, healthy, unhealthy } = self;
        let reason = |NodeReason { node, reason }: &NodeReason| match reason.is_empty() {
            true => node.clone(),
            false => format!("{node} ({})", shortened(reason)),
        };
        let unhealthy: Vec<String> = unhealthy.iter().map(reason).collect();
        let name = visible(name.as_ref().unwrap_or(id));
        let (healthy, unhealthy) = (first_of(healthy, MOST_NODES), first_of(&unhealthy, MOST_NODES));
        format!("opinions on {name} differ: healthy on {healthy}; unhealthy on {unhealthy}\n")
    }
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::agreement::{CheckList, Opinion};
    use crate::health::{Identity, Timestamp};

    #[test]
    fn only_nodes_that_ask_the_same_can_disagree() {
        let identity = |id: &str, fingerprint| {
            Arc::new(Identity { id: HealthCheckId(id.to_owned()), fingerprint: CheckFingerprint(fingerprint) })
        };
        let node = |name: &str, isolated, fingerprint, unhealthy: &str| {
            let list = Arc::new(CheckList::new([identity("a", 1), identity("b", fingerprint)]));
            let opinions = NodeOpinions::new(Timestamp::default(), isolated, list, |check| {
                let (status, text) = match check.id.0 == unhealthy {
                    true => (Status::Unhealthy, "Failure"),
                    false => (Status::Healthy, "Success"),
                };
                Some(Opinion { status, text: text.into(), age_s: 0 })
            });
            (name.into(), Arc::new(opinions))
        };
        let names = BTreeMap::from([(HealthCheckId("a".to_owned()), "blue".to_owned())]);
        let stated = [node("one", false, 2, ""), node("two", false, 3, "b"), node("three", true, 2, "a")];
        assert_eq!(disagreements(&stated, &names), []);
        let stated = [node("one", false, 2, ""), node("two", false, 2, "a"), node("four", false, 2, "b")];
        let lines: Vec<String> = disagreements(&stated, &names).iter().map(Disagreement::line).collect();
        assert_eq!(
            lines,
            [
                "opinions on blue differ: healthy on one, four; unhealthy on two (Failure)\n",
                "opinions on b differ: healthy on one, two; unhealthy on four (Failure)\n",
            ]
        );
    }

    #[test]
    fn a_line_has_few_nodes_and_short_reasons() {
        let reason = |number: usize| NodeReason { node: format!("n{number}"), reason: "é".repeat(100) };
        let one = Disagreement {
            id: "a\u{1b}[2J".to_owned(),
            name: None,
            healthy: (0..7).map(|number| format!("h{number}")).collect(),
            unhealthy: vec![reason(1)],
        };
        let short = "é".repeat(80);
        let line = format!(
            "opinions on a\u{fffd}[2J differ: healthy on h0, h1, h2, h3, h4 and 2 more; unhealthy on n1 ({short}…)\n"
        );
        assert_eq!(one.line(), line);
    }
}

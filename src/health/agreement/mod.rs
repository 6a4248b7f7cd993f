//! One opinion of health over several nodes.
//!
//! ```text
//!  this node's results ──▶ its own opinion ──┐
//!                                            ├──▶ Checkers ──▶ agreed_status ──▶ tracker
//!  etcd ──▶ NodeReader ──▶ OtherNodes ───────┘
//!  this node's opinions ──▶ wire ──▶ etcd
//! ```
//!
//! Every node probes every check and has its own opinion, as each of Route 53's health checkers
//! does. The agreed status is a function of the opinions alone, so nodes that know the same
//! opinions agree. An opinion counts while it is fresh, its node is not isolated, and it is
//! about the same probe: a node whose configuration is older may still probe another endpoint under
//! the same id.
//!
//! A check that is new, or asks something else than before, keeps its status until every node that
//! counts has an opinion on it, at most [`FIRST_OPINIONS_TICKS`]: otherwise the fastest node would
//! decide alone.
//!
//! A node that knows no fresh opinion of another uses its own. One that has none either, because it
//! is isolated or has no result yet, keeps the last agreed status.
//!
//! Nothing here depends on a clock of another node: freshness is counted in ticks of this one.

mod check_list;
mod node_opinions;
mod other_nodes;
mod reader;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use crate::model::Agreement;

use super::Status;

pub use check_list::{CheckList, ListHash, MAX_CHECKS};
pub use node_opinions::{NodeOpinions, Opinion};
pub use other_nodes::{FRESH_TICKS, NodeNews, OtherNode, OtherNodes};
pub use reader::NodeReader;
pub use wire::{MAX_VALUE_BYTES, WireError, encode_list, encode_opinions};

/// How many ticks of one second a check waits for the first opinions of all nodes. As long as a
/// node that starts waits before it states opinions: a probe that gets no answer takes nearly so
/// long.
pub const FIRST_OPINIONS_TICKS: u32 = 10;

/// How many checkers report about one check, and what they report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkers {
    /// How many consider the endpoint healthy.
    pub healthy: u32,
    /// How many have an opinion that counts.
    pub reporting: u32,
}

impl Checkers {
    /// These checkers and one more, if it has an opinion.
    #[must_use]
    pub fn and(self, opinion: Option<Status>) -> Checkers {
        let Checkers { healthy, reporting } = self;
        Checkers {
            healthy: healthy + u32::from(opinion == Some(Status::Healthy)),
            reporting: reporting + u32::from(opinion.is_some()),
        }
    }
}

/// A status that nodes agree on, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedStatus {
    /// The status.
    pub status: Status,
    /// The opinions that it follows from.
    pub checkers: Checkers,
    /// How many of them must be healthy.
    pub needed: u32,
}

/// The status that follows from these opinions; `None` without any: then the last agreed status
/// stays.
#[must_use]
pub fn agreed_status(agreement: Agreement, checkers: Checkers) -> Option<AgreedStatus> {
    let needed = agreement.needed(checkers.reporting);
    let status = if checkers.healthy >= needed { Status::Healthy } else { Status::Unhealthy };
    (checkers.reporting > 0).then_some(AgreedStatus { status, checkers, needed })
}

/// The wording for log lines.
impl fmt::Display for AgreedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AgreedStatus { checkers: Checkers { healthy, reporting }, needed, .. } = self;
        let nodes = if *reporting == 1 { "node considers" } else { "nodes consider" };
        write!(f, "{healthy} of {reporting} {nodes} it healthy, {needed} must")
    }
}

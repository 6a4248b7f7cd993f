//! What one node says about all checks.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Identity, Status, Timestamp};

use super::CheckList;

/// The opinions of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOpinions {
    /// When it stated them, by its own clock. For display only.
    pub at: Timestamp,
    /// All its sentinels are unhealthy, so its opinions do not count.
    pub isolated: bool,
    /// The AWS region that it is in or near. For display only.
    pub region: Option<Arc<str>>,
    /// Its address. For display only.
    pub address: Option<IpAddr>,
    checks: Arc<CheckList>,
    /// One for each check; `None` before its first result.
    opinions: Box<[Option<Opinion>]>,
}

/// One node's opinion on one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// Whether it considers the endpoint healthy. Inversion, `disabled` and overrides come later.
    pub status: Status,
    /// The last result in Route 53's wording. It can be empty.
    pub text: Arc<str>,
    /// The seconds from the last result until the node stated its opinions.
    pub age_s: u32,
}

impl Opinion {
    /// When the last result was, if the opinion is as old as it says at this time.
    #[must_use]
    pub fn checked_before(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_sub(Duration::from_secs(self.age_s.into())))
    }
}

impl NodeOpinions {
    /// The opinions that `opinion` gives for the checks of a list.
    #[must_use]
    pub fn new(
        at: Timestamp,
        isolated: bool,
        checks: Arc<CheckList>,
        opinion: impl FnMut(&Arc<Identity>) -> Option<Opinion>,
    ) -> NodeOpinions {
        let opinions = checks.checks().iter().map(opinion).collect();
        NodeOpinions { at, isolated, region: None, address: None, checks, opinions }
    }

    /// The same opinions, of a node that is there.
    #[must_use]
    pub fn located(self, region: Option<Arc<str>>, address: Option<IpAddr>) -> NodeOpinions {
        NodeOpinions { region, address, ..self }
    }

    /// The checks.
    #[must_use]
    pub fn checks(&self) -> &Arc<CheckList> {
        &self.checks
    }

    /// The opinion on the check with this index in the list.
    #[must_use]
    pub fn opinion(&self, index: usize) -> Option<&Opinion> {
        self.opinions.get(index)?.as_ref()
    }

    /// Whether it has an opinion on each check.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.opinions.iter().all(Option::is_some)
    }

    /// All opinions, in the order of the list.
    pub fn opinions(&self) -> impl ExactSizeIterator<Item = Option<&Opinion>> {
        self.opinions.iter().map(Option::as_ref)
    }

    /// When the node had its last result of this check, by its own clock.
    #[must_use]
    pub fn checked(&self, opinion: &Opinion) -> Timestamp {
        opinion.checked_before(self.at)
    }

    /// Whether it states the same statuses about the same checks. Texts and times may differ.
    #[must_use]
    pub fn agrees_with(&self, other: &NodeOpinions) -> bool {
        let statuses =
            |all: &NodeOpinions| all.opinions.iter().map(|one| one.as_ref().map(|one| one.status)).collect::<Vec<_>>();
        self.isolated == other.isolated
            && self.checks.hash() == other.checks.hash()
            && statuses(self) == statuses(other)
    }
}

//! What is kept of changes whose events were dropped: their ids, and caller references, which are
//! never used again.

use std::collections::{HashSet, VecDeque};

use crate::health::Timestamp;
use crate::objects::{ObjectId, Submission};

/// How many ids of changes are known.
const MOST_CHANGES: usize = 10_000;

/// A change that was made, as GetChange reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PastChange {
    /// When.
    pub(crate) at: Timestamp,
    /// Its id and comment.
    pub(crate) submission: Submission,
}

/// Whose caller reference it is. A hosted zone and a health check may have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ObjectKind {
    HostedZone,
    HealthCheck,
    CidrCollection,
    DelegationSet,
    TrafficPolicy,
    AliasTarget,
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    /// The latest changes, oldest first.
    pub(super) changes: VecDeque<PastChange>,
    /// Caller references of removed objects.
    pub(super) references: HashSet<(ObjectKind, String)>,
}

impl ObjectKind {
    pub(crate) fn of(id: &ObjectId) -> ObjectKind {
        match id {
            ObjectId::HostedZone(_) => ObjectKind::HostedZone,
            ObjectId::HealthCheck(_) => ObjectKind::HealthCheck,
            ObjectId::CidrCollection(_) => ObjectKind::CidrCollection,
            ObjectId::DelegationSet(_) => ObjectKind::DelegationSet,
            ObjectId::TrafficPolicy(_) => ObjectKind::TrafficPolicy,
            ObjectId::AliasTarget(_) => ObjectKind::AliasTarget,
        }
    }
}

impl Past {
    pub(super) fn add_change(&mut self, change: PastChange) {
        if self.changes.len() == MOST_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }
}

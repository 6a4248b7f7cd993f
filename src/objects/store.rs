//! The interface of the engines that keep objects.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

use super::{
    Change, CommitError, Object, ObjectId, ObjectWatcher, Position, Quotas, Revision, Snapshot, Transition,
    ZoneSummary, quota,
};
use crate::model::{CidrCollection, DelegationSet, HealthCheck, TrafficPolicy};

/// Keeps objects and changes them. A change that is acknowledged is durable, and is in the answers
/// to queries that are sent after the acknowledgement.
#[async_trait]
pub(crate) trait ObjectStore: Send + Sync {
    /// All hosted zones, without record sets.
    fn zones(&self) -> Vec<ZoneSummary>;

    /// All health checks.
    fn health_checks(&self) -> Arc<[HealthCheck]>;

    /// All CIDR collections.
    fn cidr_collections(&self) -> Vec<CidrCollection>;

    /// All reusable delegation sets.
    fn delegation_sets(&self) -> Vec<DelegationSet>;

    /// All traffic policies, deleted ones too.
    fn traffic_policies(&self) -> Vec<TrafficPolicy>;

    /// An object and its revision.
    async fn read(&self, id: &ObjectId) -> Result<(Revision, Object), CommitError>;

    /// Makes one change.
    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError>;

    /// What happens to objects after a position, or from now on, in the order in which it comes
    /// into force. An object that is read after its event is in that state or in a later one. To
    /// keep a copy of all objects: watch, then list, then apply the events; some of them may be in
    /// the list already.
    ///
    /// Nothing is missed silently: a watcher that is too slow, or begins too far back, gets
    /// [`ListAgain`](super::watch::ListAgain). A watcher delays no change.
    #[cfg_attr(not(test), expect(dead_code, reason = "the engines and their tests come first"))]
    fn watch(&self, after: Option<Position>) -> Box<dyn ObjectWatcher>;
}

/// A change, and what it is made by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Commit {
    /// The object.
    pub(crate) id: ObjectId,
    /// The revision that the object must have; `None` if it does not matter. The object of a
    /// [`Change::Revert`] must have exactly this one, and must not exist without one.
    pub(crate) expected: Option<Revision>,
    /// The change.
    pub(crate) change: Change,
    /// Who makes it, for the history.
    pub(crate) author: Author,
    /// How GetChange reports it; `None` if it does not.
    pub(crate) submission: Option<Submission>,
    /// The quotas that the change has to keep.
    pub(crate) quotas: Quotas,
}

impl Commit {
    /// Whether the object has the revision that it must have. `current` is `None` if it does not
    /// exist.
    pub(crate) fn may_follow(&self, current: Option<Revision>) -> bool {
        match (&self.change, self.expected) {
            // It states the whole object: what was changed after it was computed would be lost.
            (Change::Revert(_), expected) => current == expected,
            (_, expected) => expected.is_none() || current == expected,
        }
    }

    /// The error if the change exceeds a quota. `objects` are those before it.
    pub(crate) fn check_quotas(&self, objects: &dyn Snapshot, transition: &Transition) -> Result<(), CommitError> {
        match self.quotas {
            Quotas::Default => quota::check(objects, transition),
            Quotas::Unlimited => Ok(()),
        }
    }
}

/// Knows changes that other nodes made too.
pub(crate) trait ChangeTracker: Send + Sync {
    /// How far a change is; `None` if it is not known.
    fn progress(&self, id: &str) -> Option<ChangeProgress>;
}

/// How far a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangeProgress {
    /// The change.
    pub(crate) submission: Submission,
    /// When it was made.
    pub(crate) submitted_at: SystemTime,
    /// Whether every node answers with it.
    pub(crate) is_everywhere: bool,
}

/// A change as GetChange reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    /// The id of the change.
    pub(crate) id: String,
    /// The comment on it.
    pub(crate) comment: Option<String>,
}

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Author {
    /// For example `key AKIDEXAMPLE`, or `command line`.
    pub(crate) name: String,
    /// For example `ChangeResourceRecordSets`.
    pub(crate) operation: String,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Committed {
    /// The revision of the object now; `None` if it was removed.
    pub(crate) revision: Option<Revision>,
    /// The object now.
    pub(crate) object: Option<Object>,
}

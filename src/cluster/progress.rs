//! Which changes all nodes answer with: what GetChange reports.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::objects::{ChangeProgress, Submission};

use super::etcd::StoreRevision;
use super::keys::Entry;
use super::node_state::Nodes;

/// How many changes are known; older ones are forgotten.
const MOST_CHANGES: usize = 10_000;
/// A node that does not have a change after this long does not count.
const LAG: Duration = Duration::from_secs(30);

/// The changes of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<String, Made>,
    oldest_first: VecDeque<String>,
}

#[derive(Clone, Debug)]
struct Made {
    /// In milliseconds since 1970, by the clock of the node that made it.
    at: u64,
    /// When this node learned of it. The clocks of nodes may differ.
    known_since: Instant,
    comment: Option<String>,
    revision: StoreRevision,
}

impl Changes {
    /// Adds what a log entry tells, unless it is no change of the API.
    pub(super) fn add(&self, revision: StoreRevision, entry: &Entry) {
        self.add_at(revision, entry, Instant::now());
    }

    fn add_at(&self, revision: StoreRevision, entry: &Entry, known_since: Instant) {
        let Some((id, comment)) = entry.submission.clone() else { return };
        let mut known = self.lock();
        if known.by_id.insert(id.clone(), Made { at: entry.at, known_since, comment, revision }).is_none() {
            known.oldest_first.push_back(id);
        }
        while known.oldest_first.len() > MOST_CHANGES {
            let oldest = known.oldest_first.pop_front().expect("it has more than none");
            known.by_id.remove(&oldest);
        }
    }

    /// How far a change is, with these nodes.
    pub(super) fn progress(&self, id: &str, nodes: &Nodes) -> Option<ChangeProgress> {
        let Made { at, known_since, comment, revision } = self.lock().by_id.get(id).cloned()?;
        let is_old = known_since.elapsed() >= LAG;
        Some(ChangeProgress {
            submission: Submission { id: id.to_owned(), comment },
            submitted_at: UNIX_EPOCH + Duration::from_millis(at),
            is_everywhere: is_old || nodes.values().all(|node| node.revision >= revision),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing is half done when a thread panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cluster::node_state::NodeState;

    #[test]
    fn a_change_is_everywhere_when_every_node_has_it_or_is_too_slow() {
        // The clock of the node that made it may be wrong.
        let entry = |id: &str, at: u64| Entry {
            write: String::new(),
            node: "one".to_owned(),
            at,
            author: None,
            submission: Some((id.to_owned(), None)),
            delta: None,
        };
        let nodes = |revisions: &[i64]| -> Nodes {
            let node =
                |revision: &i64| (revision.to_string(), NodeState { revision: *revision, ..NodeState::default() });
            Arc::new(revisions.iter().map(node).collect())
        };
        let changes = Changes::default();
        changes.add(7, &entry("C1", 0));
        changes.add_at(7, &entry("C2", u64::MAX / 2), Instant::now() - LAG);
        let is_everywhere = |id: &str, revisions: &[i64]| {
            changes.progress(id, &nodes(revisions)).map(|progress| progress.is_everywhere)
        };
        assert_eq!(is_everywhere("C1", &[7, 6]), Some(false));
        assert_eq!(is_everywhere("C1", &[7, 8]), Some(true));
        assert_eq!(is_everywhere("C2", &[7, 6]), Some(true));
        assert_eq!(is_everywhere("C3", &[7]), None);
    }
}

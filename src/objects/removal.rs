//! Large removals: a change that removes many record sets of a zone is refused unless the caller
//! says that it is meant (`[api] largest_removal`).

use std::collections::HashSet;
use std::sync::Arc;

use super::Snapshot;
use crate::model::{ChangeBatch, RecordSetKey, ResourceRecordSet};

/// In the Comment of a ChangeBatch, this allows any removal.
pub(crate) const FORCED_REMOVAL: &str = "largest_removal=force";

/// How a caller of the API makes a large removal anyway.
pub(crate) const FORCE_BY_API: &str = "put largest_removal=force into the Comment of the batch";

/// How a user of the commands does. They write the comment.
pub(crate) const FORCE_BY_COMMAND: &str = "`fiftythree change --force`";

/// Zones with fewer record sets are not protected: there, a few record sets are a large share.
const FEWEST: usize = 20;

/// Whether the caller of a batch says that it may remove any number of record sets.
pub(super) fn is_forced(batch: &ChangeBatch) -> bool {
    batch.comment.as_ref().is_some_and(|comment| comment.contains(FORCED_REMOVAL))
}

/// Why a change may not be made that leaves `after` of the record sets `before`. How to force it
/// depends on who makes it.
pub(crate) fn removal_problem(
    objects: &dyn Snapshot,
    before: &[Arc<ResourceRecordSet>],
    after: &[Arc<ResourceRecordSet>],
) -> Option<String> {
    let limit = objects.largest_removal().filter(|_| before.len() >= FEWEST)?;
    // Sets that are the same are shared.
    let kept: HashSet<*const ResourceRecordSet> = after.iter().map(Arc::as_ptr).collect();
    let gone: Vec<&Arc<ResourceRecordSet>> = before.iter().filter(|set| !kept.contains(&Arc::as_ptr(set))).collect();
    if !limit.is_exceeded(gone.len(), before.len()) {
        return None;
    }
    let keys: HashSet<RecordSetKey> = after.iter().map(|set| set.key()).collect();
    let removed = gone.iter().filter(|set| !keys.contains(&set.key())).count();
    limit.is_exceeded(removed, before.len()).then(|| {
        format!(
            "The change removes {removed} of the {} resource record sets of the hosted zone, and at most {limit} are \
             allowed ([api] largest_removal)",
            before.len()
        )
    })
}

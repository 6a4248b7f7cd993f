//! Notices for the webhook: changes of health, in a bounded queue.

use std::sync::Arc;

use crate::health::{CheckSlot, Status, Timestamp};
use crate::model::HealthCheckId;

use super::Control;

/// How many records a notice lists.
const LISTED_RECORDS: usize = 20;

/// A change of health, for the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What changed.
    pub(crate) what: HealthNoticeKind,
    /// When it changed.
    pub(crate) at: Timestamp,
    /// The reason, as the log and the API show it.
    pub(crate) why: Arc<str>,
    /// How many notices were dropped before this one because the queue was full.
    pub(crate) lost: u64,
}

/// The kinds of notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HealthNoticeKind {
    /// The status of a check changed to the opposite one.
    StatusChanged(NoticeCheck),
    /// A drain is complete: no weight is left. The status of the check is unchanged.
    Drained(NoticeCheck),
    /// All of these sentinels are unhealthy; probe results are ignored.
    ServerIsolated(Vec<Arc<str>>),
    /// At least one of these sentinels is healthy again.
    ServerReconnected(Vec<Arc<str>>),
}

/// The check that a notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoticeCheck {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its id in the API.
    pub(crate) id: HealthCheckId,
    /// Its current status.
    pub(crate) status: Status,
    /// The first records that use it.
    pub(crate) records: Vec<String>,
    /// How many records use it.
    pub(crate) record_count: usize,
}

impl Control {
    pub(super) fn notice_check(&self, slot: CheckSlot, status: Status) -> Option<NoticeCheck> {
        let (identity, _) = self.tracker.saved_state_of(slot)?;
        let records = self.records_by_check.all_of(slot);
        Some(NoticeCheck {
            name: Arc::clone(self.tracker.name(slot)?),
            id: identity.id.clone(),
            status,
            records: records.iter().take(LISTED_RECORDS).cloned().collect(),
            record_count: records.len(),
        })
    }

    /// Queues a notice without waiting. If the queue is full, the notice is dropped and counted;
    /// the next notice reports the count.
    pub(super) fn queue_notice(&mut self, what: HealthNoticeKind, why: Arc<str>, at: Timestamp) {
        match self.outputs.notices.try_send(Notice { what, at, why, lost: self.notices_lost }) {
            Ok(()) => self.notices_lost = 0,
            Err(_) => self.notices_lost += 1,
        }
    }
}

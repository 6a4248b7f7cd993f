//! What is reported after a batch of events is published: to the log, the webhook, the event log,
//! and to those who changed an override.

use std::sync::Arc;

use crate::health::{CheckSlot, Connectivity, Override, Timestamp, Transition};

use super::override_outcome::{Answer, OverrideOutcome};

/// One thing to report.
pub(super) enum Announcement {
    /// The final status of a check changed. The status is that of the last probe, or the cause.
    StatusChanged {
        transition: Transition,
        status: String,
        why: Arc<str>,
    },
    /// A drain is complete.
    Drained {
        slot: CheckSlot,
        why: Arc<str>,
        at: Timestamp,
    },
    /// This server became isolated or is connected again.
    Connectivity {
        change: Connectivity,
        sentinels: Vec<Arc<str>>,
        at: Timestamp,
    },
    /// An override was set, was cleared or has ended.
    OverrideSet(Override, Timestamp),
    OverrideCleared(Override, Timestamp),
    OverrideEnded(Override, Timestamp),
    /// A change of overrides to save and then to answer.
    Answer {
        line: String,
        outcome: OverrideOutcome,
        answer: Answer,
    },
}

//! Detects that this server is offline: while all sentinels are unhealthy, probe results are
//! ignored.

use std::sync::Arc;
use std::time::Duration;

use crate::health::{CheckBits, CheckSlot, Connectivity, Observation, Status, Timestamp};

use super::announcement::Announcement;
use super::{Control, EventKind, HealthNoticeKind, Observed};

impl Control {
    /// Sets the sentinels, after a load.
    pub(super) fn set_sentinels(&mut self) {
        let slots: Vec<CheckSlot> =
            self.base.sentinels.iter().filter_map(|sentinel| self.tracker.slot_of(sentinel)).collect();
        self.sentinels.set(slots);
    }

    /// Whether a result must not change any status: this server is offline, or was when the probe
    /// began, or a sentinel has had no result yet.
    pub(super) fn is_unreliable(&self, observed: &Observed, at: Timestamp) -> bool {
        let slot = observed.slot;
        let began = Timestamp(at.0.saturating_sub(observed.took));
        if !self.sentinels.accepts_result(slot, began) {
            return true;
        }
        let is_first_failure = observed.observation.shown() == Observation::Fail && self.tracker.is_pending(slot);
        is_first_failure
            && !self.sentinels.contains(slot)
            && self.sentinels.slots().any(|slot| self.tracker.is_pending(slot))
    }

    /// How long the server has been offline since the last tick; `None` if it is online.
    pub(super) fn isolated_for(&self, at: Timestamp) -> Option<Duration> {
        let since = self.sentinels.isolated_since()?;
        Some(at.since(self.ticked.max(since)))
    }

    /// Checks the sentinels after statuses changed.
    pub(super) fn check_connectivity(&mut self, at: Timestamp) {
        // What other nodes see of a sentinel says nothing about the connectivity of this one.
        let is_down = |slot: &CheckSlot| self.tracker.own_status(*slot) == Some(Status::Unhealthy);
        let own = CheckBits::with_unhealthy(self.sentinels.slots().filter(is_down));
        let Some(change) = self.sentinels.evaluate(&own, at) else { return };
        if change == Connectivity::Isolated {
            // Failures shortly before may have had the same cause.
            let sentinels = &self.sentinels;
            self.tracker.reset_streaks(&|slot| sentinels.contains(slot));
        }
        self.agree_on_all(at);
        self.save_all(at);
        let sentinels = self.sentinels.slots().filter_map(|slot| self.tracker.name(slot).cloned()).collect();
        self.unpublished.report(Announcement::Connectivity { change, sentinels, at });
    }

    /// Reports that this server became isolated or is connected again.
    pub(super) fn announce_connectivity(&mut self, change: Connectivity, sentinels: &[Arc<str>], at: Timestamp) {
        let (names, sentinels) = (sentinels.join(", "), sentinels.to_vec());
        let (notice, event, why) = match change {
            Connectivity::Isolated => {
                let why = format!("all sentinels are unhealthy ({names})");
                tracing::error!(
                    "this server is isolated: {why}; results of other checks are ignored until one recovers"
                );
                let event = EventKind::ServerIsolated { sentinels: sentinels.clone() };
                (HealthNoticeKind::ServerIsolated(sentinels), event, why)
            }
            Connectivity::Reconnected => {
                let why = "not all sentinels are unhealthy any more".to_owned();
                tracing::warn!("this server is connected again: {why}; results of other checks count from now on");
                let event = EventKind::ServerReconnected { sentinels: sentinels.clone() };
                (HealthNoticeKind::ServerReconnected(sentinels), event, why)
            }
        };
        self.outputs.event_log.push(at, event);
        self.queue_notice(notice, why.into(), at);
    }
}

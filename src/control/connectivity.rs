//! Detects that this server is offline: while all sentinels are unhealthy, probe results are
//! ignored.

use std::sync::Arc;
use std::time::Duration;

use crate::health::{CheckSlot, Connectivity, Observation, Timestamp};

use super::{Control, EventKind, HealthNoticeKind, Notice, Observed};

impl Control {
    /// Sets the sentinels, after a load.
    pub(super) fn appoint_sentinels(&mut self) {
        let slots: Vec<CheckSlot> =
            self.base.sentinels.iter().filter_map(|sentinel| self.tracker.slot_of(sentinel)).collect();
        self.sentinels.appoint(slots);
    }

    /// Whether a result must not change any status: this server is offline, or was when the probe
    /// began, or a sentinel has had no result yet.
    pub(super) fn holds_back(&self, observed: &Observed, at: Timestamp) -> bool {
        let slot = observed.slot;
        let began = Timestamp(at.0.saturating_sub(observed.took));
        if !self.sentinels.let_count(slot, began) {
            return true;
        }
        let is_first_failure = observed.observation.shown() == Observation::Fail && self.tracker.is_pending(slot);
        is_first_failure
            && !self.sentinels.are(slot)
            && self.sentinels.slots().any(|slot| self.tracker.is_pending(slot))
    }

    /// How long the server has been offline since the last tick; `None` if it is online.
    pub(super) fn uplink_gone_for(&self, at: Timestamp) -> Option<Duration> {
        let since = self.sentinels.gone_since()?;
        Some(at.since(self.ticked.max(since)))
    }

    /// Checks the sentinels after statuses changed.
    pub(super) fn mind_uplink(&mut self, at: Timestamp) {
        let Some(uplink) = self.sentinels.look(&self.tracker.bits(), at) else { return };
        let names = self.sentinel_names();
        let (what, why) = match uplink {
            Connectivity::Gone => {
                // Failures shortly before may have had the same cause.
                let sentinels = &self.sentinels;
                self.tracker.reset_streaks(&|slot| sentinels.are(slot));
                let why = format!("all sentinels are unhealthy ({})", names.join(", "));
                tracing::error!(
                    "this server is isolated: {why}; results of other checks are ignored until one recovers"
                );
                (HealthNoticeKind::UplinkGone(names), why)
            }
            Connectivity::Back => {
                let why = "not all sentinels are unhealthy any more".to_owned();
                tracing::warn!("this server is connected again: {why}; results of other checks count from now on");
                (HealthNoticeKind::UplinkBack(names), why)
            }
        };
        self.remember_all(at);
        let sentinels = self.sentinel_names();
        self.outputs.feed.push(
            at,
            match uplink {
                Connectivity::Gone => EventKind::UplinkGone { sentinels },
                Connectivity::Back => EventKind::UplinkBack { sentinels },
            },
        );
        self.tell(Notice { what, at, why: why.into(), lost: 0 });
    }

    /// The names of the sentinels.
    pub(super) fn sentinel_names(&self) -> Vec<Arc<str>> {
        self.sentinels.slots().filter_map(|slot| self.tracker.name(slot).cloned()).collect()
    }
}

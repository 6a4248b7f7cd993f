//! Sentinels: checks that show whether this server has connectivity.
//!
//! ```text
//!             every sentinel is unhealthy            a sentinel is healthy
//!   connected ───────────────────────────▶ isolated ──────────────────────▶ connected
//!   results count                          only results of                  results of probes that
//!                                          sentinels count                  started since count
//! ```
//!
//! If all sentinels are unhealthy, this server is isolated; it is unlikely that all endpoints
//! failed at once. Its results for other endpoints then mean nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{CheckBits, CheckSlot, Timestamp};

/// Which checks are sentinels, and the state of this server's connectivity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentinels {
    slots: BTreeSet<CheckSlot>,
    /// Since when the server is isolated.
    isolated_since: Option<Timestamp>,
    /// When it last regained connectivity.
    reconnected_since: Timestamp,
}

/// A change of connectivity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// All sentinels are unhealthy.
    Isolated,
    /// A sentinel is healthy again, or there are no sentinels any more.
    Reconnected,
}

impl Sentinels {
    /// Replaces the set of sentinels.
    pub fn set(&mut self, slots: impl IntoIterator<Item = CheckSlot>) {
        self.slots = slots.into_iter().collect();
    }

    /// Whether this check is a sentinel.
    #[must_use]
    pub fn contains(&self, slot: CheckSlot) -> bool {
        self.slots.contains(&slot)
    }

    /// All sentinels.
    pub fn slots(&self) -> impl Iterator<Item = CheckSlot> {
        self.slots.iter().copied()
    }

    /// Since when the server is isolated, if it is.
    #[must_use]
    pub fn isolated_since(&self) -> Option<Timestamp> {
        self.isolated_since
    }

    /// Evaluates the final statuses and returns a change of connectivity, if any. Without sentinels
    /// the server is never isolated.
    pub fn evaluate(&mut self, final_statuses: &CheckBits, at: Timestamp) -> Option<Connectivity> {
        let is_isolated = !self.slots.is_empty() && self.slots.iter().all(|slot| !final_statuses.is_healthy(*slot));
        match (self.isolated_since, is_isolated) {
            (None, true) => {
                self.isolated_since = Some(at);
                Some(Connectivity::Isolated)
            }
            (Some(_), false) => {
                (self.isolated_since, self.reconnected_since) = (None, at);
                Some(Connectivity::Reconnected)
            }
            _ => None,
        }
    }

    /// Whether the result of a probe that began at this time counts. A probe that was in progress
    /// when connectivity returned does not count: its result may be due to the isolation.
    #[must_use]
    pub fn accepts_result(&self, slot: CheckSlot, began: Timestamp) -> bool {
        self.contains(slot) || self.isolated_since.is_none() && began >= self.reconnected_since
    }

    /// Adjusts to a clock that was set back by this much.
    pub fn clock_set_back(&mut self, by: Duration) {
        let earlier = |at: Timestamp| Timestamp(at.0.saturating_sub(by));
        self.isolated_since = self.isolated_since.map(earlier);
        self.reconnected_since = earlier(self.reconnected_since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    const GATEWAY: CheckSlot = CheckSlot(0);
    const ISP: CheckSlot = CheckSlot(7);
    const APP: CheckSlot = CheckSlot(9);

    #[test]
    fn the_server_is_isolated_only_while_all_are_unhealthy() {
        let mut sentinels = Sentinels::default();
        sentinels.set([GATEWAY, ISP]);
        let down = |slots: &[CheckSlot]| CheckBits::with_unhealthy(slots.iter().copied());
        for slots in [&[][..], &[GATEWAY], &[ISP], &[APP], &[GATEWAY, APP]] {
            assert_eq!(sentinels.evaluate(&down(slots), at(1)), None);
            assert!(sentinels.accepts_result(APP, at(1)));
        }
        assert_eq!(sentinels.evaluate(&down(&[GATEWAY, ISP]), at(10)), Some(Connectivity::Isolated));
        assert_eq!(sentinels.evaluate(&down(&[GATEWAY, ISP, APP]), at(11)), None);
        assert_eq!(sentinels.isolated_since(), Some(at(10)));
        assert!(!sentinels.accepts_result(APP, at(11)) && sentinels.accepts_result(ISP, at(11)));
        assert_eq!(sentinels.evaluate(&down(&[GATEWAY, APP]), at(60)), Some(Connectivity::Reconnected));
        assert!(!sentinels.accepts_result(APP, at(59)), "it began while the server was isolated");
        assert!(sentinels.accepts_result(APP, at(60)) && sentinels.accepts_result(GATEWAY, at(1)));
    }

    #[test]
    fn without_sentinels_the_server_is_never_isolated() {
        let mut sentinels = Sentinels::default();
        sentinels.set([GATEWAY]);
        sentinels.evaluate(&CheckBits::with_unhealthy([GATEWAY]), at(1));
        sentinels.set([]);
        assert_eq!(sentinels.evaluate(&CheckBits::with_unhealthy([GATEWAY]), at(2)), Some(Connectivity::Reconnected));
        assert!(sentinels.accepts_result(APP, at(2)));
    }

    #[test]
    fn results_count_after_the_clock_was_set_back() {
        let mut sentinels = Sentinels::default();
        sentinels.set([GATEWAY]);
        sentinels.evaluate(&CheckBits::with_unhealthy([GATEWAY]), at(5000));
        sentinels.evaluate(&CheckBits::default(), at(5060));
        sentinels.clock_set_back(Duration::from_secs(5000));
        assert!(sentinels.accepts_result(APP, at(60)) && !sentinels.accepts_result(APP, at(59)));
    }
}

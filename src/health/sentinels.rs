//! Sentinels: checks that show whether this server has connectivity.
//!
//! ```text
//!            every sentinel is unhealthy                     a sentinel is healthy
//!   connected ────────────────────────────▶ isolated ───────────────────────────────▶ connected
//!   results count                           only results of sentinels count         results of probes started since count
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
    gone_since: Option<Timestamp>,
    /// When it last regained connectivity.
    back_since: Timestamp,
}

/// A change of connectivity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// All sentinels are unhealthy.
    Gone,
    /// A sentinel is healthy again, or there are no sentinels any more.
    Back,
}

impl Sentinels {
    /// Replaces the set of sentinels.
    pub fn appoint(&mut self, slots: impl IntoIterator<Item = CheckSlot>) {
        self.slots = slots.into_iter().collect();
    }

    /// Whether this check is a sentinel.
    #[must_use]
    pub fn are(&self, slot: CheckSlot) -> bool {
        self.slots.contains(&slot)
    }

    /// All sentinels.
    pub fn slots(&self) -> impl Iterator<Item = CheckSlot> {
        self.slots.iter().copied()
    }

    /// Since when the server is isolated, if it is.
    #[must_use]
    pub fn gone_since(&self) -> Option<Timestamp> {
        self.gone_since
    }

    /// Evaluates the verdicts and returns a change of connectivity, if any. Without sentinels the
    /// server is never isolated.
    pub fn look(&mut self, verdicts: &CheckBits, at: Timestamp) -> Option<Connectivity> {
        let is_gone = !self.slots.is_empty() && self.slots.iter().all(|slot| !verdicts.is_healthy(*slot));
        match (self.gone_since, is_gone) {
            (None, true) => {
                self.gone_since = Some(at);
                Some(Connectivity::Gone)
            }
            (Some(_), false) => {
                (self.gone_since, self.back_since) = (None, at);
                Some(Connectivity::Back)
            }
            _ => None,
        }
    }

    /// Whether the result of a probe that began at this time counts. A probe that was in progress
    /// when connectivity returned does not count: its result may be due to the isolation.
    #[must_use]
    pub fn let_count(&self, slot: CheckSlot, began: Timestamp) -> bool {
        self.are(slot) || self.gone_since.is_none() && began >= self.back_since
    }

    /// Adjusts to a clock that was set back by this much.
    pub fn clock_set_back(&mut self, by: Duration) {
        let earlier = |moment: Timestamp| Timestamp(moment.0.saturating_sub(by));
        self.gone_since = self.gone_since.map(earlier);
        self.back_since = earlier(self.back_since);
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
    fn only_when_all_are_down_the_uplink_is_gone() {
        let mut sentinels = Sentinels::default();
        sentinels.appoint([GATEWAY, ISP]);
        let down = |slots: &[CheckSlot]| CheckBits::with_unhealthy(slots.iter().copied());
        for slots in [&[][..], &[GATEWAY], &[ISP], &[APP], &[GATEWAY, APP]] {
            assert_eq!(sentinels.look(&down(slots), at(1)), None);
            assert!(sentinels.let_count(APP, at(1)));
        }
        assert_eq!(sentinels.look(&down(&[GATEWAY, ISP]), at(10)), Some(Connectivity::Gone));
        assert_eq!(sentinels.look(&down(&[GATEWAY, ISP, APP]), at(11)), None);
        assert_eq!(sentinels.gone_since(), Some(at(10)));
        assert!(!sentinels.let_count(APP, at(11)) && sentinels.let_count(ISP, at(11)));
        assert_eq!(sentinels.look(&down(&[GATEWAY, APP]), at(60)), Some(Connectivity::Back));
        assert!(!sentinels.let_count(APP, at(59)), "it began while the uplink was gone");
        assert!(sentinels.let_count(APP, at(60)) && sentinels.let_count(GATEWAY, at(1)));
    }

    #[test]
    fn without_sentinels_it_is_there() {
        let mut sentinels = Sentinels::default();
        sentinels.appoint([GATEWAY]);
        sentinels.look(&CheckBits::with_unhealthy([GATEWAY]), at(1));
        sentinels.appoint([]);
        assert_eq!(sentinels.look(&CheckBits::with_unhealthy([GATEWAY]), at(2)), Some(Connectivity::Back));
        assert!(sentinels.let_count(APP, at(2)));
    }

    #[test]
    fn results_count_after_the_clock_was_set_back() {
        let mut sentinels = Sentinels::default();
        sentinels.appoint([GATEWAY]);
        sentinels.look(&CheckBits::with_unhealthy([GATEWAY]), at(5000));
        sentinels.look(&CheckBits::default(), at(5060));
        sentinels.clock_set_back(Duration::from_secs(5000));
        assert!(sentinels.let_count(APP, at(60)) && !sentinels.let_count(APP, at(59)));
    }
}

//! The state of one endpoint as one checker sees it.
//!
//! ```text
//!  ┌──────────────┐  Pass   ┌─────────┐ failure_threshold × Fail in a row ┌───────────┐
//!  │ Pending      ├────────▶│ Healthy ├──────────────────────────────────▶│ Unhealthy │
//!  │ restored:    │         │         │◀──────────────────────────────────┤           │
//!  │  as saved    │         └─────────┘ recovery_threshold × Pass in a row└───────────┘
//!  │ new: healthy │                                                             ▲
//!  └──────┬───────┘                            Fail                             │
//!         └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A new check is healthy until there is data (Route 53). Its first result decides its first
//! status. The server waits for first results before it opens its port, so it never sends clients
//! to an endpoint that is known to be down.
//!
//! A resolver failure does not decide the first status until there are `failure_threshold` of them
//! in a row: the host may resolve names through this server, which does not answer yet.
//!
//! After the first result, only a full streak of opposing results changes the status, in both
//! directions (API FailureThreshold). One result that agrees with the current status ends the
//! streak.
//!
//! A status restored after a restart counts at once. If it is recent enough that no result was
//! missed, its streak continues; otherwise the first result decides, as for a new check.

use std::fmt;

use super::agreement::AgreedStatus;
use super::{Observation, Status, Timestamp};

/// How many opposing results in a row change the status. 0 works as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures until the check is unhealthy.
    pub failure: u8,
    /// Passes until the check is healthy.
    pub recovery: u8,
}

/// The state of one endpoint check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckState {
    thresholds: Thresholds,
    status: Status,
    progress: Progress,
    /// The streak was discarded, and no result has supported the status since.
    is_unconfirmed: bool,
    since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// No result yet, except for this number of resolver failures.
    Pending(u8),
    /// Restored after a restart; since then only this number of resolver failures.
    Restored(u8),
    /// Results that oppose the current status, in a row.
    Opposing(u8),
}

/// The part of a check's state that is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedCheckState {
    /// The current status.
    pub status: Status,
    /// Opposing results so far, in a row; `None` if the next result decides regardless of earlier
    /// ones.
    pub opposing: Option<u8>,
    /// When the status last changed.
    pub since: Timestamp,
    /// In a cluster, the status that nodes agreed on last. `CheckState` ignores it.
    pub agreed: Option<Status>,
}

/// A change of a check's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The status before.
    pub from: Status,
    /// The status after.
    pub to: Status,
    /// The cause.
    pub cause: Cause,
}

/// Why a final status changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The first result decided the first status.
    FirstResult,
    /// This number of failed probes in a row.
    Failures(u8),
    /// This number of passed probes in a row.
    Passes(u8),
    /// The configuration of the check changed: inverted, disabled, enabled.
    Configuration,
    /// A metric check had no data in this number of evaluations in a row.
    InsufficientData(u8),
    /// The status of a child of a calculated check changed.
    Children(Children),
    /// In a cluster: how many nodes consider it healthy.
    Agreement(AgreedStatus),
    /// An operator set or cleared an override, or an override expired.
    Override,
}

/// What a calculated check counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Children {
    /// Healthy children.
    pub healthy: u16,
    /// All children.
    pub all: u16,
    /// The threshold: the number of children that must be healthy.
    pub needed: u16,
}

/// The wording for log lines.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::FirstResult => f.write_str("the first result"),
            Cause::Failures(streak) => write!(f, "failed {streak} times in a row"),
            Cause::Passes(streak) => write!(f, "passed {streak} times in a row"),
            Cause::InsufficientData(streak) => write!(f, "no data {streak} times in a row"),
            Cause::Override => f.write_str("an override"),
            Cause::Configuration => f.write_str("its configuration changed"),
            Cause::Agreement(agreed) => write!(f, "{agreed}"),
            Cause::Children(Children { healthy, all, needed }) => {
                write!(f, "{healthy} of {all} child health checks are healthy, {needed} must be")
            }
        }
    }
}

impl CheckState {
    /// A check without results. It counts as `status` until the first result, which decides.
    #[must_use]
    pub fn new(thresholds: Thresholds, status: Status, at: Timestamp) -> CheckState {
        CheckState { thresholds, status, progress: Progress::Pending(0), is_unconfirmed: false, since: at }
    }

    /// A restored check. If `opposing` is set, its streak continues; otherwise the next result
    /// decides.
    #[must_use]
    pub fn restored(thresholds: Thresholds, state: SavedCheckState) -> CheckState {
        let SavedCheckState { status, opposing, since, agreed: _ } = state;
        let progress = opposing.map_or(Progress::Restored(0), Progress::Opposing);
        CheckState { thresholds, status, progress, is_unconfirmed: false, since }
    }

    /// The state to save; `None` before the first result.
    #[must_use]
    pub fn state(&self) -> Option<SavedCheckState> {
        let opposing = match self.progress {
            Progress::Pending(_) => return None,
            Progress::Restored(_) => None,
            Progress::Opposing(streak) => Some(streak),
        };
        Some(SavedCheckState { status: self.status, opposing, since: self.since, agreed: None })
    }

    /// How many more opposing results in a row change the status.
    #[must_use]
    pub fn results_until_change(&self) -> u8 {
        let Progress::Opposing(streak) = self.progress else { return 1 };
        self.needed(self.status.opposite()).max(1).saturating_sub(streak).max(1)
    }

    /// Counts one result and returns the change of status, if any.
    pub fn observe(&mut self, observation: Observation, at: Timestamp) -> Option<StateChange> {
        let seen = observation.status()?;
        let streak = match self.progress {
            Progress::Opposing(streak) => streak,
            Progress::Pending(streak) | Progress::Restored(streak) if observation == Observation::ResolverFailure => {
                return self.resolver_failed(streak.saturating_add(1), at);
            }
            Progress::Pending(_) | Progress::Restored(_) => return self.decide(seen, Cause::FirstResult, at),
        };
        if seen == self.status {
            self.progress = Progress::Opposing(0);
            self.is_unconfirmed = false;
            return None;
        }
        let streak = streak.saturating_add(1);
        if streak < self.needed(seen) {
            self.progress = Progress::Opposing(streak);
            return None;
        }
        self.decide(seen, streak_cause(seen, streak), at)
    }

    /// Counts a resolver failure while there is no other result.
    fn resolver_failed(&mut self, streak: u8, at: Timestamp) -> Option<StateChange> {
        if streak >= self.needed(Status::Unhealthy) {
            return self.decide(Status::Unhealthy, streak_cause(Status::Unhealthy, streak), at);
        }
        self.progress = match self.progress {
            Progress::Pending(_) => Progress::Pending(streak),
            _ => Progress::Restored(streak),
        };
        None
    }

    /// Sets the status without a result. The streak starts over; a pending check stays pending.
    pub(super) fn assume(&mut self, status: Status, cause: Cause, at: Timestamp) -> Option<StateChange> {
        let before = self.progress;
        let change = self.decide(status, cause, at);
        if !matches!(before, Progress::Opposing(_)) {
            self.progress = before;
        }
        change
    }

    /// Discards the streak of opposing results. The status stays, but it is no opinion until a
    /// result supports it.
    pub fn reset_streak(&mut self) {
        if let Progress::Opposing(streak) = &mut self.progress {
            *streak = 0;
        }
        self.is_unconfirmed = true;
    }

    /// The status as this checker's opinion; `None` if no result supports it yet.
    #[must_use]
    pub fn opinion(&self) -> Option<Status> {
        (matches!(self.progress, Progress::Opposing(_)) && !self.is_unconfirmed).then_some(self.status)
    }

    /// The current status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// When the status last changed.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether the check is still pending for its first result. A resolver failure is a result
    /// here: the server must not wait for another before it opens its port, because the host may
    /// resolve names through this server.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.progress == Progress::Pending(0)
    }

    /// Sets new thresholds. The streak is kept, and the next result is compared with the new
    /// thresholds.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    fn needed(&self, for_status: Status) -> u8 {
        match for_status {
            Status::Healthy => self.thresholds.recovery,
            Status::Unhealthy => self.thresholds.failure,
        }
    }

    fn decide(&mut self, to: Status, cause: Cause, at: Timestamp) -> Option<StateChange> {
        let from = std::mem::replace(&mut self.status, to);
        self.progress = Progress::Opposing(0);
        self.is_unconfirmed = false;
        if from == to {
            return None;
        }
        self.since = at;
        Some(StateChange { from, to, cause })
    }
}

fn streak_cause(seen: Status, streak: u8) -> Cause {
    match seen {
        Status::Healthy => Cause::Passes(streak),
        Status::Unhealthy => Cause::Failures(streak),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use Observation::{Fail, Pass, ResolverFailure};

    fn check_state(failure: u8, recovery: u8) -> CheckState {
        CheckState::new(Thresholds { failure, recovery }, Status::Healthy, Timestamp::default())
    }

    /// The same rules without a state machine: look back over all results each time.
    fn reference(results: &[Observation], failure: usize, recovery: usize) -> Status {
        let Some(first) = results.first() else { return Status::Healthy };
        let mut status = first.status().unwrap();
        for end in 1..=results.len() {
            let (needed, kind) = if status == Status::Healthy { (failure, Fail) } else { (recovery, Pass) };
            if end >= needed && results[end - needed..end].iter().all(|result| *result == kind) {
                status = kind.status().unwrap();
            }
        }
        status
    }

    /// Compares every sequence of up to twelve results that starts with these with the reference,
    /// at each step.
    fn every_continuation(
        check_state: &CheckState,
        results: &mut Vec<Observation>,
        failure: u8,
        recovery: u8,
    ) -> usize {
        assert_eq!(check_state.status(), reference(results, failure.into(), recovery.into()), "{results:?}");
        assert_eq!(check_state.is_pending(), results.is_empty());
        if results.len() == 12 {
            return 1;
        }
        let mut seen = 1;
        for observation in [Pass, Fail] {
            let mut next = check_state.clone();
            let change = next.observe(observation, Timestamp::default());
            assert_eq!(
                change.map(|change| change.to),
                (next.status() != check_state.status()).then_some(next.status())
            );
            results.push(observation);
            seen += every_continuation(&next, results, failure, recovery);
            results.pop();
        }
        seen
    }

    #[test]
    fn all_sequences_up_to_twelve_agree_with_the_reference() {
        for (failure, recovery) in (1..=3).flat_map(|failure| (1..=3).map(move |recovery| (failure, recovery))) {
            let seen = every_continuation(&check_state(failure, recovery), &mut Vec::new(), failure, recovery);
            assert_eq!(seen, (1 << 13) - 1);
        }
    }

    #[test]
    fn the_first_result_decides_the_first_state() {
        let mut down = check_state(3, 3);
        assert_eq!(down.status(), Status::Healthy);
        let change = down.observe(Fail, Timestamp(Duration::from_secs(5)));
        assert_eq!(
            change,
            Some(StateChange { from: Status::Healthy, to: Status::Unhealthy, cause: Cause::FirstResult })
        );
        assert_eq!(down.since(), Timestamp(Duration::from_secs(5)));

        let mut up = check_state(3, 3);
        assert_eq!(up.observe(Pass, Timestamp(Duration::from_secs(5))), None);
        assert!(!up.is_pending());
    }

    #[test]
    fn a_failure_of_the_resolver_does_not_decide_the_first_state() {
        let old =
            SavedCheckState { status: Status::Healthy, opposing: None, since: Timestamp::default(), agreed: None };
        let restored = CheckState::restored(Thresholds { failure: 3, recovery: 3 }, old);
        for new in [check_state(3, 3), restored] {
            let mut waiting = new;
            assert_eq!(waiting.observe(ResolverFailure, Timestamp::default()), None);
            assert_eq!((waiting.status(), waiting.is_pending()), (Status::Healthy, false));
            // The next result decides at once.
            assert_eq!(waiting.clone().observe(Fail, Timestamp::default()).unwrap().cause, Cause::FirstResult);
            let mut good = waiting.clone();
            assert_eq!(good.observe(Pass, Timestamp::default()), None);
            assert_eq!((good.observe(Fail, Timestamp::default()), good.results_until_change()), (None, 2));
            // A full streak of resolver failures counts as an outage.
            assert_eq!(waiting.observe(ResolverFailure, Timestamp::default()), None);
            let change = waiting.observe(ResolverFailure, Timestamp::default()).unwrap();
            assert_eq!((change.to, change.cause), (Status::Unhealthy, Cause::Failures(3)));
        }
        // After the first result, resolver failures count as failures.
        let mut known = check_state(2, 1);
        known.observe(Pass, Timestamp::default());
        known.observe(Fail, Timestamp::default());
        assert_eq!(known.observe(ResolverFailure, Timestamp::default()).unwrap().to, Status::Unhealthy);
        assert_eq!(check_state(1, 1).observe(ResolverFailure, Timestamp::default()).unwrap().to, Status::Unhealthy);
    }

    #[test]
    fn a_restored_state_continues_as_if_there_had_been_no_restart() {
        for results in 0..1u16 << 8 {
            let observation = |bit: u16| if results >> bit & 1 == 1 { Pass } else { Fail };
            for restart in 1..8 {
                let (mut steady, mut restarted) = (check_state(3, 2), check_state(3, 2));
                for bit in 0..8 {
                    if bit == restart {
                        restarted = CheckState::restored(restarted.thresholds, restarted.state().unwrap());
                    }
                    steady.observe(observation(bit), Timestamp::default());
                    restarted.observe(observation(bit), Timestamp::default());
                    assert_eq!(steady, restarted);
                }
            }
        }
    }

    #[test]
    fn an_old_saved_state_counts_until_the_first_result_decides() {
        let old = Timestamp(Duration::from_secs(5));
        let state = SavedCheckState { status: Status::Unhealthy, opposing: None, since: old, agreed: None };
        let mut restored = CheckState::restored(Thresholds { failure: 3, recovery: 3 }, state);
        assert_eq!(
            (restored.status(), restored.is_pending(), restored.results_until_change()),
            (Status::Unhealthy, false, 1)
        );
        let mut confirmed = restored.clone();
        assert_eq!(confirmed.observe(Fail, Timestamp(Duration::from_secs(99))), None);
        assert_eq!((confirmed.since(), confirmed.results_until_change()), (old, 3));
        let change = restored.observe(Pass, Timestamp(Duration::from_secs(99))).unwrap();
        assert_eq!((change.to, change.cause), (Status::Healthy, Cause::FirstResult));
        assert_eq!(check_state(3, 3).state(), None);
    }

    #[test]
    fn a_threshold_lowered_under_way_is_met_by_the_next_result() {
        let mut check_state = check_state(10, 1);
        check_state.observe(Pass, Timestamp::default());
        for _ in 0..5 {
            assert_eq!(check_state.observe(Fail, Timestamp::default()), None);
        }
        check_state.set_thresholds(Thresholds { failure: 3, recovery: 1 });
        assert_eq!(check_state.status(), Status::Healthy);
        assert_eq!(
            check_state.observe(Fail, Timestamp::default()).map(|change| change.cause),
            Some(Cause::Failures(6))
        );
    }

    #[test]
    fn weeks_pass_in_milliseconds() {
        // Eight weeks of results, one every 10 s; an outage of one minute a day.
        let mut check_state = check_state(3, 3);
        let mut turns = Vec::new();
        let started = Instant::now();
        for second in (0..8 * 7 * 86_400).step_by(10) {
            let observation = if (43_200..43_260).contains(&(second % 86_400)) { Fail } else { Pass };
            let at = Timestamp(Duration::from_secs(second));
            turns.extend(check_state.observe(observation, at).map(|change| (second % 86_400, change.to)));
        }
        assert_eq!(turns, [(43_220, Status::Unhealthy), (43_280, Status::Healthy)].repeat(56));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn long_sequences_agree_with_the_reference(
            results in proptest::collection::vec(prop_oneof![Just(Pass), Just(Fail)], 0..300),
            failure in 1u8..=10,
            recovery in 1u8..=10,
        ) {
            let mut check_state = check_state(failure, recovery);
            for result in &results {
                check_state.observe(*result, Timestamp::default());
            }
            prop_assert_eq!(check_state.status(), reference(&results, failure.into(), recovery.into()));
        }
    }
}

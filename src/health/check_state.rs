//! The state of one endpoint as one checker sees it.
//!
//! ```text
//!  ┌──────────────┐  Pass   ┌─────────┐ failure_threshold × Fail in a row ┌───────────┐
//!  │ Waiting      ├────────▶│ Healthy ├──────────────────────────────────▶│ Unhealthy │
//!  │ counts as    │         │         │◀──────────────────────────────────┤           │
//!  │ it was told: │         └─────────┘ recovery_threshold × Pass in a row└───────────┘
//!  │ new: healthy │                                                             ▲
//!  └──────┬───────┘                            Fail                             │
//!         └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A new check is healthy until there is data (Route 53), and the first result decides the first state, so that a server
//! that waits for first results before it opens its port never sends anybody to an endpoint that is known to be down.
//! A resolver failure does not decide it, unless there are `failure_threshold` of them in a row: a
//! machine may look names up through this server, which is not answering yet.
//! From then on only a full row of contrary results turns it, in both directions (API FailureThreshold); one result of
//! the current kind ends a row.
//!
//! A state that is remembered from before a restart counts at once. When it is so young that no result can have been
//! missed, its row goes on; else the first result decides, as with a new check.

use std::fmt;

use super::{Observation, Status, Timestamp};

/// How many contrary results in a row turn a check. 0 works as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Fails that make it unhealthy.
    pub failure: u8,
    /// Passes that make it healthy.
    pub recovery: u8,
}

/// The state of one endpoint check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckState {
    thresholds: Thresholds,
    status: Status,
    progress: Progress,
    since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// No result yet, except for this number of resolver failures.
    Waiting(u8),
    /// A state from before a restart; since then only this number of resolver failures.
    Recalled(u8),
    /// Results against the current status, in a row.
    Contrary(u8),
}

/// What a machine is to be remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedCheckState {
    /// What it says.
    pub status: Status,
    /// Results against that, in a row; `None` when the next result decides, whatever came before.
    pub contrary: Option<u8>,
    /// Since when it says so.
    pub since: Timestamp,
}

/// A machine that turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// What it was.
    pub from: Status,
    /// What it is now.
    pub to: Status,
    /// Why.
    pub cause: Cause,
}

/// Why a verdict changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The first result decides the first state.
    FirstResult,
    /// That many failed probes in a row.
    Failures(u8),
    /// That many passed probes in a row.
    Passes(u8),
    /// The check itself was changed: inverted, disabled, enabled.
    Configuration,
    /// Of a metric check, so many evaluations in a row had no data.
    InsufficientData(u8),
    /// Of a calculated check, a child turned.
    Children(Children),
    /// A person set, cleared or outlived an override.
    Override,
}

/// What a calculated check counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Children {
    /// Children that are healthy.
    pub healthy: u16,
    /// Children that there are.
    pub all: u16,
    /// Children that must be healthy.
    pub needed: u16,
}

/// In words for a log line.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::FirstResult => f.write_str("the first result"),
            Cause::Failures(row) => write!(f, "failed {row} times in a row"),
            Cause::Passes(row) => write!(f, "passed {row} times in a row"),
            Cause::InsufficientData(row) => write!(f, "no data {row} times in a row"),
            Cause::Override => f.write_str("an override"),
            Cause::Configuration => f.write_str("its configuration changed"),
            Cause::Children(Children { healthy, all, needed }) => {
                write!(f, "{healthy} of {all} child health checks are healthy, {needed} must be")
            }
        }
    }
}

impl CheckState {
    /// A machine without results: it counts as `status` until the first one, which then decides.
    #[must_use]
    pub fn new(thresholds: Thresholds, status: Status, at: Timestamp) -> CheckState {
        CheckState { thresholds, status, progress: Progress::Waiting(0), since: at }
    }

    /// A machine as it is remembered. With `contrary`, its row goes on; without, the next result decides.
    #[must_use]
    pub fn recalled(thresholds: Thresholds, state: SavedCheckState) -> CheckState {
        let SavedCheckState { status, contrary, since } = state;
        CheckState { thresholds, status, progress: contrary.map_or(Progress::Recalled(0), Progress::Contrary), since }
    }

    /// What to remember; nothing before there is something to remember.
    #[must_use]
    pub fn state(&self) -> Option<SavedCheckState> {
        let contrary = match self.progress {
            Progress::Waiting(_) => return None,
            Progress::Recalled(_) => None,
            Progress::Contrary(row) => Some(row),
        };
        Some(SavedCheckState { status: self.status, contrary, since: self.since })
    }

    /// How many more results of the other kind turn it, in a row.
    #[must_use]
    pub fn until_turn(&self) -> u8 {
        let Progress::Contrary(row) = self.progress else { return 1 };
        self.needed(self.status.turned()).max(1).saturating_sub(row).max(1)
    }

    /// Takes one result into account; says when it turned.
    pub fn observe(&mut self, observation: Observation, at: Timestamp) -> Option<StateChange> {
        let seen = observation.status()?;
        let row = match self.progress {
            Progress::Contrary(row) => row,
            Progress::Waiting(row) | Progress::Recalled(row) if observation == Observation::ResolverFailure => {
                return self.resolver_failed(row.saturating_add(1), at);
            }
            Progress::Waiting(_) | Progress::Recalled(_) => return self.settle(seen, Cause::FirstResult, at),
        };
        if seen == self.status {
            self.progress = Progress::Contrary(0);
            return None;
        }
        let row = row.saturating_add(1);
        if row < self.needed(seen) {
            self.progress = Progress::Contrary(row);
            return None;
        }
        self.settle(seen, row_cause(seen, row), at)
    }

    /// Counts a resolver failure when there is no other result so far.
    fn resolver_failed(&mut self, row: u8, at: Timestamp) -> Option<StateChange> {
        if row >= self.needed(Status::Unhealthy) {
            return self.settle(Status::Unhealthy, row_cause(Status::Unhealthy, row), at);
        }
        self.progress = match self.progress {
            Progress::Waiting(_) => Progress::Waiting(row),
            _ => Progress::Recalled(row),
        };
        None
    }

    /// Takes a status over without a result: the row begins anew, and who waits for a first result goes on waiting.
    pub(super) fn assume(&mut self, status: Status, cause: Cause, at: Timestamp) -> Option<StateChange> {
        let before = self.progress;
        let turn = self.settle(status, cause, at);
        if !matches!(before, Progress::Contrary(_)) {
            self.progress = before;
        }
        turn
    }

    /// The row of contrary results so far counts no more.
    pub fn forget_row(&mut self) {
        if let Progress::Contrary(row) = &mut self.progress {
            *row = 0;
        }
    }

    /// What it says now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Since when it says so.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether it is still without a first result. A resolver failure is one: the server must not wait
    /// for another before it opens its port, through which the machine may look names up.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.progress == Progress::Waiting(0)
    }

    /// Thresholds may change under way; the row so far counts on, and the next result is judged by the new ones.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds = thresholds;
    }

    fn needed(&self, for_status: Status) -> u8 {
        match for_status {
            Status::Healthy => self.thresholds.recovery,
            Status::Unhealthy => self.thresholds.failure,
        }
    }

    fn settle(&mut self, to: Status, cause: Cause, at: Timestamp) -> Option<StateChange> {
        let from = std::mem::replace(&mut self.status, to);
        self.progress = Progress::Contrary(0);
        if from == to {
            return None;
        }
        self.since = at;
        Some(StateChange { from, to, cause })
    }
}

fn row_cause(seen: Status, row: u8) -> Cause {
    match seen {
        Status::Healthy => Cause::Passes(row),
        Status::Unhealthy => Cause::Failures(row),
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

    /// The same rules without a state machine: look back over all results so far, each time.
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

    /// Every sequence of results that begins with these, up to twelve, held against the reference at each step.
    fn every_continuation(
        check_state: &CheckState,
        results: &mut Vec<Observation>,
        failure: u8,
        recovery: u8,
    ) -> usize {
        assert_eq!(check_state.status(), reference(results, failure.into(), recovery.into()), "{results:?}");
        assert_eq!(check_state.is_waiting(), results.is_empty());
        if results.len() == 12 {
            return 1;
        }
        let mut seen = 1;
        for observation in [Pass, Fail] {
            let mut next = check_state.clone();
            let turn = next.observe(observation, Timestamp::default());
            assert_eq!(turn.map(|turn| turn.to), (next.status() != check_state.status()).then_some(next.status()));
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
        let turn = down.observe(Fail, Timestamp(Duration::from_secs(5)));
        assert_eq!(turn, Some(StateChange { from: Status::Healthy, to: Status::Unhealthy, cause: Cause::FirstResult }));
        assert_eq!(down.since(), Timestamp(Duration::from_secs(5)));

        let mut up = check_state(3, 3);
        assert_eq!(up.observe(Pass, Timestamp(Duration::from_secs(5))), None);
        assert!(!up.is_waiting());
    }

    #[test]
    fn a_failure_of_the_resolver_does_not_decide_the_first_state() {
        let old = SavedCheckState { status: Status::Healthy, contrary: None, since: Timestamp::default() };
        let recalled = CheckState::recalled(Thresholds { failure: 3, recovery: 3 }, old);
        for new in [check_state(3, 3), recalled] {
            let mut waiting = new;
            assert_eq!(waiting.observe(ResolverFailure, Timestamp::default()), None);
            assert_eq!((waiting.status(), waiting.is_waiting()), (Status::Healthy, false));
            // What follows decides at once, whatever it is.
            assert_eq!(waiting.clone().observe(Fail, Timestamp::default()).unwrap().cause, Cause::FirstResult);
            let mut good = waiting.clone();
            assert_eq!(good.observe(Pass, Timestamp::default()), None);
            assert_eq!((good.observe(Fail, Timestamp::default()), good.until_turn()), (None, 2));
            // A full row of them is an outage like others.
            assert_eq!(waiting.observe(ResolverFailure, Timestamp::default()), None);
            let turn = waiting.observe(ResolverFailure, Timestamp::default()).unwrap();
            assert_eq!((turn.to, turn.cause), (Status::Unhealthy, Cause::Failures(3)));
        }
        // One that is known counts like others.
        let mut known = check_state(2, 1);
        known.observe(Pass, Timestamp::default());
        known.observe(Fail, Timestamp::default());
        assert_eq!(known.observe(ResolverFailure, Timestamp::default()).unwrap().to, Status::Unhealthy);
        assert_eq!(check_state(1, 1).observe(ResolverFailure, Timestamp::default()).unwrap().to, Status::Unhealthy);
    }

    #[test]
    fn a_machine_that_is_remembered_goes_on_as_if_it_had_never_stopped() {
        for results in 0..1u16 << 8 {
            let observation = |bit: u16| if results >> bit & 1 == 1 { Pass } else { Fail };
            for restart in 1..8 {
                let (mut steady, mut restarted) = (check_state(3, 2), check_state(3, 2));
                for bit in 0..8 {
                    if bit == restart {
                        restarted = CheckState::recalled(restarted.thresholds, restarted.state().unwrap());
                    }
                    steady.observe(observation(bit), Timestamp::default());
                    restarted.observe(observation(bit), Timestamp::default());
                    assert_eq!(steady, restarted);
                }
            }
        }
    }

    #[test]
    fn an_old_memory_counts_until_the_first_result_decides() {
        let old = Timestamp(Duration::from_secs(5));
        let state = SavedCheckState { status: Status::Unhealthy, contrary: None, since: old };
        let mut recalled = CheckState::recalled(Thresholds { failure: 3, recovery: 3 }, state);
        assert_eq!((recalled.status(), recalled.is_waiting(), recalled.until_turn()), (Status::Unhealthy, false, 1));
        let mut confirmed = recalled.clone();
        assert_eq!(confirmed.observe(Fail, Timestamp(Duration::from_secs(99))), None);
        assert_eq!((confirmed.since(), confirmed.until_turn()), (old, 3));
        let turn = recalled.observe(Pass, Timestamp(Duration::from_secs(99))).unwrap();
        assert_eq!((turn.to, turn.cause), (Status::Healthy, Cause::FirstResult));
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
        assert_eq!(check_state.observe(Fail, Timestamp::default()).map(|turn| turn.cause), Some(Cause::Failures(6)));
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
            turns.extend(check_state.observe(observation, at).map(|turn| (second % 86_400, turn.to)));
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

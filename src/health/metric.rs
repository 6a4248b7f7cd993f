//! The state of a metric check: a check state that can be without data.
//!
//! A streak of bad values makes the check unhealthy and one good value makes it healthy, like a
//! CloudWatch alarm that requires all of its evaluation periods. A missing value neither counts nor
//! ends a streak. The same number of missing values in a row is insufficient data, and the
//! configuration decides the status (API InsufficientDataHealthStatus).

use crate::model::{InsufficientDataHealthStatus, MetricCheck};

use super::{Cause, CheckState, Observation, SavedCheckState, StateChange, Status, Thresholds, Timestamp};

/// The state of one metric check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricCheckState {
    check_state: CheckState,
    rules: Rules,
    /// Missing values in a row.
    missing: u8,
    /// Whether no query was answered yet, with or without data.
    is_pending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    evaluation_periods: u8,
    insufficient_data: InsufficientDataHealthStatus,
}

impl MetricCheckState {
    /// A check without results. It counts as `before` until there is data, which decides. A new
    /// check starts with insufficient data.
    #[must_use]
    pub fn new(check: &MetricCheck, before: Option<Status>, at: Timestamp) -> MetricCheckState {
        let rules = rules(check);
        let without_data = rules.without_data().unwrap_or(Status::Healthy);
        let check_state = CheckState::new(thresholds(check), before.unwrap_or(without_data), at);
        MetricCheckState { check_state, rules, missing: 0, is_pending: true }
    }

    /// A restored check.
    #[must_use]
    pub fn restored(check: &MetricCheck, state: SavedCheckState) -> MetricCheckState {
        let check_state = CheckState::restored(thresholds(check), state);
        MetricCheckState { check_state, rules: rules(check), missing: 0, is_pending: false }
    }

    /// The state to save; `None` before there was data. Missing values are counted from zero after
    /// a restart.
    #[must_use]
    pub fn state(&self) -> Option<SavedCheckState> {
        self.check_state.state()
    }

    /// The status that values support, or that the configuration gives a metric without data;
    /// `None` without either.
    #[must_use]
    pub fn opinion(&self) -> Option<Status> {
        let is_without_data = self.missing >= self.rules.evaluation_periods;
        self.check_state.opinion().or_else(|| self.rules.without_data().filter(|_| is_without_data))
    }

    /// When the status last changed.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.check_state.since()
    }

    /// How many more opposing values in a row change the status.
    #[must_use]
    pub fn results_until_change(&self) -> u8 {
        self.check_state.results_until_change()
    }

    /// Counts one evaluation and returns the change of status, if any.
    pub fn observe(&mut self, observation: Observation, at: Timestamp) -> Option<StateChange> {
        self.is_pending = false;
        if observation != Observation::Missing {
            self.missing = 0;
            return self.check_state.observe(observation, at);
        }
        self.missing = self.missing.saturating_add(1);
        if self.missing < self.rules.evaluation_periods {
            return None;
        }
        let status = self.rules.without_data()?;
        self.check_state.assume(status, Cause::InsufficientData(self.missing), at)
    }

    /// Discards the streaks.
    pub fn reset_streak(&mut self) {
        self.check_state.reset_streak();
        self.missing = 0;
    }

    /// The current status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.check_state.status()
    }

    /// Whether no query was answered yet. An answer without data is an answer: there is nothing to
    /// wait for.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Sets new periods or another status for insufficient data. The streaks are kept.
    pub fn reconfigure(&mut self, check: &MetricCheck) {
        self.check_state.set_thresholds(thresholds(check));
        self.rules = rules(check);
    }
}

impl Rules {
    fn without_data(self) -> Option<Status> {
        match self.insufficient_data {
            InsufficientDataHealthStatus::Healthy => Some(Status::Healthy),
            InsufficientDataHealthStatus::Unhealthy => Some(Status::Unhealthy),
            InsufficientDataHealthStatus::LastKnownStatus => None,
        }
    }
}

fn rules(check: &MetricCheck) -> Rules {
    let MetricCheck { evaluation_periods, insufficient_data_health_status, .. } = check;
    Rules { evaluation_periods: *evaluation_periods, insufficient_data: *insufficient_data_health_status }
}

fn thresholds(check: &MetricCheck) -> Thresholds {
    Thresholds { failure: check.evaluation_periods, recovery: 1 }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::ComparisonOperator;
    use InsufficientDataHealthStatus::LastKnownStatus;
    use Observation::{Fail, Missing, Pass};

    pub(in crate::health) fn metric(
        evaluation_periods: u8,
        insufficient_data_health_status: InsufficientDataHealthStatus,
    ) -> MetricCheck {
        MetricCheck {
            prometheus: "http://127.0.0.1:9090".into(),
            query: "errors".to_owned(),
            comparison: ComparisonOperator::GreaterThanThreshold,
            threshold: 0.5,
            period: Duration::from_secs(60),
            evaluation_periods,
            insufficient_data_health_status,
            alarm: None,
        }
    }

    fn check_state(evaluation_periods: u8, insufficient: InsufficientDataHealthStatus) -> MetricCheckState {
        MetricCheckState::new(&metric(evaluation_periods, insufficient), None, Timestamp::default())
    }

    /// The status after each of these values, `+` healthy and `-` unhealthy.
    fn walk(check_state: &mut MetricCheckState, observations: &str) -> String {
        let observed = observations.chars().map(|letter| {
            let observation = match letter {
                'o' => Pass,
                'x' => Fail,
                _ => Missing,
            };
            check_state.observe(observation, Timestamp::default());
            if check_state.status() == Status::Healthy { '+' } else { '-' }
        });
        observed.collect()
    }

    #[test]
    fn all_periods_must_be_bad_and_one_good_one_is_enough() {
        assert_eq!(walk(&mut check_state(3, LastKnownStatus), "oxxoxxxxo"), "++++++--+");
        assert_eq!(walk(&mut check_state(1, LastKnownStatus), "oxo"), "+-+");
        // The first value decides, as for every check.
        assert_eq!(walk(&mut check_state(3, LastKnownStatus), "xo"), "-+");
    }

    #[test]
    fn missing_values_neither_count_nor_end_a_streak() {
        assert_eq!(walk(&mut check_state(3, LastKnownStatus), "ox.x..x"), "++++++-");
        assert_eq!(walk(&mut check_state(3, LastKnownStatus), "x......o"), "-------+");
    }

    #[test]
    fn insufficient_data_is_what_the_configuration_says() {
        use InsufficientDataHealthStatus::{Healthy, Unhealthy};
        assert_eq!(walk(&mut check_state(2, Unhealthy), "o.o...o"), "++++--+");
        assert_eq!(walk(&mut check_state(2, Healthy), "x.x...oxx"), "----++++-");
    }

    #[test]
    fn a_new_one_has_insufficient_data_and_its_first_value_decides() {
        use InsufficientDataHealthStatus::{Healthy, Unhealthy};
        for (insufficient, expected) in [(Healthy, Status::Healthy), (Unhealthy, Status::Unhealthy)] {
            let check_state = check_state(3, insufficient);
            assert_eq!((check_state.status(), check_state.is_pending()), (expected, true));
        }
        // "A new check with LastKnownStatus and no data is healthy" (API
        // InsufficientDataHealthStatus).
        let mut new = check_state(3, LastKnownStatus);
        assert_eq!(walk(&mut new, "...."), "++++");
        assert!(!new.is_pending());
        assert_eq!(walk(&mut new, "x"), "-");
        assert_eq!(walk(&mut check_state(3, Unhealthy), "....o"), "----+");
    }

    /// The same rules without a state machine: look back over all values each time.
    fn reference(seen: &[Observation], periods: usize, insufficient: InsufficientDataHealthStatus) -> Status {
        let without_data = match insufficient {
            InsufficientDataHealthStatus::Unhealthy => Status::Unhealthy,
            _ => Status::Healthy,
        };
        let mut status = without_data;
        let (mut had_data, mut streak) = (false, Vec::new());
        for end in 1..=seen.len() {
            let now = seen[end - 1];
            let missing = seen[..end].iter().rev().take_while(|value| **value == Missing).count();
            if missing >= periods && insufficient != LastKnownStatus {
                status = without_data;
                streak.clear();
            }
            let Some(says) = now.status() else { continue };
            streak.push(now);
            let all_bad =
                streak.len() >= periods && streak[streak.len() - periods..].iter().all(|value| *value == Fail);
            if !had_data || says == Status::Healthy || all_bad {
                status = says;
            }
            had_data = true;
        }
        status
    }

    proptest! {
        #[test]
        fn any_sequence_agrees_with_the_reference(
            seen in proptest::collection::vec(prop_oneof![1 => Just(Pass), 2 => Just(Fail), 2 => Just(Missing)], 0..60),
            periods in 1u8..6,
            insufficient in prop_oneof![
                Just(InsufficientDataHealthStatus::Healthy),
                Just(InsufficientDataHealthStatus::Unhealthy),
                Just(LastKnownStatus),
            ],
        ) {
            let mut check_state = check_state(periods, insufficient);
            for (number, observation) in (1..).zip(&seen) {
                let before = check_state.status();
                let change = check_state.observe(*observation, Timestamp::default());
                prop_assert_eq!(change.map(|change| change.to), (before != check_state.status()).then_some(check_state.status()));
                prop_assert_eq!(check_state.status(), reference(&seen[..number], periods.into(), insufficient));
            }
        }
    }
}

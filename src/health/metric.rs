//! The state of a metric check: a machine that may be without data.
//!
//! Bad values in a row make it unhealthy, the first good one makes it healthy, as a CloudWatch alarm that needs all of its
//! evaluation periods. A missing value neither counts nor ends a row; that many missing ones in a row are insufficient
//! data, and then it is what its configuration says (API InsufficientDataHealthStatus).

use crate::model::{InsufficientDataHealthStatus, MetricCheck};

use super::{Cause, Machine, MachineState, Moment, Observation, Status, Thresholds, Turn};

/// The state of one metric check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricMachine {
    machine: Machine,
    rules: Rules,
    /// Missing values in a row.
    missing: u8,
    /// Whether there has been any answer, data or not.
    is_waiting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    evaluation_periods: u8,
    insufficient_data: InsufficientDataHealthStatus,
}

impl MetricMachine {
    /// A machine without results. It counts as `before` until there is data, which then decides; a new one has
    /// insufficient data from the start.
    #[must_use]
    pub fn new(check: &MetricCheck, before: Option<Status>, at: Moment) -> MetricMachine {
        let rules = rules(check);
        let without_data = rules.without_data().unwrap_or(Status::Healthy);
        let machine = Machine::new(thresholds(check), before.unwrap_or(without_data), at);
        MetricMachine { machine, rules, missing: 0, is_waiting: true }
    }

    /// A machine as it is remembered.
    #[must_use]
    pub fn recalled(check: &MetricCheck, state: MachineState) -> MetricMachine {
        let machine = Machine::recalled(thresholds(check), state);
        MetricMachine { machine, rules: rules(check), missing: 0, is_waiting: false }
    }

    /// What to remember; nothing before there were data. Missing values are counted anew after a restart.
    #[must_use]
    pub fn state(&self) -> Option<MachineState> {
        self.machine.state()
    }

    /// Since when it says what it says.
    #[must_use]
    pub fn since(&self) -> Moment {
        self.machine.since()
    }

    /// How many more values of the other kind turn it, in a row.
    #[must_use]
    pub fn until_turn(&self) -> u8 {
        self.machine.until_turn()
    }

    /// Takes one evaluation into account; says when it turned.
    pub fn observe(&mut self, observation: Observation, at: Moment) -> Option<Turn> {
        self.is_waiting = false;
        if observation != Observation::Missing {
            self.missing = 0;
            return self.machine.observe(observation, at);
        }
        self.missing = self.missing.saturating_add(1);
        if self.missing < self.rules.evaluation_periods {
            return None;
        }
        let status = self.rules.without_data()?;
        self.machine.assume(status, Cause::InsufficientData(self.missing), at)
    }

    /// The rows so far count no more.
    pub fn forget_row(&mut self) {
        self.machine.forget_row();
        self.missing = 0;
    }

    /// What it says now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.machine.status()
    }

    /// Whether it has had no answer at all. One without data is an answer: there is nothing to wait for.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Other periods, another status without data: the rows so far count on.
    pub fn reconfigure(&mut self, check: &MetricCheck) {
        self.machine.set_thresholds(thresholds(check));
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
        }
    }

    fn machine(evaluation_periods: u8, insufficient: InsufficientDataHealthStatus) -> MetricMachine {
        MetricMachine::new(&metric(evaluation_periods, insufficient), None, Moment::default())
    }

    /// What it is after each of these, `+` healthy and `-` unhealthy.
    fn walk(machine: &mut MetricMachine, observations: &str) -> String {
        let observed = observations.chars().map(|letter| {
            let observation = match letter {
                'o' => Pass,
                'x' => Fail,
                _ => Missing,
            };
            machine.observe(observation, Moment::default());
            if machine.status() == Status::Healthy { '+' } else { '-' }
        });
        observed.collect()
    }

    #[test]
    fn all_periods_must_be_bad_and_one_good_one_is_enough() {
        assert_eq!(walk(&mut machine(3, LastKnownStatus), "oxxoxxxxo"), "++++++--+");
        assert_eq!(walk(&mut machine(1, LastKnownStatus), "oxo"), "+-+");
        // The first value decides, as for every check.
        assert_eq!(walk(&mut machine(3, LastKnownStatus), "xo"), "-+");
    }

    #[test]
    fn missing_values_neither_count_nor_end_a_row() {
        assert_eq!(walk(&mut machine(3, LastKnownStatus), "ox.x..x"), "++++++-");
        assert_eq!(walk(&mut machine(3, LastKnownStatus), "x......o"), "-------+");
    }

    #[test]
    fn insufficient_data_is_what_the_configuration_says() {
        use InsufficientDataHealthStatus::{Healthy, Unhealthy};
        assert_eq!(walk(&mut machine(2, Unhealthy), "o.o...o"), "++++--+");
        assert_eq!(walk(&mut machine(2, Healthy), "x.x...oxx"), "----++++-");
    }

    #[test]
    fn a_new_one_has_insufficient_data_and_its_first_value_decides() {
        use InsufficientDataHealthStatus::{Healthy, Unhealthy};
        for (insufficient, expected) in [(Healthy, Status::Healthy), (Unhealthy, Status::Unhealthy)] {
            let machine = machine(3, insufficient);
            assert_eq!((machine.status(), machine.is_waiting()), (expected, true));
        }
        // "A new check with LastKnownStatus and no data is healthy" (API InsufficientDataHealthStatus).
        let mut new = machine(3, LastKnownStatus);
        assert_eq!(walk(&mut new, "...."), "++++");
        assert!(!new.is_waiting());
        assert_eq!(walk(&mut new, "x"), "-");
        assert_eq!(walk(&mut machine(3, Unhealthy), "....o"), "----+");
    }

    /// The same rules without a machine: look back over everything, each time.
    fn reference(seen: &[Observation], periods: usize, insufficient: InsufficientDataHealthStatus) -> Status {
        let without_data = match insufficient {
            InsufficientDataHealthStatus::Unhealthy => Status::Unhealthy,
            _ => Status::Healthy,
        };
        let mut status = without_data;
        let (mut had_data, mut row) = (false, Vec::new());
        for end in 1..=seen.len() {
            let now = seen[end - 1];
            let missing = seen[..end].iter().rev().take_while(|value| **value == Missing).count();
            if missing >= periods && insufficient != LastKnownStatus {
                status = without_data;
                row.clear();
            }
            let Some(says) = now.status() else { continue };
            row.push(now);
            let all_bad = row.len() >= periods && row[row.len() - periods..].iter().all(|value| *value == Fail);
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
            let mut machine = machine(periods, insufficient);
            for (number, observation) in (1..).zip(&seen) {
                let before = machine.status();
                let turn = machine.observe(*observation, Moment::default());
                prop_assert_eq!(turn.map(|turn| turn.to), (before != machine.status()).then_some(machine.status()));
                prop_assert_eq!(machine.status(), reference(&seen[..number], periods.into(), insufficient));
            }
        }
    }
}

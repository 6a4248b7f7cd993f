//! The return of a record to use after it was unhealthy: first it waits, then its share grows.
//!
//! ```text
//!            recovers           failback_delay passes          slow_start passes
//!   out ───────────────▶ waiting ─────────────────▶ ramping ─────────────────▶ back
//!    ▲                      │                          │                         │
//!    └──────────────────────┴──────────────────────────┴─────────────────────────┘
//!                                 is unhealthy again
//! ```
//!
//! The state is only the time of the recovery; everything later is computed from it. A delay or
//! slow start of zero ends at once.

use std::time::Duration;

use super::{Timestamp, WeightShare};

/// How the records of a group return to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryRules {
    /// How long a record must stay healthy first.
    pub failback_delay: Duration,
    /// How long its share grows after that.
    pub slow_start: Duration,
}

/// The recovery phase of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryStage {
    /// It is not in use while others are.
    Waiting {
        /// When it returns to use, if it stays healthy.
        until: Timestamp,
    },
    /// It is in use with a part of its weight.
    Ramping {
        /// The share of its weight.
        share: WeightShare,
        /// When it has its full weight.
        until: Timestamp,
    },
    /// It is fully in use.
    Back,
}

/// What happened to a record since the last evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryEvent {
    /// It is unhealthy.
    Out,
    /// It is healthy, as it was before.
    Healthy,
    /// It is healthy, and was unhealthy before.
    Recovered,
    /// It is healthy, and had only this share before because it was draining.
    Undrained(WeightShare),
    /// It is healthy, and any recovery in progress ends: an operator overrode it, or its status was
    /// not known before.
    AtOnce,
}

/// The recovery of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// When it recovered; `None` if it is unhealthy or fully in use.
    pub since: Option<Timestamp>,
}

impl RecoveryRules {
    /// Whether both times are zero: records are fully in use as soon as they recover.
    #[must_use]
    pub fn are_none(self) -> bool {
        self == RecoveryRules::default()
    }

    /// The phase of a record that recovered at `since`.
    #[must_use]
    pub fn stage(self, since: Timestamp, at: Timestamp) -> RecoveryStage {
        let ramps_from = Timestamp(since.0 + self.failback_delay);
        if at < ramps_from {
            return RecoveryStage::Waiting { until: ramps_from };
        }
        let until = Timestamp(ramps_from.0 + self.slow_start);
        if at < until {
            return RecoveryStage::Ramping { share: WeightShare::of(at.since(ramps_from), self.slow_start), until };
        }
        RecoveryStage::Back
    }
}

impl Recovery {
    /// Applies an event.
    #[must_use]
    pub fn step(self, seen: RecoveryEvent, rules: RecoveryRules, at: Timestamp) -> Recovery {
        let since = match seen {
            RecoveryEvent::Out | RecoveryEvent::AtOnce => None,
            RecoveryEvent::Healthy => self.since,
            RecoveryEvent::Recovered => Some(at),
            // Continue from this share: as if it had recovered long enough ago to have it now.
            RecoveryEvent::Undrained(share) => {
                let gone = rules.failback_delay + share.part_of(rules.slow_start);
                self.since.or_else(|| Some(Timestamp(at.0.checked_sub(gone)?)))
            }
        };
        Recovery { since: since.filter(|since| rules.stage(*since, at) != RecoveryStage::Back) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    fn rules(failback_delay: u64, slow_start: u64) -> RecoveryRules {
        let [failback_delay, slow_start] = [failback_delay, slow_start].map(Duration::from_secs);
        RecoveryRules { failback_delay, slow_start }
    }

    #[test]
    fn first_it_waits_then_it_ramps_then_it_is_back() {
        let rules = rules(300, 120);
        assert_eq!(rules.stage(at(1000), at(1000)), RecoveryStage::Waiting { until: at(1300) });
        assert_eq!(rules.stage(at(1000), at(1299)), RecoveryStage::Waiting { until: at(1300) });
        assert_eq!(
            rules.stage(at(1000), at(1300)),
            RecoveryStage::Ramping { share: WeightShare::LEAST, until: at(1420) }
        );
        let half = RecoveryStage::Ramping { share: WeightShare::of(at(60).0, at(120).0), until: at(1420) };
        assert_eq!(rules.stage(at(1000), at(1360)), half);
        assert_eq!(rules.stage(at(1000), at(1420)), RecoveryStage::Back);
        assert_eq!(RecoveryRules::default().stage(at(1000), at(1000)), RecoveryStage::Back);
    }

    /// The same without state: search all events backwards for the last recovery that nothing
    /// ended.
    fn reference(seen: &[(Timestamp, RecoveryEvent)], rules: RecoveryRules, at: Timestamp) -> RecoveryStage {
        let ended = |seen: RecoveryEvent| matches!(seen, RecoveryEvent::Out | RecoveryEvent::AtOnce);
        let begun = seen.iter().rposition(|(_, news)| *news == RecoveryEvent::Recovered || ended(*news));
        match begun.map(|place| seen[place]) {
            Some((since, RecoveryEvent::Recovered)) => rules.stage(since, at),
            _ => RecoveryStage::Back,
        }
    }

    /// Every sequence of up to seven events, one second or half a minute apart, under every kind of
    /// rules.
    #[test]
    fn all_sequences_agree_with_the_reference() {
        const SEEN: [RecoveryEvent; 4] =
            [RecoveryEvent::Out, RecoveryEvent::Healthy, RecoveryEvent::Recovered, RecoveryEvent::AtOnce];
        let mut looked = 0;
        for (delay, slow) in [(0, 0), (0, 60), (45, 0), (45, 60)] {
            let rules = rules(delay, slow);
            for sequence in 0..4_usize.pow(7) {
                let (mut state, mut seen, mut now) = (Recovery::default(), Vec::new(), 0);
                for step in 0..7 {
                    let news = SEEN[sequence / 4_usize.pow(step) % 4];
                    now += if (sequence / 7 + step as usize).is_multiple_of(3) { 1 } else { 30 };
                    state = state.step(news, rules, at(now));
                    seen.push((at(now), news));
                    let stage = state.since.map_or(RecoveryStage::Back, |since| rules.stage(since, at(now)));
                    assert_eq!(stage, reference(&seen, rules, at(now)), "{seen:?}");
                    looked += 1;
                }
            }
        }
        assert_eq!(looked, 4 * 7 * 4_usize.pow(7));
    }

    #[test]
    fn a_recovery_continues_from_the_share_of_a_drain() {
        let rules = rules(300, 120);
        let half = WeightShare::of(at(60).0, at(120).0);
        let back = Recovery::default().step(RecoveryEvent::Undrained(half), rules, at(1000));
        let RecoveryStage::Ramping { share, .. } = rules.stage(back.since.unwrap(), at(1000)) else {
            panic!("{back:?}")
        };
        assert!(share.parts().abs_diff(half.parts()) <= 1, "{share:?}");
        assert_eq!(rules.stage(back.since.unwrap(), at(1060)), RecoveryStage::Back);
        // Without a slow start there is no ramp to continue.
        let delay_only = RecoveryRules { slow_start: Duration::ZERO, ..rules };
        assert_eq!(Recovery::default().step(RecoveryEvent::Undrained(half), delay_only, at(1000)), Recovery::default());
    }

    proptest! {
        /// Four weeks of a flapping check, evaluated every second: never in use before the delay
        /// passes, the share never shrinks while it stays healthy, and it is fully in use at the
        /// end.
        #[test]
        fn weeks_of_flapping_keep_the_promise(turns in prop::collection::vec(1u64..86_400, 20..60), delay in 0u64..600, slow in 0u64..600) {
            let rules = rules(delay, slow);
            let (mut state, mut now, mut healthy) = (Recovery::default(), 0, true);
            for turn in turns {
                healthy = !healthy;
                state = state.step(if healthy { RecoveryEvent::Recovered } else { RecoveryEvent::Out }, rules, at(now));
                let (recovered, mut before) = (now, 0);
                for second in 0..turn.min(1300) {
                    state = state.step(if healthy { RecoveryEvent::Healthy } else { RecoveryEvent::Out }, rules, at(now + second));
                    let stage = state.since.map_or(RecoveryStage::Back, |since| rules.stage(since, at(now + second)));
                    if !healthy {
                        prop_assert_eq!(state.since, None);
                        continue;
                    }
                    let gone = now + second - recovered;
                    let share = match stage {
                        RecoveryStage::Waiting { .. } => 0,
                        RecoveryStage::Ramping { share, .. } => share.parts(),
                        RecoveryStage::Back => u8::MAX,
                    };
                    prop_assert_eq!(share == 0, gone < delay);
                    prop_assert_eq!(stage == RecoveryStage::Back, gone >= delay + slow);
                    prop_assert!(share >= before);
                    before = share;
                }
                now += turn;
            }
        }
    }
}

//! The way of a record back into use after it was out: first it waits, then its share grows.
//!
//! ```text
//!            recovers           failback_delay passes          slow_start passes
//!   out ───────────────▶ waiting ─────────────────▶ ramping ─────────────────▶ back
//!    ▲                      │                          │                         │
//!    └──────────────────────┴──────────────────────────┴─────────────────────────┘
//!                                 is unhealthy again
//! ```
//!
//! All there is to remember is the moment of the recovery: what follows from it at any later moment is arithmetic. A delay
//! or a slow start of nothing is over at once.

use std::time::Duration;

use super::{Moment, Share};

/// How the records of a group come back into use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComebackRules {
    /// How long a record has to stay healthy first.
    pub failback_delay: Duration,
    /// How long its share grows after that.
    pub slow_start: Duration,
}

/// Where a record is on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not in use while others are.
    Waiting {
        /// When it is in use again, if it stays healthy.
        until: Moment,
    },
    /// In use with a part of its weight.
    Ramping {
        /// How much of it.
        share: Share,
        /// When it has all of it.
        until: Moment,
    },
    /// All is as it was.
    Back,
}

/// What happened to a record since the last look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is out.
    Out,
    /// It is healthy, as it was before.
    Healthy,
    /// It is healthy, and was out before.
    Recovered,
    /// It is healthy, and had only this share before, since it was being drained.
    Undrained(Share),
    /// It is healthy, and whatever was on its way is over: a person says so, or nobody knew it before.
    AtOnce,
}

/// The state of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comeback {
    /// When it recovered; `None` when it is out, or back.
    pub since: Option<Moment>,
}

impl ComebackRules {
    /// Whether there is no way to go: records are back when they recover.
    #[must_use]
    pub fn are_none(self) -> bool {
        self == ComebackRules::default()
    }

    /// Where a record is that recovered at `since`.
    #[must_use]
    pub fn stage(self, since: Moment, at: Moment) -> Stage {
        let ramps_from = Moment(since.0 + self.failback_delay);
        if at < ramps_from {
            return Stage::Waiting { until: ramps_from };
        }
        let until = Moment(ramps_from.0 + self.slow_start);
        if at < until {
            return Stage::Ramping { share: Share::of(at.since(ramps_from), self.slow_start), until };
        }
        Stage::Back
    }
}

impl Comeback {
    /// Takes news into account.
    #[must_use]
    pub fn step(self, seen: Seen, rules: ComebackRules, at: Moment) -> Comeback {
        let since = match seen {
            Seen::Out | Seen::AtOnce => None,
            Seen::Healthy => self.since,
            Seen::Recovered => Some(at),
            // As if it had recovered so long ago that it has this share now.
            Seen::Undrained(share) => {
                let gone = rules.failback_delay + share.part_of(rules.slow_start);
                self.since.or_else(|| Some(Moment(at.0.checked_sub(gone)?)))
            }
        };
        Comeback { since: since.filter(|since| rules.stage(*since, at) != Stage::Back) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> Moment {
        Moment(Duration::from_secs(second))
    }

    fn rules(failback_delay: u64, slow_start: u64) -> ComebackRules {
        let [failback_delay, slow_start] = [failback_delay, slow_start].map(Duration::from_secs);
        ComebackRules { failback_delay, slow_start }
    }

    #[test]
    fn first_it_waits_then_it_ramps_then_it_is_back() {
        let rules = rules(300, 120);
        assert_eq!(rules.stage(at(1000), at(1000)), Stage::Waiting { until: at(1300) });
        assert_eq!(rules.stage(at(1000), at(1299)), Stage::Waiting { until: at(1300) });
        assert_eq!(rules.stage(at(1000), at(1300)), Stage::Ramping { share: Share::LEAST, until: at(1420) });
        let half = Stage::Ramping { share: Share::of(at(60).0, at(120).0), until: at(1420) };
        assert_eq!(rules.stage(at(1000), at(1360)), half);
        assert_eq!(rules.stage(at(1000), at(1420)), Stage::Back);
        assert_eq!(ComebackRules::default().stage(at(1000), at(1000)), Stage::Back);
    }

    /// The same without a state: look back over all news for the last recovery that nothing ended.
    fn reference(seen: &[(Moment, Seen)], rules: ComebackRules, at: Moment) -> Stage {
        let ended = |seen: Seen| matches!(seen, Seen::Out | Seen::AtOnce);
        let begun = seen.iter().rposition(|(_, news)| *news == Seen::Recovered || ended(*news));
        match begun.map(|place| seen[place]) {
            Some((since, Seen::Recovered)) => rules.stage(since, at),
            _ => Stage::Back,
        }
    }

    /// Every sequence of news up to seven looks, a second or half a minute apart, under every kind of rules.
    #[test]
    fn all_sequences_agree_with_the_reference() {
        const SEEN: [Seen; 4] = [Seen::Out, Seen::Healthy, Seen::Recovered, Seen::AtOnce];
        let mut looked = 0;
        for (delay, slow) in [(0, 0), (0, 60), (45, 0), (45, 60)] {
            let rules = rules(delay, slow);
            for sequence in 0..4_usize.pow(7) {
                let (mut state, mut seen, mut now) = (Comeback::default(), Vec::new(), 0);
                for step in 0..7 {
                    let news = SEEN[sequence / 4_usize.pow(step) % 4];
                    now += if (sequence / 7 + step as usize).is_multiple_of(3) { 1 } else { 30 };
                    state = state.step(news, rules, at(now));
                    seen.push((at(now), news));
                    let stage = state.since.map_or(Stage::Back, |since| rules.stage(since, at(now)));
                    assert_eq!(stage, reference(&seen, rules, at(now)), "{seen:?}");
                    looked += 1;
                }
            }
        }
        assert_eq!(looked, 4 * 7 * 4_usize.pow(7));
    }

    #[test]
    fn whoever_was_drained_half_way_goes_on_from_there() {
        let rules = rules(300, 120);
        let half = Share::of(at(60).0, at(120).0);
        let back = Comeback::default().step(Seen::Undrained(half), rules, at(1000));
        let Stage::Ramping { share, .. } = rules.stage(back.since.unwrap(), at(1000)) else { panic!("{back:?}") };
        assert!(share.parts().abs_diff(half.parts()) <= 1, "{share:?}");
        assert_eq!(rules.stage(back.since.unwrap(), at(1060)), Stage::Back);
        // Without a slow start there is nothing to go on with.
        let delay_only = ComebackRules { slow_start: Duration::ZERO, ..rules };
        assert_eq!(Comeback::default().step(Seen::Undrained(half), delay_only, at(1000)), Comeback::default());
    }

    proptest! {
        /// Four weeks of a check that flaps, looked at every second: never in use before the delay passed, never a share
        /// that sinks while it stays healthy, and back in the end.
        #[test]
        fn weeks_of_flapping_keep_the_promise(turns in prop::collection::vec(1u64..86_400, 20..60), delay in 0u64..600, slow in 0u64..600) {
            let rules = rules(delay, slow);
            let (mut state, mut now, mut healthy) = (Comeback::default(), 0, true);
            for turn in turns {
                healthy = !healthy;
                state = state.step(if healthy { Seen::Recovered } else { Seen::Out }, rules, at(now));
                let (recovered, mut before) = (now, 0);
                for second in 0..turn.min(1300) {
                    state = state.step(if healthy { Seen::Healthy } else { Seen::Out }, rules, at(now + second));
                    let stage = state.since.map_or(Stage::Back, |since| rules.stage(since, at(now + second)));
                    if !healthy {
                        prop_assert_eq!(state.since, None);
                        continue;
                    }
                    let gone = now + second - recovered;
                    let share = match stage {
                        Stage::Waiting { .. } => 0,
                        Stage::Ramping { share, .. } => share.parts(),
                        Stage::Back => u8::MAX,
                    };
                    prop_assert_eq!(share == 0, gone < delay);
                    prop_assert_eq!(stage == Stage::Back, gone >= delay + slow);
                    prop_assert!(share >= before);
                    before = share;
                }
                now += turn;
            }
        }
    }
}

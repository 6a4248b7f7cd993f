//! The last results of a check one by one, for a latency chart: a few bytes each.

use std::time::Duration;

use super::{Observation, Timestamp};

/// Results kept: ten minutes at Route 53's usual interval of ten seconds. With 20 000 checks these
/// take 10 MB.
const KEPT: usize = 60;

/// One result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The time, to the millisecond.
    pub at: Timestamp,
    /// The duration, to the microsecond and at most 17 minutes.
    pub total: Duration,
    /// The observation.
    pub observation: Observation,
}

/// The last results of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Each result in 64 bits; a ring once it is full.
    ring: Vec<Packed>,
    /// The index of the next result.
    next: u8,
    /// The epoch of the times below.
    epoch: Timestamp,
}

/// Milliseconds since the epoch, and microseconds with the observation in the two highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    at: u32,
    total: u32,
}

const OBSERVATION: u32 = 30;
const MOST_MICROSECONDS: u32 = (1 << OBSERVATION) - 1;

impl Recent {
    /// Whether there are no results.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Adds a result. The oldest is dropped when the ring is full.
    pub fn push(&mut self, sample: Sample) {
        let since = |epoch| u32::try_from(sample.at.since(epoch).as_millis());
        let at = match since(self.epoch) {
            Ok(at) if !self.ring.is_empty() => at,
            // The first one, or 49 days later.
            _ => {
                *self = Recent { epoch: sample.at, ..Recent::default() };
                0
            }
        };
        let total = u32::try_from(sample.total.as_micros()).unwrap_or(u32::MAX).min(MOST_MICROSECONDS);
        let observation = match sample.observation {
            Observation::Pass => 0,
            Observation::Fail | Observation::ResolverFailure => 1,
            Observation::Missing => 2,
        };
        let packed = Packed { at, total: observation << OBSERVATION | total };
        match self.ring.get_mut(usize::from(self.next)) {
            Some(oldest) => *oldest = packed,
            None => self.ring.push(packed),
        }
        self.next = (self.next + 1) % KEPT as u8;
    }

    /// The results, oldest first.
    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        let oldest = if self.ring.len() == KEPT { usize::from(self.next) } else { 0 };
        let (newer, older) = self.ring.split_at(oldest);
        older.iter().chain(newer).map(|packed| self.unpack(*packed))
    }

    fn unpack(&self, Packed { at, total }: Packed) -> Sample {
        Sample {
            at: Timestamp(self.epoch.0 + Duration::from_millis(at.into())),
            total: Duration::from_micros((total & MOST_MICROSECONDS).into()),
            observation: match total >> OBSERVATION {
                0 => Observation::Pass,
                1 => Observation::Fail,
                _ => Observation::Missing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, milliseconds: u64, observation: Observation) -> Sample {
        Sample {
            at: Timestamp(Duration::from_secs(1_772_402_400 + second)),
            total: Duration::from_millis(milliseconds),
            observation,
        }
    }

    #[test]
    fn the_last_results_are_returned_oldest_first() {
        let mut recent = Recent::default();
        let all: Vec<Sample> = (0..150)
            .map(|second| {
                let observation = [Observation::Pass, Observation::Fail, Observation::Missing][second as usize % 3];
                sample(second, second, observation)
            })
            .collect();
        for (count, one) in all.iter().enumerate() {
            recent.push(*one);
            let first = (count + 1).saturating_sub(KEPT);
            assert!(recent.samples().eq(all[first..=count].iter().copied()), "after {count}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut recent = Recent::default();
        recent.push(sample(0, 100_000_000, Observation::Pass));
        assert_eq!(recent.samples().next().unwrap().total, Duration::from_micros(u64::from(MOST_MICROSECONDS)));
        let later = sample(50 * 86_400, 1, Observation::Fail);
        recent.push(later);
        assert!(recent.samples().eq([later]));
    }
}

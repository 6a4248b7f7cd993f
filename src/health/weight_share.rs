//! The share of its weight that a record has while it recovers or drains.

use std::time::Duration;

/// A share in 255ths: small enough to keep one for each record, and fine enough for a ramp of
/// minutes, which takes a step every second or two. The least share is 1; there is no share of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeightShare(u8);

impl WeightShare {
    /// The full weight.
    pub const WHOLE: WeightShare = WeightShare(u8::MAX);
    /// The least share.
    pub const LEAST: WeightShare = WeightShare(1);

    /// `part` of `whole`, rounded up.
    #[must_use]
    pub fn of(part: Duration, whole: Duration) -> WeightShare {
        if part >= whole {
            return WeightShare::WHOLE;
        }
        let parts = (part.as_nanos() * u128::from(u8::MAX)).div_ceil(whole.as_nanos());
        WeightShare(u8::try_from(parts).unwrap_or(u8::MAX).max(1))
    }

    /// A share of 1 to 255 255ths; `None` for 0.
    #[must_use]
    pub fn from_parts(parts: u8) -> Option<WeightShare> {
        (parts > 0).then_some(WeightShare(parts))
    }

    /// The number of 255ths, 1 to 255.
    #[must_use]
    pub fn parts(self) -> u8 {
        self.0
    }

    /// This share of another, rounded up.
    #[must_use]
    pub fn times(self, other: WeightShare) -> WeightShare {
        let parts = (u16::from(self.0) * u16::from(other.0)).div_ceil(u16::from(u8::MAX));
        WeightShare(u8::try_from(parts).unwrap_or(u8::MAX))
    }

    /// This share of a duration.
    #[must_use]
    pub fn part_of(self, whole: Duration) -> Duration {
        whole.mul_f64(f64::from(self.0) / f64::from(u8::MAX))
    }

    /// In per cent, to the nearest.
    #[must_use]
    pub fn percent(self) -> u8 {
        u8::try_from((u16::from(self.0) * 100 + 127) / 255).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_nothing_and_whole_at_the_end() {
        let seconds = Duration::from_secs;
        let parts = |part, whole| WeightShare::of(part, whole).parts();
        assert_eq!(parts(Duration::ZERO, seconds(60)), 1);
        assert_eq!(parts(seconds(30), seconds(60)), 128);
        assert_eq!(parts(Duration::from_millis(59_999), seconds(60)), 255);
        assert_eq!(parts(seconds(60), seconds(60)), 255);
        assert_eq!(parts(seconds(1), Duration::ZERO), 255);
        assert_eq!(parts(Duration::ZERO, Duration::ZERO), 255);
        assert_eq!(parts(Duration::from_nanos(1), Duration::MAX), 1);
    }

    #[test]
    fn shares_of_shares_stay_between_the_least_and_the_lesser() {
        for (one, other) in (1..=255).flat_map(|one| (1..=255).map(move |other| (WeightShare(one), WeightShare(other))))
        {
            let both = one.times(other);
            assert!(both >= WeightShare::LEAST && both <= one.min(other), "{one:?} {other:?}");
        }
        assert_eq!(WeightShare(128).times(WeightShare::WHOLE), WeightShare(128));
        assert_eq!([WeightShare(1), WeightShare(128), WeightShare::WHOLE].map(WeightShare::percent), [0, 50, 100]);
        assert_eq!(WeightShare(51).part_of(Duration::from_secs(100)), Duration::from_secs(20));
    }
}

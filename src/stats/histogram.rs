//! A histogram of response times, filled by one thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Number of buckets below the first bound of CoreDNS, 0.25 ms: answers here take microseconds.
const FINER: u32 = 6;
/// Number of bounds of CoreDNS: 0.25 ms doubled fifteen times, up to 8.192 s.
const COARSER: u32 = 16;
/// 0.25 ms in units of `1 / 64` µs, so that each halving is an integer.
const FIRST: u64 = 250 * 64;

/// The bounds of the buckets. The last bucket has none.
pub(super) const BOUNDS: usize = (FINER + COARSER) as usize;

/// Durations by order of magnitude. The bounds are those of `request_duration_seconds` in CoreDNS,
/// so its dashboards work, and six finer ones below, from 3.9 µs.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BOUNDS + 1],
    nanoseconds: AtomicU64,
}

/// A snapshot of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// The count of each bucket. The last one counts durations above the last bound.
    pub counts: [u64; BOUNDS + 1],
    /// The sum of all durations.
    pub sum: Duration,
}

impl Histogram {
    /// Adds `count` durations of the same length.
    pub fn add(&self, duration: Duration, count: u64) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 64);
        add(&self.counts[bucket_of(nanoseconds)], count);
        add(&self.nanoseconds, nanoseconds.saturating_mul(count));
    }

    /// Takes a snapshot.
    pub fn read(&self) -> Durations {
        Durations {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }
}

impl Durations {
    /// The upper bounds of the buckets in seconds. The last bucket has none.
    pub fn bounds() -> impl Iterator<Item = f64> {
        let least = FIRST >> FINER;
        (0..BOUNDS).map(move |bucket| (least << bucket) as f64 / 64_000_000.0)
    }

    /// The total count.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl std::ops::AddAssign for Durations {
    fn add_assign(&mut self, other: Durations) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
        self.sum += other.sum;
    }
}

/// The first bucket with a bound of at least this duration.
fn bucket_of(nanoseconds: u64) -> usize {
    let least = FIRST >> FINER;
    // In units of the smallest bound, rounded up: 1 for the first bucket, 2 for the second, 3 and 4
    // for the third.
    let units = nanoseconds.saturating_mul(64).div_ceil(least * 1000).max(1);
    (units.next_power_of_two().trailing_zeros() as usize).min(BOUNDS)
}

/// There is one writer at a time, so no increment is lost between load and store.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_coredns_and_finer_ones() {
        let bounds: Vec<f64> = Durations::bounds().collect();
        assert_eq!(bounds[0], 0.000_003_906_25);
        assert_eq!(bounds[6..9], [0.000_25, 0.000_5, 0.001]);
        assert_eq!(bounds[BOUNDS - 1], 8.192);
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let bounds: Vec<f64> = Durations::bounds().collect();
        for nanoseconds in
            [0, 1, 3906, 3907, 7812, 7813, 250_000, 250_001, 1_000_000, 8_192_000_000, 8_192_000_001, u64::MAX]
        {
            let seconds = nanoseconds as f64 / 1e9;
            let expected = bounds.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS);
            assert_eq!(bucket_of(nanoseconds), expected, "{nanoseconds} ns");
        }
    }

    #[test]
    fn many_of_one_length_are_taken_in_at_once() {
        let histogram = Histogram::default();
        histogram.add(Duration::from_micros(5), 64);
        histogram.add(Duration::from_secs(60), 1);
        let read = histogram.read();
        assert_eq!((read.counts[1], read.counts[BOUNDS], read.count()), (64, 1, 65));
        assert_eq!(read.sum, Duration::from_micros(320) + Duration::from_secs(60));
    }
}

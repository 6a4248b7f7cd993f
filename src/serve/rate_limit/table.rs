//! The table of counters that all workers share: a fixed number of cells without locks.
//!
//! A key has a bucket of four cells. If none of them is the key's, it takes over the cell with the
//! lowest load and inherits that load ("space saving", Metwally and others 2005). So frequent keys
//! stay, rare ones make room for each other, and no key is ever counted too low.
//!
//! Loads and stores are relaxed. If two workers count the same key in the same moment, one of the
//! two may be lost. A key over its limit is only read, so a flood loses no counts that matter.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::Timestamp;

/// The cells of a bucket. A bucket is within one cache line.
const WAYS: usize = 4;
/// The load of a key that is at its limit. A cell holds twice as much.
pub(super) const LIMIT: u32 = 1 << 31;
/// How many ticks a load needs to decay to 1/e.
const TICKS_TO_DECAY: u32 = 64;
/// The bits of a hash that tell the keys of a bucket apart. Above them, 17 bits choose the bucket.
const TAG_SHIFT: u32 = 31;
/// Older loads count as 0; they have decayed to a ten-millionth.
const OLDEST_TICKS: usize = 1024;
/// Workers read the clock at different moments, so a cell can be younger than "now" by a few
/// ticks. Its age then seems to be almost 2^16 ticks.
const SEEMS_OLD: u16 = 0xff00;
/// In a shorter tick most batches of packets would still see the same one.
const SHORTEST_TICK_NS: u64 = 1_000_000;

#[derive(Default)]
#[repr(align(32))]
struct Bucket([AtomicU64; WAYS]);

/// Cells for `4 * BUCKETS` keys, 8 octets each. `BUCKETS` is a power of two, from 2 to 2^17.
pub(super) struct Table<const BUCKETS: usize> {
    buckets: Box<[Bucket; BUCKETS]>,
    /// What is left of a load after so many ticks, in units of 2^-32.
    decay: Box<[u32; OLDEST_TICKS]>,
    tick_ns: u64,
}

/// A moment in ticks. It wraps, at the default limits after 40 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tick(u16);

/// The cell of a key. At most one tick old, unless the key is new.
pub(super) struct Cell<'t> {
    cell: &'t AtomicU64,
    tag: u64,
    pub(super) load: u32,
}

impl<const BUCKETS: usize> Table<BUCKETS> {
    /// A table whose loads decay to 1/e in `decay_seconds`.
    pub(super) fn new(decay_seconds: f64) -> Table<BUCKETS> {
        let buckets: Box<[Bucket]> = (0..BUCKETS).map(|_| Bucket::default()).collect();
        let Ok(buckets) = buckets.try_into() else { unreachable!("there are as many buckets as asked for") };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration of seconds to days")]
        let tick_ns = ((decay_seconds * 1e9) as u64 / u64::from(TICKS_TO_DECAY)).max(SHORTEST_TICK_NS);
        let left = |ticks: usize| (-(ticks as f64) * tick_ns as f64 / (decay_seconds * 1e9)).exp();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^32 - 1")]
        let decay = Box::new(std::array::from_fn(|ticks| match ticks {
            // The last one stands for all that are older.
            ticks if ticks == OLDEST_TICKS - 1 => 0,
            ticks => (left(ticks) * f64::from(u32::MAX)) as u32,
        }));
        Table { buckets, decay, tick_ns }
    }

    /// The tick of a moment.
    pub(super) fn tick(&self, at: Timestamp) -> Tick {
        let ns = at.0.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(at.0.subsec_nanos()));
        // Ticks wrap.
        Tick((ns / self.tick_ns) as u16)
    }

    /// The cell of the key with this hash, with its load now.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, now: Tick) -> Cell<'_> {
        #[expect(clippy::cast_possible_truncation, reason = "fewer bits than BUCKETS has")]
        let bucket = &self.buckets[(hash >> (u64::BITS - BUCKETS.trailing_zeros())) as usize & (BUCKETS - 1)];
        let tag = hash >> TAG_SHIFT & 0xffff;
        for cell in &bucket.0 {
            let value = cell.load(Ordering::Relaxed);
            if value >> 48 == tag {
                return Cell { cell, tag, load: self.load(value, now) };
            }
        }
        self.take_over(bucket, tag, now)
    }

    /// The cell with the lowest load, for a key without a cell.
    #[cold]
    fn take_over<'t>(&self, bucket: &'t Bucket, tag: u64, now: Tick) -> Cell<'t> {
        let loads = bucket.0.iter().map(|cell| (cell, self.load(cell.load(Ordering::Relaxed), now)));
        let (cell, load) = loads.min_by_key(|(_, load)| *load).expect("a bucket has cells");
        Cell { cell, tag, load }
    }

    /// The load in a cell now.
    #[inline(always)]
    fn load(&self, value: u64, now: Tick) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the parts of a cell")]
        let (ticks, load) = ((value >> 32) as u16, value as u32);
        let age = now.0.wrapping_sub(ticks);
        if age == 0 || age >= SEEMS_OLD {
            return load;
        }
        let left = self.decay[usize::from(age).min(OLDEST_TICKS - 1)];
        // Not more than the load.
        ((u64::from(load) * u64::from(left)) >> 32) as u32
    }
}

impl Cell<'_> {
    /// Adds to the load.
    #[inline(always)]
    pub(super) fn add(&self, load: u32, now: Tick) {
        let load = u64::from(self.load.saturating_add(load));
        self.cell.store(self.tag << 48 | u64::from(now.0) << 32 | load, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Adds one unit and returns the load before.
    fn count<const BUCKETS: usize>(table: &Table<BUCKETS>, hash: u64, at: Duration) -> u32 {
        let now = table.tick(Timestamp(at));
        let cell = table.find(hash << TAG_SHIFT, now);
        let load = cell.load;
        cell.add(1, now);
        load
    }

    #[test]
    fn a_table_of_responses_has_four_mebibytes() {
        assert_eq!(size_of::<Bucket>() * super::super::BUCKETS, 4 << 20);
    }

    #[test]
    fn a_load_decays_exponentially() {
        for (decay_seconds, resolution) in [(2.5, 0.02), (0.01, 0.11), (100.0, 0.02)] {
            let table = Table::<2>::new(decay_seconds);
            let start = Duration::from_secs(1_700_000_000);
            let now = table.tick(Timestamp(start));
            table.find(7 << TAG_SHIFT, now).add(1_000_000, now);
            for part in [0.1, 0.5, 1.0, 2.0, 5.0] {
                let later = table.tick(Timestamp(start + Duration::from_secs_f64(part * decay_seconds)));
                let (load, expected) = (f64::from(table.find(7 << TAG_SHIFT, later).load), 1e6 * f64::exp(-part));
                assert!(
                    (load / expected - 1.0).abs() < resolution,
                    "{decay_seconds} s, {part}: {load}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn an_old_load_is_none_and_one_from_another_worker_is_not_old() {
        let table = Table::<2>::new(2.5);
        let at = |ticks: u64| table.tick(Timestamp(Duration::from_nanos(ticks * table.tick_ns)));
        table.find(7 << TAG_SHIFT, at(500)).add(100, at(500));
        assert_eq!(table.find(7 << TAG_SHIFT, at(498)).load, 100);
        assert_eq!(table.find(7 << TAG_SHIFT, at(500 + 1023)).load, 0);
        assert_eq!(table.find(7 << TAG_SHIFT, at(500 + 30_000)).load, 0);
    }

    #[test]
    fn a_full_bucket_keeps_the_frequent_keys() {
        let table = Table::<2>::new(1e6);
        let at = Duration::from_secs(9);
        let frequent = [1, 2, 3];
        for round in 0..1000 {
            for hash in frequent {
                count(&table, hash, at);
            }
            count(&table, 100 + round, at);
        }
        for hash in frequent {
            assert_eq!(count(&table, hash, at), 1000);
        }
    }

    proptest! {
        /// Space saving: no key is counted too low, and too high by at most a bucket's share.
        #[test]
        fn no_key_is_counted_too_low(keys in prop::collection::vec(0u64..30, 1..600)) {
            let table = Table::<2>::new(1e6);
            let mut counts = [0u32; 30];
            for (total, key) in (0u32..).zip(keys) {
                let before = count(&table, key, Duration::from_secs(9));
                let expected = counts[usize::try_from(key).unwrap()];
                prop_assert!((expected..=expected + total / 4).contains(&before), "{before}, {expected} of {total}");
                counts[usize::try_from(key).unwrap()] += 1;
            }
        }
    }
}

//! The table of counters that all workers share: a fixed number of cells without locks.
//!
//! A key has a bucket of four cells. If none of them is the key's, it takes over the cell with the
//! lowest load and inherits that load ("space saving", Metwally and others 2005). So frequent keys
//! stay, rare ones make room for each other, and no key is ever counted too low.
//!
//! A cell has no time. Instead of making loads smaller as time passes, what is counted later is
//! larger: a unit, and with it the limit, doubles in a fixed time ("forward decay", Cormode and
//! others 2009). Compared with the limit, loads decay exponentially, and nothing has to be computed
//! for it when a cell is read.
//!
//! Loads and stores are relaxed. If two workers count the same key in the same moment, one of the
//! two may be lost. A key over its limit is only read, so a flood loses no counts that matter.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::Timestamp;

/// The cells of a bucket, which follow one another.
const WAYS: usize = 4;
/// The bits of a cell that tell the keys of a bucket apart, the tag. They replace the last bits of
/// the load, which then has 36 binary digits.
const TAG: u64 = 0xffff;
/// Where a hash has the tag. Above it, 17 bits choose the bucket.
const TAG_SHIFT: u32 = 31;
/// The first two bits of the tag choose the cell that a key prefers in its bucket.
const CELL_SHIFT: u32 = TAG_SHIFT + 16 - WAYS.trailing_zeros();
/// How often a unit doubles, from 2^-960 to 2^960, before it starts again.
const DOUBLINGS: f64 = 1920.0;
/// No load is more than its limit when it is written. So what is more than twice the limit is from
/// before units started again, or from before the clock was set back, and counts as nothing.
const OUTDATED: f64 = 2.0;

/// Cells of 8 octets. `CELLS` is a power of two, from 8 to 2^19.
pub(super) struct Table<const CELLS: usize> {
    cells: Box<[AtomicU64; CELLS]>,
    /// How many units are the limit.
    limit: f64,
    /// How long a unit takes to double.
    doubling_ns: f64,
    /// After so long, units start again.
    period_ns: u64,
}

/// What counts at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// The load of a unit.
    pub(super) unit: f64,
    /// The load at the limit.
    pub(super) limit: f64,
}

/// The cell of a key, or the one that it takes over.
pub(super) struct Cell<'t> {
    place: &'t AtomicU64,
    bits: u64,
}

impl<const CELLS: usize> Table<CELLS> {
    /// A table whose loads decay to 1/e in `decay_seconds`, with this limit in units.
    pub(super) fn new(limit: f64, decay_seconds: f64) -> Table<CELLS> {
        let cells: Box<[AtomicU64]> = (0..CELLS).map(|_| AtomicU64::default()).collect();
        let Ok(cells) = cells.try_into() else { unreachable!("there are as many cells as asked for") };
        let doubling_ns = decay_seconds * std::f64::consts::LN_2 * 1e9;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from microseconds to years")]
        let period_ns = ((DOUBLINGS * doubling_ns) as u64).max(1);
        Table { cells, limit, doubling_ns, period_ns }
    }

    /// What counts at this time.
    pub(super) fn moment(&self, at: Timestamp) -> Moment {
        let ns = at.0.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(at.0.subsec_nanos()));
        let doublings = (ns % self.period_ns) as f64 / self.doubling_ns;
        let unit = (doublings - DOUBLINGS / 2.0).exp2();
        Moment { unit, limit: unit * self.limit }
    }

    /// The cell that the key with this hash prefers, which can be another key's.
    #[inline(always)]
    pub(super) fn preferred(&self, hash: u64) -> Cell<'_> {
        Cell::read(&self.cells[Self::index(hash)])
    }

    /// The cell of the key with this hash, or the one with the lowest load in its bucket.
    pub(super) fn find(&self, hash: u64, now: &Moment) -> Cell<'_> {
        let preferred = self.preferred(hash);
        // A key takes another cell only while this one is taken.
        if preferred.is_of(hash) || preferred.is_empty() {
            return preferred;
        }
        let mut lowest = preferred;
        for way in 1..WAYS {
            let cell = Cell::read(&self.cells[Self::index(hash) ^ way]);
            if cell.is_of(hash) {
                return cell;
            }
            if cell.load_at(now) < lowest.load_at(now) {
                lowest = cell;
            }
        }
        lowest
    }

    #[inline(always)]
    fn index(hash: u64) -> usize {
        (hash >> CELL_SHIFT) as usize & (CELLS - 1)
    }
}

impl Cell<'_> {
    #[inline(always)]
    fn read(place: &AtomicU64) -> Cell<'_> {
        Cell { place, bits: place.load(Ordering::Relaxed) }
    }

    /// Whether it is the cell of the key with this hash.
    #[inline(always)]
    pub(super) fn is_of(&self, hash: u64) -> bool {
        (self.bits ^ hash >> TAG_SHIFT) & TAG == 0
    }

    /// Whether no key has taken it yet.
    fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// The load, also if it is outdated.
    #[inline(always)]
    pub(super) fn load(&self) -> f64 {
        f64::from_bits(self.bits)
    }

    /// The load at this moment.
    pub(super) fn load_at(&self, now: &Moment) -> f64 {
        if self.load() > now.limit * OUTDATED { 0.0 } else { self.load() }
    }

    /// Writes another load for the same key.
    #[inline(always)]
    pub(super) fn set(&self, load: f64) {
        self.place.store(load.to_bits() & !TAG | self.bits & TAG, Ordering::Relaxed);
    }

    /// Makes it the cell of the key with this hash, with this load.
    pub(super) fn take(&self, hash: u64, load: f64) {
        self.place.store(load.to_bits() & !TAG | hash >> TAG_SHIFT & TAG, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// The hash of a key in the first bucket.
    fn hash(key: u64) -> u64 {
        key << TAG_SHIFT
    }

    /// How many units a key has at this time.
    fn units<const CELLS: usize>(table: &Table<CELLS>, key: u64, at: Duration) -> f64 {
        let now = table.moment(Timestamp(at));
        table.find(hash(key), &now).load_at(&now) / now.unit
    }

    /// Adds units to a key, and returns how many it had.
    fn add<const CELLS: usize>(table: &Table<CELLS>, key: u64, units: f64, at: Duration) -> f64 {
        let now = table.moment(Timestamp(at));
        let cell = table.find(hash(key), &now);
        let load = cell.load_at(&now);
        cell.take(hash(key), load + units * now.unit);
        load / now.unit
    }

    #[test]
    fn a_table_of_responses_has_four_mebibytes() {
        assert_eq!(size_of::<AtomicU64>() * super::super::CELLS, 4 << 20);
    }

    #[test]
    fn a_load_decays_exponentially() {
        for decay_seconds in [2.5, 0.01, 100.0] {
            let table = Table::<8>::new(1e6, decay_seconds);
            let start = Duration::from_secs(1_700_000_000);
            add(&table, 7, 1e6, start);
            for part in [0.0, 0.1, 0.5, 1.0, 2.0, 5.0] {
                let load = units(&table, 7, start + Duration::from_secs_f64(part * decay_seconds));
                let expected = 1e6 * f64::exp(-part);
                assert!((load / expected - 1.0).abs() < 1e-3, "{decay_seconds} s, {part}: {load}, not {expected}");
            }
        }
    }

    #[test]
    fn an_outdated_load_is_none_and_one_from_another_worker_is_not_outdated() {
        let table = Table::<8>::new(100.0, 2.5);
        let start = Duration::from_secs(1_700_000_000);
        add(&table, 7, 100.0, start);
        assert!(units(&table, 7, start + Duration::from_secs(60)) < 1e-6);
        // The worker whose clock was read a second before counts it as larger, but not as nothing.
        assert!((100.0..150.0).contains(&units(&table, 7, start - Duration::from_secs(1))));
        // The clock is set back.
        assert_eq!(units(&table, 7, start - Duration::from_secs(60)), 0.0);
        assert_eq!(add(&table, 7, 1.0, start - Duration::from_secs(60)), 0.0);
        // Units start again.
        let period = Duration::from_nanos(table.period_ns);
        let end = period * 500_000;
        let before = end - Duration::from_secs(1);
        add(&table, 8, 100.0, before);
        assert!((units(&table, 8, before) - 100.0).abs() < 1e-6);
        assert_eq!(units(&table, 8, end), 0.0);
        assert!(table.moment(Timestamp(end)).unit.is_normal() && table.moment(Timestamp(before)).limit.is_normal());
    }

    #[test]
    fn a_full_bucket_keeps_the_frequent_keys() {
        let table = Table::<8>::new(1e6, 1e6);
        let at = Duration::from_secs(9);
        let frequent = [1, 2, 3];
        for round in 0..1000 {
            for key in frequent {
                add(&table, key, 1.0, at);
            }
            add(&table, 100 + round, 1.0, at);
        }
        for key in frequent {
            assert!((units(&table, key, at) - 1000.0).abs() < 1e-3);
        }
    }

    #[test]
    fn keys_that_prefer_different_cells_are_found_at_once() {
        let table = Table::<8>::new(1e6, 1e6);
        let keys = [0x0007, 0x4007, 0x8007, 0xc007];
        for key in keys {
            add(&table, key, 1.0, Duration::from_secs(9));
        }
        assert!(keys.iter().all(|key| table.preferred(hash(*key)).is_of(hash(*key))));
        add(&table, 0x0008, 1.0, Duration::from_secs(9));
        assert!(
            table.preferred(hash(0x0008)).is_of(hash(0x0008)),
            "all have one unit: it takes the one that it prefers"
        );
    }

    proptest! {
        /// Space saving: no key is counted too low, and too high by at most a bucket's share.
        #[test]
        fn no_key_is_counted_too_low(keys in prop::collection::vec(0u64..30, 1..600)) {
            let table = Table::<8>::new(1e6, 1e6);
            let mut counts = [0u32; 30];
            for (total, key) in (0u32..).zip(keys) {
                let before = add(&table, key, 1.0, Duration::from_secs(9)).round();
                let count = &mut counts[usize::try_from(key).unwrap()];
                let most = f64::from(*count + total / 4);
                prop_assert!((f64::from(*count)..=most).contains(&before), "{before}, {count} of {total}");
                *count += 1;
            }
        }
    }
}

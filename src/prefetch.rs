//! Prefetching: reads many cache lines at once, before any of them is needed.
//!
//! A cache miss costs as much as half an answer, and the address of the next line is known only
//! when the previous one has arrived. When many answers are computed together, their cache misses
//! overlap (decision 0082).

use std::hint::black_box;

/// How many lookups are interleaved: somewhat more than the cache misses that a processor can have
/// outstanding.
pub(crate) const SIDE_BY_SIDE: usize = 32;

/// A table larger than this many bytes does not fit the processor's own caches of a megabyte or
/// two.
pub(crate) const FAR_BYTES: usize = 2 << 20;

/// Reads these words so that the processor fetches their cache lines. No instruction depends on the
/// values, so the reads overlap.
#[inline]
pub(crate) fn fetch(words: impl Iterator<Item = u64>) {
    black_box(words.fold(0, |all, word| all ^ word));
}

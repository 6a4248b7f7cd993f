//! Memory asked for ahead: many lines of it at once, before any is needed.
//!
//! A line of memory that no cache holds costs as much as half an answer, and where the next one stands is known only when it has
//! come. For many answers side by side it can be asked for all at once, and their waits are one (decision 0082).

use std::hint::black_box;

/// The most that is done side by side: somewhat more than the lines of memory for which a processor waits at once.
pub const SIDE_BY_SIDE: usize = 32;

/// What takes more than this is far: a processor's own caches hold a megabyte or two. Octets.
pub const FAR_OCTETS: usize = 2 << 20;

/// Has the processor fetch the lines of memory in which these words stand. Nothing depends on what is read, so that it need not
/// wait for one before it asks for the next.
#[inline]
pub fn fetch(words: impl Iterator<Item = u64>) {
    black_box(words.fold(0, |all, word| all ^ word));
}

//! A small, fast random number generator. It is seeded by the caller and not cryptographically
//! secure.

/// Random numbers for shuffles and weights. The caller provides the seed, so every draw can be
/// reproduced.
pub struct SeededRng(fastrand::Rng);

impl SeededRng {
    /// A generator that gives the same numbers for the same seed.
    pub fn new(seed: u64) -> SeededRng {
        SeededRng(fastrand::Rng::with_seed(seed))
    }

    /// A number in `0..bound`, each equally likely. `bound` must be above 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0.u32(..bound)
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }
}

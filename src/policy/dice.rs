//! The dice: small, fast, seeded by whoever throws them, not secret.

/// Random numbers for shuffles and weights. The caller brings the seed, so that every draw can be replayed.
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn seeded(seed: u64) -> Dice {
        Dice(fastrand::Rng::with_seed(seed))
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

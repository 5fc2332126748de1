//! Seeded randomness: the same seed gives the same values.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

/// A generator for one purpose of one seed, so that values for one purpose do not shift those for another.
#[derive(Debug)]
pub struct Dice(SmallRng);

impl Dice {
    /// The dice of `seed` for `purpose`.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(SmallRng::seed_from_u64(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose.wrapping_mul(0xd1b5_4a32_d192_ed03),
        ))
    }

    /// Whether an event with this rate per thousand happens.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.0.random_range(0..1000) < per_mille
    }

    /// A number from `low` to `high`, both inclusive.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high.max(low))
    }

    /// A number below `count`, which is not zero.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

//! The kind of a seed's schedule, and the frequency of each kind.

use super::Schedule;
use super::single::{both_passive, calm, failover, resisting, switch_unknown, switches_unreachable, takeover};
use super::storm::storm;
use crate::dice::Dice;

impl Schedule {
    /// The schedule of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, 1);
        match dice.below(40) {
            0..=3 => calm(dice),
            4 | 5 => switches_unreachable(dice),
            6 => switch_unknown(dice),
            7 => both_passive(dice),
            8 => failover(dice),
            9 | 10 => takeover(dice),
            11 => resisting(dice),
            _ => storm(dice),
        }
    }
}

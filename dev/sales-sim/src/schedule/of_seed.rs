//! The kind of a seed's schedule, and the frequency of each kind.

use super::Schedule;
use super::single::{both_passive, calm, failover, resisting, switch_unknown, switches_unreachable, takeover};
use super::storm::{storm, storm_with_builders};
use crate::dice::Dice;

/// From this seed on, all schedules are storms with builders of the lake's table; of the seeds before, one in so many is. A fold
/// takes more real time than anything else.
pub const WITH_BUILDERS: u64 = 1_000_000_000;
const ONE_IN: u64 = 400;

impl Schedule {
    /// The schedule of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::new(seed, 1);
        if seed >= WITH_BUILDERS || seed % ONE_IN == ONE_IN - 1 {
            return storm_with_builders(dice);
        }
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

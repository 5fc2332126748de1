//! The kind of a seed's schedule, and the frequency of each kind.

use super::single::{both_passive, calm, failover, resisting, switch_unknown, switches_unreachable, takeover};
use super::storm::{storm, storm_with_builders};
use super::{PlannedOrder, Schedule};
use crate::dice::Dice;
use crate::shops::SHOPS;

/// From this seed on, all schedules are storms with builders of the lake's table; before it, one in `ONE_IN` is. A fold
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
        let schedule = match dice.below(40) {
            0..=3 => calm(dice),
            4 | 5 => switches_unreachable(dice),
            6 => switch_unknown(dice),
            7 => both_passive(dice),
            8 => failover(dice),
            9 | 10 => takeover(dice),
            11 => resisting(dice),
            _ => storm(dice),
        };
        signed_in(&mut Dice::new(seed, 4), schedule)
    }
}

/// In two thirds of the schedules, clients sign in: orders are those of two shops, which use the same keys, and each tries
/// to see what the other has sold.
fn signed_in(dice: &mut Dice, mut schedule: Schedule) -> Schedule {
    schedule.sign_in = dice.chance(667);
    if !schedule.sign_in {
        return schedule;
    }
    let mut rivals = Vec::new();
    for order in &mut schedule.orders {
        order.shop = dice.below(SHOPS);
        order.pried = dice.chance(300);
        if order.key.is_some() && dice.chance(400) {
            let at = order.at.saturating_sub(1_000) + dice.between(0, 2_000);
            let (shop, body) = (1 - order.shop, order.body.replace(r#""product":""#, r#""product":"Other "#));
            rivals.push(PlannedOrder { at, shop, body, hedged_after: None, ..order.clone() });
        }
    }
    schedule.orders.extend(rivals);
    schedule
}

//! Schedules with one event, in which sales must still reach the lake soon.

use std::time::Duration;

use sales::memory::CloudService;
use sales::ports::FailureKind;
use sales::site_state::SiteState;

use super::{Action, Kind, PlannedOrder, ProcessKind, STATES, Schedule, Target, base, body, burst, settings};
use crate::conditions::Condition;
use crate::dice::Dice;
use crate::regions::REGIONS;

pub(super) fn calm(dice: &mut Dice) -> Schedule {
    let both = dice.chance(300);
    let second = if both { SiteState::Active } else { SiteState::Passive };
    let states = [SiteState::Active, second];
    let mut orders = simple_orders(dice, 2_000, 15_000, true);
    if dice.chance(300) {
        let at = dice.between(2_000, 15_000);
        orders.extend(burst(dice, at, Target::Accelerator));
    }
    Schedule {
        workers: [dice.between(1, 2) as usize, 1],
        first: states,
        last: states,
        orders,
        faults_end: 16_000,
        promptness: Some(8_000),
        ..base(dice, Kind::Calm)
    }
}

pub(super) fn switches_unreachable(dice: &mut Dice) -> Schedule {
    let condition = if dice.chance(500) { Condition::Hanging } else { Condition::Refusing(FailureKind::Unavailable) };
    // Sometimes for longer than any grace period or pause.
    let end = dice.pick(&[20_000, 20_000, 20_000, 120_000]);
    let orders = simple_orders(dice, 2_000, end, false);
    let actions = (0..REGIONS).map(|region| (5_000, Action::Become(region, CloudService::Switch, condition)));
    Schedule {
        orders,
        actions: actions.collect(),
        faults_end: end + 1_000,
        promptness: Some(8_000),
        ..base(dice, Kind::SwitchesUnreachable)
    }
}

pub(super) fn switch_unknown(dice: &mut Dice) -> Schedule {
    let condition = if dice.chance(500) { Condition::Hanging } else { Condition::Refusing(FailureKind::Denied) };
    // The first failing response takes up to 3 s.
    let end = dice.pick(&[20_000, 20_000, 20_000, 120_000]);
    let orders = simple_orders(dice, 5_000, end, true);
    Schedule {
        first: [SiteState::Active; REGIONS],
        last: [SiteState::Active; REGIONS],
        orders,
        actions: vec![(0, Action::Become(1, CloudService::Switch, condition))],
        faults_end: end + 9_000,
        promptness: Some(8_000),
        ..base(dice, Kind::SwitchUnknown)
    }
}

pub(super) fn both_passive(dice: &mut Dice) -> Schedule {
    let orders = simple_orders(dice, 1_000, 5_000, true);
    Schedule {
        settings: settings(3, 2),
        first: [SiteState::Passive; REGIONS],
        last: dice.pick(&STATES[..3]),
        orders,
        faults_end: 20_000,
        ..base(dice, Kind::BothPassive)
    }
}

/// Enough sales for several pages of the pending index.
pub(super) fn failover(dice: &mut Dice) -> Schedule {
    let orders = orders(dice, 32, 2_000, 10_000, false);
    // All accepted sales have replicated by then.
    let at = dice.between(14_500, 20_000);
    let mut actions =
        vec![(at, Action::Set(1, Some(SiteState::Active))), (at + 1_000, Action::Set(0, Some(SiteState::Passive)))];
    if dice.chance(500) {
        actions.insert(0, (at - 100, Action::Lose(0)));
    }
    Schedule {
        // Neither the grace period nor the next sweep delays this.
        settings: settings(60, 40),
        workers: [0, 1],
        last: [SiteState::Passive, SiteState::Active],
        orders,
        actions,
        faults_end: at + 13_000,
        // The state is up to 6 s old, and the sweep takes a moment.
        promptness: Some(at + 12_000),
        ..base(dice, Kind::Failover)
    }
}

pub(super) fn takeover(dice: &mut Dice) -> Schedule {
    let orders = simple_orders(dice, 2_000, 30_000, false);
    let (grace, interval) = (5, 2);
    let refusing = Condition::Refusing(FailureKind::Unavailable);
    let (at, never) = (dice.between(8_000, 25_000), Duration::from_secs(3_600));
    // A killed task's leases expire after at most 36 s; a stopped one releases them.
    let killed = dice.chance(500);
    let (workers, end, lapse) = if killed {
        (2, Action::Kill(ProcessKind::Worker, 0, never), 36)
    } else {
        (1, Action::Stop(ProcessKind::Worker, 0, Duration::from_secs(1)), 0)
    };
    Schedule {
        settings: settings(grace, interval),
        workers: [workers, 1],
        orders,
        actions: vec![(0, Action::Become(0, CloudService::Topic, refusing)), (at, end)],
        faults_end: 31_000,
        // The grace period, the rest of a lease, two intervals, and a moment.
        promptness: Some((grace + lapse + 3 * interval + 5) * 1_000),
        ..base(dice, Kind::Takeover)
    }
}

/// By sweeps alone, or by messages and sweeps.
pub(super) fn resisting(dice: &mut Dice) -> Schedule {
    let mut orders = simple_orders(dice, 2_000, 20_000, false);
    if dice.chance(500) {
        let at = dice.between(2_000, 20_000);
        orders.extend(burst(dice, at, Target::Accelerator));
    }
    let (grace, interval) = (5, 2);
    let refusing = Action::Become(0, CloudService::Topic, Condition::Refusing(FailureKind::Unavailable));
    Schedule {
        settings: settings(grace, interval),
        orders,
        actions: if dice.chance(500) { vec![(0, refusing)] } else { Vec::new() },
        resists: Some(dice.pick(&[FailureKind::Rejected, FailureKind::Unrecognized])),
        faults_end: 45_000,
        // The grace period, two intervals, and a moment for each page of a burst.
        promptness: Some((grace + 3 * interval + 10) * 1_000),
        ..base(dice, Kind::Resisting)
    }
}

/// A few orders without retries; `anywhere` sends some past the accelerator.
fn simple_orders(dice: &mut Dice, from: u64, to: u64, anywhere: bool) -> Vec<PlannedOrder> {
    let count = dice.between(4, 12);
    orders(dice, count, from, to, anywhere)
}

fn orders(dice: &mut Dice, count: u64, from: u64, to: u64, anywhere: bool) -> Vec<PlannedOrder> {
    let order = |number: u64| {
        let target =
            if anywhere && dice.chance(300) { Target::Region(dice.below(REGIONS)) } else { Target::Accelerator };
        let cancelled = if dice.chance(200) { vec![(dice.between(0, 3_000), Target::Accelerator)] } else { Vec::new() };
        PlannedOrder {
            shop: 0,
            at: dice.between(from, to),
            target,
            key: dice.chance(300).then(|| format!("order-{number}")),
            body: body(dice, number),
            tries: 1,
            hedged_after: None,
            cancelled,
            pried: false,
        }
    };
    (0..count).map(order).collect()
}

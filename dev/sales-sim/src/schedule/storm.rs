//! Schedules in which anything may happen.

use std::time::Duration;

use sales::memory::{CloudService, Flow};
use sales::ports::FailureKind;
use sales::site_state::SiteState;

use super::{Action, Kind, PlannedOrder, ProcessKind, SERVICES, STATES, Schedule, Target, base, body, burst, settings};
use crate::conditions::{Condition, Rates};
use crate::dice::Dice;
use crate::regions::REGIONS;

pub(super) fn storm(dice: &mut Dice) -> Schedule {
    let end = dice.between(20_000, 60_000);
    let mut schedule = Schedule {
        rates: Rates::storm(dice),
        settings: settings(dice.pick(&[3, 10, 30]), dice.pick(&[2, 5])),
        apis: [1, 1].map(|one| one + usize::from(dice.chance(200))),
        workers: [1, 1].map(|one| one + usize::from(dice.chance(300))),
        first: dice.pick(&STATES),
        last: dice.pick(&STATES[..3]),
        clock_skew: dice.pick(&[0, 0, 1_000, 5_000]),
        storage_clocks: [Duration::from_millis(dice.pick(&[0, 0, 5, 700])), Duration::ZERO],
        orders: storm_orders(dice, end),
        faults_end: end,
        ..base(dice, Kind::Storm)
    };
    for _ in 0..dice.between(0, 8) {
        let from = dice.between(0, end);
        let to = (from + dice.pick(&[500, 3_000, 10_000, 30_000])).min(end);
        let region = dice.below(REGIONS);
        trouble(dice, region, from, to, &mut schedule.actions);
    }
    for _ in 0..dice.between(0, 3) {
        let (at, region) = (dice.between(0, end), dice.below(REGIONS));
        schedule.actions.push((at, Action::PublishForeign(region)));
    }
    if dice.chance(80) {
        let region = dice.below(REGIONS);
        let at = dice.between(end / 3, end);
        schedule.lost_for_good = Some(region);
        schedule.actions.push((at, Action::Lose(region)));
        schedule.last = [SiteState::Active; REGIONS];
    }
    schedule.actions.sort_by_key(|(at, _)| *at);
    schedule
}

/// Two builders in each region, of which none gets an answer about the lease: they fold at the same time, while calls are slow
/// and much is ordered.
fn builders_without_lease(dice: &mut Dice, schedule: &mut Schedule) {
    let end = schedule.faults_end;
    schedule.lakes = [2; REGIONS];
    schedule.fold_interval = Duration::from_secs(5);
    schedule.rates.longest_call = 300;
    for region in 0..REGIONS {
        schedule.actions.push((0, Action::Become(region, CloudService::Marks, Condition::WithoutLeases)));
        for at in (1_000..end).step_by(700) {
            schedule.orders.push(lone_order(dice, at, region));
        }
    }
}

/// An order without a key that is not repeated.
fn lone_order(dice: &mut Dice, at: u64, region: usize) -> PlannedOrder {
    let body = body(dice, 2_000 + at);
    PlannedOrder {
        shop: 0,
        at,
        target: Target::Region(region),
        key: None,
        body,
        tries: 1,
        hedged_after: None,
        cancelled: Vec::new(),
        pried: false,
    }
}

/// A storm with builders of the lake's table, which die often.
pub(super) fn storm_with_builders(dice: &mut Dice) -> Schedule {
    let mut schedule = storm(dice);
    schedule.lakes = [1, 1].map(|one| one + usize::from(dice.chance(500)));
    schedule.fold_interval = Duration::from_secs(dice.pick(&[3, 10, 30]));
    for _ in 0..dice.between(0, 6) {
        let (at, region) = (dice.between(0, schedule.faults_end), dice.below(REGIONS));
        let restart = Duration::from_millis(dice.pick(&[0, 1_000, 20_000]));
        schedule.actions.push((at, Action::Kill(ProcessKind::Lake, region, restart)));
    }
    if dice.chance(500) {
        builders_without_lease(dice, &mut schedule);
    }
    schedule.actions.sort_by_key(|(at, _)| *at);
    schedule
}

fn storm_orders(dice: &mut Dice, end: u64) -> Vec<PlannedOrder> {
    let count = dice.between(3, 14);
    let target = |dice: &mut Dice| {
        if dice.chance(600) { Target::Accelerator } else { Target::Region(dice.below(REGIONS)) }
    };
    let order = |number: u64| {
        let keyed = dice.chance(400);
        let cancellations = if dice.chance(250) { dice.between(1, 2) } else { 0 };
        PlannedOrder {
            shop: 0,
            at: dice.between(0, end),
            target: target(dice),
            key: keyed.then(|| format!("order-{number}")),
            body: body(dice, number),
            tries: if keyed { dice.pick(&[1, 2, 5]) } else { 1 },
            hedged_after: (keyed && dice.chance(200)).then(|| dice.between(0, 2_000)),
            cancelled: (0..cancellations).map(|_| (dice.between(0, 8_000), target(dice))).collect(),
            pried: false,
        }
    };
    let mut orders: Vec<PlannedOrder> = (0..count).map(order).collect();
    if dice.chance(150) {
        let (at, target) = (dice.between(0, end), target(dice));
        orders.extend(burst(dice, at, target));
    }
    orders
}

/// A failure that begins at `from` and ends at `to`.
fn trouble(dice: &mut Dice, region: usize, from: u64, to: u64, actions: &mut Vec<(u64, Action)>) {
    let restart = Duration::from_millis(dice.between(100, 10_000));
    let role = dice.pick(&[ProcessKind::Api, ProcessKind::Worker, ProcessKind::Worker]);
    match dice.below(17) {
        0..=4 => {
            let service = dice.pick(&SERVICES);
            let condition = dice.pick(&[
                Condition::Refusing(FailureKind::Unavailable),
                Condition::Refusing(FailureKind::Denied),
                Condition::Hanging,
                Condition::Flaky,
            ]);
            actions.push((from, Action::Become(region, service, condition)));
            actions.push((to, Action::Become(region, service, Condition::Working)));
        }
        5 => actions.extend([(from, Action::Lose(region)), (to, Action::Return(region))]),
        6 | 7 => {
            let flow = dice.pick(&[Flow::Tables, Flow::Announcements, Flow::Lakes]);
            let into = if flow == Flow::Announcements { dice.below(REGIONS) } else { 1 - region };
            actions
                .extend([(from, Action::Cut(flow, region, into, true)), (to, Action::Cut(flow, region, into, false))]);
        }
        8 => {
            // Repeated crashes, often in the middle of work.
            let times = dice.between(1, 5);
            let quick = Duration::from_millis(dice.between(10, 300));
            actions.extend(
                (0..times).map(|turn| (from + turn * dice.between(50, 700), Action::Kill(role, region, quick))),
            );
        }
        9 => actions.push((from, Action::Kill(role, region, restart))),
        10 => actions.push((from, Action::Stop(role, region, restart))),
        11 | 12 => {
            let states = dice.pick(&STATES);
            let apart = dice.between(0, 3_000);
            actions.extend([(from, Action::Set(0, Some(states[0]))), (from + apart, Action::Set(1, Some(states[1])))]);
        }
        13 => {
            let states = dice.pick(&STATES[..3]);
            actions.push((from, Action::Set(region, None)));
            actions.push((to, Action::Set(region, Some(states[region]))));
        }
        14 => actions.push((to, Action::ShowHidden(region))),
        15 => actions.push((from, Action::Poison(region))),
        _ => {
            // A queue delivers again and again what a lake refuses.
            let refusing = Condition::Refusing(FailureKind::Rejected);
            actions.extend((0..40).map(|turn| (from + turn * 500, Action::ShowHidden(region))));
            actions.push((from, Action::Become(region, CloudService::Lake, refusing)));
            actions.push((to.max(from + 20_000), Action::Become(region, CloudService::Lake, Condition::Working)));
        }
    }
}

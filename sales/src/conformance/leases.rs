//! The leases: which task sweeps which shard.

use std::time::Duration;

use super::{Ports, Regions, samples};
use crate::clock::Timestamp;
use crate::ports::{Duty, Holder, Lease, Leases};
use crate::shard::Shard;

/// The first task to ask gets it.
pub async fn a_free_shard_is_taken_and_another_task_is_told_until_when(regions: &Regions<impl Ports>) {
    let (leases, shard, [first, second]) = (regions.here.leases(), shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    assert_eq!(leases.acquire(shard, first, now, until).await.expect("asked"), Lease::Own(until));
    assert_eq!(leases.acquire(shard, second, now, later).await.expect("asked"), Lease::Other(until));
    // The second task's rejected attempt has not changed anything.
    assert_eq!(leases.acquire(shard, second, second_before(until), later).await.expect("asked"), Lease::Other(until));
}

/// As often as it asks.
pub async fn its_holder_keeps_a_shard_for_longer(regions: &Regions<impl Ports>) {
    let (leases, shard, [first, second]) = (regions.here.leases(), shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    for until in [until, until, later] {
        assert_eq!(leases.acquire(shard, first, now, until).await.expect("asked"), Lease::Own(until));
    }
    assert_eq!(leases.acquire(shard, second, until, later).await.expect("asked"), Lease::Other(later));
}

/// A dead task's lease passes to another.
pub async fn a_shard_is_free_again_once_its_time_is_over(regions: &Regions<impl Ports>) {
    let (leases, shard, [first, second]) = (regions.here.leases(), shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    leases.acquire(shard, first, now, until).await.expect("asked");
    let early = leases.acquire(shard, second, second_before(until), later).await;
    assert_eq!(early.expect("asked"), Lease::Other(until));
    assert_eq!(leases.acquire(shard, second, until, later).await.expect("asked"), Lease::Own(later));
    assert_eq!(leases.acquire(shard, first, until, later).await.expect("asked"), Lease::Other(later));
}

/// A release by another task, or by an earlier holder, has no effect.
pub async fn its_holder_alone_lets_a_shard_go(regions: &Regions<impl Ports>) {
    let (leases, shard, [first, second]) = (regions.here.leases(), shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    leases.release(shard, first).await.expect("no one holds it");
    leases.acquire(shard, first, now, until).await.expect("asked");
    leases.release(shard, second).await.expect("nothing to do");
    assert_eq!(leases.acquire(shard, second, now, later).await.expect("asked"), Lease::Other(until));
    leases.release(shard, first).await.expect("released");
    assert_eq!(leases.acquire(shard, second, now, later).await.expect("asked"), Lease::Own(later));
    leases.release(shard, first).await.expect("nothing to do");
    assert_eq!(leases.acquire(shard, first, now, later).await.expect("asked"), Lease::Other(later));
}

/// A retry, as by the client library, counts as an acquisition of the own lease.
pub async fn a_lease_whose_answer_was_lost_is_held_by_whoever_asked(regions: &Regions<impl Ports>) {
    let (leases, shard, [first, second]) = (regions.here.leases(), shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    regions.here.lose_next_answer("PutItem");
    assert_eq!(leases.acquire(shard, first, now, until).await.expect("asked"), Lease::Own(until));
    assert_eq!(leases.acquire(shard, second, now, later).await.expect("asked"), Lease::Other(until));
}

/// One task may hold several, several tasks one each.
pub async fn shards_are_held_one_by_one(regions: &Regions<impl Ports>) {
    let (leases, [first, second]) = (regions.here.leases(), holders());
    let (now, until, later) = moments(regions);
    let (one, two) = (shard(regions, 0), shard(regions, 1));
    assert_eq!(leases.acquire(one, first, now, until).await.expect("asked"), Lease::Own(until));
    assert_eq!(leases.acquire(two, second, now, until).await.expect("asked"), Lease::Own(until));
    leases.release(two, second).await.expect("released");
    assert_eq!(leases.acquire(two, first, now, later).await.expect("asked"), Lease::Own(later));
    assert_eq!(leases.acquire(one, second, now, later).await.expect("asked"), Lease::Other(until));
}

/// Whoever sweeps a shard keeps no one from building the table.
pub async fn the_table_is_a_duty_of_its_own(regions: &Regions<impl Ports>) {
    let (leases, shard, [first, second]) = (regions.here.leases(), shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    assert_eq!(leases.acquire(shard, first, now, until).await.expect("asked"), Lease::Own(until));
    assert_eq!(leases.acquire(Duty::Table, second, now, until).await.expect("asked"), Lease::Own(until));
    assert_eq!(leases.acquire(Duty::Table, first, now, later).await.expect("asked"), Lease::Other(until));
    leases.release(Duty::Table, second).await.expect("released");
    assert_eq!(leases.acquire(Duty::Table, first, now, later).await.expect("asked"), Lease::Own(later));
}

/// The tasks of one region never wait for those of another, which may be lost.
pub async fn the_other_region_has_leases_of_its_own(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.leases(), regions.there.leases());
    let (shard, [first, second]) = (shard(regions, 0), holders());
    let (now, until, later) = moments(regions);
    assert_eq!(here.acquire(shard, first, now, until).await.expect("asked"), Lease::Own(until));
    assert_eq!(there.acquire(shard, second, now, later).await.expect("asked"), Lease::Own(later));
    there.release(shard, second).await.expect("released");
    assert_eq!(here.acquire(shard, second, now, later).await.expect("asked"), Lease::Other(until));
}

fn holders() -> [Holder; 2] {
    [Holder::new(samples::uuid()), Holder::new(samples::uuid())]
}

fn shard(regions: &Regions<impl Ports>, number: usize) -> Shard {
    regions.shards.iter().nth(number).expect("more than one shard")
}

/// Now, and two moments late enough that no table treats the item as expired.
fn moments(regions: &Regions<impl Ports>) -> (Timestamp, Timestamp, Timestamp) {
    let now = regions.clock.now();
    (now, now.plus(Duration::from_secs(3_600)), now.plus(Duration::from_secs(7_200)))
}

fn second_before(moment: Timestamp) -> Timestamp {
    moment.minus(Duration::from_secs(1))
}

//! Regions that are lost and restored, and regions that are switched.

use sales_testbed::{
    resources::RegionState,
    testing::{Fault, eventually},
};

use crate::pipeline::{NEVER, Pipeline, TestRegion};

pub(crate) async fn what_a_lost_region_accepted_ends_in_the_lake_of_the_other_and_it_may_return_passive() {
    lost_and_returned(RegionState::Passive).await;
}

pub(crate) async fn what_a_lost_region_accepted_ends_in_the_lake_of_the_other_and_it_may_return_active() {
    lost_and_returned(RegionState::Active).await;
}

async fn lost_and_returned(returns_as: RegionState) {
    // Production's grace period: the sweep at the switch must not wait for it.
    let pipeline = Pipeline::running(&[("PENDING_GRACE_SECONDS", "30")]).await;
    let (lost, left) = (pipeline.first(), pipeline.second());
    pipeline.accept(lost, 10).await;
    // Some are half-way, in the lake without a mark; some in the queue; some not even announced.
    lost.worker.proxy.fail("BatchWriteItem", Fault::Delay(NEVER));
    pipeline.accept(lost, 20).await;
    let half_way = async || (lost.worker.proxy.calls("BatchWriteItem") > 0).then_some(());
    eventually("some are half-way", half_way).await;
    lost.worker.kill().await;
    pipeline.accept(lost, 20).await;
    lost.api.proxy.fail("Publish", Fault::Delay(NEVER));
    pipeline.accept(lost, 20).await;
    lost.kill().await;

    left.switch(RegionState::Active).await;
    pipeline.accept(left, 10).await;
    all_is_in_the_lake_of(&pipeline, left).await;
    assert!(lost.region.queued_count().await.unwrap() > 0, "its messages wait for the lost region");

    lost.region.set_state(returns_as).await.unwrap();
    lost.worker.proxy.heal();
    lost.api.proxy.heal();
    lost.start().await;
    pipeline.accept(lost, 10).await;
    pipeline.audit().await;
}

async fn all_is_in_the_lake_of(pipeline: &Pipeline, site: &TestRegion) {
    let registered = pipeline.registered().await;
    let arrived = async || {
        let pending = site.region.pending_count().await.unwrap();
        (pending == 0 && site.region.facts_in_lake().await.unwrap().len() == registered).then_some(())
    };
    eventually(&format!("all {registered} are in the lake of {}", site.region.name), arrived).await;
}

pub(crate) async fn while_both_regions_are_passive_sales_wait_and_the_lake_stays_empty() {
    let pipeline = Pipeline::running(&[]).await;
    let (first, second) = (pipeline.first(), pipeline.second());
    first.switch(RegionState::Passive).await;
    pipeline.under_load(&[first, second], pipeline.more_accepted(60)).await;
    let registered = pipeline.registered().await;
    for site in [first, second] {
        site.queue_is_empty().await;
        assert_eq!(site.region.lake_keys().await.unwrap(), [""; 0]);
        assert_eq!(site.region.pending_count().await.unwrap(), registered);
    }
    pipeline
        .under_load(&[first, second], async {
            second.switch(RegionState::Active).await;
            pipeline.more_accepted(20).await;
        })
        .await;
    pipeline.audit().await;
}

pub(crate) async fn both_regions_may_be_active_and_no_sale_is_done_by_both() {
    // Production's grace period, so that a sweep does not overtake a message on a busy machine.
    let pipeline = Pipeline::running(&[("PENDING_GRACE_SECONDS", "30")]).await;
    let (first, second) = (pipeline.first(), pipeline.second());
    second.switch(RegionState::Active).await;
    pipeline.under_load(&[first, second], pipeline.more_accepted(100)).await;
    for site in [first, second] {
        site.queue_is_empty().await;
    }
    let (registered, lines) = (pipeline.registered().await, first.region.journal().await.unwrap().len());
    assert!(lines <= registered + registered / 10, "{lines} lines were written for {registered} sales");
    for site in [first, second] {
        assert!(site.worker.proxy.done("PutObject") > 0, "{} did nothing", site.region.name);
    }
    pipeline.audit().await;
}

pub(crate) async fn an_active_region_without_a_worker_is_covered_by_the_other() {
    let pipeline = Pipeline::running(&[]).await;
    let (first, second) = (pipeline.first(), pipeline.second());
    second.switch(RegionState::Active).await;
    first.worker.kill().await;
    pipeline.accept(first, 40).await;
    all_is_in_the_lake_of(&pipeline, second).await;
    first.worker.start().await;
    pipeline.audit().await;
}

pub(crate) async fn regions_are_switched_back_and_forth_under_load() {
    let pipeline = Pipeline::running(&[]).await;
    let (first, second) = (pipeline.first(), pipeline.second());
    pipeline
        .under_load(&[first, second], async {
            for (from, to) in [(first, second), (second, first), (first, second), (second, first)] {
                to.switch(RegionState::Active).await;
                from.switch(RegionState::Passive).await;
            }
        })
        .await;
    pipeline.audit().await;
}

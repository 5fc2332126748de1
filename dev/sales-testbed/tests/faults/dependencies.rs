//! AWS services that fail, hang, or lose responses, for a while and for one process or several.

use std::time::Duration;

use futures::future::join_all;
use sales_testbed::{
    resources::RegionState,
    testing::{Fault, eventually},
};
use tokio::time::sleep;

use crate::{
    clients::Answer,
    pipeline::{NEVER, Pipeline},
};

/// A service that fails, one that throttles, and one that does not respond.
const FAILURES: [Fault; 3] = [Fault::Status(500), Fault::Throttled, Fault::Delay(NEVER)];

pub(crate) async fn a_lake_that_refuses_for_minutes_makes_sales_wait_without_a_rush_of_calls() {
    const REFUSAL: Duration = Duration::from_secs(120);
    const SALES: usize = 40;
    // As in production, where the pauses are long.
    let production = [("PENDING_GRACE_SECONDS", "30"), ("SWEEP_INTERVAL_SECONDS", "5"), ("WORKER_CONCURRENCY", "16")];
    let pipeline = Pipeline::running(&production).await;
    let site = pipeline.first();
    for site in &pipeline.sites {
        site.worker.proxy.fail("PutObject", Fault::Status(503));
        site.worker.proxy.fail("HeadBucket", Fault::Status(503));
    }
    pipeline.accept(site, SALES).await;
    let calls = || (site.worker.proxy.calls("PutObject"), site.worker.proxy.calls("*"));
    let mut before = calls();
    for minute in 1..=REFUSAL.as_secs() / 60 {
        sleep(Duration::from_secs(60)).await;
        let after = calls();
        let (puts, all) = (after.0 - before.0, after.1 - before.1);
        assert!(puts > 0 && puts < SALES * 15, "{puts} puts in minute {minute}");
        assert!(all < SALES * 25, "{all} calls in minute {minute}");
        before = after;
    }
    assert_eq!(site.region.lake_keys().await.unwrap(), [""; 0]);
    let registered = pipeline.registered().await;
    assert_eq!(site.region.pending_count().await.unwrap(), registered, "nothing is processed without its object");
    assert_eq!(pipeline.marked().await, 0, "nothing is marked without its object");
    for site in &pipeline.sites {
        site.worker.proxy.heal();
    }
    pipeline.audit().await;
}

pub(crate) async fn a_topic_that_fails_hangs_or_loses_answers_stops_no_client() {
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    for fault in [Fault::Status(500), Fault::Delay(NEVER), Fault::LostAnswer] {
        let called = site.api.proxy.calls("Publish");
        site.api.proxy.fail("Publish", fault);
        pipeline.accept(site, 25).await;
        let met = async || (site.api.proxy.calls("Publish") > called).then_some(());
        eventually("something is announced", met).await;
        site.api.proxy.heal();
    }
    pipeline.audit().await;
}

pub(crate) async fn a_table_that_fails_throttles_or_hangs_is_503_and_recovers_by_itself() {
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    for fault in FAILURES {
        site.api.proxy.fail("DynamoDB", fault);
        let refused = async |number: usize| {
            let key = format!("refused-{number}");
            tokio::join!(pipeline.post(site), pipeline.post_order(site, &key))
        };
        // Without a deadline in the service, the clients would time out first.
        for answers in join_all((0..30).map(refused)).await {
            assert_eq!(answers, (Answer::Unavailable, Answer::Unavailable), "{fault:?}");
        }
        site.api.proxy.heal();
        pipeline.accept(site, 10).await;
    }
    pipeline.audit().await;
}

pub(crate) async fn tables_that_fail_for_the_worker_alone_make_sales_wait() {
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    for fault in FAILURES {
        let failed = async || site.worker.counted("sales_messages_total{outcome=\"failed\"}").await;
        let before = failed().await;
        site.worker.proxy.fail("DynamoDB", fault);
        pipeline.accept(site, 15).await;
        eventually("messages fail", async || (failed().await > before).then_some(())).await;
        site.worker.proxy.heal();
    }
    pipeline.audit().await;
}

pub(crate) async fn a_worker_that_reaches_nothing_stops_in_time_and_leaves_its_work_to_the_next() {
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    let proxy = &site.worker.proxy;
    for fault in FAILURES {
        // A few messages are in flight then.
        pipeline.accept(site, 15).await;
        let called = proxy.calls("*");
        proxy.fail("*", fault);
        pipeline.accept(site, 10).await;
        let met = async || (proxy.calls("*") >= called + 10).then_some(());
        eventually("calls fail", met).await;
        // Nor does it hang in shutdown.
        assert_eq!(site.worker.stop().await, 0, "{fault:?}");
        proxy.heal();
        site.worker.start().await;
    }
    pipeline.audit().await;
}

pub(crate) async fn without_a_switch_from_the_start_sales_are_accepted_and_wait() {
    const OBSERVED: Duration = Duration::from_secs(20);
    let pipeline = Pipeline::set(&[]).await;
    for service in pipeline.services() {
        service.proxy.fail("GetParameter", Fault::Status(500));
    }
    pipeline.start().await;
    for site in &pipeline.sites {
        pipeline.accept(site, 15).await;
    }
    for site in &pipeline.sites {
        site.queue_is_empty().await;
    }
    let before: Vec<usize> = pipeline.services().map(|service| service.proxy.calls("GetParameter")).collect();
    sleep(OBSERVED).await;
    for (service, before) in pipeline.services().zip(before) {
        let calls = service.proxy.calls("GetParameter") - before;
        assert!((1..=16).contains(&calls), "asked {calls} times in {} s", OBSERVED.as_secs());
        service.says_of_its_site("UNKNOWN").await;
    }
    let registered = pipeline.registered().await;
    for site in &pipeline.sites {
        assert_eq!(site.region.lake_keys().await.unwrap(), [""; 0]);
        assert_eq!(site.region.pending_count().await.unwrap(), registered);
    }
    for service in pipeline.services() {
        service.proxy.heal();
    }
    pipeline.audit().await;
}

pub(crate) async fn a_switch_that_is_lost_later_leaves_the_last_known_state() {
    let pipeline = Pipeline::running(&[]).await;
    let (first, second) = (pipeline.first(), pipeline.second());
    for service in pipeline.services() {
        service.proxy.fail("GetParameter", Fault::Status(500));
    }
    let called = second.worker.proxy.calls("GetParameter");
    let asked = async || (second.worker.proxy.calls("GetParameter") > called).then_some(());
    eventually("the switch was asked", asked).await;
    second.region.set_state(RegionState::Active).await.unwrap();
    for site in &pipeline.sites {
        pipeline.accept(site, 20).await;
    }
    let registered = pipeline.registered().await;
    let processed = async || (first.region.facts_in_lake().await.unwrap().len() == registered).then_some(());
    eventually("the region that was active processes", processed).await;
    assert_eq!(second.worker.proxy.calls("PutObject"), 0, "the other one knows nothing of its activation");
    for service in pipeline.services() {
        service.proxy.heal();
    }
    second.knows(RegionState::Active).await;
    pipeline.audit().await;
}

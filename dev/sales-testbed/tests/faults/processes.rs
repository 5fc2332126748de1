//! Services that are killed, and services that shut down.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;
use sales_testbed::testing::{Fault, FaultProxy, eventually};

use crate::{
    clients::Answer,
    pipeline::{NEVER, Pipeline},
};

pub(crate) async fn a_worker_killed_before_and_after_each_step_leaves_work_that_its_messages_repeat() {
    // Messages are redelivered after 30 s: before the sweep, so only marked facts are left to it. One batch at a time,
    // since the emulator delivers messages even to a waiting receiver that is dead.
    killed_before_and_after_each_step(&[("PENDING_GRACE_SECONDS", "45"), ("WORKER_CONCURRENCY", "1")]).await;
}

pub(crate) async fn a_worker_killed_before_and_after_each_step_leaves_work_that_the_sweep_repeats() {
    killed_before_and_after_each_step(&[]).await;
}

async fn killed_before_and_after_each_step(settings: &[(&str, &str)]) {
    let pipeline = Pipeline::running(settings).await;
    let site = pipeline.first();
    let proxy = &site.worker.proxy;
    for step in ["BatchGetItem", "PutObject", "BatchWriteItem", "BatchExecuteStatement", "DeleteMessageBatch"] {
        for fault in [Fault::Delay(NEVER), Fault::LateAnswer(NEVER)] {
            // A late response belongs to completed work.
            let count = if matches!(fault, Fault::Delay(_)) { FaultProxy::calls } else { FaultProxy::done };
            let seen = count(proxy, step);
            proxy.fail(step, fault);
            pipeline.accept(site, 10).await;
            let met = async || (count(proxy, step) > seen).then_some(());
            eventually(&format!("{step} meets {fault:?}"), met).await;
            site.worker.kill().await;
            proxy.heal();
            site.worker.start().await;
        }
    }
    pipeline.audit().await;
}

pub(crate) async fn an_api_killed_under_load_keeps_what_it_answered() {
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    let slow = Duration::from_millis(300);
    pipeline
        .under_load(&[site], async {
            for (operation, fault) in [
                ("PutItem", Fault::Delay(slow)),
                ("PutItem", Fault::LateAnswer(slow)),
                ("Publish", Fault::Delay(slow)),
                ("Publish", Fault::LateAnswer(slow)),
            ] {
                site.api.proxy.fail(operation, fault);
                pipeline.more_accepted(12).await;
                site.api.kill().await;
                site.api.proxy.heal();
                site.api.start().await;
            }
            pipeline.more_accepted(12).await;
        })
        .await;
    pipeline.audit().await;
}

pub(crate) async fn an_api_that_is_stopped_answers_all_that_it_has_begun_whether_it_can_be_announced_or_not() {
    const AT_ONCE: usize = 40;
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    for announcing in [Duration::ZERO, NEVER] {
        site.api.proxy.fail("Publish", Fault::Delay(announcing));
        for operation in ["PutItem", "BatchWriteItem"] {
            site.api.proxy.fail(operation, Fault::Delay(Duration::from_millis(500)));
        }
        let answered = AtomicUsize::new(0);
        let posting = join_all((0..AT_ONCE).map(async |_| {
            let answer = pipeline.post(site).await;
            answered.fetch_add(1, Ordering::Relaxed);
            answer
        }));
        let stopping = async {
            // A sale that has waited too long for its turn gets 503, and its put never begins.
            let begun = async || {
                let begun = site.api.counted("sales_write_group_size_sum").await as usize;
                (begun.max(answered.load(Ordering::Relaxed)) >= AT_ONCE).then_some(())
            };
            eventually("all puts have begun", begun).await;
            site.api.stop().await
        };
        let (answers, code) = tokio::join!(posting, stopping);
        assert_eq!(code, 0);
        // On a busy machine some get 503, which is a response, too.
        assert!(answers.iter().all(|answer| *answer != Answer::BrokenOff), "{answers:?}");
        site.api.proxy.heal();
        site.api.start().await;
    }
    pipeline.audit().await;
}

pub(crate) async fn services_that_are_stopped_and_started_under_load_lose_nothing() {
    let pipeline = Pipeline::running(&[]).await;
    let site = pipeline.first();
    // Clients that come while the API is down cannot connect, so they get no response.
    pipeline
        .under_load(&[site], async {
            for _ in 0..3 {
                pipeline.more_accepted(12).await;
                let codes = tokio::join!(site.api.stop(), site.worker.stop());
                assert_eq!(codes, (0, 0));
                site.start().await;
            }
            pipeline.more_accepted(12).await;
        })
        .await;
    pipeline.audit().await;
}

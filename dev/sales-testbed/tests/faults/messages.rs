//! Duplicate and malformed messages, repeated requests, and lost responses.

use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, SendMessageBatchRequestEntry};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use sales_testbed::{
    resources::{RegionResources, RegionState},
    testing::{Fault, FaultProxy, eventually},
};

use crate::{clients::Answer, pipeline::Pipeline};

/// Long enough for other requests to begin meanwhile, shorter than the services' timeouts.
const SLOW: Duration = Duration::from_millis(500);

pub(crate) async fn a_message_delivered_many_times_everywhere_is_one_sale() {
    let pipeline = Pipeline::running(&[]).await;
    // Either region may process the last ones, while both are ACTIVE.
    for home in [Some("sa-east-1"), Some("us-east-1"), None] {
        if home.is_none() {
            pipeline.second().switch(RegionState::Active).await;
        }
        for id in pipeline.accept(pipeline.first(), 5).await {
            let body = pipeline.body(&id).await;
            let again = [(body.as_str(), home); 20];
            let regions = pipeline.sites.each_ref().map(|site| &site.region);
            join_all(regions.map(|region| send(&pipeline, region, &again))).await;
        }
    }
    pipeline.audit().await;
}

pub(crate) async fn poison_between_good_messages_is_a_dead_letter_and_nothing_else() {
    const POISON: [&str; 4] = ["no json", "{}", "[1,2]", r#"{"id":"42","product":"a","amount":1,"timestamp":1}"#];
    let pipeline = Pipeline::running(&[]).await;
    for poison in POISON {
        for site in &pipeline.sites {
            send(&pipeline, &site.region, &[(poison, None), (poison, Some("sa-east-1")), (poison, None)]).await;
        }
        pipeline.accept(pipeline.first(), 10).await;
    }
    for site in &pipeline.sites {
        for letter in take_dead_letters(&pipeline, &site.region, POISON.len() * 3).await {
            // The redrive policy would have given no reason.
            assert!(letter.message_attributes.unwrap().contains_key("dead-letter-reason"));
            assert!(POISON.contains(&letter.body.as_deref().unwrap()));
        }
    }
    pipeline.audit().await;
}

pub(crate) async fn a_sale_cancelled_while_the_worker_works_stays_cancelled() {
    let pipeline = Pipeline::running(&[]).await;
    let [here, there] = &pipeline.sites;
    let mut cancelled = Vec::new();
    // Before the sale is in the lake, before it is marked, and before it is settled.
    for step in ["PutObject", "BatchWriteItem", "BatchExecuteStatement"] {
        let called = here.worker.proxy.calls(step);
        here.worker.proxy.fail(step, Fault::Delay(SLOW));
        let ids = pipeline.accept(here, 12).await;
        let met = async || (here.worker.proxy.calls(step) > called).then_some(());
        eventually(&format!("{step} begins"), met).await;
        let cancelling = ids.iter().zip(pipeline.sites.iter().cycle());
        join_all(cancelling.map(|(id, site)| pipeline.cancel(site, id))).await;
        here.worker.proxy.heal();
        cancelled.extend(ids);
    }
    let registered = pipeline.registered().await;
    let processed = async || (here.region.facts_in_lake().await.unwrap().len() == registered).then_some(());
    eventually("sales and cancellations are in the lake", processed).await;
    for id in &cancelled {
        for site in [here, there] {
            assert_eq!(pipeline.status(Method::GET, site, id).await, StatusCode::NOT_FOUND);
        }
    }
    pipeline.audit().await;
}

pub(crate) async fn a_key_is_one_sale_however_often_and_wherever_clients_retry() {
    const ORDERS: usize = 10;
    let pipeline = Pipeline::running(&[]).await;
    let api = &pipeline.first().api;
    let faults = [Fault::Status(500), Fault::LostAnswer, Fault::LateAnswer(SLOW), Fault::Delay(SLOW)];
    for fault in faults {
        let called = api.proxy.calls("PutItem");
        for site in &pipeline.sites {
            site.api.proxy.fail_every_other("PutItem", fault);
        }
        let order = async |number: usize| {
            let key = format!("{fault:?}-{number}");
            // Two impatient clients with the same order, which begin in different regions.
            let ids = join_all([0, 1].map(|first| insist(&pipeline, first, &key))).await.concat();
            assert!(ids.iter().all(|id| *id == ids[0]), "{key} is {ids:?}");
        };
        let dying = async {
            let met = async || (api.proxy.calls("PutItem") > called).then_some(());
            eventually("orders come in", met).await;
            api.kill().await;
            api.start().await;
        };
        tokio::join!(join_all((0..ORDERS).map(order)), dying);
        for site in &pipeline.sites {
            site.api.proxy.heal();
        }
    }
    assert_eq!(pipeline.registered().await, ORDERS * faults.len());
    pipeline.audit().await;
}

/// A client that posts to the regions alternately until it has three responses; returns the ids.
async fn insist(pipeline: &Pipeline, first: usize, key: &str) -> Vec<String> {
    let (mut ids, mut sites) = (Vec::new(), pipeline.sites.iter().cycle().skip(first));
    eventually(&format!("{key} is answered three times"), async || {
        match pipeline.post_order(sites.next()?, key).await {
            Answer::Accepted(id) | Answer::Repeated(id) => ids.push(id),
            Answer::Unavailable | Answer::BrokenOff => {}
        }
        (ids.len() == 3).then_some(())
    })
    .await;
    ids
}

pub(crate) async fn lost_answers_of_any_operation_repeat_nothing() {
    const OPERATIONS: [&str; 9] = [
        "PutItem",
        "Publish",
        "ReceiveMessage",
        "BatchGetItem",
        "PutObject",
        "BatchWriteItem",
        "BatchExecuteStatement",
        "DeleteMessageBatch",
        "Query",
    ];
    let pipeline = Pipeline::running(&[]).await;
    for operation in OPERATIONS {
        // First the retry gets its response, then none does.
        for lose in [FaultProxy::fail_every_other, FaultProxy::fail] {
            let done = pipeline.done(operation);
            for service in pipeline.services() {
                lose(&service.proxy, operation, Fault::LostAnswer);
            }
            // Some are put alone, some grouped; some get 503 although they are stored.
            for at_once in [1, 1, 6] {
                join_all((0..at_once).map(|_| pipeline.post(pipeline.first()))).await;
            }
            let lost = async || (pipeline.done(operation) > done).then_some(());
            eventually(&format!("an answer of {operation} is lost"), lost).await;
            for service in pipeline.services() {
                service.proxy.heal();
            }
        }
    }
    pipeline.audit().await;
}

pub(crate) async fn late_and_lost_answers_of_grouped_writes_repeat_nothing() {
    // So short that a sale may be in the lake before its second put, which makes it pending again.
    let pipeline = Pipeline::running(&[("PENDING_GRACE_SECONDS", "1")]).await;
    let site = pipeline.first();
    // Enough for each of the server's threads that some are grouped.
    let at_once = 20 * std::thread::available_parallelism().unwrap().get();
    for fault in [Fault::LostAnswer, Fault::LateAnswer(Duration::from_secs(2))] {
        for fail in [FaultProxy::fail_every_other, FaultProxy::fail] {
            let called = site.api.proxy.calls("BatchWriteItem");
            site.api.proxy.fail("PutItem", Fault::Delay(SLOW));
            fail(&site.api.proxy, "BatchWriteItem", fault);
            // Retried where a busy machine was too slow.
            eventually("some writes are grouped", async || {
                join_all((0..at_once).map(|_| pipeline.post(site))).await;
                (site.api.proxy.calls("BatchWriteItem") > called).then_some(())
            })
            .await;
            site.api.proxy.heal();
        }
    }
    pipeline.audit().await;
}

/// Sends messages like the topic: bodies with their home region.
async fn send(pipeline: &Pipeline, region: &RegionResources, messages: &[(&str, Option<&str>)]) {
    let queues = aws_sdk_sqs::Client::new(&pipeline.stage.sdk(region));
    let attribute = |value| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
    for some in messages.chunks(10) {
        let entries = some.iter().enumerate().map(|(place, (body, home))| {
            let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(*body);
            let entry = home.iter().fold(entry, |entry, home| entry.message_attributes("home", attribute(*home)));
            entry.message_attributes("ce-type", attribute("sale.registered")).build().unwrap()
        });
        let request = queues.send_message_batch().queue_url(&region.queue_url).set_entries(Some(entries.collect()));
        assert!(request.send().await.unwrap().failed().is_empty());
    }
}

/// Takes all messages off the dead-letter queue, at least this many: a letter whose response is late is sent twice.
async fn take_dead_letters(pipeline: &Pipeline, region: &RegionResources, wanted: usize) -> Vec<Message> {
    let queues = aws_sdk_sqs::Client::new(&pipeline.stage.sdk(region));
    let url = &region.dead_letter_queue_url;
    let mut letters = Vec::new();
    eventually(&format!("{wanted} dead letters in {}", region.name), async || {
        let request = queues.receive_message().queue_url(url).max_number_of_messages(10).message_attribute_names("All");
        for letter in request.send().await.unwrap().messages.unwrap_or_default() {
            let receipt = letter.receipt_handle.as_deref().unwrap();
            queues.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
            letters.push(letter);
        }
        let left = region.queued_count().await.unwrap() + region.dead_letter_count().await.unwrap();
        (letters.len() >= wanted && left == 0).then_some(())
    })
    .await;
    letters
}

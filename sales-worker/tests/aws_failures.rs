//! The worker against an AWS that rejects calls, loses responses, or has no credentials: the production binary behind a
//! proxy, on the emulator.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test plays the API, and looks into the queues itself")]

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use sales_testbed::resources::RegionResources;
use sales_testbed::testing::{ContainerCredentials, CredentialsEndpoint, Fault, Running, Stage, client, eventually};
use serde_json::Value;

async fn worker(stage: &Stage, extra: &[(&str, &str)]) -> Running {
    let environment = stage.active().worker_environment();
    stage.start(env!("CARGO_BIN_EXE_sales-worker"), environment, extra).await.expect("the worker serves")
}

fn id(number: u64) -> String {
    format!("0192f5c0-7c1d-7a3e-8f11-{number:012x}")
}

/// A message of another tool, without an item: it is processed as well.
async fn enqueue(stage: &Stage, number: u64) {
    let body = format!(r#"{{"id":"{}","product":"Livro","amount":14.5,"timestamp":1764547199}}"#, id(number));
    enqueue_body(stage, &body, HashMap::new()).await;
}

async fn enqueue_body(stage: &Stage, body: &str, attributes: HashMap<String, MessageAttributeValue>) {
    let queues = aws_sdk_sqs::Client::new(&stage.sdk(stage.active()));
    let message = queues.send_message().queue_url(&stage.active().queue_url).message_body(body);
    message.set_message_attributes(Some(attributes)).send().await.unwrap();
}

async fn lake_has(region: &RegionResources, number: u64) {
    let there = async || region.facts_in_lake().await.unwrap().contains(&id(number)).then_some(());
    eventually("the sale is in the lake", there).await;
}

async fn metrics(worker: &Running) -> String {
    client().get(format!("{}/metrics", worker.url)).send().await.unwrap().text().await.unwrap()
}

async fn shows(worker: &Running, line: &str) {
    let shown = async || metrics(worker).await.lines().any(|shown| shown == line).then_some(());
    eventually(line, shown).await;
}

async fn becomes(worker: &Running, dependency: &str, condition: &str) -> Value {
    eventually(&format!("{dependency} is {condition}"), async || {
        let url = format!("{}/readiness", worker.url);
        let readiness: Value = client().get(url).send().await.unwrap().json().await.unwrap();
        (readiness["dependencies"][dependency] == condition).then_some(readiness)
    })
    .await
}

fn warnings(worker: &mut Running, dependency: &str) -> Vec<String> {
    let log = worker.log();
    let lines = log.lines().filter(|line| line.contains("\"WARN\"") && line.contains(&format!("\"{dependency}\"")));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_lake_that_refuses_every_put_is_not_ready_although_it_answers_otherwise() {
    a_lake_that_refuses_every_put_with("InvalidAccessKeyId", "denied").await;
}

#[tokio::test]
async fn a_lake_that_refuses_every_put_with_an_unknown_code_is_not_ready_either() {
    a_lake_that_refuses_every_put_with("SomethingNew", "unrecognized").await;
}

async fn a_lake_that_refuses_every_put_with(code: &'static str, condition: &str) {
    let stage = Stage::set(&format!("lake-{condition}")).await.unwrap();
    let mut worker = worker(&stage, &[("PENDING_GRACE_SECONDS", "1"), ("SWEEP_INTERVAL_SECONDS", "1")]).await;
    becomes(&worker, "lake", "ok").await;
    stage.proxy.fail("PutObject", Fault::Refusal(400, code));
    enqueue(&stage, 1).await;
    enqueue(&stage, 2).await;
    assert_eq!(becomes(&worker, "lake", condition).await["status"], 503);
    // Wait for two more probes, which succeed.
    let probed = stage.proxy.done("HeadBucket") + 2;
    eventually("the lake is probed", async || (stage.proxy.done("HeadBucket") >= probed).then_some(())).await;
    becomes(&worker, "lake", condition).await;
    let warnings = warnings(&mut worker, "lake");
    assert!(warnings.len() == 1 && warnings[0].contains(code), "{warnings:?}");
    stage.proxy.heal();
    lake_has(stage.active(), 1).await;
    lake_has(stage.active(), 2).await;
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_counts_as_put() {
    let stage = Stage::set("lost-put").await.unwrap();
    let worker = worker(&stage, &[]).await;
    stage.proxy.fail_once("PutObject", Fault::CutAnswer);
    enqueue(&stage, 1).await;
    shows(&worker, "sales_messages_total{outcome=\"processed\"} 1").await;
    assert_eq!(stage.proxy.done("PutObject"), 2);
}

#[tokio::test]
async fn slow_credentials_are_loaded_once_and_the_worker_works() {
    let stage = Stage::set("slow-credentials").await.unwrap();
    let slowly = ContainerCredentials::After(Duration::from_millis(2_500), "2099-01-01T00:00:00Z");
    let endpoint = CredentialsEndpoint::start(slowly).await.unwrap();
    let environment = endpoint.instead_of_keys(stage.active().worker_environment());
    let worker = stage.start(env!("CARGO_BIN_EXE_sales-worker"), environment, &[]).await.unwrap();
    enqueue(&stage, 1).await;
    lake_has(stage.active(), 1).await;
    becomes(&worker, "credentials", "ok").await;
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test]
async fn a_worker_that_stops_while_it_waits_for_messages_hides_none() {
    let stage = Stage::set("stop-polling").await.unwrap();
    for round in 0..4 {
        let mut stopping = worker(&stage, &[]).await;
        let polls = stage.proxy.calls("ReceiveMessage");
        let polled = async || (stage.proxy.calls("ReceiveMessage") > polls).then_some(());
        eventually("the worker waits for messages", polled).await;
        stopping.process.terminate().unwrap();
        for number in 0..6 {
            enqueue(&stage, round * 10 + number).await;
        }
        assert_eq!(stopping.process.wait().await, 0);
        // All messages that it received are handled; the others are available to the next worker at once.
        let mut next = worker(&stage, &[]).await;
        for number in 0..6 {
            lake_has(stage.active(), round * 10 + number).await;
        }
        let queues = aws_sdk_sqs::Client::new(&stage.sdk(stage.active()));
        let hidden = queues.get_queue_attributes().queue_url(&stage.active().queue_url);
        let hidden =
            hidden.attribute_names(aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
        let empty = async || {
            let answer = hidden.clone().send().await.unwrap();
            answer.attributes.unwrap().into_values().all(|count| count == "0").then_some(())
        };
        eventually("no message is hidden", empty).await;
        assert_eq!(next.process.stop().await, 0);
    }
}

#[tokio::test]
async fn a_refused_copy_to_the_dead_letters_is_said_keeps_the_message_and_holds_up_no_other() {
    a_copy_that_is_refused("no-letters", Fault::Refusal(403, "AccessDenied")).await;
}

#[tokio::test]
async fn a_key_that_refuses_the_dead_letters_is_said_as_well() {
    a_copy_that_is_refused("no-key", Fault::Refusal(400, "KmsAccessDenied")).await;
}

async fn a_copy_that_is_refused(prefix: &str, refusal: Fault) {
    let stage = Stage::set(prefix).await.unwrap();
    let mut worker = worker(&stage, &[]).await;
    stage.proxy.fail("SendMessage", refusal);
    enqueue_body(&stage, "not json", HashMap::new()).await;
    let readiness = becomes(&worker, "dead-letter-queue", "denied").await;
    assert_eq!(readiness["status"], 200, "good messages are none the worse for it");
    enqueue(&stage, 1).await;
    lake_has(stage.active(), 1).await;
    let warnings = warnings(&mut worker, "dead-letter-queue");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let kept = async || (stage.active().queued_count().await.unwrap() == 1).then_some(());
    eventually("the message is kept, and no other", kept).await;
    stage.proxy.heal();
    shows(&worker, "sales_dead_letters_total{reason=\"malformed\"} 1").await;
}

#[tokio::test]
async fn a_redrive_policy_that_cannot_be_read_is_said_soon_and_holds_up_no_message() {
    let stage = Stage::set("no-policy").await.unwrap();
    let worker = worker(&stage, &[]).await;
    stage.proxy.fail("GetQueueAttributes", Fault::Delay(Duration::from_secs(300)));
    for number in 0..12 {
        enqueue_body(&stage, &format!("not json {number}"), HashMap::new()).await;
    }
    // One read after the other would take more than a minute.
    let readiness = becomes(&worker, "dead-letter-queue", "unavailable").await;
    assert_eq!(readiness["status"], 200, "good messages are none the worse for it");
    let attempts = stage.proxy.calls("GetQueueAttributes");
    assert!(attempts <= 6, "one read for all messages, and its retries, not {attempts}");
    enqueue(&stage, 1).await;
    lake_has(stage.active(), 1).await;
    stage.proxy.heal();
    shows(&worker, "sales_dead_letters_total{reason=\"malformed\"} 12").await;
}

#[tokio::test]
async fn a_dead_letter_keeps_its_attributes_as_they_were_sent() {
    let stage = Stage::set("letters-types").await.unwrap();
    let _worker = worker(&stage, &[]).await;
    let text =
        |kind: &str, value: &str| MessageAttributeValue::builder().data_type(kind).string_value(value).build().unwrap();
    let binary = MessageAttributeValue::builder().data_type("Binary.gif").binary_value(Blob::new([0_u8, 255, 7]));
    let sent = HashMap::from([
        ("bytes".to_owned(), binary.build().unwrap()),
        ("number".to_owned(), text("Number", "7")),
        ("json".to_owned(), text("String.json", "{}")),
    ]);
    enqueue_body(&stage, "not json", sent.clone()).await;
    let queues = aws_sdk_sqs::Client::new(&stage.sdk(stage.active()));
    let letter = eventually("the dead letter comes", async || {
        let request = queues.receive_message().queue_url(&stage.active().dead_letter_queue_url);
        request.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default().pop()
    })
    .await;
    let mut attributes = letter.message_attributes.unwrap();
    assert_eq!(
        attributes.remove("dead-letter-reason").and_then(|reason| reason.string_value).as_deref(),
        Some("malformed")
    );
    assert_eq!(attributes, sent);
}

#[tokio::test]
async fn pending_items_that_cannot_be_read_are_named_and_counted() {
    let stage = Stage::set("unreadable").await.unwrap();
    let tables = aws_sdk_dynamodb::Client::new(&stage.sdk(stage.active()));
    let put = async |id: &str, timestamp: &str| {
        let item = tables.put_item().table_name(&stage.active().sales_table).item("id", AttributeValue::S(id.into()));
        let item = item.item("timestamp", AttributeValue::N(timestamp.into()));
        item.item("pending", AttributeValue::S("0".into())).send().await.unwrap();
    };
    put("no id of ours", "1764547199").await;
    put("in milliseconds", "1764547199000").await;
    put(&id(1), "1764547199").await;
    // By this spelling no service finds it.
    put(&id(2).to_uppercase(), "1764547199").await;
    for number in 0..25 {
        put(&format!("much later {number:02}"), "1764547199001").await;
    }
    let mut worker = worker(&stage, &[("PENDING_GRACE_SECONDS", "1"), ("SWEEP_INTERVAL_SECONDS", "1")]).await;
    shows(&worker, "sales_pending_unreadable{region=\"sa-east-1\"} 29").await;
    let log = worker.log();
    for id in ["no id of ours", "in milliseconds", &id(1), &id(2).to_uppercase(), "much later 00", "much later 24"] {
        let named = log.lines().filter(|line| line.contains("\"WARN\"") && line.contains(id)).count();
        assert_eq!(named, 1, "{id}: {log}");
    }
}

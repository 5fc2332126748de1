//! `dlq`: listing, exporting and redriving messages that could not be processed.

use std::collections::BTreeSet;

use aws_sdk_sqs::{Client, types::MessageAttributeValue};
use sales_testbed::{resources::RegionResources, testing::Fault};
use serde_json::Value;

use crate::console::{Console, NEVER};

fn attribute(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

/// Adds dead letters like the worker or, without a reason, like the redrive policy.
async fn bury(console: &Console, region: &RegionResources, count: usize, reason: Option<&str>) {
    let queues = Client::new(&console.stage.sdk(region));
    for number in 0..count {
        let message =
            queues.send_message().queue_url(&region.dead_letter_queue_url).message_body(format!("body {number}"));
        let message = message.message_attributes("home", attribute("sa-east-1"));
        let message = match reason {
            Some(reason) => message.message_attributes("dead-letter-reason", attribute(reason)),
            None => message,
        };
        message.send().await.unwrap();
    }
}

/// All messages in a region's queue, with the names of their attributes.
async fn queued(console: &Console, region: &RegionResources) -> Vec<(String, BTreeSet<String>)> {
    let queues = Client::new(&console.stage.sdk(region));
    let mut found = Vec::new();
    loop {
        let request = queues.receive_message().queue_url(&region.queue_url).message_attribute_names("All");
        let messages = request.max_number_of_messages(10).send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            return found;
        }
        found.extend(messages.into_iter().map(|message| {
            let names = message.message_attributes.unwrap_or_default().into_keys().collect();
            (message.body.unwrap(), names)
        }));
    }
}

#[tokio::test]
async fn dead_letters_are_listed_and_exported_with_their_reasons_and_stay_where_they_are() {
    let console = Console::open("letters").await;
    let region = console.stage.active();
    bury(&console, region, 25, Some("malformed")).await;
    bury(&console, region, 2, None).await;

    let ended = console.run("dlq list -o json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let letters = ended.json();
    let with = |reason: &str| letters.as_array().unwrap().iter().filter(|letter| letter["reason"] == reason).count();
    assert_eq!((with("malformed"), with("failed too often")), (25, 2), "{letters}");

    let limited = console.run("dlq list --limit 3").await;
    assert_eq!(limited.out.lines().count(), 5, "a head, three letters, and that there are more: {limited:?}");

    let exported = console.run("dlq export --region sa-east-1").await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let lines: Vec<Value> = exported.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 27);
    assert!(lines.iter().all(|letter| letter["attributes"]["home"]["value"] == "sa-east-1"));
    assert_eq!(console.run("dlq export --file letters.jsonl").await.code, Some(0));
    assert_eq!(console.run("dlq export --file letters.jsonl").await.code, Some(1), "a file that is there is kept");
    assert_eq!(region.dead_letter_count().await.unwrap(), 27);
}

#[tokio::test]
async fn only_letters_with_the_reason_are_sent_back_without_it() {
    let console = Console::open("reason").await;
    let region = console.stage.active();
    bury(&console, region, 12, Some("malformed")).await;
    bury(&console, region, 3, Some("invalid-id")).await;
    let unasked = console.run("dlq redrive").await;
    assert_eq!(unasked.code, Some(64), "{unasked:?}");

    let ended = console.run("dlq redrive --reason malformed --yes -o json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!((&ended.json()[0]["redriven"], &ended.json()[0]["left"]), (&Value::from(12), &Value::from(3)));
    assert_eq!(region.dead_letter_count().await.unwrap(), 3);
    let queued = queued(&console, region).await;
    assert_eq!(queued.len(), 12);
    assert!(queued.iter().all(|(_, names)| *names == BTreeSet::from(["home".to_owned()])), "{queued:?}");
}

#[tokio::test]
async fn a_redrive_that_is_interrupted_loses_nothing_and_is_finished_by_repeating_it() {
    let console = Console::open("redrive").await;
    let region = console.stage.active();
    bury(&console, region, 15, None).await;
    let aws = &console.aws[0];
    for (call, fault) in [("SendMessage", Fault::Status(503)), ("DeleteMessageBatch", Fault::Status(503))] {
        aws.fail(call, fault);
        let ended = console.run("dlq redrive --region sa-east-1 --yes").await;
        assert_eq!(ended.code, Some(1), "{call}: {ended:?}");
        assert_eq!(region.dead_letter_count().await.unwrap(), 15, "{call}: {ended:?}");
        console.heal();
    }
    aws.fail("ReceiveMessage", Fault::Delay(NEVER));
    let before = aws.calls("ReceiveMessage");
    let ended =
        console.interrupt("dlq redrive --region sa-east-1 --yes", || aws.calls("ReceiveMessage") > before).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    console.heal();

    let repeated = console.run("dlq redrive --region sa-east-1 --yes").await;
    assert_eq!(repeated.code, Some(0), "{repeated:?}");
    assert_eq!(region.dead_letter_count().await.unwrap(), 0);
    let bodies: BTreeSet<_> = queued(&console, region).await.into_iter().map(|(body, _)| body).collect();
    assert_eq!(bodies.len(), 15, "each is there, some of them twice");
}

//! SNS and SQS, as called by the adapters of the topic and the queue.

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_sdk_sns::types::PublishBatchRequestEntry;
use sales::aws::{SnsSaleTopic, SqsSaleQueue};
use sales::event::Event;
use sales::ports::{DeadLetter, Delivery, SaleQueue, SaleTopic};
use sales_testbed::testing::eventually;

use super::{Latency, Running, called, dependency};
use crate::canned::endpoint::HALF_A_TICK;

const NO_WAIT: Duration = Duration::ZERO;
const HIDDEN: Duration = Duration::from_secs(30);

fn queue(running: &Running) -> SqsSaleQueue {
    SqsSaleQueue::new(
        &running.connection(),
        format!("{}/000000000000/sales", running.url()),
        dependency(),
        dependency(),
    )
}

fn event(delivery: &Delivery) -> Event {
    Event::parse(&delivery.body, &delivery.attributes).unwrap()
}

#[tokio::test]
async fn a_queue_is_received_ten_by_ten_and_then_empty() {
    let running = Running::loaded(25, 0).await;
    let queue = queue(&running);
    let mut received = Vec::new();
    for expected in [10, 10, 5, 0] {
        let deliveries = queue.receive(NO_WAIT, HIDDEN).await.unwrap();
        assert_eq!(deliveries.len(), expected);
        received.extend(deliveries);
    }
    let ids: HashSet<_> = received.iter().map(|delivery| event(delivery).fact.id()).collect();
    let receipts: HashSet<_> = received.iter().map(|delivery| delivery.receipt.as_str()).collect();
    assert_eq!((ids.len(), receipts.len()), (25, 25));

    let delivery = &received[24];
    assert_eq!((delivery.receive_count, delivery.attributes.len()), (1, 7));
    assert!(delivery.first_received.is_some());
    let event = event(delivery);
    assert_eq!(delivery.attributes["ce-id"], event.fact.id().to_string().into());
    assert_eq!(delivery.attributes, event.attributes());
    assert_eq!((&event.home, event.fact.region()), (&Some("sa-east-1".parse().unwrap()), event.home.as_ref()));

    let receipts: Vec<_> = received.iter().take(10).map(|delivery| delivery.receipt.as_str()).collect();
    queue.acknowledge(&receipts).await.unwrap();
    queue.hide(&[(receipts[0], NO_WAIT)]).await.unwrap();
    assert_eq!(queue.dead_letter(delivery, "malformed").await.unwrap(), DeadLetter::NoQueue);
    let counts = running.counts().await;
    assert_eq!((counts.messages_received, counts.messages_deleted), (25, 10));
    let expected = called(&[
        ("SQS.ChangeMessageVisibilityBatch", 1),
        ("SQS.DeleteMessageBatch", 1),
        ("SQS.GetQueueAttributes", 1),
        ("SQS.ReceiveMessage", 4),
    ]);
    assert_eq!(running.calls().await, expected);
}

#[tokio::test]
async fn every_entry_of_a_batch_succeeds_under_its_own_id() {
    let running = Running::loaded(0, 0).await;
    let client = aws_sdk_sqs::Client::new(&running.sdk());
    let entry = aws_sdk_sqs::types::DeleteMessageBatchRequestEntry::builder().id("x-1").receipt_handle("r");
    let delete = client.delete_message_batch().queue_url(running.url()).entries(entry.build().unwrap());
    let answer = delete.send().await.unwrap();
    assert_eq!((answer.successful()[0].id(), answer.failed().len()), ("x-1", 0));
    let sent = client.send_message().queue_url(running.url()).message_body("a").send().await.unwrap();
    assert!(sent.message_id().is_some());

    let client = aws_sdk_sns::Client::new(&running.sdk());
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message("a=1&b.Id=2").build().unwrap();
    let publish = client.publish_batch().topic_arn("arn:aws:sns:sa-east-1:000000000000:sales");
    let answer = publish.publish_batch_request_entries(entry("x-1")).publish_batch_request_entries(entry("7"));
    let answer = answer.send().await.unwrap();
    let ids: Vec<_> = answer.successful().iter().map(|entry| (entry.id(), entry.message_id().is_some())).collect();
    assert_eq!((ids, answer.failed().len()), (vec![(Some("x-1"), true), (Some("7"), true)], 0));
    let published = client.publish().topic_arn("arn:aws:sns:sa-east-1:000000000000:sales").message("a").send().await;
    assert!(published.unwrap().message_id().is_some());
    assert_eq!(running.counts().await.events_published, 3);
}

#[tokio::test]
async fn events_are_published_and_counted() {
    let running = Running::loaded(10, 0).await;
    let topic = SnsSaleTopic::new(&running.connection(), "arn:aws:sns:sa-east-1:000000000000:s".into(), dependency());
    let events: Vec<_> = queue(&running).receive(NO_WAIT, HIDDEN).await.unwrap().iter().map(event).collect();
    let results = topic.publish(&events).await;
    assert_eq!((results.len(), results.iter().filter(|result| result.is_ok()).count()), (10, 10));
    assert_eq!(running.counts().await.events_published, 10);
    assert_eq!(running.calls().await, called(&[("SNS.Publish", 1), ("SQS.ReceiveMessage", 1)]));
}

#[tokio::test]
async fn an_empty_queue_is_waited_at() {
    let running = Running::loaded(0, 0).await;
    let asked = Instant::now();
    assert_eq!(queue(&running).receive(Duration::from_secs(1), HIDDEN).await.unwrap().len(), 0);
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert_eq!(running.calls().await, called(&[("SQS.ReceiveMessage", 1)]));
}

#[tokio::test]
async fn a_load_ends_the_wait_at_an_empty_queue() {
    let running = Running::loaded(0, 0).await;
    let queue = queue(&running);
    let wait = Duration::from_secs(20);
    let receivers = futures::future::join(queue.receive(wait, HIDDEN), queue.receive(wait, HIDDEN));
    let loading = async {
        connected(&running, 2).await;
        // Twelve for both receivers: the second gets what the first leaves.
        running.load(12, 0).await;
    };
    let ((one, other), ()) = futures::future::join(receivers, loading).await;
    let mut received = [one.unwrap().len(), other.unwrap().len()];
    received.sort_unstable();
    assert_eq!(received, [2, 10]);
    assert_eq!(running.counts().await.messages_received, 12);
}

#[tokio::test]
async fn a_receiver_that_has_hung_up_gets_nothing() {
    let running = Running::loaded(0, 0).await;
    let mut gone = TcpStream::connect(("127.0.0.1", running.ports.aws)).unwrap();
    let body = r#"{"MaxNumberOfMessages":10,"WaitTimeSeconds":20}"#;
    let head = "POST / HTTP/1.1\r\nhost: sqs\r\nx-amz-target: AmazonSQS.ReceiveMessage\r\n";
    write!(gone, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    connected(&running, 1).await;
    drop(gone);
    running.load(1, 0).await;
    assert_eq!(queue(&running).receive(NO_WAIT, HIDDEN).await.unwrap().len(), 1);
    assert_eq!(running.calls().await, called(&[("SQS.ReceiveMessage", 1)]));
}

/// Waits until this many receivers are connected, and a little longer, for their requests.
async fn connected(running: &Running, receivers: u64) {
    eventually("receivers connect", async || (running.counts().await.connections == receivers).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn an_answer_is_held_back_for_as_long_as_its_service_takes() {
    let latency = Duration::from_millis(150);
    let running = Running::start(Latency { sqs: latency, ..Latency::NONE }, None);
    running.load(1, 0).await;
    let asked = Instant::now();
    assert_eq!(queue(&running).receive(NO_WAIT, HIDDEN).await.unwrap().len(), 1);
    assert!(asked.elapsed() >= latency - HALF_A_TICK);
}

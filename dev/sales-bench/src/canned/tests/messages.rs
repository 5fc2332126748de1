//! SNS and SQS, as called by the adapters of the topic and the queue.

use std::collections::HashSet;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sales::aws::{DynamoSaleTable, SnsSaleTopic, SqsSaleQueue};
use sales::entropy::Entropy;
use sales::event::Event;
use sales::message::{self, Unpacked};
use sales::ports::{DeadLetter, Delivery, SaleQueue, SaleTable, SaleTopic};
use sales::shard::Shards;
use sales_testbed::testing::eventually;

use super::{Latency, Load, Running, called, dependency};
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

fn unpack(delivery: &Delivery) -> Unpacked {
    message::unpack(&delivery.body, &delivery.attributes)
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
    // Ten messages are less than 64 KiB.
    assert_eq!((counts.messages_received, counts.messages_deleted, counts.sqs_units), (25, 10, 3 + 2));
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
    let published = client.publish().topic_arn("arn:aws:sns:sa-east-1:000000000000:sales").message("a").send().await;
    assert!(published.unwrap().message_id().is_some());
    assert_eq!(running.counts().await.events_published, 1);
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
async fn messages_of_many_events_are_received_and_their_facts_are_held() {
    let running = Running::loaded(0, 0).await;
    running.offer(Load { messages: 3, events: 20, elsewhere: true, ..Load::default() }).await;
    let deliveries = queue(&running).receive(NO_WAIT, HIDDEN).await.unwrap();
    let events: Vec<Event> = deliveries.iter().flat_map(|delivery| unpack(delivery).events).collect();
    assert_eq!((deliveries.len(), events.len()), (3, 60));
    assert!(events.iter().all(|event| event.home == Some("us-east-1".parse().unwrap())));

    let ids: Vec<_> = events.iter().map(|event| event.fact.id()).collect();
    let (connection, shards) = (running.connection(), Shards::DEFAULT);
    let table = DynamoSaleTable::new(&connection, "sales".into(), shards, dependency(), Entropy::system());
    assert_eq!(table.held(&ids).await.unwrap(), ids.into_iter().collect());
}

#[tokio::test]
async fn what_is_published_is_delivered_to_a_receiver_that_waits() {
    let running = Running::loaded(20, 0).await;
    let queue = queue(&running);
    let mut events: Vec<_> = queue.receive(NO_WAIT, HIDDEN).await.unwrap().iter().map(event).collect();
    let topic = SnsSaleTopic::new(&running.connection(), "arn:aws:sns:sa-east-1:000000000000:s".into(), dependency());
    running.offer(Load { relays: true, ..Load::default() }).await;
    for expected in [10, 1] {
        events.truncate(expected);
        let (received, published) =
            futures::future::join(queue.receive(Duration::from_secs(20), HIDDEN), topic.publish(&events)).await;
        let received = received.unwrap();
        let [message] = received.as_slice() else { panic!("{received:?}") };
        assert!(published.iter().all(Result::is_ok));
        assert_eq!(unpack(message).events, events);
    }
    let counts = running.counts().await;
    assert_eq!((counts.events_published, counts.messages_received, counts.sns_units), (11, 2, 2));
    assert_eq!(counts.sqs_units, 2 + 2);
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
